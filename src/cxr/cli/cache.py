"""`cxr cache`: what the pixel cache holds, and how to empty it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ._options import Json
from ._output import emit

if TYPE_CHECKING:
    from ..pixels.cache.maintenance import CachedSet


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all of it.")] = False,
    older_than: Annotated[
        float | None,
        typer.Option(metavar="DAYS", help="With --clear: only what was unused for so many days."),
    ] = None,
    json: Json = False,
) -> None:
    """List or clear the decoded images that are kept between runs ($CXR_CACHE_DIR/pixels).

    Example: cxr cache --clear --older-than 30
    """
    from ..pixels.cache.store import default_folder

    if older_than is not None and not (clear and older_than >= 0):
        raise UsageError(
            f"--older-than {older_than:g} needs --clear and 0 or more days; "
            "cxr cache alone lists when each set was last used"
        )
    if clear:
        _clear(default_folder(), older_than or 0.0, json)
    else:
        _list(default_folder(), json)


def _clear(folder: Path, days: float, json: bool) -> None:
    from ..pixels.cache.maintenance import clear

    cleared = clear(folder, days * 24 * 3600)
    line = f"{_mb(cleared.n_bytes)} MB freed in {folder} ({cleared.files:,} files removed)"
    if cleared.in_use:
        line += f"; {cleared.in_use:,} that a run is writing were left"
    emit(
        {
            "folder": folder,
            "freed_bytes": cleared.n_bytes,
            "removed_files": cleared.files,
            "left_in_use": cleared.in_use,
        },
        json,
        line,
    )


def _list(folder: Path, json: bool) -> None:
    from .._io.text import counted
    from ..pixels.cache.maintenance import cached_sets, used_bytes
    from ..pixels.cache.store import MAX_CACHE_BYTES

    sets, total = cached_sets(folder), used_bytes(folder)
    rows = [_row(cached) for cached in sets]
    result = {"folder": folder, "bytes": total, "max_bytes": MAX_CACHE_BYTES, "sets": rows}
    then = [("cache", "--clear", "--older-than", 30)] if rows else []
    used = f"{counted(len(sets), 'set')}, {_mb(total)} MB"
    end = f"{used} of at most {_mb(MAX_CACHE_BYTES)} MB in {folder}"
    emit(result, json, "\n".join([*(_table(rows) if rows else []), end]), then)


def _row(cached: CachedSet) -> dict[str, Any]:
    used = datetime.fromtimestamp(cached.last_used).astimezone()
    return {
        "images": cached.images,
        "height": cached.shape[0] if cached.shape else None,
        "width": cached.shape[1] if cached.shape else None,
        "method": cached.method,
        "bytes": cached.n_bytes,
        "last_used": used.isoformat(timespec="seconds"),
        "state": cached.state,
    }


def _table(rows: list[dict[str, Any]]) -> list[str]:
    """One line a set, under a head. A size is height x width."""
    layout = "{:>10}  {:>11}  {:8}{:>10}  {:16}  {}"
    lines = [layout.format("images", "size", "method", "MB", "last used", "state")]
    for row in rows:
        known = row["images"] is not None
        lines.append(
            layout.format(
                f"{row['images']:,}" if known else "?",
                f"{row['height']} x {row['width']}" if known else "?",
                row["method"] or "?",
                _mb(row["bytes"]),
                row["last_used"][:16].replace("T", " "),
                row["state"],
            )
        )
    return lines


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f}"
