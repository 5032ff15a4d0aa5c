"""Downloads from Kaggle through its library, `kagglehub`; the key is looked for, never shown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from .._io import read_json
from .._io.files import storage_error
from .._io.text import error_text
from ..errors import DataError, DownloadError, LoginMissing, StorageError, UsageError
from .registry import DataSet


def download_from_kaggle(data_set: DataSet) -> Path:
    """The folder in kagglehub's cache that holds `data_set`, downloaded if it isn't there yet.

    Raises UsageError (no credentials, kagglehub not installed), DownloadError, StorageError.
    """
    if credentials() is None:
        raise LoginMissing(_how_to_log_in(data_set))
    try:
        import kagglehub
    except ImportError:
        raise UsageError(
            f'Kaggle needs kagglehub: pip install "cxr[kaggle]"{_or_direct(data_set)}'
        ) from None
    try:
        folder = Path(kagglehub.dataset_download(data_set.kaggle)).resolve()
    except Exception as error:  # kagglehub documents no list of what it raises
        raise _translated(error, data_set) from None  # a traceback of the cause may show the key
    if not folder.is_dir():
        raise DownloadError(f"kagglehub names {folder}, which is no folder; empty its cache")
    return folder


def credentials() -> str | None:
    """Where a Kaggle login was found, in the order in which kagglehub looks; None if nowhere.

    Raises UsageError when there is a `kaggle.json` that cannot be used.
    """
    if os.environ.get("KAGGLE_KERNEL_RUN_TYPE"):
        return "the Kaggle notebook"
    if os.environ.get("KAGGLE_API_TOKEN"):
        return "KAGGLE_API_TOKEN"
    for file in _token_files():
        return str(file)
    if os.environ.get("KAGGLE_USERNAME") and os.environ.get("KAGGLE_KEY"):
        return "KAGGLE_USERNAME and KAGGLE_KEY"
    if not _login_file().is_file():
        return None
    if _key(_login_file()) is None:
        raise UsageError(
            f'{_login_file()} is not a Kaggle login, {{"username": "...", "key": "..."}}; '
            "create a new one at kaggle.com, Settings > API"
        )
    return str(_login_file())


def _token_files() -> list[Path]:
    names = ("access_token", "access_token.txt")
    return [file for name in names if (file := Path.home() / ".kaggle" / name).is_file()]


def _login_file() -> Path:
    chosen = os.environ.get("KAGGLE_CONFIG_DIR")
    return (Path(chosen) if chosen else Path.home() / ".kaggle") / "kaggle.json"


def _key(login_file: Path) -> str | None:
    try:
        login = read_json(login_file)
    except (DataError, OSError):
        return None
    whole = isinstance(login, dict) and login.get("username") and login.get("key")
    return str(login["key"]) if whole else None


def _how_to_log_in(data_set: DataSet) -> str:
    return "\n".join(
        (
            f"Kaggle asks for a login to download {data_set.kaggle}, and none was found.",
            f"Create a token at kaggle.com, Settings > API, and save it as {_login_file()} "
            "(or set KAGGLE_USERNAME and KAGGLE_KEY, or KAGGLE_API_TOKEN).",
            f"Then run the same command again{_or_direct(data_set)}.",
        )
    )


def _or_direct(data_set: DataSet) -> str:
    return f", or without Kaggle: cxr fetch {data_set.name} OUT --direct" if data_set.url else ""


def _translated(error: Exception, data_set: DataSet) -> Exception:
    """kagglehub's failure in one line, without the key."""
    if isinstance(error, OSError):
        stored = storage_error(error, Path("kagglehub's cache"))
        if isinstance(stored, StorageError):
            return stored
    message = error_text(error, None)
    for secret in _secrets():
        message = message.replace(secret, "***")
    return DownloadError(
        f"{data_set.kaggle} could not be fetched from Kaggle ({type(error).__name__}: "
        f"{message[:300]}); check login and network and run the same command again"
        f"{_or_direct(data_set)}"
    )


def _secrets() -> Iterator[str]:
    token = os.environ.get("KAGGLE_API_TOKEN", "")
    files = _token_files()
    if len(token) < 256 and Path(token).is_file():  # kagglehub takes a path there, too
        files.append(Path(token))
    texts = [file.read_text(encoding="utf-8", errors="replace").strip() for file in files]
    key = _key(_login_file())
    yield from filter(None, [token, os.environ.get("KAGGLE_KEY"), key, *texts])
