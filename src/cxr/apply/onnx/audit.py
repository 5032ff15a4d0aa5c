"""What a `model.onnx` may be, checked before onnxruntime sees a byte of it.

A network from image to three outputs, of operations of the standard whose results can be followed
to their last shape: so what it takes to run it is known beforehand. onnxruntime itself would read
files that the model names, compute what is constant while it loads, however large, and run loops
without an end. Uses neither onnxruntime nor the `onnx` package.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .proto import Message, read_model, wrong
from .shapes import RULES
from .values import MAX_ENTRY, MAX_KNOWN, MAX_RANK, Node, Shape, Value

INPUT = "image"
OUTPUTS = ("logits", "features", "middle")
OPSETS = range(18, 23)
MAX_NODES = 10_000
MAX_NUMBERS = 2**28  # alive at once, beside the weights: 1 GiB
MAX_WORK = 2 * 10**12  # multiplications and numbers made in one run

FLOAT, UINT8, INT64 = 1, 2, 7
BYTES_OF = {FLOAT: 4, UINT8: 1, 3: 1, 6: 4, INT64: 8, 9: 1}  # int8, int32, bool
LISTS = {"float_data": (FLOAT,), "int32_data": (UINT8, 3, 6, 9), "int64_data": (INT64,)}
# onnxruntime reads such a file as a format of its own, whatever else it may be, and takes
# settings from an entry of the metadata.
ORT_MARK, ORT_SETTINGS = b"ORTM", "ort_config"


class NetworkSummary(NamedTuple):
    """`size` of the images, widths of the outputs, and what one image takes: numbers alive at once
    beside the weights, and work."""

    size: int
    n_classes: int
    n_features: int
    n_middle: int
    numbers: int
    work: int


class _TooMuch(ValueError):
    pass


class Audit:
    """A network that may be run, one image at a time, and as many as `fits` allows.

    Each number of images is followed by itself, once: what is small for many may be huge for few.
    """

    def __init__(self, graph: Message) -> None:
        self.graph = graph
        if len(graph["node"]) > MAX_NODES:
            raise wrong(f"{len(graph['node']):,} operations, at most {MAX_NODES:,} are allowed")
        # An input that is left out has no name.
        self.weights: dict[str, Value | None] = {"": None}
        for tensor in graph.pop("initializer"):
            _add(self.weights, tensor.get("name", ""), value_of(tensor))
        try:
            self.summary = _ShapeInference(graph, self.weights, 1).summary()
        except _TooMuch as error:
            raise wrong(f"one image takes {error}") from error
        self._fits = {1: True}

    def fits(self, n: int) -> bool:
        """Whether `n` images may be run at once. Raises BundleError for what cannot take them."""
        if n not in self._fits:
            try:
                _ShapeInference(self.graph, self.weights, n).summary()
                self._fits[n] = True
            except _TooMuch:
                self._fits[n] = False
        return self._fits[n]


def audit(data: bytes, size: int | None = None, n_classes: int | None = None) -> Audit:
    """Raises BundleError, with the reason, for anything but a network that cxr could have written,
    or one for images of another `size` or for other than `n_classes`."""
    if data[4:8] == ORT_MARK:
        raise wrong("it is in onnxruntime's own format")
    model = read_model(data)
    _check_model(model)
    audited = Audit(model["graph"])
    for name, own, wanted in (
        ("images of size", audited.summary.size, size),
        ("a number of classes of", audited.summary.n_classes, n_classes),
    ):
        if wanted is not None and own != wanted:
            raise wrong(f"it is for {name} {own}, the model for {wanted}")
    return audited


def _add(values: dict[str, Value | None], name: str, value: Value) -> None:
    if name in values:
        raise wrong(f"{name!r:.60} is made twice, or has no name")
    values[name] = value


def _check_model(model: Message) -> None:
    if "graph" not in model:
        raise wrong("it holds no network")
    if any(entry.get("key") == ORT_SETTINGS for entry in model["metadata_props"]):
        raise wrong("its metadata hold settings of onnxruntime")
    sets = [(entry.get("domain", ""), entry.get("version")) for entry in model["opset_import"]]
    if len(sets) != 1 or sets[0][0] not in ("", "ai.onnx") or sets[0][1] not in OPSETS:
        raise wrong(
            f"operations of {str(sets)[:100]}; the standard's versions {OPSETS[0]} to {OPSETS[-1]} "
            "alone are allowed"
        )


class _ShapeInference:
    """Follows the nodes in their order, for `batch` images."""

    def __init__(self, graph: Message, weights: dict[str, Value | None], batch: int) -> None:
        self.graph, self.batch, self.values = graph, batch, dict(weights)
        self.size = self._image()
        self.numbers = self.work = 0

    def _image(self) -> int:
        inputs = [_declared(value) for value in self.graph["input"]]
        if len(inputs) != 1 or inputs[0][:2] != (INPUT, UINT8):
            raise wrong(f"its inputs are {str(inputs)[:100]}, expected {INPUT!r} alone, uint8")
        shape = inputs[0][2]
        size = shape[-1] if shape else None
        if not isinstance(size, int) or size < 1 or shape[1:] != (1, size, size):
            raise wrong(f"{INPUT} is {shape}, expected (batch, 1, side, side)")
        if isinstance(shape[0], int):
            raise wrong(f"{INPUT} is for batches of {shape[0]} alone")
        _add(self.values, INPUT, Value((self.batch, 1, size, size)))
        return size

    def summary(self) -> NetworkSummary:
        last = self._last_uses()
        alive: dict[str, int] = {}
        for i, node in enumerate(self.graph["node"]):
            sizes = self._follow(node)
            self.work += sum(sizes.values())
            alive.update(sizes)
            self.numbers = max(self.numbers, sum(alive.values()))
            for name in [*node["input"], *sizes]:
                if last.get(name, i) <= i:
                    alive.pop(name, None)
            self._check_cost()
        n_classes, n_features, n_middle = self._outputs()
        widths = n_classes, n_features, n_middle
        return NetworkSummary(self.size, *widths, self.numbers, self.work)

    def _check_cost(self) -> None:
        if self.numbers > MAX_NUMBERS:
            raise _TooMuch(f"more than {MAX_NUMBERS:,} numbers at once")
        if self.work > MAX_WORK:
            raise _TooMuch(f"more than {MAX_WORK:.0e} multiplications")

    def _last_uses(self) -> dict[str, int]:
        nodes = self.graph["node"]
        uses = {name: i for i, node in enumerate(nodes) for name in node["input"]}
        return uses | dict.fromkeys(OUTPUTS, len(nodes))

    def _follow(self, node: Message) -> dict[str, int]:
        """One node; how many entries each of its outputs has, by name."""
        op = node.get("op_type", "")
        if node.get("domain", "") not in ("", "ai.onnx"):
            raise wrong(f"operation {op!r:.60} is of {node['domain']!r:.60}, not of the standard")
        if op not in RULES and op != "Constant":
            raise wrong(f"operation {op!r:.60} is not allowed")
        names = node["output"]
        missing = [name for name in node["input"] if name not in self.values]
        if missing:
            raise wrong(f"{op} takes {missing[0]!r:.60}, which nothing has made")
        inputs = [self.values[name] for name in node["input"]]
        values = self._results(op, node, inputs)
        if len(values) != len(names):
            raise wrong(f"{op} has {len(names)} outputs")
        for name, value in zip(names, values, strict=True):
            _add(self.values, name, value)
        self.work += _multiplications(op, inputs, values)
        return {n: math.prod(v.shape) for n, v in zip(names, values, strict=True)}

    def _results(self, op: str, node: Message, inputs: list[Value | None]) -> list[Value]:
        attributes = _attributes(node)
        if op == "Constant":
            if set(attributes) != {"value"} or not isinstance(attributes["value"], dict):
                raise wrong("a constant that is no tensor")
            return [value_of(attributes["value"])]
        try:
            values = RULES[op](Node(op, attributes, len(node["output"])), inputs)
        except (ValueError, TypeError, LookupError, ArithmeticError) as error:
            name = node.get("name", "")
            raise wrong(f"{op} {name!r:.60} cannot be followed ({str(error)[:150]})") from error
        if any(len(v.shape) > MAX_RANK or min([*v.shape, 0]) < 0 for v in values):
            raise wrong(f"{op} makes a shape that cannot be")
        return values

    def _outputs(self) -> list[int]:
        outputs = [_declared(value) for value in self.graph["output"]]
        if [(name, kind) for name, kind, _ in outputs] != [(name, FLOAT) for name in OUTPUTS]:
            raise wrong(
                f"its outputs are {str(outputs)[:150]}, expected {', '.join(OUTPUTS)}, float"
            )
        widths: list[int] = []
        for name in OUTPUTS:
            value = self.values.get(name)
            if value is None or len(value.shape) != 2 or value.shape[0] != self.batch:
                raise wrong(f"{name} is not a row for each image")
            widths.append(value.shape[1])
        return widths


def value_of(tensor: Message) -> Value:
    """Of weights that are whole: as many bytes as their shape says."""
    name, kind = tensor.get("name", ""), tensor.get("data_type")
    shape: Shape = tuple(tensor["dims"])
    if kind not in BYTES_OF or tensor.get("data_location", 0) != 0:
        raise wrong(f"{name!r:.60} is of a kind that is not allowed, or outside the file")
    if len(shape) > MAX_RANK or min([*shape, 0]) < 0:
        raise wrong(f"{name!r:.60} has a shape that cannot be: {str(shape)[:60]}")
    raw, count = tensor.get("raw_data"), math.prod(shape)
    listed = {field: tensor[field] for field in LISTS if tensor[field]}
    if raw is not None and not listed:
        there = len(raw) / BYTES_OF[kind]
    else:
        there = sum(len(entries) for field, entries in listed.items() if kind in LISTS[field])
        if raw is not None or any(kind not in LISTS[field] for field in listed):
            raise wrong(f"{name!r:.60} is there twice or as another kind")
    if there != count:
        raise wrong(f"{name!r:.60} claims {count:,} entries, {there:,.0f} are there")
    if kind != INT64 or count > MAX_KNOWN:
        return Value(shape)
    entries = np.frombuffer(raw, "<i8") if raw is not None else tensor["int64_data"]
    known = np.array(entries, np.int64).reshape(shape)
    # The largest number stands for "to the end" in slices.
    return Value(shape, np.clip(known, -MAX_ENTRY, MAX_ENTRY))


def _attributes(node: Message) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for entry in node["attribute"]:
        name = entry.get("name", "")
        values = [entry[field] for field in ("f", "i", "s", "t") if field in entry]
        values += [entry[field] for field in ("floats", "ints") if entry[field]]
        if len(values) > 1 or name in attributes:
            raise wrong(f"attribute {name!r:.60} is there twice")
        attributes[name] = values[0] if values else []
    return attributes


def _declared(value: Message) -> tuple[str, int | None, tuple[int | str, ...]]:
    """Name, kind and shape of an input or output; a side that has no number by its name."""
    tensor = value.get("type", {}).get("tensor_type", {})
    sides = tensor.get("shape", {}).get("dim", [])
    shape = tuple(side.get("dim_value", side.get("dim_param", "")) for side in sides)
    return value.get("name", ""), tensor.get("elem_type"), shape


def _multiplications(op: str, inputs: list[Value | None], results: list[Value]) -> int:
    """By the entries that one entry of the result is summed from."""
    if op == "Conv" and (weight := inputs[1]) is not None:
        return math.prod(results[0].shape) * math.prod(weight.shape[1:])
    if op in ("Gemm", "MatMul") and (a := inputs[0]) is not None:
        return math.prod(results[0].shape) * max(a.shape)  # transposed or not
    return 0
