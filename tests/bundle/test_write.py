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
from cxr.bundle import DISCLAIMER, FORMAT, BundleConfig, read_bundle, write_bundle
from cxr.bundle.members import read_members
from cxr.bundle.sign import new_key, sign_bundle
from cxr.bundle.signature import signer
from cxr.bundle.write import rewrite
from cxr.errors import BundleError, StorageError, UsageError


def test_one_plain_zip_with_five_members(model: Path) -> None:
    with zipfile.ZipFile(model) as archive:
        infos = archive.infolist()
    names = ["config.json", "README.md", "golden.npz", "model.safetensors", "manifest.json"]
    assert [info.filename for info in infos] == names
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
    assert found["format"] == FORMAT and found["threshold"] == config.threshold


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


def test_rewritten_with_a_member_more_and_one_less(model: Path, tmp_path: Path) -> None:
    before = read_members(model)
    more = rewrite(model, tmp_path / "more.cxr", add={"model.onnx": b"onnx", "README.md": b"#"})
    assert more == tmp_path / "more.cxr" and read_members(model) == before
    found = read_members(more)
    assert found["model.onnx"] == b"onnx" and found["README.md"] == b"#"
    del found["manifest.json"]
    kept = {name: data for name, data in before.items() if name in found}
    assert found == {**kept, "model.onnx": b"onnx", "README.md": b"#"}
    back = {"README.md": before["README.md"]}
    rewrite(more, more, add=back, remove=["model.onnx"])  # onto itself
    assert more.read_bytes() == model.read_bytes()


@pytest.mark.parametrize(
    ("add", "remove"),
    [
        ({"evil.py": b""}, ()),
        ({"manifest.json": b""}, ()),
        ({"signature.json": b""}, ()),
        ({}, ("config.json",)),
        ({}, ("manifest.json",)),
    ],
)
def test_what_cannot_be_added_or_removed(
    add: dict[str, bytes], remove: tuple[str, ...], model: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"'[\w.]+' cannot be added to a model file, or removed"):
        rewrite(model, tmp_path / "out.cxr", add, remove)
    assert list(tmp_path.iterdir()) == []


def test_a_signature_does_not_outlive_a_change(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = rewrite(model, tmp_path / "model.cxr", add={})
    new_key(tmp_path / "key")
    sign_bundle(path, tmp_path / "key")
    assert capsys.readouterr().err == ""
    rewrite(path, path, add={"model.onnx": b"onnx"})
    assert f"{path} is not signed any more" in capsys.readouterr().err
    assert signer(read_members(path)) is None


def test_a_file_of_format_1_becomes_one_of_the_newest(model: Path, tmp_path: Path) -> None:
    old, members = tmp_path / "old.cxr", read_members(model)
    with zipfile.ZipFile(old, "w") as archive:
        for name in ("config.json", "README.md", "golden.npz", "model.safetensors"):
            was = members[name].replace(b'"format": %d' % FORMAT, b'"format": 1')
            new = b'  "frame": "whole",\n  "locator": null,\n'
            archive.writestr(name, was.replace(new, b""))
    assert read_bundle(old).config == read_bundle(model).config
    assert rewrite(old, old, add={}).read_bytes() == model.read_bytes()


def test_a_damaged_file_is_not_rewritten(model: Path, tmp_path: Path) -> None:
    broken, out = tmp_path / "broken.cxr", tmp_path / "out.cxr"
    broken.write_bytes(model.read_bytes()[:-1])
    with pytest.raises(BundleError, match=r"broken\.cxr is refused: damaged"):
        rewrite(broken, out, add={})
    assert not out.exists()
