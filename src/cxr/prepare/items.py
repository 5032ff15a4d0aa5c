"""What is known of each image before its pixels are read, and which side each goes to."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import numpy as np
import pandas as pd
import pyarrow as pa

from ..errors import UsageError

T = TypeVar("T")
AnySplitter = Callable[..., tuple[Sequence[int], Sequence[int]]]

_BLOCK = 65_536


class Column(Sequence[T], Generic[T]):
    """A column of a table: `make(text)` of each cell when it is asked for, None for a blank.

    Ten million paths take gigabytes as objects, and a tenth of that as Arrow's text. Equal to any
    sequence of the same objects.
    """

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


def _as_text(cells: pd.Series) -> pa.Array:
    if not isinstance(cells.dtype, pd.StringDtype):  # identifiers need not be text
        values = [None if pd.isna(cell) else str(cell) for cell in cells.tolist()]
        return pa.array(values, pa.large_string())
    text = pa.array(cells, pa.large_string(), from_pandas=True)
    return text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text


def picked(items: Sequence[Any], rows: np.ndarray) -> Sequence[Any]:
    """`items` at `rows`, in their order."""
    return items.picked(rows) if isinstance(items, Column) else [items[i] for i in rows]


@dataclass(frozen=True)
class Items:
    """`targets` int64 (n,) class indices or float32 (n, k) of 1/0/NaN; all else of length n, too.

    `patients` and `splits` are None where not known.
    """

    paths: Sequence[Path]
    targets: np.ndarray
    classes: tuple[str, ...]
    patients: Sequence[str | None]
    splits: Sequence[str | None] | None = None

    @property
    def multi_label(self) -> bool:
        return self.targets.ndim == 2

    def __len__(self) -> int:
        return len(self.paths)


def split_items(items: Items, splitter: AnySplitter) -> tuple[np.ndarray, np.ndarray]:
    """Positions int64 of the training and of the validation items.

    Our splitters get labels, patients and named splits too, a plain function the paths alone.
    Raises UsageError when a side is empty or an image is on both.
    """
    known = {"labels": items.targets, "patients": items.patients, "splits": items.splits}
    accepted = inspect.signature(splitter).parameters
    options = {name: value for name, value in known.items() if name in accepted}
    train, valid = (np.asarray(side, dtype=np.int64) for side in splitter(items.paths, **options))
    for name, side in (("train", train), ("valid", valid)):
        if len(side) == 0:
            raise UsageError(
                f"the split leaves no images in {name} ({len(items):,} images in all); "
                "choose another splitter or another share"
            )
    in_train = np.zeros(len(items), bool)
    in_train[train] = True
    both = len(set(valid[in_train[valid]].tolist()))
    if both:
        raise UsageError(f"the split puts {both:,} images on both sides; each belongs to one")
    return train, valid
