"""`cxr fetch`: a registered data set, whole, under the name that the user chose, with a receipt.

Everything happens in the hidden folder `.OUT.fetch` beside OUT, which a later run goes on with; the
last step renames the finished folder. `SOURCE.json` in it says what it is, so its presence means
complete.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from .._io import Progress, read_json, say, sha256_file, write_json
from .._io.files import storage_error
from ..errors import DataError, DownloadError, UsageError
from ._http import check_url, shown
from .archive import is_junk, remove_empty, require_empty, unzip
from .download import checksum, download
from .kaggle import download_from_kaggle
from .registry import DataSet, get_data_set

RECEIPT = "SOURCE.json"
IMAGE_SUFFIXES = {".jpeg", ".jpg", ".png", ".dcm"}

Source = Literal["auto", "kaggle", "direct"]


def fetch(
    name: str,
    out: Path | str,
    *,
    source: Source = "auto",
    url: str | None = None,
    sha256: str | None = None,
) -> Path:
    """Download the registered data set `name` into the new folder `out`; returns its full path.

    `source="auto"` means Kaggle, or the direct download where `url` or `sha256` is given or the
    data set is not on Kaggle. `url` replaces the registered address, `sha256` the registered
    checksum. A complete data set that is there already is left as it is. `out/SOURCE.json` tells
    where the images come from and how to cite them.

    Raises UsageError (also UnknownName), DownloadError, StorageError.
    """
    data_set = get_data_set(name)
    source = _chosen(data_set, source, url, sha256)
    sha256 = checksum(sha256)
    out = Path(out).resolve()
    if _is_there(data_set, out, sha256):
        return out
    if not out.name or out == Path.cwd():
        raise UsageError(f"{out} is the folder that you are in; name a new one")
    require_empty(out)
    work = out.with_name(f".{out.name}.fetch")
    staging = work / "staging"
    try:
        _new_folder(staging)
        if source == "kaggle":
            facts = _from_kaggle(data_set, staging)
        else:
            facts = _from_url(data_set, work, staging, url, sha256)
        _finish(data_set, staging / "whole", out, facts)
    except OSError as error:
        raise storage_error(error, out) from error
    finally:  # what is downloaded stays for the next run, what is unpacked doesn't
        shutil.rmtree(staging, ignore_errors=True)
        with suppress(OSError):
            work.rmdir()
    shutil.rmtree(work, ignore_errors=True)
    return out


def receipt(folder: Path | str) -> dict[str, Any] | None:
    """What `SOURCE.json` says about a fetched folder; None where there is none."""
    try:
        about = read_json(Path(folder) / RECEIPT)
    except (OSError, DataError):
        return None
    return about if isinstance(about, dict) else None


def _chosen(data_set: DataSet, source: str, url: str | None, sha256: str | None) -> Source:
    given = bool(url or sha256)
    if source not in ("auto", "kaggle", "direct"):
        raise UsageError(f"source {source!r} is unknown; choose auto, kaggle or direct")
    if source == "kaggle" and given:
        raise UsageError("url and sha256 belong to the direct download; leave them out for Kaggle")
    if source == "kaggle" and data_set.kaggle is None:
        raise UsageError(f"{data_set.name} is not on Kaggle; use the direct download")
    if source == "direct" or given or data_set.kaggle is None:
        if url is None and data_set.url is None:
            raise UsageError(f"{data_set.name} has no registered address; give one with --url")
        if url is not None:
            check_url(url)
        return "direct"
    return "kaggle"


def _is_there(data_set: DataSet, out: Path, sha256: str | None) -> bool:
    """Whether `out` holds this data set already; raises UsageError if only a part of it is left."""
    about = receipt(out)
    if about is None or about.get("name") != data_set.name:
        return False
    if sha256 and about.get("sha256") != sha256:
        raise UsageError(
            f"{out} holds {data_set.name} with sha256 {about.get('sha256')}, not the one that "
            "you give; name a new folder"
        )
    have, had = sum(1 for _ in _images(out)), about.get("images")
    if not isinstance(had, int) or have < had:
        raise UsageError(
            f"{out} holds {have} of the {had} images of {data_set.name}; move it away and run "
            "the same command again"
        )
    say(f"{out} holds {data_set.name} already ({have:,} images, fetched {about.get('fetched')})")
    return True


def _from_kaggle(data_set: DataSet, staging: Path) -> dict[str, Any]:
    cached = _root(download_from_kaggle(data_set), data_set)
    _copy(cached, staging / "whole", data_set.splits)
    _check_count(data_set, staging / "whole", f"kagglehub's copy; delete {cached} and try again")
    say(f"kagglehub keeps its own copy in {cached}: delete that if you don't need it")
    return {"source": f"kaggle:{data_set.kaggle}", "sha256": None, "verified": False}


def _from_url(
    data_set: DataSet, work: Path, staging: Path, url: str | None, sha256: str | None
) -> dict[str, Any]:
    address = url or data_set.url or ""
    size = None
    if url is None and sha256 is None:
        sha256, size = data_set.sha256, data_set.size
    archive = download(address, work / f"{data_set.name}.zip", sha256=sha256, size=size)
    got = sha256 or sha256_file(archive)
    verified = got in (sha256, data_set.sha256)
    if not verified:
        say(f"{archive.name} has sha256 {got}, which could not be verified against the registry")
    try:
        root = _root(unzip(archive, staging / "unpacked"), data_set)
        _new_folder(staging / "whole")
        for split in _present(root, data_set.splits):
            (root / split).rename(staging / "whole" / split)
        if url is None:
            _check_count(data_set, staging / "whole", shown(address))
    except DownloadError:
        archive.unlink()  # what cannot be used is not to be gone on with
        raise
    return {"source": shown(address), "sha256": got, "verified": verified}


def _check_count(data_set: DataSet, whole: Path, where: str) -> None:
    images = sum(1 for _ in _images(whole))
    if data_set.images not in (None, images):
        raise DownloadError(
            f"{data_set.name} has {data_set.images:,} images, but {images:,} came from {where}"
        )


def _finish(data_set: DataSet, whole: Path, out: Path, facts: dict[str, Any]) -> None:
    cite = ("name", "title", "license", "doi", "citation", "population", "layout")
    about = {key: getattr(data_set, key) for key in cite}
    images = sum(1 for _ in _images(whole))
    fetched = datetime.now(UTC).date().isoformat()
    write_json(whole / RECEIPT, {**about, **facts, "images": images, "fetched": fetched})
    require_empty(out)
    remove_empty(out)
    whole.rename(out)


def _root(folder: Path, data_set: DataSet) -> Path:
    """The topmost folder that holds the first split: Kaggle's copy has another, nested inside."""
    level = [folder]
    for _ in range(3):
        for candidate in level:
            if (candidate / data_set.splits[0]).is_dir():
                return candidate
        level = [child for parent in level for child in sorted(parent.iterdir()) if child.is_dir()]
    raise DownloadError(
        f"what arrived holds no folder {data_set.splits[0]}/, so it is not {data_set.name} as "
        f"registered ({data_set.layout})"
    )


def _present(root: Path, splits: tuple[str, ...]) -> list[str]:
    return [split for split in splits if (root / split).is_dir()]


def _copy(root: Path, folder: Path, splits: tuple[str, ...]) -> None:
    """Plain files and their contents only: a cache may be read-only and hold links."""
    inside = [
        path for split in _present(root, splits) for path in sorted((root / split).rglob("*"))
    ]
    files = [path for path in inside if not is_junk(path.relative_to(root).as_posix())]
    if links := [path for path in files if path.is_symlink()]:
        raise DownloadError(f"{links[0]} is a link, not an image; the download is refused")
    with Progress("copying", total=len(files), unit="files") as bar:
        for path in files:
            if path.is_file():
                target = folder / path.relative_to(root)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
            bar.advance()


def _images(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)


def _new_folder(folder: Path) -> Path:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder
