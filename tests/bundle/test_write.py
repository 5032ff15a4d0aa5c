from __future__ import annotations

import errno
import json
import os
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cxr.backbones import Network
from cxr.bundle import DISCLAIMER, BundleConfig, read_bundle, write_bundle
from cxr.errors import StorageError


def test_one_plain_zip_with_four_members(model: Path) -> None:
    with zipfile.ZipFile(model) as archive:
        infos = archive.infolist()
    names = {"model.safetensors", "config.json", "README.md", "golden.npz"}
    assert {info.filename for info in infos} == names
    assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}


def test_the_same_model_gives_the_same_bytes(
    model: Path,
    tmp_path: Path,
    network: Network,
    config: BundleConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1e7)  # another day
    again = write_bundle(tmp_path / "other name.cxr", network, config)
    assert again.read_bytes() == model.read_bytes()


def test_a_model_that_was_read_gives_the_same_bytes(model: Path, tmp_path: Path) -> None:
    bundle = read_bundle(model)
    again = write_bundle(tmp_path / "model.cxr", bundle.network, bundle.config)
    assert again.read_bytes() == model.read_bytes()


def test_the_mode_of_the_network_stays_and_does_not_matter(
    model: Path, tmp_path: Path, network: Network, config: BundleConfig
) -> None:
    network.train()
    try:
        again = write_bundle(tmp_path / "model.cxr", network, config)
        assert network.training
    finally:
        network.eval()
    assert again.read_bytes() == model.read_bytes()


def test_the_configuration_is_readable_json(model: Path, config: BundleConfig) -> None:
    with zipfile.ZipFile(model) as archive:
        found = json.loads(archive.read("config.json"))
    assert found["classes"] == ["NORMAL", "PNEUMONIA"]
    assert found["format"] == 1 and found["threshold"] == config.threshold


def test_the_card_says_what_it_is_and_is_not(
    tmp_path: Path, network: Network, config: BundleConfig
) -> None:
    classes = ("gesund", "Entzündung")
    told = replace(config, population="Kinder, Guangzhou", classes=classes, positive=classes[1])
    path = write_bundle(tmp_path / "model.cxr", network, told)
    with zipfile.ZipFile(path) as archive:
        card = archive.read("README.md").decode("utf-8")
    assert DISCLAIMER in card and "not a medical device" in card
    for words in ("Kinder, Guangzhou", "gesund, Entzündung", "test_efficientnet", "`abc`", "1.5"):
        assert words in card


@pytest.mark.parametrize(
    ("code", "said"), [(errno.ENOSPC, "disk full"), (errno.EACCES, "cannot write")]
)
def test_a_disk_that_refuses_leaves_what_was_there(
    code: int,
    said: str,
    tmp_path: Path,
    network: Network,
    config: BundleConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "model.cxr"
    path.write_bytes(b"the one before")

    def full(self: zipfile.ZipFile, info: zipfile.ZipInfo, data: bytes) -> None:
        if info.filename == "model.safetensors":
            raise OSError(code, os.strerror(code))
        original(self, info, data)

    original: Callable[..., None] = zipfile.ZipFile.writestr
    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(StorageError, match=said):
        write_bundle(path, network, config)
    assert path.read_bytes() == b"the one before"
    assert list(tmp_path.iterdir()) == [path]
