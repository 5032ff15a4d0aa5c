from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cxr._io import progress_disabled
from cxr.bundle import read_bundle
from cxr.bundle.members import read_members
from cxr.bundle.sign import (
    new_key,
    require_signature,
    sign_bundle,
    verify_signature,
)
from cxr.bundle.signature import fingerprint, signer
from cxr.bundle.write import rewrite
from cxr.errors import BundleError, StorageError, UsageError


@pytest.fixture
def key(tmp_path: Path) -> Path:
    new_key(tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
def signed(tmp_path: Path, model: Path, key: Path) -> Path:
    path = tmp_path / "signed.cxr"
    shutil.copy(model, path)
    sign_bundle(path, key)
    return path


def test_a_new_pair_of_keys(tmp_path: Path) -> None:
    public, mark = new_key(tmp_path / "keys" / "mine.pem")
    private = tmp_path / "keys" / "mine.pem"
    assert public == tmp_path / "keys" / "mine.pem.pub"
    assert private.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert public.read_bytes().startswith(b"-----BEGIN PUBLIC KEY-----\n")
    if os.name == "posix":
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
    loaded = form.load_pem_private_key(private.read_bytes(), password=None)
    assert isinstance(loaded, Ed25519PrivateKey)
    assert fingerprint(loaded.public_key()) == mark


@pytest.mark.parametrize("taken", ["key", "key.pub"])
def test_keys_are_never_written_over(taken: str, tmp_path: Path) -> None:
    (tmp_path / taken).write_text("mine")
    with pytest.raises(UsageError, match=rf"{taken} is there already"):
        new_key(tmp_path / "key")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        new_key(tmp_path / "file" / "key")


def test_the_signature_is_over_the_manifest_and_nothing_else(signed: Path, key: Path) -> None:
    """The same key signs the same bytes alike each time."""
    members = read_members(signed)
    found = json.loads(members["signature.json"])
    assert set(found) == {"public_key", "signature"}
    private = form.load_pem_private_key(key.read_bytes(), password=None)
    assert isinstance(private, Ed25519PrivateKey)
    assert base64.b64decode(found["public_key"]) == private.public_key().public_bytes_raw()
    assert base64.b64decode(found["signature"]) == private.sign(members["manifest.json"])
    assert list(members)[-1] == "signature.json"


def test_signing_changes_nothing_else(signed: Path, model: Path, key: Path, tmp_path: Path) -> None:
    before, after = read_members(model), read_members(signed)
    assert {name: data for name, data in after.items() if name != "signature.json"} == before
    assert read_bundle(signed).config == read_bundle(model).config
    again = shutil.copy(signed, tmp_path / "again.cxr")
    sign_bundle(again, key)
    assert again.read_bytes() == signed.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("again.cxr", "key", "key.pub", "signed.cxr"),
    ]


def test_the_fingerprint_is_what_openssl_gives(key: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    public = key.with_name("key.pub")
    command = [openssl, "pkey", "-pubin", "-in", str(public), "-outform", "DER"]
    done = subprocess.run(command, capture_output=True, check=True)
    digest = base64.b64encode(hashlib.sha256(done.stdout).digest()).decode()
    assert fingerprint(form.load_pem_public_key(public.read_bytes())) == f"SHA256:{digest}"


def test_required_signatures(signed: Path, model: Path, key: Path, tmp_path: Path) -> None:
    public = key.with_name("key.pub")
    mark = require_signature(signed, public)
    assert mark == require_signature(read_members(signed), public) == signer(read_members(signed))
    with pytest.raises(BundleError, match=rf"{model.name} is refused: not signed; only models"):
        require_signature(model, public)
    other, _ = new_key(tmp_path / "other")
    with pytest.raises(BundleError, match=r"signed by another key, SHA256:.*; accepted is only"):
        require_signature(signed, other)


def test_what_a_file_is_said_to_be(signed: Path, model: Path, key: Path, tmp_path: Path) -> None:
    public = key.with_name("key.pub")
    other, _ = new_key(tmp_path / "other")
    for path, asked, accepted, said in (
        (model, None, True, "whole; not signed"),
        (model, public, False, "whole; not signed, which SHA256:"),
        (signed, None, True, "whole; signed by SHA256:"),
        (signed, public, True, "the key asked for"),
        (signed, other, False, "whole; signed by another key, SHA256:"),
    ):
        verdict = verify_signature(path, asked)
        assert verdict.accepted == accepted
        assert said in verdict.sentence and "\n" not in verdict.sentence


def test_a_changed_copy_is_not_signed_any_more(signed: Path, key: Path, tmp_path: Path) -> None:
    with progress_disabled():
        out = rewrite(signed, tmp_path / "out.cxr", add={"README.md": b"# mine\n"})
    assert signer(read_members(out)) is None
    with pytest.raises(BundleError, match="not signed"):
        require_signature(out, key.with_name("key.pub"))


def test_keys_that_cannot_be_used(signed: Path, key: Path, tmp_path: Path) -> None:
    private = form.load_pem_private_key(key.read_bytes(), password=None)
    locked = form.BestAvailableEncryption(b"secret")
    pem, pkcs8 = form.Encoding.PEM, form.PrivateFormat.PKCS8
    curve = ec.generate_private_key(ec.SECP256R1())
    for name, data in (
        ("nothing", b""),
        ("locked", private.private_bytes(pem, pkcs8, locked)),
        ("another kind", curve.private_bytes(pem, pkcs8, form.NoEncryption())),
        ("public", key.with_name("key.pub").read_bytes()),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UsageError, match=f"{name} is no private Ed25519 key"):
            sign_bundle(signed, tmp_path / name)
    with pytest.raises(UsageError, match="key is no public Ed25519 key"):
        require_signature(signed, key)
    with pytest.raises(UsageError, match="no key cannot be read"):
        require_signature(signed, tmp_path / "no key")
