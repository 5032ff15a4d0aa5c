"""A data set to shards, one after the other: killed at any moment, it goes on where it was."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from ..._io import Progress, say, sha256_file
from ..._io.files import UNSEALED_ERRORS, storage_error
from ...config import FrameMode, RunConfig
from ...errors import DataError
from ...find import Manifest
from ..cache.maintenance import ABANDONED_S
from ..cache.record import crc32 as crc32_of
from ..cache.record import npy_header
from ..decode import report_unreadable
from ..frame import WHOLE, LungFrame, frame_rows
from ..load import load_or_reason
from ..resources import available_cpus, map_in_order
from .index import FORMAT, FRAME, INDEX, MANIFEST, PLACE, ShardIndex, shard_name
from .job import ShardJob, ShardRecord, plan_shards
from .store import LocalStore, Store, digest_of, read_bytes

IMAGES_PER_SHARD = 4096


def write_shards(
    manifest: Manifest,
    out: Path | str,
    size: int | tuple[int, int] = RunConfig.size,
    method: str = "squish",
    *,
    frame: FrameMode = "whole",
    images_per_shard: int = IMAGES_PER_SHARD,
    shuffle: int | None = None,
    workers: int | None = None,
) -> ShardIndex:
    """Every image as `load_framed(path, size, method, frame)` gives it, into a folder or a URI.

    Finished shards of the same files and settings are kept, so the same call goes on where it was
    stopped, and mends what was damaged. What cannot be read is left out and listed with its
    reason. `shuffle`: the seed of a random order, by which a part of the shards is a fair sample of
    all; without it the order is that of the manifest. Memory is bounded; `workers` threads decode.

    Raises UsageError for wrong settings or a place that holds other shards, DataError when no image
    can be read, StorageError when the disk is too small.
    """
    job = plan_shards(manifest, out, size, method, frame, images_per_shard, shuffle)
    _clear_abandoned(job.store)
    shards = _all_shards(job, workers or available_cpus())
    if not any(len(shard.crc32) for shard in shards):
        raise DataError(f"none of the {len(manifest):,} images under {manifest.root} can be read")
    return _finish(job, shards)


def _all_shards(job: ShardJob, workers: int) -> list[ShardRecord]:
    shards, n_there = [], 0
    with Progress("writing shards", len(job.manifest)) as bar:
        for number in range(job.n_shards):
            source = job.source(number)
            shard = _finished(job, number, source)
            n_there += shard is not None
            shards.append(shard or _write_shard(job, number, source, workers, bar.advance))
            if shard is not None:
                bar.advance(len(job.rows(number)))
    if n_there:
        say(f"{n_there:,} of {job.n_shards:,} shards were there already")
    return shards


def _finished(job: ShardJob, number: int, source: str) -> ShardRecord | None:
    """The record of a shard that is there, whole. On a disk it is summed; a storage does so."""
    name = shard_name(number)
    try:
        shard = ShardRecord.from_json(read_bytes(job.store, f"{name}.json"))
    except (FileNotFoundError, *UNSEALED_ERRORS):
        return None  # absent, or damaged: it is written again
    if shard.source != source or job.store.size(f"{name}.npy") != job.n_bytes(len(shard.crc32)):
        return None
    local = isinstance(job.store, LocalStore)
    return None if local and digest_of(job.store, f"{name}.npy") != shard.digest else shard


def _write_shard(
    job: ShardJob, number: int, source: str, workers: int, advance: Callable[[int], None]
) -> ShardRecord:
    name = shard_name(number)
    with _workplace(job.store) as folder:
        array, record = Path(folder) / f"{name}.npy", Path(folder) / f"{name}.json"
        settings = job.settings
        load = partial(
            load_or_reason, shape=settings.shape, method=settings.method, frame=settings.frame
        )
        crc32: list[int] = []
        frames: list[LungFrame] = []
        unreadable: dict[int, str] = {}
        done = map_in_order(load, job.paths(number), workers)
        try:
            images = _readable(done, crc32, frames, unreadable, advance)
            _write_array(array, settings.shape, images)
            summed = np.array(crc32, np.uint32)
            rows = frame_rows([] if settings.frame == "whole" else frames)
            shard = ShardRecord(source, sha256_file(array), summed, unreadable, rows)
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


def _readable(
    done: Iterator[tuple[np.ndarray, LungFrame] | str],
    crc32: list[int],
    frames: list[LungFrame],
    unreadable: dict[int, str],
    advance: Callable[[int], None],
) -> Iterator[np.ndarray]:
    for row, result in enumerate(done):
        if isinstance(result, str):
            unreadable[row] = result
        else:
            image, frame = result
            crc32.append(crc32_of(image))
            frames.append(frame)
            yield image
        advance(1)


def _write_array(path: Path, shape: tuple[int, int], images: Iterator[np.ndarray]) -> None:
    with path.open("wb") as file:
        file.write(npy_header((0, *shape)))
        n = 0
        for image in images:
            file.write(np.ascontiguousarray(image).data)
            n += 1
        file.seek(0)
        file.write(npy_header((n, *shape)))
        file.flush()
        os.fsync(file.fileno())


def _finish(job: ShardJob, shards: list[ShardRecord]) -> ShardIndex:
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
            frame=job.settings.frame,
        )
        job.store.put(path, MANIFEST)
        path.write_bytes(index.to_json())
        job.store.put(path, INDEX)
    return index


def _placed(job: ShardJob, shards: list[ShardRecord]) -> pd.DataFrame:
    """The manifest's table with where each image lies, what it sums to, or why it is not there."""
    n = len(job.manifest)
    shard, row, crc32 = np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.uint32)
    unreadable: dict[int, str] = {}
    frames = np.tile(np.array(WHOLE.row(), np.float32), (n, 1))
    for number, one in enumerate(shards):
        rows = np.array(job.rows(number))
        unreadable |= {int(rows[i]): why for i, why in one.unreadable.items()}
        readable = np.delete(rows, list(one.unreadable))
        shard[readable], row[readable] = number, np.arange(len(readable))
        crc32[readable] = one.crc32
        if len(one.frames):
            frames[readable] = one.frames
    report_unreadable(job.manifest.table["path"].tolist(), unreadable)
    table = job.manifest.table.drop(columns=[*PLACE, *FRAME], errors="ignore")
    blank = np.isin(np.arange(n), list(unreadable))
    return table.assign(
        shard=pd.arrays.IntegerArray(shard, blank),
        shard_row=pd.arrays.IntegerArray(row, blank),
        crc32=pd.arrays.IntegerArray(crc32, blank),
        unreadable=pd.Series(unreadable, dtype=object).reindex(range(n)),
        **({} if job.settings.frame == "whole" else dict(zip(FRAME, frames.T, strict=True))),
    )
