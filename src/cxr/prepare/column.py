"""A column of a table as a sequence of objects, each made when it is asked for.

Ten million paths take gigabytes as objects, and a tenth of that as Arrow's text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

import numpy as np
import pandas as pd
import pyarrow as pa

T = TypeVar("T")

_BLOCK = 65_536


class Column(Sequence[T], Generic[T]):
    """`make(text)` of each cell, None for a blank. Equal to any sequence of the same objects."""

    def __init__(self, cells: pd.Series | pa.Array, make: Callable[[str], T]) -> None:
        self.cells = _as_text(cells) if isinstance(cells, pd.Series) else cells
        self.make = make

    def __len__(self) -> int:
        return len(self.cells)

    def __iter__(self) -> Iterator[T]:
        for start in range(0, len(self), _BLOCK):
            yield from map(self._made, self.cells.slice(start, _BLOCK).to_pylist())

    @overload
    def __getitem__(self, key: int) -> T: ...

    @overload
    def __getitem__(self, key: slice) -> Column[T]: ...

    def __getitem__(self, key: int | slice) -> T | Column[T]:
        if isinstance(key, slice):
            return self.picked(np.arange(len(self))[key])
        return self._made(self.cells[int(key)].as_py())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def picked(self, rows: np.ndarray) -> Column[T]:
        return Column(self.cells.take(pa.array(rows)), self.make)

    def _made(self, text: str | None) -> Any:
        return None if text is None else self.make(text)


def picked(items: Sequence[Any], rows: np.ndarray) -> Sequence[Any]:
    """`items` at `rows`, in their order."""
    return items.picked(rows) if isinstance(items, Column) else [items[i] for i in rows]


def _as_text(cells: pd.Series) -> pa.Array:
    if not isinstance(cells.dtype, pd.StringDtype):  # identifiers need not be text
        found = [None if pd.isna(cell) else str(cell) for cell in cells.tolist()]
        return pa.array(found, pa.large_string())
    text = pa.array(cells, pa.large_string(), from_pandas=True)
    return text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
