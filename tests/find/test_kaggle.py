"""Kaggle by way of a pretended kagglehub: the login is found, and never shown."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from cxr.errors import DownloadError, StorageError, UsageError
from cxr.find.kaggle import credentials, download_from_kaggle
from cxr.find.registry import KERMANY

SECRET = "0123456789abcdef-secret"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any login."""
    for name in (
        "KAGGLE_USERNAME",
        "KAGGLE_KEY",
        "KAGGLE_API_TOKEN",
        "KAGGLE_CONFIG_DIR",
        "KAGGLE_KERNEL_RUN_TYPE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], list[str]]:
    """Puts a kagglehub in place that answers or raises; returns the handles asked for."""

    def install(answer: object) -> list[str]:
        asked: list[str] = []

        def dataset_download(handle: str) -> str:
            asked.append(handle)
            if isinstance(answer, Exception):
                raise answer
            return str(answer)

        module = ModuleType("kagglehub")
        module.dataset_download = dataset_download  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "kagglehub", module)
        return asked

    return install


def write_login(folder: Path, text: str | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "kaggle.json"
    file.write_text(json.dumps({"username": "me", "key": SECRET}) if text is None else text)
    return file


def test_no_login(home: Path, pretend: Callable[[object], list[str]]) -> None:
    asked = pretend(home)
    assert credentials() is None
    with pytest.raises(UsageError) as caught:
        download_from_kaggle(KERMANY)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "kaggle.com, Settings > API" in lines[1]
    assert str(home / ".kaggle" / "kaggle.json") in lines[1]
    assert "cxr fetch kermany OUT --direct" in lines[2]
    assert not asked


def test_login_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    assert credentials() is None
    monkeypatch.setenv("KAGGLE_KEY", SECRET)
    assert credentials() == "KAGGLE_USERNAME and KAGGLE_KEY"
    monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    assert credentials() == "KAGGLE_API_TOKEN"
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert credentials() == "the Kaggle notebook"


def test_login_from_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = write_login(home / ".kaggle")
    assert credentials() == str(usual)
    chosen = write_login(home / "chosen")
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home / "chosen"))
    assert credentials() == str(chosen)
    token = home / ".kaggle" / "access_token"
    token.write_text(SECRET)
    assert credentials() == str(token)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"username": "me"}', f'{{"key": "{SECRET}"}}', '{"username": "", "key": ""}'],
)
def test_a_login_file_that_is_none(home: Path, text: str) -> None:
    file = write_login(home / ".kaggle", text)
    with pytest.raises(UsageError, match="is not a Kaggle login") as caught:
        credentials()
    assert str(file) in str(caught.value)
    assert SECRET not in str(caught.value)


def test_the_folder_that_kagglehub_names(
    home: Path, pretend: Callable[[object], list[str]]
) -> None:
    write_login(home / ".kaggle")
    asked = pretend(home / "cache" / "2")
    with pytest.raises(DownloadError, match="which is no folder"):
        download_from_kaggle(KERMANY)
    (home / "cache" / "2").mkdir(parents=True)
    assert download_from_kaggle(KERMANY) == (home / "cache" / "2").resolve()
    assert asked == ["paultimothymooney/chest-xray-pneumonia"] * 2


def test_kagglehub_is_not_installed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_login(home / ".kaggle")
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(UsageError, match=r'pip install "cxr\[kaggle\]"') as caught:
        download_from_kaggle(KERMANY)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["file", "key", "token", "token file", "token in a named file"])
def test_a_failure_in_one_line_without_the_key(
    home: Path,
    pretend: Callable[[object], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    write_login(home / ".kaggle", None if place == "file" else '{"username": "me", "key": "x-y-z"}')
    if place == "key":
        monkeypatch.setenv("KAGGLE_USERNAME", "me")
        monkeypatch.setenv("KAGGLE_KEY", SECRET)
    elif place == "token":
        monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    elif place == "token file":
        (home / ".kaggle" / "access_token").write_text(SECRET + "\n")
    elif place == "token in a named file":
        (home / "token").write_text(SECRET + "\n")
        monkeypatch.setenv("KAGGLE_API_TOKEN", str(home / "token"))
    pretend(RuntimeError(f"401 Unauthorized\nheaders: Basic me:{SECRET}"))
    with pytest.raises(DownloadError, match="RuntimeError: 401 Unauthorized") as caught:
        download_from_kaggle(KERMANY)
    assert SECRET not in str(caught.value)
    assert "***" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_full_disk(home: Path, pretend: Callable[[object], list[str]]) -> None:
    write_login(home / ".kaggle")
    pretend(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(StorageError, match="disk full"):
        download_from_kaggle(KERMANY)
