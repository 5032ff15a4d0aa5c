"""Shards: a data set decoded once into numbered files, to be trained from anywhere.

A folder of shards holds, and is complete once the last of these is there:

- `shard-000000.npy`, ...: NumPy arrays uint8 (k, H, W), the readable images in the order of the
  manifest;
- `shard-000000.json`: what this shard was made from, so that a writer goes on where it was;
- `manifest.parquet`: a row for each image, with `shard`, `shard_row` and the `crc32` of its pixels,
  or with the reason why it is `unreadable`;
- `shards.json`: the index, with the SHA-256 of every file that is read in training.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..._io.files import UNSEALED_ERRORS, sealed, unsealed
from ...config import FRAME_COLUMNS, FrameMode
from ...errors import DataError, UsageError
from ..frame import FRAME_MODES
from .store import Store, open_store, read_bytes

FORMAT = 2
"""Raise by one whenever the index changes; 1 had no frame, its images are whole."""

INDEX, MANIFEST = "shards.json", "manifest.parquet"
PLACE = ("shard", "shard_row", "crc32", "unreadable")
"""Columns of the manifest: where an image lies and what its pixels sum to, or why nowhere."""

FRAME = (*FRAME_COLUMNS, "frame_finding")
"""Columns of the manifest where images are cut to the lungs: `LungFrame.row`, float32."""

HEADER_BYTES = 128
"""What NumPy's header takes for every array of ours."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


def shard_name(number: int) -> str:
    return f"shard-{number:06d}"


@dataclass(frozen=True)
class ShardIndex:
    """What `shards.json` says.

    `height`, `width` in pixels; `method` of resizing; `versions` of what decoded; `rows` of the
    manifest, of which `images` could be read; `counts` and `digests` (SHA-256) of the shards;
    `manifest` the SHA-256 of its file; `dataset` the name of the folder that the images came from;
    `fingerprint` that of the manifest; `shuffle` the seed that its rows were shuffled by, if any;
    `frame` whether the images are whole or cut to the lungs.
    """

    format: int
    height: int
    width: int
    method: str
    versions: dict[str, str]
    rows: int
    images: int
    images_per_shard: int
    counts: tuple[int, ...]
    digests: tuple[str, ...]
    manifest: str
    dataset: str
    classes: tuple[str, ...]
    multi_label: bool
    identity: str
    fingerprint: str
    shuffle: int | None
    frame: FrameMode = "whole"

    @property
    def starts(self) -> np.ndarray:
        """int64 (shards + 1,): how many images lie before each shard, and in all."""
        return np.concatenate([[0], np.cumsum(self.counts, dtype=np.int64)])

    def n_bytes(self, shard: int) -> int:
        """Of the shard's file."""
        return HEADER_BYTES + self.counts[shard] * self.height * self.width

    def to_json(self) -> bytes:
        return as_json(asdict(self))


def as_json(values: Mapping[str, Any]) -> bytes:
    return sealed(values, indent=1, ensure_ascii=False).encode()


def is_shards(data: Path | str) -> bool:
    """Whether `data` is a URI (which can be nothing else here) or a folder with an index."""
    return "://" in str(data) or (Path(data) / INDEX).is_file()


def read_index(data: Path | str) -> tuple[ShardIndex, Store]:
    """Raises UsageError where there are no finished shards, DataError for a damaged index."""
    store = open_store(data)
    try:
        content = read_bytes(store, INDEX)
    except FileNotFoundError as error:
        raise UsageError(
            f"{store} holds no finished shards (no {INDEX}); cxr shards DATA --out {store} makes "
            "or finishes them"
        ) from error
    try:
        return _parsed(unsealed(content)), store
    except UNSEALED_ERRORS as error:
        raise DataError(
            f"{store}/{INDEX} is damaged ({error}); run the same cxr shards command again"
        ) from error


def _parsed(values: Mapping[str, Any]) -> ShardIndex:
    if values["format"] not in (1, FORMAT):
        raise ValueError(f"its format is {values['format']!r}, this cxr reads {FORMAT}")
    if values["format"] == 1:
        values = {**values, "frame": "whole"}
    known = {name: values[name] for name in (field.name for field in fields(ShardIndex))}
    lists = {name: tuple(known[name]) for name in ("counts", "digests", "classes")}
    index = ShardIndex(**{**known, **lists})
    whole = all(type(n) is int and 0 <= n <= index.images_per_shard for n in index.counts)
    if not whole or sum(index.counts) != index.images or len(index.counts) != len(index.digests):
        raise ValueError("its counts contradict each other")
    if not all(_DIGEST.fullmatch(digest) for digest in (*index.digests, index.manifest)):
        raise ValueError("a SHA-256 is not one")
    if index.frame not in FRAME_MODES:
        raise ValueError(f"its frame {index.frame!r} is not known")
    return index
