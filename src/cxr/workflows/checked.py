"""What a run knows of its data: by `cxr check`, or else by the quick part of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._io import read_json, say
from .._io.run_files import CHECK
from .._io.text import counted
from ..check.record import check_record
from ..check.run import quick_check
from ..check.scan import FileFacts, Scan
from ..config import RunConfig
from ..errors import UsageError
from ..find import Manifest
from ..pixels import WHOLE, LungFrame, locate_many
from ..pixels.frame import frames_of
from ..pixels.resize import cut
from ..pixels.shards.index import is_shards
from ..prepare import DataLoaders
from .describe import rows_of_splits
from .set_aside import RunData

MOST = 50_000  # images; of more the quick part is no longer quick
MOST_BYTES = 2 * 1024**3  # of pixels, which are held in memory at once


def check_of(config: RunConfig, data: RunData, dls: DataLoaders) -> Mapping[str, Any] | None:
    """What check.json holds, and says in two lines what was found; None where nothing is known.

    That of `cxr check` where it was of these very data and its list of faulty files is used here,
    else the quick part of it. Of shards, of more than MOST images or MOST_BYTES, only the first.
    """
    found = found_check(config, data.everything)
    if found is not None:
        _say("cxr check", found)
        return found
    many = len(data.whole) > MOST or len(data.whole) * config.size**2 > MOST_BYTES
    if is_shards(config.data) or many:
        return None
    quick = check_record(quick_check(decoded_scan(data, dls)))
    _say("quick check", quick)
    return quick


def found_check(config: RunConfig, manifest: Manifest) -> dict[str, Any] | None:
    """check.json beside the list of faulty files, if it is about these data."""
    if config.quarantine is None:
        return None
    path = Path(config.quarantine).with_name(CHECK)
    check = read_json(path) if path.is_file() else {}
    return check if is_about(check, manifest) else None


def read_check(path: Path | str, manifest: Manifest) -> dict[str, Any]:
    """Raises UsageError where check.json is of other data."""
    check: dict[str, Any] = read_json(path)
    if not is_about(check, manifest):
        raise UsageError(
            f"{path} is about other images or labels than these; run cxr check on them and give "
            "its check.json"
        )
    return check


def is_about(check: Mapping[str, Any], manifest: Manifest) -> bool:
    return bool(check.get("data", {}).get("fingerprint") == manifest.fingerprint())


def decoded_scan(data: RunData, dls: DataLoaders) -> Scan:
    """What the quick part looks at: the pixels that training sees, test images too."""
    pixels, frames, errors = _decoded(data, dls)
    files = [
        FileFacts(None, error=errors[row])
        if row in errors
        else FileFacts(None, pixels=_digest(grey, frame))
        for row, (grey, frame) in enumerate(zip(pixels, frames, strict=True))
    ]
    if dls.resize.frame == "whole":
        frames = locate_many(pixels)
        pairs = zip(pixels, frames, strict=True)
        pixels = np.stack([cut(grey, one.box, grey.shape) for grey, one in pairs])
    split = data.whole.with_split(**rows_of_splits(data, dls))
    return Scan(split, files, np.empty(0), frames, pixels)


def _decoded(data: RunData, dls: DataLoaders) -> tuple[np.ndarray, list[LungFrame], dict[int, str]]:
    """Of each row of `data.whole`: pixels, frame, and why it cannot be read."""
    sides = [dls.train.images, dls.valid.images]
    n, shape = len(data.whole), sides[0].pixels.shape[1:]
    pixels, frames = np.zeros((n, *shape), np.uint8), np.zeros((n, 6), np.float32)
    frames[:] = WHOLE.row()
    pixels[data.rows] = sides[0].pixels
    for side in sides:
        if side.frames is not None:
            frames[data.rows[side.rows]] = side.frames
    names = {path: row for row, path in enumerate(data.whole.paths())}
    errors = {names[path]: reason for path, reason in dls.unreadable.items()}
    if data.decoded is not None:
        pixels[data.test_rows] = data.decoded.pixels
        if data.decoded.frames is not None:
            frames[data.test_rows] = data.decoded.frames
        errors |= {int(data.test_rows[i]): why for i, why in data.decoded.errors.items()}
    return pixels, frames_of(frames), errors


def _digest(grey: np.ndarray, frame: LungFrame) -> str:
    digest = hashlib.blake2b(np.array(frame.row()).tobytes(), digest_size=16)
    digest.update(np.ascontiguousarray(grey).data)
    return digest.hexdigest()


def _say(what: str, check: Mapping[str, Any]) -> None:
    """How much was found, and what is gravest."""
    counts = check["summary"]
    parts = [counted(counts[one], one) for one in ("error", "warning") if counts[one]]
    more = "; cxr check DATA looks for more" if check["quick"] else ""
    say(f"{what} of the data: {', '.join(parts) or 'no errors and no warnings'}{more}")
    gravest = next(iter(check["findings"]), None)
    if gravest is not None and gravest["severity"] != "info":
        say(f"{gravest['severity']}: {gravest['message']}")
