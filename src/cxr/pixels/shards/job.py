"""What is put into shards, and where: settled and checked before anything is decoded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..._io.files import require_room, unsealed
from ...config import FrameMode
from ...errors import DataError, UsageError
from ...find import Manifest
from ..cache.lookup import file_key
from ..cache.record import DecodeSettings
from ..frame import LungFrame, check_frame, frame_rows
from ..resize import check_method, target_shape
from .index import HEADER_BYTES, INDEX, as_json, read_index, shard_name
from .store import LocalStore, Store, open_store


@dataclass(frozen=True)
class ShardRecord:
    """What its record says: `crc32` uint32 and `frames` float32 (k, 6) of each readable image, by
    row why one is not. Whole images have no frames: (0, 6)."""

    source: str
    digest: str
    crc32: np.ndarray
    unreadable: dict[int, str]
    frames: np.ndarray

    def to_json(self) -> bytes:
        lists = {"crc32": self.crc32.tolist(), "frames": self.frames.tolist()}
        return as_json({**vars(self), **lists})

    @classmethod
    def from_json(cls, content: bytes) -> ShardRecord:
        values = unsealed(content)
        unreadable = {int(row): why for row, why in values["unreadable"].items()}
        crc32 = np.array(values["crc32"], np.uint32)
        frames = frame_rows([LungFrame.of_row(row) for row in values.get("frames", [])])
        return cls(values["source"], values["digest"], crc32, unreadable, frames)


@dataclass(frozen=True)
class ShardJob:
    """Images to put into shards of one size, in one place."""

    manifest: Manifest
    store: Store
    settings: DecodeSettings
    per_shard: int
    shuffle: int | None
    fingerprint: str

    def rows(self, number: int) -> range:
        start = number * self.per_shard
        return range(start, min(start + self.per_shard, len(self.manifest)))

    @property
    def n_shards(self) -> int:
        return -(-len(self.manifest) // self.per_shard)

    def paths(self, number: int) -> list[Path]:
        rows, root = self.rows(number), self.manifest.root.absolute()
        return [root / name for name in self.manifest.table["path"].iloc[rows.start : rows.stop]]

    def source(self, number: int) -> str:
        """SHA-256 of what decides the pixels: settings, and files as the system has them."""
        known = [self.settings.known(), *map(file_key, self.paths(number))]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()

    def n_bytes(self, n_images: int) -> int:
        height, width = self.settings.shape
        return HEADER_BYTES + n_images * height * width


def plan_shards(
    manifest: Manifest,
    out: Path | str,
    size: int | tuple[int, int],
    method: str,
    frame: FrameMode,
    images_per_shard: int,
    shuffle: int | None,
) -> ShardJob:
    """Raises UsageError for wrong settings or a place that holds other shards, StorageError when
    the disk is too small."""
    check_method(method)
    if images_per_shard < 1:
        raise UsageError(f"images_per_shard={images_per_shard}: at least 1 is needed")
    if shuffle is not None:
        manifest = manifest.select(random_order(manifest, shuffle))
    check_frame(frame)
    settings = DecodeSettings(target_shape(size), method, frame=frame)
    job = ShardJob(
        manifest, open_store(out), settings, images_per_shard, shuffle, manifest.fingerprint()
    )
    _refuse_taken(job)
    _refuse_small_disk(job)
    return job


def random_order(manifest: Manifest, seed: int) -> np.ndarray:
    """Images of one split stay together: who trains need not fetch what validates."""
    raw = np.random.Philox(np.random.SeedSequence([seed])).random_raw(len(manifest))
    splits = manifest.table.get("split")
    codes = np.zeros(len(raw), int) if splits is None else pd.factorize(splits, sort=True)[0]
    return np.lexsort([raw, codes])


def _refuse_taken(job: ShardJob) -> None:
    """What is finished there must be of the same images and settings."""
    if job.store.size(INDEX) is None:
        return
    try:
        index, _ = read_index(str(job.store))
    except DataError:
        return  # it is written again
    now = {
        "height": job.settings.shape[0],
        "width": job.settings.shape[1],
        "method": job.settings.method,
        "frame": job.settings.frame,
        "images_per_shard": job.per_shard,
        "shuffle": job.shuffle,
        "fingerprint": job.fingerprint,
    }
    changed = [name for name, value in now.items() if getattr(index, name) != value]
    if changed:
        words = {"fingerprint": "images or labels"}
        named = ", ".join(words.get(name, name) for name in changed)
        raise UsageError(
            f"{job.store} holds other shards (another {named}); choose another --out folder"
        )


def _refuse_small_disk(job: ShardJob) -> None:
    if isinstance(job.store, LocalStore):
        there = sum(job.store.size(f"{shard_name(i)}.npy") or 0 for i in range(job.n_shards))
        missing = job.n_bytes(len(job.manifest)) - there
        advice = "choose another --out or a smaller --size"
        require_room(job.store.folder, missing, "the shards need", advice)
