"""Hostile model.onnx files: each is refused, in little time, before onnxruntime sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import cxr.apply.onnx.engine as engine
from cxr.apply.onnx import OnnxEngine
from cxr.apply.onnx.audit import audit
from cxr.errors import BundleError

pytestmark = pytest.mark.timeout(60)

SIDE = 32
WEIGHTS = np.random.default_rng(0).normal(size=(4, 1, 3, 3)).astype(np.float32)
HEAD = np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32)
Change = Callable[[onnx.ModelProto], None]


def network() -> onnx.ModelProto:
    """The smallest that is in order: image -> Conv -> pool -> logits, features, middle."""
    nodes = [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["grey", "weights"], ["maps"], pads=[0, 0, 1, 1]),
        helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("Gemm", ["features", "head"], ["logits"], transB=1),
        helper.make_node("Concat", ["features", "features"], ["middle"], axis=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 1, SIDE, SIDE])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
        for name, width in (("logits", 2), ("features", 4), ("middle", 8))
    ]
    weights = [numpy_helper.from_array(WEIGHTS, "weights"), numpy_helper.from_array(HEAD, "head")]
    graph = helper.make_graph(nodes, "network", [image], outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def changed(change: Change) -> bytes:
    model = network()
    change(model)
    return model.SerializeToString()


def refused(data: bytes, reason: str) -> None:
    """By the engine as by the audit, before anything is loaded."""
    with never_loaded(), pytest.raises(BundleError, match=reason) as caught:
        OnnxEngine(data, threads=1)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


@contextmanager
def never_loaded() -> Iterator[None]:
    def session(*args: object) -> None:
        raise AssertionError("onnxruntime was given the bytes")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_session", session)
        yield


def constant(model: onnx.ModelProto, name: str, *entries: int) -> str:
    array = np.array(entries, np.int64)
    model.graph.initializer.append(numpy_helper.from_array(array, name))
    return name


def before_pool(model: onnx.ModelProto, *nodes: onnx.NodeProto) -> None:
    """Puts `nodes` behind the maps; the last must make `more`."""
    model.graph.node[2].input[0] = "more"
    for i, node in enumerate(nodes):
        model.graph.node.insert(2 + i, node)


def test_a_network_in_order_runs() -> None:
    found = OnnxEngine(network().SerializeToString(), threads=1)
    assert (
        found.audit.summary.size,
        found.audit.summary.n_classes,
        found.audit.summary.n_features,
    ) == (
        SIDE,
        2,
        4,
    )
    seen = found.run(np.full((2, SIDE, SIDE), 7, np.uint8))
    assert [part.shape for part in seen] == [(2, 2), (2, 4), (2, 8)]


@pytest.mark.parametrize("where", ["/etc/passwd", "../../secret", "weights.bin"])
def test_weights_outside_the_file(where: str) -> None:
    def outside(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", where

    refused(changed(outside), "weights outside the file")


def test_said_to_be_outside_without_a_place() -> None:
    def outside(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].data_location = TensorProto.EXTERNAL

    refused(changed(outside), "outside the file")


def test_a_loop_without_an_end() -> None:
    def forever(model: onnx.ModelProto) -> None:
        going = helper.make_tensor_value_info("going", TensorProto.BOOL, [])
        turn = helper.make_tensor_value_info("turn", TensorProto.INT64, [])
        kept = helper.make_tensor_value_info("kept", TensorProto.BOOL, [])
        body = helper.make_graph(
            [helper.make_node("Identity", ["going"], ["kept"])], "body", [turn, going], [kept]
        )
        model.graph.node.append(helper.make_node("Loop", ["", "yes"], ["never"], body=body))

    refused(changed(forever), "a graph inside a graph")


@pytest.mark.parametrize(
    "op",
    [
        *(
            "ConstantOfShape",
            "Einsum",
            "EyeLike",
            "If",
            "Loop",
            "NonZero",
            "OneHot",
            "RandomNormal",
        ),
        *("Range", "Resize", "Scan", "SequenceConstruct", "StringConcat", "Tile", "Unique"),
    ],
)
def test_operations_that_may_take_any_time_or_memory(op: str) -> None:
    def use(model: onnx.ModelProto) -> None:
        before_pool(model, helper.make_node(op, ["maps"], ["more"]))

    refused(changed(use), f"'{op}' is not allowed")


@pytest.mark.parametrize("domain", ["com.microsoft", "evil", "ai.onnx.ml"])
def test_operations_of_others(domain: str) -> None:
    def use(model: onnx.ModelProto) -> None:
        before_pool(model, helper.make_node("Relu", ["maps"], ["more"], domain=domain))

    def import_it(model: onnx.ModelProto) -> None:
        model.opset_import.append(helper.make_opsetid(domain, 1))

    refused(changed(use), f"is of '{domain}'")
    refused(changed(import_it), "operations of")


@pytest.mark.parametrize("version", [1, 17, 999, -1])
def test_versions_of_the_operations(version: int) -> None:
    def other(model: onnx.ModelProto) -> None:
        model.opset_import[0].version = version

    refused(changed(other), "operations of")


def test_functions_and_training() -> None:
    def function(model: onnx.ModelProto) -> None:
        model.functions.append(
            helper.make_function("d", "F", ["x"], ["y"], [], [helper.make_opsetid("", 18)])
        )

    def training(model: onnx.ModelProto) -> None:
        model.training_info.add()

    def sparse(model: onnx.ModelProto) -> None:
        model.graph.sparse_initializer.add().dims.append(4)

    refused(changed(function), "functions of its own")
    refused(changed(training), "training steps")
    refused(changed(sparse), "sparse weights")


def test_settings_of_onnxruntime() -> None:
    def settings(model: onnx.ModelProto) -> None:
        helper.set_model_props(model, {"ort_config": "{}"})

    refused(changed(settings), "settings of onnxruntime")
    data = network().SerializeToString()
    refused(data[:4] + b"ORTM" + data[8:], "own format")


@pytest.mark.parametrize("dims", [[4, 1, 3, 4], [2**31, 2**31], [4, 1, -3, -3], [1] * 30, [36]])
def test_weights_of_another_shape_than_they_claim(dims: list[int]) -> None:
    def claim(model: onnx.ModelProto) -> None:
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(dims)

    refused(changed(claim), "weights|Conv")


@pytest.mark.parametrize("kind", ["STRING", "DOUBLE", "COMPLEX64", "FLOAT16", "UINT8"])
def test_weights_of_another_kind(kind: str) -> None:
    def other(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].data_type = getattr(TensorProto, kind)

    refused(changed(other), "'weights' (is of a kind|claims)")


def test_weights_in_two_places() -> None:
    def twice(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].float_data.extend(WEIGHTS.reshape(-1).tolist())

    def again(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(model.graph.initializer[0])

    refused(changed(twice), "there twice")
    refused(changed(again), "made twice")


def test_bombs_that_grow_by_doubling() -> None:
    def double(model: onnx.ModelProto) -> None:
        names = ["maps", *(f"m{i}" for i in range(40)), "more"]
        pairs = pairwise(names)
        nodes = [helper.make_node("Concat", [a, a], [b], axis=2) for a, b in pairs]
        before_pool(model, *nodes)

    refused(changed(double), "numbers at once")


def test_bombs_that_grow_in_one_step() -> None:
    def expand(model: onnx.ModelProto) -> None:
        size = constant(model, "size", 10**6, 1, 1, 1, 1)
        before_pool(model, helper.make_node("Expand", ["maps", size], ["more"]))

    def wide(model: onnx.ModelProto) -> None:
        size = constant(model, "size", 1, 4, 10**6, 10**6)
        pooled = helper.make_node("GlobalMaxPool", ["maps"], ["one"])
        grown = helper.make_node("Expand", ["one", size], ["more"])
        before_pool(model, pooled, grown)

    def pads(model: onnx.ModelProto) -> None:
        model.graph.node[1].attribute[0].ints[:] = [0, 0, 10**9, 10**9]

    def outer(model: onnx.ModelProto) -> None:
        tall, long = constant(model, "tall", 0, 1, -1, 1), constant(model, "long", 0, 1, 1, -1)
        before_pool(
            model,
            helper.make_node("Concat", ["maps"] * 40, ["all"], axis=1),
            helper.make_node("Reshape", ["all", tall], ["column"]),
            helper.make_node("Reshape", ["all", long], ["row"]),
            helper.make_node("Mul", ["row", "column"], ["more"]),
        )

    def constants(model: onnx.ModelProto) -> None:
        """Computed while loading, whatever the batch."""
        ones = np.ones((1, 1, 60_000, 1), np.float32)
        for name, array in (("tall", ones), ("long", ones.reshape(1, 1, 1, -1))):
            model.graph.initializer.append(numpy_helper.from_array(array, name))
        before_pool(
            model,
            helper.make_node("Mul", ["tall", "long"], ["large"]),
            helper.make_node("GlobalMaxPool", ["large"], ["one"]),
            helper.make_node("Mul", ["maps", "one"], ["more"]),
        )

    for bomb in (wide, pads, outer, constants):
        refused(changed(bomb), "numbers at once")
    refused(changed(expand), "numbers at once")


def test_long_work_in_little_memory() -> None:
    def multiply(model: onnx.ModelProto) -> None:
        big = np.ones((1, 1, 3000, 3000), np.float32)
        model.graph.initializer.append(numpy_helper.from_array(big, "big"))
        names = ["big", *(f"m{i}" for i in range(3000)), "more"]
        pairs = pairwise(names)
        before_pool(model, *(helper.make_node("MatMul", [a, "big"], [b]) for a, b in pairs))

    refused(changed(multiply), "multiplications")


def with_size(model: onnx.ModelProto, *trick: onnx.NodeProto) -> None:
    """Makes maps as high as `size`, which `trick` makes of `n`, the number of images."""
    constant(model, "one", 1)
    before_pool(
        model,
        helper.make_node("Shape", ["image"], ["sides"]),
        helper.make_node("Gather", ["sides", constant(model, "zero", 0)], ["n"]),
        *trick,
        helper.make_node("Concat", ["one", "one", "size", "one"], ["shape"], axis=0),
        helper.make_node("GlobalMaxPool", ["maps"], ["small"]),
        helper.make_node("Expand", ["small", "shape"], ["more"]),
    )


def test_a_size_that_is_huge_for_one_number_of_images() -> None:
    """Small for most batches, so that following one of them would not find it."""

    def equal(model: onnx.ModelProto) -> None:
        constant(model, "many", 10**9)
        constant(model, "seven", 7)
        ask = helper.make_node("Equal", ["n", "seven"], ["is_seven"])
        with_size(model, ask, helper.make_node("Where", ["is_seven", "many", "one"], ["size"]))

    def looked_up(model: onnx.ModelProto) -> None:
        constant(model, "table", *[1] * 7, 10**9, *[1] * 30)
        with_size(model, helper.make_node("Gather", ["table", "n"], ["size"]))

    for trick in (equal, looked_up):
        found = audit(changed(trick))
        assert [n for n in range(1, 33) if not found.fits(n)] == [7]


def test_only_batches_that_fit_are_run() -> None:
    def trick(model: onnx.ModelProto) -> None:
        constant(model, "table", *[1] * 7, 10**9, *[1] * 30)
        with_size(model, helper.make_node("Gather", ["table", "n"], ["size"]))

    found = OnnxEngine(changed(trick), threads=1)
    images = np.random.default_rng(3).integers(0, 256, (7, SIDE, SIDE), dtype=np.uint8)
    assert [part.stop - part.start for part in found._batches(len(images))] == [4, 3]
    assert found.run(images).logits.shape == (7, 2)


def test_a_size_that_is_read_off_the_image() -> None:
    def brightness(model: onnx.ModelProto) -> None:
        sides = constant(model, "sides_of_image", 0, 1, 2, 3)
        with_size(
            model,
            helper.make_node("ReduceMax", ["grey", sides], ["brightest"], keepdims=0),
            helper.make_node("Cast", ["brightest"], ["whole"], to=TensorProto.INT64),
            helper.make_node("Reshape", ["whole", "one"], ["size"]),
        )

    refused(changed(brightness), "not known beforehand")


def test_what_goes_in_and_out() -> None:
    def named(model: onnx.ModelProto) -> None:
        model.graph.output[0].name = "middle"

    def swapped(model: onnx.ModelProto) -> None:
        model.graph.output.insert(0, model.graph.output[2])

    def typed(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT

    def more(model: onnx.ModelProto) -> None:
        model.graph.input.append(model.graph.input[0])

    def colour(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 3

    def alone(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1

    def flat(model: onnx.ModelProto) -> None:
        model.graph.node[3].input[0] = "maps"

    def gone(model: onnx.ModelProto) -> None:
        del model.graph.node[4]

    for change, reason in (
        (named, "its outputs"),
        (swapped, "its outputs"),
        (typed, "its inputs"),
        (more, "its inputs"),
        (colour, "expected .batch, 1, side, side"),
        (alone, "batches of 1 alone"),
        (flat, "cannot be multiplied"),
        (gone, "logits is not a row"),
    ):
        refused(changed(change), reason)


def test_nodes_that_lead_nowhere_or_in_a_ring() -> None:
    def ring(model: onnx.ModelProto) -> None:
        model.graph.node[1].input[0] = "logits"

    def again(model: onnx.ModelProto) -> None:
        model.graph.node.append(model.graph.node[1])

    def attribute(model: onnx.ModelProto) -> None:
        model.graph.node[1].attribute.append(model.graph.node[1].attribute[0])

    def many(model: onnx.ModelProto) -> None:
        node = helper.make_node("Relu", ["maps"], ["r"])
        model.graph.node.extend([node] * 10_001)

    refused(changed(ring), "nothing has made")
    refused(changed(again), "made twice")
    refused(changed(attribute), "there twice")
    refused(changed(many), "10,007 operations")


def field(number: int, content: bytes) -> bytes:
    size, length = b"", len(content)
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content


def test_a_second_network_that_readers_would_join() -> None:
    data = network().SerializeToString()
    refused(data + field(7, b""), "graph twice")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\xff" * 100,
        b"PK\x03\x04" + bytes(50),
        b"\x80\x04\x95",
        b"{}",
        b"\x3a\xff\xff\xff\xff\x0f",
        b"\x08" + b"\x80" * 1000,
        b"\x0b" * 1000,
        bytes(range(256)) * 10,
    ],
    ids=repr,
)
def test_what_is_no_onnx(data: bytes) -> None:
    refused(data, "refused")


def test_messages_in_messages() -> None:
    data = b""
    for _ in range(2000):
        data = field(7, data)
    refused(data, "graph holds an unknown field|graph is damaged|refused")


def test_very_many_fields() -> None:
    refused(field(7, field(1, b"") * 3_000_000), "200,000 fields")
    refused(field(7, field(5, field(7, b"\x01" * (1 << 21)))), "must be raw data")


def test_cut_off_anywhere() -> None:
    data = network().SerializeToString()
    cuts = 0
    for end in range(len(data)):
        try:
            audit(data[:end])
        except BundleError:
            cuts += 1
    # Behind the network come only facts about it.
    assert cuts > 0.95 * len(data)


def test_flipped_anywhere() -> None:
    """Refused, or still a network in order of the same size: the weights may be anything."""
    data, rng = network().SerializeToString(), np.random.default_rng(5)
    kept, usual = 0, audit(data).summary
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1 << int(rng.integers(8))
        try:
            facts = OnnxEngine(bytes(flipped), threads=1).audit.summary
        except BundleError:
            continue
        kept += 1
        assert facts.numbers < 2 * usual.numbers
    assert 0 < kept < len(data)
