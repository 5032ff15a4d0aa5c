from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cxr.backbones import Architecture, build_network
from cxr.bundle import BundleConfig, write_bundle

Call = Callable[..., Any]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    network, _ = build_network(Architecture("test_efficientnet", 2, 64), weights=None, seed=3)
    config = BundleConfig(("NORMAL", "PNEUMONIA"), "test_efficientnet", 64)
    return write_bundle(tmp_path / "model.cxr", network, config)


def test_a_key_a_signature_and_who_it_is_from(cxr: Call, model: Path, tmp_path: Path) -> None:
    key, public = tmp_path / "key", tmp_path / "key.pub"
    made = cxr("sign", "--new-key", key, "--json").json
    assert made["public_key"] == str(public) and made["fingerprint"].startswith("SHA256:")
    assert re.search(r"^signature +none$", cxr("doctor", model).out, re.MULTILINE)
    unsigned = cxr("doctor", model, "--key", public)
    assert unsigned.code == 1 and "not signed, which SHA256:" in unsigned.out
    signed = cxr("sign", model, "--key", key)
    assert signed.code == 0 and made["fingerprint"] in signed.out
    found = cxr("doctor", model, "--key", public)
    assert found.code == 0 and "the key asked for" in found.out.splitlines()[1]
    cxr("sign", "--new-key", tmp_path / "other")
    other = cxr("doctor", model, "--key", tmp_path / "other.pub", "--json")
    assert other.code == 1 and json.loads(other.out)["accepted"] is False


def test_a_damaged_model_is_neither_signed_nor_verified(
    cxr: Call, model: Path, tmp_path: Path
) -> None:
    cxr("sign", "--new-key", tmp_path / "key")
    model.write_bytes(model.read_bytes()[:-1])
    signed = cxr("sign", model, "--key", tmp_path / "key")
    assert signed.code == 1 and "is refused: damaged" in signed.error
    verified = cxr("doctor", model, "--key", tmp_path / "key.pub")
    assert verified.code == 1 and "is refused: damaged" in verified.out


@pytest.mark.parametrize("given", [(), ("m.cxr",), ("--key", "k"), ("m.cxr", "--new-key", "k")])
def test_what_belongs_together(cxr: Call, given: tuple[str, ...]) -> None:
    outcome = cxr("sign", *given)
    assert outcome.code == 2 and "give MODEL and --key KEY to sign" in outcome.error


def test_a_key_is_never_written_over(cxr: Call, tmp_path: Path) -> None:
    cxr("sign", "--new-key", tmp_path / "key")
    before = (tmp_path / "key").read_bytes()
    outcome = cxr("sign", "--new-key", tmp_path / "key")
    assert outcome.code == 2 and "is there already" in outcome.error
    assert (tmp_path / "key").read_bytes() == before
