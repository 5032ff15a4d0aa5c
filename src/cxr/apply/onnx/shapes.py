"""The shapes that each allowed operation makes. No other may stand in a `model.onnx`.

The semantics are those of opsets 18 to 22 (onnx/docs/Operators.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from .values import (
    MAX_KNOWN,
    MAX_RANK,
    Inputs,
    Node,
    Value,
    arithmetic,
    broadcast,
    input_at,
    known_at,
    require,
)

INT64 = 7
Rule = Callable[[Node, Inputs], list[Value]]


def _same(node: Node, inputs: Inputs) -> list[Value]:
    return [Value(input_at(inputs, 0).shape)]


def _elementwise(node: Node, inputs: Inputs) -> list[Value]:
    values = [value for value in inputs if value is not None]
    shape = broadcast(*(value.shape for value in values))
    known = [value.known for value in values if value.known is not None]
    if len(known) != 2 or len(values) != 2 or math.prod(shape) > MAX_KNOWN:
        return [Value(shape)]
    return [Value(shape, arithmetic(node.op, *known))]


def _where(node: Node, inputs: Inputs) -> list[Value]:
    condition, a, b = (input_at(inputs, i) for i in range(3))
    shape = broadcast(condition.shape, a.shape, b.shape)
    if condition.known is None or a.known is None or b.known is None:
        return [Value(shape)]
    if math.prod(shape) > MAX_KNOWN:
        return [Value(shape)]
    return [Value(shape, np.where(condition.known, a.known, b.known))]


def _pooled(
    node: Node, x: Value, channels: int, kernel: Sequence[int], ceil: bool = False
) -> list[Value]:
    """A window slid over the last dimensions."""
    require(node.attributes.get("auto_pad", "NOTSET") == "NOTSET", "auto_pad is not allowed")
    n = len(x.shape) - 2
    strides, dilations = node.ints("strides", [1] * n), node.ints("dilations", [1] * n)
    pads = node.ints("pads", [0] * 2 * n)
    require(n in (1, 2) and len(kernel) == len(strides) == len(dilations) == n, "wrong rank")
    require(len(pads) == 2 * n and min([*pads, 0]) == 0, "wrong pads")
    require(min([*kernel, *strides, *dilations]) > 0, "sizes must be positive")
    sides = []
    for i in range(n):
        steps = x.shape[2 + i] + pads[i] + pads[n + i] - dilations[i] * (kernel[i] - 1) - 1
        require(steps >= 0, "the window is larger than the map")
        side = (-(-steps // strides[i]) if ceil else steps // strides[i]) + 1
        if ceil and (side - 1) * strides[i] >= x.shape[2 + i] + pads[i]:
            side -= 1  # a window in the padding alone
        sides.append(side)
    return [Value((x.shape[0], channels, *sides))]


def _conv(node: Node, inputs: Inputs) -> list[Value]:
    x, weight = input_at(inputs, 0), input_at(inputs, 1)
    groups = node.attributes.get("group", 1)
    require(len(weight.shape) == len(x.shape) >= 3 and groups > 0, "wrong rank")
    require(weight.shape[1] * groups == x.shape[1], "the weights are for other channels")
    kernel = node.ints("kernel_shape", weight.shape[2:])
    require(tuple(kernel) == weight.shape[2:], "kernel_shape is not that of the weights")
    return _pooled(node, x, weight.shape[0], kernel)


def _pool(node: Node, inputs: Inputs) -> list[Value]:
    x = input_at(inputs, 0)
    ceil = bool(node.attributes.get("ceil_mode", 0))
    return _pooled(node, x, x.shape[1], node.ints("kernel_shape", ()), ceil)


def _global_pool(node: Node, inputs: Inputs) -> list[Value]:
    x = input_at(inputs, 0)
    return [Value((*x.shape[:2], *(1 for _ in x.shape[2:])))]


def _axes(axes: Sequence[int], rank: int) -> list[int]:
    require(all(-rank <= axis < rank for axis in axes), "an axis that is not there")
    positive = [axis % rank for axis in axes]
    require(len(set(positive)) == len(positive), "an axis twice")
    return positive


def _reduce(node: Node, inputs: Inputs) -> list[Value]:
    x = input_at(inputs, 0)
    given = known_at(inputs, 1) if len(inputs) > 1 and inputs[1] is not None else []
    none = bool(node.attributes.get("noop_with_empty_axes", 0))
    axes = _axes(given or ([] if none else range(len(x.shape))), len(x.shape))
    keep = node.attributes.get("keepdims", 1)
    sides = [1 if i in axes else side for i, side in enumerate(x.shape) if keep or i not in axes]
    return [Value(tuple(sides))]


def _concat(node: Node, inputs: Inputs) -> list[Value]:
    values = [input_at(inputs, i) for i in range(len(inputs))]
    first = values[0].shape
    (axis,) = _axes([node.attributes["axis"]], len(first))
    rest = {(*value.shape[:axis], *value.shape[axis + 1 :]) for value in values}
    require(len(rest) == 1 and all(len(v.shape) == len(first) for v in values), "shapes differ")
    total = sum(value.shape[axis] for value in values)
    shape = (*first[:axis], total, *first[axis + 1 :])
    known = [value.known for value in values if value.known is not None]
    if len(first) == 1 and total <= MAX_KNOWN and len(known) == len(values):
        return [Value(shape, np.concatenate(known))]
    return [Value(shape)]


def _flatten(node: Node, inputs: Inputs) -> list[Value]:
    x = input_at(inputs, 0)
    axis = node.attributes.get("axis", 1)
    return [Value((math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))]


def _gemm(node: Node, inputs: Inputs) -> list[Value]:
    a, b = input_at(inputs, 0).shape, input_at(inputs, 1).shape
    a = a[::-1] if node.attributes.get("transA", 0) else a
    b = b[::-1] if node.attributes.get("transB", 0) else b
    require(len(a) == len(b) == 2 and a[1] == b[0], f"{a} and {b} cannot be multiplied")
    if len(inputs) > 2 and inputs[2] is not None:
        require(broadcast(inputs[2].shape, (a[0], b[1])) == (a[0], b[1]), "the bias does not fit")
    return [Value((a[0], b[1]))]


def _matmul(node: Node, inputs: Inputs) -> list[Value]:
    a, b = input_at(inputs, 0).shape, input_at(inputs, 1).shape
    good = min(len(a), len(b)) >= 2 and a[-1] == b[-2]
    require(good, f"{a} and {b} cannot be multiplied")
    return [Value((*broadcast(a[:-2], b[:-2]), a[-2], b[-1]))]


def _sizes(inputs: Inputs, i: int) -> list[int]:
    """Entries that become a shape."""
    sizes = known_at(inputs, i)
    require(len(sizes) <= MAX_RANK and min([*sizes, 0]) >= -1, "a shape that cannot be")
    return sizes


def _reshape(node: Node, inputs: Inputs) -> list[Value]:
    x, sizes = input_at(inputs, 0), _sizes(inputs, 1)
    if not node.attributes.get("allowzero", 0):
        sizes = [x.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    total, rest = math.prod(x.shape), math.prod(size for size in sizes if size != -1)
    if -1 in sizes:
        require(sizes.count(-1) == 1 and rest > 0 and total % rest == 0, "sizes do not fit")
        sizes[sizes.index(-1)] = total // rest
    require(math.prod(sizes) == total, f"{x.shape} cannot become {tuple(sizes)}")
    return [x.as_shape(tuple(sizes))]


def _expand(node: Node, inputs: Inputs) -> list[Value]:
    sizes = _sizes(inputs, 1)
    require(min([*sizes, 0]) >= 0, "a shape that cannot be")
    return [Value(broadcast(input_at(inputs, 0).shape, tuple(sizes)))]


def _transpose(node: Node, inputs: Inputs) -> list[Value]:
    x = input_at(inputs, 0)
    order = node.ints("perm", range(len(x.shape))[::-1])
    require(sorted(order) == list(range(len(x.shape))), "perm is no order of the axes")
    shape = tuple(x.shape[axis] for axis in order)
    return [Value(shape, None if x.known is None else x.known.transpose(order))]


def _squeeze(node: Node, inputs: Inputs) -> list[Value]:
    x = input_at(inputs, 0)
    axes = _axes(known_at(inputs, 1), len(x.shape))
    require(all(x.shape[axis] == 1 for axis in axes), "an axis that is not 1")
    shape = tuple(side for i, side in enumerate(x.shape) if i not in axes)
    return [x.as_shape(shape)]


def _unsqueeze(node: Node, inputs: Inputs) -> list[Value]:
    x, given = input_at(inputs, 0), known_at(inputs, 1)
    axes = _axes(given, len(x.shape) + len(given))
    sides = iter(x.shape)
    shape = tuple(1 if i in axes else next(sides) for i in range(len(x.shape) + len(given)))
    return [x.as_shape(shape)]


def _split(node: Node, inputs: Inputs) -> list[Value]:
    x = input_at(inputs, 0).shape
    (axis,) = _axes([node.attributes.get("axis", 0)], len(x))
    if len(inputs) > 1 and inputs[1] is not None:
        parts = known_at(inputs, 1)
    else:
        n = node.attributes.get("num_outputs", node.n_outputs)
        require(n == node.n_outputs > 0, "wrong number of parts")
        step = -(-x[axis] // n)
        parts = [min(step, max(0, x[axis] - step * i)) for i in range(n)]
    require(min(parts) >= 0 and sum(parts) == x[axis], "the parts are not the whole")
    return [Value((*x[:axis], part, *x[axis + 1 :])) for part in parts]


def _slice(node: Node, inputs: Inputs) -> list[Value]:
    x = input_at(inputs, 0)
    starts, ends = known_at(inputs, 1), known_at(inputs, 2)
    n, rank = len(starts), len(x.shape)
    axes = _axes(known_at(inputs, 3) if len(inputs) > 3 and inputs[3] else range(n), rank)
    steps = known_at(inputs, 4) if len(inputs) > 4 else [1] * n
    require(len(ends) == len(axes) == len(steps) == n and 0 not in steps, "wrong slices")
    cuts = [slice(None)] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        cuts[axis] = slice(start, end, step)
    shape = tuple(len(range(*cut.indices(side))) for cut, side in zip(cuts, x.shape, strict=True))
    return [Value(shape, None if x.known is None else x.known[tuple(cuts)])]


def _gather(node: Node, inputs: Inputs) -> list[Value]:
    x, indices = input_at(inputs, 0), input_at(inputs, 1)
    (axis,) = _axes([node.attributes.get("axis", 0)], len(x.shape))
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    if x.known is None or indices.known is None or math.prod(shape) > MAX_KNOWN:
        return [Value(shape)]
    return [Value(shape, np.take(x.known, indices.known, axis))]


def _shape(node: Node, inputs: Inputs) -> list[Value]:
    x = input_at(inputs, 0).shape
    sides = np.array(
        x[slice(node.attributes.get("start", 0), node.attributes.get("end"))], np.int64
    )
    return [Value(sides.shape, sides)]


def _cast(node: Node, inputs: Inputs) -> list[Value]:
    x = input_at(inputs, 0)
    return [x if node.attributes.get("to") == INT64 else Value(x.shape)]


def _layer_norm(node: Node, inputs: Inputs) -> list[Value]:
    require(node.n_outputs == 1, "more than one output")
    x = input_at(inputs, 0).shape
    for i in range(1, len(inputs)):
        require(broadcast(x, input_at(inputs, i).shape) == x, "its factors do not fit")
    return [Value(x)]


def _pad(node: Node, inputs: Inputs) -> list[Value]:
    x, pads = input_at(inputs, 0).shape, known_at(inputs, 1)
    require(len(pads) == 2 * len(x) and len(inputs) < 4 and min(pads) >= 0, "wrong pads")
    sides = [side + pads[i] + pads[i + len(x)] for i, side in enumerate(x)]
    return [Value(tuple(sides))]


RULES: dict[str, Rule] = {
    **dict.fromkeys(
        (
            *("Abs", "Clip", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu"),
            *("Mish", "Neg", "Relu", "Selu", "Sigmoid", "Softmax", "Softplus", "Sqrt", "Tanh"),
            *("BatchNormalization", "InstanceNormalization", "GroupNormalization"),
            *("DequantizeLinear", "QuantizeLinear"),
        ),
        _same,
    ),
    **dict.fromkeys(
        ("Add", "Sub", "Mul", "Div", "Mod", "Pow", "Min", "Max", "Equal"), _elementwise
    ),
    **dict.fromkeys(("MaxPool", "AveragePool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _global_pool),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2"), _reduce),
    "Cast": _cast,
    "Concat": _concat,
    "Conv": _conv,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "Identity": lambda node, inputs: [input_at(inputs, 0)],
    "LayerNormalization": _layer_norm,
    "MatMul": _matmul,
    "Pad": _pad,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
