"""Pixels read from shards as an array would give them, from a disk or through a cache on it."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import numpy as np
import pandas as pd

from ...errors import DataError
from ...find import Manifest
from ..decode import DecodedSet
from .cache import CachedShardFiles
from .index import FRAME, HEADER_BYTES, INDEX, MANIFEST, PLACE, ShardIndex, read_index, shard_name
from .store import LocalStore, Store, read_bytes


class ShardFiles(Protocol):
    """Where the files of shards come from. `capacity`: how many fit here at once, None for all."""

    @property
    def capacity(self) -> int | None: ...

    def prefetch(self, shards: Iterable[int]) -> None: ...

    def open(self, shard: int) -> BinaryIO: ...

    def discard(self, shard: int) -> None: ...


@dataclass(frozen=True)
class LocalShardFiles:
    """On a disk of this machine, or one that is mounted as such."""

    folder: Path
    capacity: int | None = None

    def prefetch(self, shards: Iterable[int]) -> None:
        """They are here."""

    def open(self, shard: int) -> BinaryIO:
        return (self.folder / f"{shard_name(shard)}.npy").open("rb")

    def discard(self, shard: int) -> None:
        """There is no other copy."""


class ShardedPixels:
    """uint8 (n, H, W), of which `pixels[rows]` reads some, each checked by its sum.

    `places` int64 (n,) says where in all shards together each image lies, -1 for none: zeros, as
    `decode_all` has them; `crc32` uint32 (n,). Nothing stays in memory, so there is nothing for
    `release` to give back. Threads may share it.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(
        self, files: ShardFiles, index: ShardIndex, places: np.ndarray, crc32: np.ndarray
    ) -> None:
        self.files, self.index, self.places, self.crc32 = files, index, places, crc32
        self.starts = index.starts

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.places), self.index.height, self.index.width

    @property
    def nbytes(self) -> int:
        return len(self) * self.index.height * self.index.width

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: Any) -> np.ndarray:
        """(H, W) for a number; (k, H, W) for a slice, positions or a mask.

        Raises DataError for an image that is not as it was written, and what `open` raises.
        """
        places, sums = self.places[key], self.crc32[key]
        images = self._read(np.atleast_1d(places), np.atleast_1d(sums))
        return images[0] if np.ndim(places) == 0 else images

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def shards_of(self, rows: np.ndarray) -> np.ndarray:
        """In which shard each of `rows` lies."""
        return np.searchsorted(self.starts, self.places[rows], side="right") - 1

    def sums(self, rows: np.ndarray) -> np.ndarray:
        """CRC-32 of the pixels, uint32 (k,), without reading them."""
        return self.crc32[rows]

    def prefetch(self, shards: Iterable[int]) -> None:
        """Fetches these in the background, in this order."""
        self.files.prefetch(shards)

    def _read(self, places: np.ndarray, sums: np.ndarray) -> np.ndarray:
        images = np.zeros((len(places), *self.shape[1:]), np.uint8)
        shards = np.searchsorted(self.starts, places, side="right") - 1  # -1 where there is none
        used = [int(shard) for shard in np.unique(shards) if shard >= 0]
        self.prefetch(self._to_prefetch(used))
        for shard in used:
            which = np.flatnonzero(shards == shard)
            rows = places[which] - self.starts[shard]
            wanted = zip(which.tolist(), rows.tolist(), sums[which].tolist(), strict=True)
            self._fill(images, shard, list(wanted))
        return images

    def _to_prefetch(self, used: list[int]) -> list[int]:
        """With the next one where images are read one after the other, as in validation.

        No more than there is room for: one would push out another before it is read.
        """
        following = used[-1] + 1 if used else 0
        in_turn = 0 < len(used) <= 2 and following < len(self.index.counts)
        return (used + [following] * in_turn)[: self.files.capacity]

    def _fill(self, images: np.ndarray, shard: int, wanted: list[tuple[int, int, int]]) -> None:
        """`wanted`: index in `images`, row of the shard, and sum of each.

        A damaged file that came from afar is fetched once more.
        """
        for _ in range(1 if self.files.capacity is None else 2):
            wrong = self._first_wrong(images, shard, wanted)
            if wrong is None:
                return
            self.files.discard(shard)
        raise DataError(
            f"image {wrong} of {shard_name(shard)} is not as it was written; run the same cxr "
            "shards command again, which mends it"
        )

    def _first_wrong(
        self, images: np.ndarray, shard: int, wanted: list[tuple[int, int, int]]
    ) -> int | None:
        n_bytes = self.index.height * self.index.width
        with self.files.open(shard) as file:
            for i, row, crc32 in wanted:
                file.seek(HEADER_BYTES + row * n_bytes)
                n_read = file.readinto(images[i].reshape(-1))  # type: ignore[attr-defined]
                if n_read != n_bytes or zlib.crc32(images[i].data) != crc32:
                    return row
        return None


@dataclass(frozen=True)
class Shards:
    """A finished folder of shards: a way to its manifest and its pixels."""

    index: ShardIndex
    store: Store

    @cached_property
    def files(self) -> ShardFiles:
        if isinstance(self.store, LocalStore):
            return LocalShardFiles(self.store.folder)
        return CachedShardFiles(self.store, self.index)

    def manifest(self) -> Manifest:
        """As it was written, with the columns PLACE and, where the images are cut to the lungs,
        FRAME. Raises DataError when it is damaged.

        Its images need not be at hand: its root is the bare name of the folder they came from.
        """
        content, index = read_bytes(self.store, MANIFEST), self.index
        if hashlib.sha256(content).hexdigest() != index.manifest:
            raise DataError(
                f"{self.store}/{MANIFEST} is not the one that {INDEX} names; run the same "
                "cxr shards command again"
            )
        table = pd.read_parquet(io.BytesIO(content))
        root = Path(index.dataset)
        return Manifest(table, root, index.classes, index.multi_label, index.identity)

    def decoded(self, manifest: Manifest) -> DecodedSet:
        """The pixels of `manifest`, which holds some or all rows of this one."""
        shard, row, crc32 = (
            manifest.table[name].to_numpy(np.int64, na_value=-1) for name in PLACE[:3]
        )
        ok = shard >= 0
        places = np.where(ok, self.index.starts[shard] + row, -1)
        reasons = manifest.table[PLACE[3]]
        errors = {int(i): str(reasons.iloc[i]) for i in np.flatnonzero(~ok)}
        pixels = ShardedPixels(self.files, self.index, places, crc32.astype(np.uint32))
        frames = None
        if self.index.frame != "whole":
            frames = manifest.table[list(FRAME)].to_numpy(np.float32)
        # as like an array as need be
        return DecodedSet(cast(np.ndarray, pixels), ok, errors, frames)


def open_shards(data: Path | str) -> Shards:
    """Reads the index, and sees that every file on this machine is there in full length.

    Raises UsageError where there are no finished shards, DataError when something is damaged.
    """
    index, store = read_index(data)
    for shard in range(len(index.counts)) if isinstance(store, LocalStore) else ():
        name, needed = f"{shard_name(shard)}.npy", index.n_bytes(shard)
        n_bytes = store.size(name)
        if n_bytes != needed:
            what = "is missing" if n_bytes is None else f"has {n_bytes:,} bytes"
            raise DataError(
                f"{store}/{name} {what}, {needed:,} are needed; run the same cxr shards command "
                "again, which mends it"
            )
    return Shards(index, store)
