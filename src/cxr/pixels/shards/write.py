"""A data set to shards, one after the other: killed at any moment, it goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from ..._io import Progress, say, sha256_file
from ..._io.files import storage_error
from ...errors import DataError, ImageError, StorageError, UsageError
from ...find import Manifest
from ..cache.lookup import file_key
from ..cache.maintenance import ABANDONED_S
from ..cache.record import Settings
from ..decode import report_unreadable
from ..load import load_grey
from ..resize import check_method, target_shape
from ..resources import available_cpus, map_in_order
from .index import (
    FORMAT,
    HEADER_BYTES,
    INDEX,
    MANIFEST,
    PLACE,
    ShardIndex,
    header,
    read_index,
    sealed,
    shard_name,
    unsealed,
)
from .store import LocalStore, Store, digest_of, open_store, read_bytes

IMAGES_PER_SHARD = 4096


@dataclass(frozen=True)
class Shard:
    """What its record says: `crc32` uint32 of each readable image, by row why one is not."""

    source: str
    digest: str
    crc32: np.ndarray
    unreadable: dict[int, str]

    def to_json(self) -> bytes:
        return sealed({**vars(self), "crc32": self.crc32.tolist()})

    @classmethod
    def from_json(cls, content: bytes) -> Shard:
        found = unsealed(content)
        unreadable = {int(row): why for row, why in found["unreadable"].items()}
        crc32 = np.array(found["crc32"], np.uint32)
        return cls(found["source"], found["digest"], crc32, unreadable)


@dataclass(frozen=True)
class Job:
    """Images to put into shards of one size, in one place."""

    manifest: Manifest
    store: Store
    settings: Settings
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
        known = [asdict(self.settings), *map(file_key, self.paths(number))]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()

    def n_bytes(self, n_images: int) -> int:
        height, width = self.settings.shape
        return HEADER_BYTES + n_images * height * width


def write_shards(
    manifest: Manifest,
    out: Path | str,
    size: int | tuple[int, int] = 128,
    method: str = "squish",
    *,
    images_per_shard: int = IMAGES_PER_SHARD,
    shuffle: int | None = None,
    workers: int | None = None,
) -> ShardIndex:
    """Every image as `load_grey(path, size, method)` gives it, into a folder or a URI.

    Finished shards of the same files and settings are kept, so the same call goes on where it was
    stopped, and mends what was damaged. What cannot be read is left out and listed with its
    reason. `shuffle`: the seed of a random order, by which a part of the shards is a fair sample of
    all; without it the order is that of the manifest. Memory is bounded; `workers` threads decode.

    Raises UsageError for wrong settings or a place that holds other shards, DataError when no image
    can be read, StorageError when the disk is too small.
    """
    check_method(method)
    if images_per_shard < 1:
        raise UsageError(f"images_per_shard={images_per_shard}: at least 1 is needed")
    if shuffle is not None:
        manifest = manifest.select(_random_order(manifest, shuffle))
    settings = Settings(target_shape(size), method)
    job = Job(
        manifest, open_store(out), settings, images_per_shard, shuffle, manifest.fingerprint()
    )
    _refuse_taken(job)
    _refuse_small_disk(job)
    _clear_abandoned(job.store)
    shards = _all_shards(job, workers or available_cpus())
    if not any(len(shard.crc32) for shard in shards):
        raise DataError(f"none of the {len(manifest):,} images under {manifest.root} can be read")
    return _finish(job, shards)


def _random_order(manifest: Manifest, seed: int) -> np.ndarray:
    """Images of one split stay together: who trains need not fetch what validates."""
    raw = np.random.Philox(np.random.SeedSequence([seed])).random_raw(len(manifest))
    splits = manifest.table.get("split")
    codes = np.zeros(len(raw), int) if splits is None else pd.factorize(splits, sort=True)[0]
    return np.lexsort([raw, codes])


def _refuse_taken(job: Job) -> None:
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


def _refuse_small_disk(job: Job) -> None:
    if not isinstance(job.store, LocalStore):
        return
    folder = job.store.folder.absolute()
    folder = next(path for path in (folder, *folder.parents) if path.exists())
    there = sum(job.store.size(f"{shard_name(i)}.npy") or 0 for i in range(job.n_shards))
    needed, free = job.n_bytes(len(job.manifest)) - there, shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            f"{folder} has {free / 1e6:,.1f} MB free, the shards need {needed / 1e6:,.1f} MB; "
            "choose another --out or a smaller --size"
        )


def _all_shards(job: Job, workers: int) -> list[Shard]:
    shards, kept = [], 0
    with Progress("writing shards", len(job.manifest)) as bar:
        for number in range(job.n_shards):
            source = job.source(number)
            shard = _finished(job, number, source)
            kept += shard is not None
            shards.append(shard or _write_shard(job, number, source, workers, bar.advance))
            if shard is not None:
                bar.advance(len(job.rows(number)))
    if kept:
        say(f"{kept:,} of {job.n_shards:,} shards were there already")
    return shards


def _finished(job: Job, number: int, source: str) -> Shard | None:
    """The record of a shard that is there, whole. On a disk it is summed; a storage does so."""
    name = shard_name(number)
    try:
        shard = Shard.from_json(read_bytes(job.store, f"{name}.json"))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, LookupError, AttributeError):
        return None  # damaged: it is written again
    if shard.source != source or job.store.size(f"{name}.npy") != job.n_bytes(len(shard.crc32)):
        return None
    local = isinstance(job.store, LocalStore)
    return None if local and digest_of(job.store, f"{name}.npy") != shard.digest else shard


def _write_shard(
    job: Job, number: int, source: str, workers: int, advance: Callable[[int], None]
) -> Shard:
    name = shard_name(number)
    with _workplace(job.store) as folder:
        array, record = Path(folder) / f"{name}.npy", Path(folder) / f"{name}.json"
        crc32: list[int] = []
        unreadable: dict[int, str] = {}
        done = map_in_order(partial(_load, job.settings), job.paths(number), workers)
        try:
            _write_array(array, job.settings.shape, _readable(done, crc32, unreadable, advance))
            summed = np.array(crc32, np.uint32)
            shard = Shard(source, sha256_file(array), summed, unreadable)
            record.write_bytes(shard.to_json())
        except OSError as error:
            raise storage_error(error, array) from error
        job.store.put(array, array.name)
        job.store.put(record, record.name)
    return shard


def _clear_abandoned(store: Store) -> None:
    """What a killed writer left half-written."""
    for path in store.folder.glob(".*.part") if isinstance(store, LocalStore) else ():
        if time.time() - path.stat().st_mtime > ABANDONED_S:
            shutil.rmtree(path, ignore_errors=True)


def _workplace(store: Store) -> TemporaryDirectory[str]:
    """Beside the shards where they lie on a disk, so that the last step is a renaming."""
    if not isinstance(store, LocalStore):
        return TemporaryDirectory(prefix="cxr-shards-")
    try:
        store.folder.mkdir(parents=True, exist_ok=True)
        return TemporaryDirectory(prefix=".", suffix=".part", dir=store.folder)
    except OSError as error:
        raise storage_error(error, store.folder) from error


def _load(settings: Settings, path: Path) -> np.ndarray | str:
    try:
        return load_grey(path, settings.shape, settings.method)
    except ImageError as error:
        return error.reason


def _readable(
    done: Iterator[np.ndarray | str],
    crc32: list[int],
    unreadable: dict[int, str],
    advance: Callable[[int], None],
) -> Iterator[np.ndarray]:
    for row, found in enumerate(done):
        if isinstance(found, str):
            unreadable[row] = found
        else:
            crc32.append(zlib.crc32(found.data))
            yield found
        advance(1)


def _write_array(path: Path, shape: tuple[int, int], images: Iterator[np.ndarray]) -> None:
    with path.open("wb") as file:
        file.write(header((0, *shape)))
        n = 0
        for image in images:
            file.write(np.ascontiguousarray(image).data)
            n += 1
        file.seek(0)
        file.write(header((n, *shape)))
        file.flush()
        os.fsync(file.fileno())


def _finish(job: Job, shards: list[Shard]) -> ShardIndex:
    """The table and then the index, whose presence means that all is there."""
    manifest = job.manifest
    table = _placed(job, shards)
    with _workplace(job.store) as folder:
        path = Path(folder) / MANIFEST
        try:
            table.to_parquet(path, index=False)
        except OSError as error:
            raise storage_error(error, path) from error
        counts = tuple(len(shard.crc32) for shard in shards)
        index = ShardIndex(
            format=FORMAT,
            height=job.settings.shape[0],
            width=job.settings.shape[1],
            method=job.settings.method,
            versions=job.settings.versions,
            rows=len(manifest),
            images=sum(counts),
            images_per_shard=job.per_shard,
            counts=counts,
            digests=tuple(shard.digest for shard in shards),
            manifest=sha256_file(path),
            dataset=manifest.root.absolute().name,
            classes=manifest.classes,
            multi_label=manifest.multi_label,
            identity=manifest.identity,
            fingerprint=job.fingerprint,
            shuffle=job.shuffle,
        )
        job.store.put(path, MANIFEST)
        path.write_bytes(index.to_json())
        job.store.put(path, INDEX)
    return index


def _placed(job: Job, shards: list[Shard]) -> pd.DataFrame:
    """The manifest's table with where each image lies, what it sums to, or why it is not there."""
    n = len(job.manifest)
    shard, row, crc32 = np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.uint32)
    unreadable: dict[int, str] = {}
    for number, one in enumerate(shards):
        rows = np.array(job.rows(number))
        unreadable |= {int(rows[i]): why for i, why in one.unreadable.items()}
        readable = np.delete(rows, list(one.unreadable))
        shard[readable], row[readable] = number, np.arange(len(readable))
        crc32[readable] = one.crc32
    report_unreadable(job.manifest.table["path"].tolist(), unreadable)
    table = job.manifest.table.drop(columns=list(PLACE), errors="ignore")
    blank = np.isin(np.arange(n), list(unreadable))
    return table.assign(
        shard=pd.arrays.IntegerArray(shard, blank),
        shard_row=pd.arrays.IntegerArray(row, blank),
        crc32=pd.arrays.IntegerArray(crc32, blank),
        unreadable=pd.Series(unreadable, dtype=object).reindex(range(n)),
    )
