"""What is known of a tensor on the way through a network: its shape, and whole numbers that later
shapes are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Shape = tuple[int, ...]
MAX_RANK = 8
MAX_KNOWN = 64  # entries whose values are followed
MAX_ENTRY = 2**40  # and how large they may be: sums and products then never overflow


class Value(NamedTuple):
    """A tensor. `known` are its entries, int64, where they may become a shape."""

    shape: Shape
    known: np.ndarray | None = None

    def as_shape(self, shape: Shape) -> Value:
        """The same entries in another shape."""
        return Value(shape, None if self.known is None else self.known.reshape(shape))


class Node(NamedTuple):
    op: str
    attributes: dict[str, Any]
    n_outputs: int

    def ints(self, name: str, default: Sequence[int]) -> list[int]:
        return list(self.attributes.get(name, default))


Inputs = list[Value | None]


class CannotFollow(ValueError):
    """The result of an operation is not known beforehand, for the reason given."""


def require(good: bool, otherwise: str) -> None:
    if not good:
        raise CannotFollow(otherwise)


def input_at(inputs: Inputs, i: int) -> Value:
    value = inputs[i] if i < len(inputs) else None
    if value is None:
        raise CannotFollow(f"input {i} is missing")
    return value


def known_at(inputs: Inputs, i: int) -> list[int]:
    known = input_at(inputs, i).known
    if known is None:
        raise CannotFollow(f"input {i} is not known beforehand")
    return [int(entry) for entry in known.reshape(-1)]


def broadcast(*shapes: Shape) -> Shape:
    rank = max(map(len, shapes))
    sides = []
    for sizes in zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True):
        others = {size for size in sizes if size != 1}
        require(len(others) <= 1, f"shapes {' and '.join(map(str, shapes))} do not go together")
        sides.append(others.pop() if others else 1)
    return tuple(sides)


ARITHMETIC: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": lambda a, b: a * b.astype(np.float64),  # exact as far as it is kept
    "Min": np.minimum,
    "Max": np.maximum,
    "Equal": np.equal,
}
DIVISIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "Div": np.floor_divide,
    "Mod": np.mod,
}


def arithmetic(op: str, a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    """None where the operation is another one, or makes what is too large for a shape."""
    result = ARITHMETIC[op](a, b) if op in ARITHMETIC else None
    # Of negative numbers runtimes divide in different ways.
    if op in DIVISIONS and (a >= 0).all() and (b > 0).all():
        result = DIVISIONS[op](a, b)
    if result is None or np.abs(result, dtype=np.float64).max(initial=0) >= MAX_ENTRY:
        return None
    return result.astype(np.int64)
