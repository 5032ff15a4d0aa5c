"""The protobuf of an ONNX file, read field by field; anything but a plain model is refused.

Field numbers: onnx/onnx.proto of the ONNX project. Only what a network needs is known here. Every
other field (functions, subgraphs, sparse or external data, training) is refused, as is a field
that may stand once and stands twice: readers of protobuf join the two in ways of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...errors import BundleError

MAX_BYTES = 2**31 - 1  # of any protobuf
MAX_FIELDS = 200_000
MAX_PACKED = 1 << 20  # bytes of whole numbers in one field

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
INT, FLOAT, TEXT, RAW = "int", "float", "text", "raw"
ONE, MANY = False, True


class Field(NamedTuple):
    name: str
    kind: str  # INT, FLOAT, TEXT, RAW, or the name of a message
    repeated: bool = ONE


Schema = dict[int, Field]

MESSAGES: dict[str, Schema] = {
    "model": {
        1: Field("ir_version", INT),
        2: Field("producer_name", TEXT),
        3: Field("producer_version", TEXT),
        4: Field("domain", TEXT),
        5: Field("model_version", INT),
        6: Field("doc_string", TEXT),
        7: Field("graph", "graph"),
        8: Field("opset_import", "opset", MANY),
        14: Field("metadata_props", "entry", MANY),
    },
    "opset": {1: Field("domain", TEXT), 2: Field("version", INT)},
    "entry": {1: Field("key", TEXT), 2: Field("value", TEXT)},
    "graph": {
        1: Field("node", "node", MANY),
        2: Field("name", TEXT),
        5: Field("initializer", "tensor", MANY),
        10: Field("doc_string", TEXT),
        11: Field("input", "value", MANY),
        12: Field("output", "value", MANY),
        13: Field("value_info", "value", MANY),
        16: Field("metadata_props", "entry", MANY),
    },
    "node": {
        1: Field("input", TEXT, MANY),
        2: Field("output", TEXT, MANY),
        3: Field("name", TEXT),
        4: Field("op_type", TEXT),
        5: Field("attribute", "attribute", MANY),
        6: Field("doc_string", TEXT),
        7: Field("domain", TEXT),
        9: Field("metadata_props", "entry", MANY),
    },
    "attribute": {
        1: Field("name", TEXT),
        2: Field("f", FLOAT),
        3: Field("i", INT),
        4: Field("s", TEXT),
        5: Field("t", "tensor"),
        7: Field("floats", FLOAT, MANY),
        8: Field("ints", INT, MANY),
        13: Field("doc_string", TEXT),
        20: Field("type", INT),
    },
    "tensor": {
        1: Field("dims", INT, MANY),
        2: Field("data_type", INT),
        4: Field("float_data", FLOAT, MANY),
        5: Field("int32_data", INT, MANY),
        7: Field("int64_data", INT, MANY),
        8: Field("name", TEXT),
        9: Field("raw_data", RAW),
        12: Field("doc_string", TEXT),
        14: Field("data_location", INT),
    },
    "value": {1: Field("name", TEXT), 2: Field("type", "type"), 3: Field("doc_string", TEXT)},
    "type": {1: Field("tensor_type", "tensor type"), 6: Field("denotation", TEXT)},
    "tensor type": {1: Field("elem_type", INT), 2: Field("shape", "shape")},
    "shape": {1: Field("dim", "dim", MANY)},
    "dim": {1: Field("dim_value", INT), 2: Field("dim_param", TEXT), 3: Field("denotation", TEXT)},
}
REFUSED = {
    ("model", 20): "training steps",
    ("model", 25): "functions of its own",
    ("graph", 14): "notes on quantisation",
    ("graph", 15): "sparse weights",
    ("attribute", 6): "a graph inside a graph",
    ("attribute", 11): "graphs inside a graph",
    ("attribute", 21): "a reference to a function",
    ("tensor", 3): "weights in pieces",
    ("tensor", 6): "text in a tensor",
    ("tensor", 13): "weights outside the file",
}
Message = dict[str, Any]


def wrong(what: str) -> BundleError:
    return BundleError(f"model.onnx is refused: {what}")


def read_model(data: bytes) -> Message:
    """A message as a dict by field name; what may be repeated is a list, and always there.

    Text is str, raw data a memoryview, whole numbers int (negative ones as protobuf means them).
    Raises BundleError, in time that grows with the number of fields, MAX_FIELDS at most.
    """
    if len(data) > MAX_BYTES:
        raise wrong(f"{len(data):,} bytes, at most {MAX_BYTES:,} are allowed")
    return _Reader(memoryview(data)).message("model", 0, len(data))


@dataclass
class _Reader:
    data: memoryview
    left: int = field(default=MAX_FIELDS)

    def message(self, kind: str, at: int, end: int) -> Message:
        """The one in data[at:end]. No message holds its own kind, so MESSAGES bounds the depth."""
        schema = MESSAGES[kind]
        message: Message = {known.name: [] for known in schema.values() if known.repeated}
        while at < end:
            tag, at = self.varint(at, end)
            number, wire = tag >> 3, tag & 7
            known = schema.get(number)
            if known is None:
                what = REFUSED.get((kind, number), f"an unknown field, {number}")
                raise wrong(f"its {kind} holds {what}")
            at, value = self._value(known, wire, at, end)
            if known.repeated:
                message[known.name].extend(value if isinstance(value, list) else [value])
            elif known.name in message:
                raise wrong(f"its {kind} has {known.name} twice")
            else:
                message[known.name] = value
        return message

    def _value(self, known: Field, wire: int, at: int, end: int) -> tuple[int, Any]:
        self._count()
        if wire == VARINT and known.kind == INT:
            value, at = self.varint(at, end)
            return at, _signed(value)
        if wire == FIXED32 and known.kind == FLOAT and end - at >= 4:
            return at + 4, float(np.frombuffer(self.data[at : at + 4], "<f4")[0])
        if wire != BYTES:
            raise wrong(f"{known.name} is damaged")
        size, at = self.varint(at, end)
        if size > end - at:
            raise wrong(f"{known.name} claims {size:,} bytes, {end - at:,} are there")
        stop = at + size
        if known.kind in MESSAGES:
            return stop, self.message(known.kind, at, stop)
        if known.kind == RAW:
            return stop, self.data[at:stop]
        if known.kind == TEXT:
            return stop, self._text(known, at, stop)
        if not known.repeated:
            raise wrong(f"{known.name} is damaged")
        return stop, self._packed(known, at, stop)

    def _text(self, known: Field, at: int, stop: int) -> str:
        try:
            return bytes(self.data[at:stop]).decode()
        except UnicodeDecodeError as error:
            raise wrong(f"{known.name} is not text") from error

    def _packed(self, known: Field, at: int, stop: int) -> list[int] | list[float]:
        if stop - at > MAX_PACKED:
            raise wrong(f"{known.name} has {stop - at:,} bytes; large tensors must be raw data")
        if known.kind == FLOAT:
            if (stop - at) % 4:
                raise wrong(f"{known.name} is damaged")
            return list(np.frombuffer(self.data[at:stop], "<f4").tolist())
        values = []
        while at < stop:
            self._count()
            value, at = self.varint(at, stop)
            values.append(_signed(value))
        return values

    def varint(self, at: int, end: int) -> tuple[int, int]:
        value = shift = 0
        while at < end and shift < 70:
            byte = self.data[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                if value >= 2**64:
                    break
                return value, at
        raise wrong("it is damaged, cut off, or no ONNX file")

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise wrong(f"more than {MAX_FIELDS:,} fields")


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
