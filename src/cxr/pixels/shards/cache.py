"""Shards from object storage, kept on this machine's disk for as long as there is room.

A file is named after its SHA-256, which it has been found to have. Processes share the folder:
files appear whole or not at all, and one that another process is fetching is waited for.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import BinaryIO

from ..._io import cache_dir, say
from ..._io.files import atomic_path, storage_error
from ...errors import DownloadError, UsageError
from ..cache.maintenance import ABANDONED_S
from .index import ShardIndex, shard_name
from .store import CHUNK, Store

LIMIT = "CXR_SHARD_CACHE_GB"
LIMIT_GB = 20.0
THREADS = 4
TRIES = 3
STALLED_S = 20.0
"""A file that another process is fetching is waited for while it grows."""

_FRESH_S = 5.0


def limit_bytes() -> int:
    """$CXR_SHARD_CACHE_GB, or 20 GB. Raises UsageError when it is no number above 0."""
    given = os.environ.get(LIMIT, str(LIMIT_GB))
    with suppress(ValueError):
        if 0 < float(given) < float("inf"):
            return int(float(given) * 1e9)
    raise UsageError(f"{LIMIT}={given!r} is not a number of gigabytes above 0")


class CachedShardFiles:
    """Opens the shards of `store`; others are fetched in the background meanwhile."""

    def __init__(self, store: Store, index: ShardIndex, folder: Path | None = None) -> None:
        self.store, self.index = store, index
        self.folder = cache_dir() / "shards" if folder is None else folder
        self.limit = limit_bytes()
        self._lock = Lock()
        self._pending: dict[int, Future[Path]] = {}
        self._used: dict[int, float] = {}
        self._queue: SimpleQueue[tuple[int, Future[Path]]] = SimpleQueue()
        self._threads: list[Thread] = []

    @property
    def capacity(self) -> int:
        """How many shards may lie here at once."""
        largest = max(self.index.n_bytes(shard) for shard in range(len(self.index.counts)))
        return self.limit // largest

    def prefetch(self, shards: Iterable[int]) -> None:
        """Begins to fetch what is not here, in this order."""
        for shard in shards:
            self._start(shard)

    def open(self, shard: int) -> BinaryIO:
        """The file, fetched first where that is needed. Raises DownloadError or StorageError."""
        for _ in range(TRIES):
            path = self._start(shard).result()
            with suppress(FileNotFoundError):  # another process made room
                file = path.open("rb")
                self._mark_used(shard, path)
                return file
            self.discard(shard)
        raise DownloadError(
            f"{shard_name(shard)} of {self.store} is removed from {self.folder} as soon as it is "
            f"there; set {LIMIT} higher"
        )

    def discard(self, shard: int) -> None:
        """The file is damaged or gone: the next `open` fetches it again."""
        with self._lock:
            self._pending.pop(shard, None)
        with suppress(OSError):
            self._path(shard).unlink(missing_ok=True)

    def _start(self, shard: int) -> Future[Path]:
        with self._lock:
            future = self._pending.get(shard)
            if future is None or (future.done() and future.exception() is not None):
                future = self._pending[shard] = Future()
                self._queue.put((shard, future))
                if len(self._threads) < THREADS:
                    # Daemons: whoever stops the program need not wait for what is prefetched.
                    self._threads.append(Thread(target=self._work, daemon=True))
                    self._threads[-1].start()
            return future

    def _work(self) -> None:
        while True:
            shard, future = self._queue.get()
            try:
                future.set_result(self._fetched(shard))
            except BaseException as error:
                future.set_exception(error)

    def _mark_used(self, shard: int, path: Path) -> None:
        """Not at every batch: the order in which shards were used is all that counts."""
        if time.monotonic() - self._used.get(shard, -_FRESH_S) >= _FRESH_S:
            self._used[shard] = time.monotonic()
            with suppress(OSError):
                os.utime(path)

    def _path(self, shard: int) -> Path:
        return self.folder / f"{self.index.digests[shard]}.npy"

    def _fetched(self, shard: int) -> Path:
        path, n_bytes = self._path(shard), self.index.n_bytes(shard)
        if not _has_size(path, n_bytes):
            _wait_for_another(path)
        if _has_size(path, n_bytes):
            return path
        for left in reversed(range(TRIES)):
            self._make_room(n_bytes)
            try:
                return self._fetch(shard, path)
            except (OSError, DownloadError) as error:
                if not left:
                    raise
                say(f"fetching {shard_name(shard)} failed ({error}); trying again")
                time.sleep(TRIES - left)
        return path

    def _fetch(self, shard: int, path: Path) -> Path:
        digest = hashlib.sha256()
        with atomic_path(path) as temporary:
            # Made at once, so that other processes see that it is being fetched.
            with (
                temporary.open("wb") as file,
                self.store.open(f"{shard_name(shard)}.npy") as source,
            ):
                while chunk := source.read(CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
            if digest.hexdigest() != self.index.digests[shard]:
                raise DownloadError(
                    f"{shard_name(shard)} of {self.store} is not as it was written (SHA-256 "
                    f"{digest.hexdigest()[:12]}...); run the same cxr shards command again"
                )
        return path

    def _make_room(self, n_bytes: int) -> None:
        """Removes what was unused the longest, of all data sets."""
        total = n_bytes
        for path, size, _ in sorted(_files(self.folder), key=lambda file: file[2], reverse=True):
            total += size
            if total > self.limit:
                with suppress(OSError):  # in use on Windows, or gone already
                    path.unlink()
                self._discard_path(path)

    def _discard_path(self, path: Path) -> None:
        with self._lock:
            for shard in [s for s in self._pending if self._path(s) == path]:
                if self._pending[shard].done():
                    del self._pending[shard]


def _has_size(path: Path, n_bytes: int) -> bool:
    try:
        return path.stat().st_size == n_bytes
    except FileNotFoundError:
        return False
    except OSError as error:
        raise storage_error(error, path) from error


def _wait_for_another(path: Path) -> None:
    """Until the file that another process is fetching is there, or does not grow any more."""
    while not path.exists() and any(_grows(part) for part in path.parent.glob(f".{path.name}.*")):
        time.sleep(0.05)


def _grows(part: Path) -> bool:
    with suppress(OSError):
        return abs(time.time() - part.stat().st_mtime) < STALLED_S  # clocks may be set back
    return False


def _files(folder: Path) -> list[tuple[Path, int, float]]:
    """Path, bytes and time of last use; what a killed process left goes."""
    files = []
    for path in folder.glob("*") if folder.is_dir() else ():
        with suppress(OSError):
            status = path.stat()
            abandoned = time.time() - status.st_mtime > ABANDONED_S
            if path.name.endswith(".part") and abandoned:
                path.unlink()
            elif path.suffix == ".npy":
                files.append((path, status.st_size, status.st_mtime))
    return files
