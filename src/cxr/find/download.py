"""One file over HTTP, whole or not at all: resumed, retried, its size and checksum checked.

Bytes gather in `NAME.part`; `NAME.part.json` keeps what the server said about the file (ETag or
Last-Modified), so that a run that was cut off goes on where it stopped, unless the file changed.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .._io import Progress, read_json, say, sha256_file, write_json
from .._io.files import require_room, storage_error
from ..errors import DataError, DownloadError, StorageError, UsageError
from ._http import RangeNotSatisfiable, TransientError, check_url, get, shown, translated

CHUNK = 1 << 18
MB = 1_000_000
BACKOFF_S = 0.5
LARGEST_UNKNOWN = 100_000 * MB  # a bound for a stream whose length nobody tells


def download(
    url: str,
    final: Path | str,
    *,
    sha256: str | None = None,
    size: int | None = None,
    timeout: float = 30.0,
    retries: int = 5,
) -> Path:
    """Download `url` to `final` and return it.

    `sha256` (64 hex digits) and `size` (bytes) are what the file must be. `timeout` (seconds) is
    for each wait on the network; `retries` counts tries that bring no new megabyte, with back-off.

    Raises UsageError (address, checksum), DownloadError (refused, broken off, wrong size or
    checksum) and StorageError; after a break or a full disk the part stays for the next run.
    """
    check_url(url)
    sha256 = checksum(sha256)
    final = Path(final)
    if sha256 and final.is_file() and sha256_file(final) == sha256:
        return final
    part = _PartialFile(final, url, size, bool(sha256))
    _receive_all(part, timeout, retries)
    _verify(part, sha256)
    with _writing(part):
        part.path.replace(final)
        part.note.unlink(missing_ok=True)
    return final


def checksum(text: str | None) -> str | None:
    """A SHA-256 in lower case. Raises UsageError when it is not one."""
    if text is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise UsageError(f"{text!r} is not a SHA-256; give 64 hexadecimal digits")
    return text.lower() if text else None


class _PartialFile:
    """The unfinished file beside the final one, and what the server said about it."""

    def __init__(self, final: Path, url: str, size: int | None, has_checksum: bool) -> None:
        self.final, self.url, self.size, self.has_checksum = final, url, size, has_checksum
        self.path = final.with_name(final.name + ".part")
        self.note = final.with_name(final.name + ".part.json")
        # Not the address itself: its query may hold somebody's key.
        self.address = hashlib.sha256(url.encode()).hexdigest()

    @property
    def length(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def recorded(self) -> dict[str, Any]:
        """What the server said when this part was begun; empty when it cannot be gone on with."""
        try:
            recorded = read_json(self.note)
        except (OSError, DataError):
            return {}
        good = isinstance(recorded, dict) and recorded.get("address") == self.address
        return recorded if good and self.length else {}

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def begin(self, recorded: dict[str, Any]) -> None:
        with _writing(self):
            self.discard()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_json(self.note, {"address": self.address, **recorded})


def _receive_all(part: _PartialFile, timeout: float, retries: int) -> None:
    tries, best = retries, part.length
    while not _is_complete(part):
        try:
            _receive(part, timeout)
            return
        except RangeNotSatisfiable:
            part.discard()
            broken = TransientError("the server refuses to go on in the middle (HTTP 416)")
        except TransientError as error:
            broken = error
        if part.length >= best + MB:
            tries, best = retries, part.length
        if tries <= 0:
            raise DownloadError(
                f"{shown(part.url)}: {broken}; gave up after {retries + 1} tries, "
                f"{part.length:,} bytes are kept: run the same command again to go on"
            ) from broken
        time.sleep(max(broken.wait_s, BACKOFF_S * 2 ** (retries - tries)))
        tries -= 1


def _is_complete(part: _PartialFile) -> bool:
    """A run that was stopped between the last byte and the rename need not ask again."""
    recorded = part.recorded()
    return bool(recorded) and recorded.get("length") == part.length


def _receive(part: _PartialFile, timeout: float) -> None:
    """One request, added to the part. Raises TransientError when it ends early."""
    with get(part.url, _range_headers(part), timeout) as response:
        if response.status == 206:
            total: int | None = _go_on(part, response)
        elif response.status == 200:
            total = _start(part, response)
        else:
            raise DownloadError(f"{shown(part.url)} answers HTTP {response.status}, not a file")
        more = (total or 0) - part.length
        needs = f"{part.final.name} needs another"
        require_room(part.path.parent, more, needs, "free some space or choose another disk")
        _append(part, response, total)
    if total is not None and part.length < total:
        raise TransientError(f"the connection broke off at {part.length:,} of {total:,} bytes")


def _range_headers(part: _PartialFile) -> dict[str, str]:
    recorded = part.recorded()
    # A weak ETag says "about the same", which is not enough to join two halves.
    etag = str(recorded.get("etag") or "")
    validator = etag if etag.startswith('"') else recorded.get("last_modified")
    if not isinstance(validator, str) or not (validator.isascii() and validator.isprintable()):
        return {}
    return {"Range": f"bytes={part.length}-", "If-Range": validator}


def _start(part: _PartialFile, response: http.client.HTTPResponse) -> int | None:
    total = response.length
    if total is None and not (response.chunked or part.size or part.has_checksum):
        raise DownloadError(
            f"{shown(part.url)} does not say how long the file is, so a break would go unseen; "
            "give its checksum with --sha256"
        )
    _check_size(part, total)
    headers = response.headers
    recorded = {"etag": headers.get("ETag"), "last_modified": headers.get("Last-Modified")}
    part.begin({**recorded, "length": total})
    return total


def _go_on(part: _PartialFile, response: http.client.HTTPResponse) -> int:
    """Checks that this is the next piece of the same file; if it isn't, the part goes."""
    recorded, headers = part.recorded(), response.headers
    piece = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", headers.get("Content-Range", ""))
    first, last, total = (int(number) for number in piece.groups()) if piece else (-1, -1, -1)
    changed = any(
        headers.get(name) not in (None, recorded.get(key))
        for name, key in (("ETag", "etag"), ("Last-Modified", "last_modified"))
    )
    changed = changed or recorded.get("length") not in (None, total)
    if changed or first != part.length or not recorded:
        part.discard()
        raise TransientError("the file has changed on the server since the first part was fetched")
    if not first <= last < total or response.length not in (None, last - first + 1):
        raise DownloadError(
            f"{shown(part.url)} contradicts itself: Content-Range {headers['Content-Range']!r} "
            f"with {response.length} bytes"
        )
    _check_size(part, total)
    say(f"going on with {part.final.name} at {part.length / MB:,.0f} of {total / MB:,.0f} MB")
    return total


def _check_size(part: _PartialFile, total: int | None) -> None:
    if part.size is not None and total is not None and total != part.size:
        part.discard()
        raise DownloadError(
            f"{shown(part.url)} offers {total:,} bytes where {part.size:,} are expected: the file "
            "has changed or the address is wrong"
        )


def _append(part: _PartialFile, response: http.client.HTTPResponse, total: int | None) -> None:
    limit = total or part.size or LARGEST_UNKNOWN
    have = start = part.length
    megabytes = (limit - start) // MB if total or part.size else 0
    with (
        _writing(part),
        part.path.open("ab") as file,
        Progress(f"downloading {part.final.name}", total=megabytes, unit="MB") as bar,
    ):
        while chunk := translated(lambda: response.read1(CHUNK), part.url):
            have += len(chunk)
            if have > limit:
                break
            file.write(chunk)
            if megabytes:
                bar.advance((have - start) // MB - bar.done)
    if have > limit:
        part.discard()
        raise DownloadError(f"{shown(part.url)} sends more than the {limit:,} bytes it should have")


def _verify(part: _PartialFile, sha256: str | None) -> None:
    if part.size is not None and part.length != part.size:
        got = part.length
        part.discard()
        raise DownloadError(f"{shown(part.url)} sent {got:,} bytes, {part.size:,} are expected")
    if sha256 is None:
        return
    got_sum = sha256_file(part.path)
    if got_sum != sha256:
        part.discard()
        raise DownloadError(
            f"{shown(part.url)}: wrong checksum, expected sha256 {sha256}, got {got_sum}; the file "
            "was removed: try again, and if it stays so don't use it"
        )


@contextmanager
def _writing(part: _PartialFile) -> Iterator[None]:
    """A failed write as a one-line StorageError; what was received stays for the next run."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"disk full while writing {part.path}; {part.length:,} bytes are kept: "
                "free some space and run the same command again to go on"
            ) from error
        raise storage_error(error, part.final) from error
