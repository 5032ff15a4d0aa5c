"""The same answers from both runtimes, and none of torch where it is not needed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cxr._io.extras import EXTRAS
from cxr.apply import load_learner
from cxr.apply.onnx import onnx_bytes
from cxr.apply.predictor import ONNX, Predictor, load_predictor
from cxr.bundle import read_bundle
from cxr.bundle.write import rewrite
from cxr.errors import BundleError, UnknownName, UsageError

WriteModel = Callable[..., Path]
# What a slim install does not have.
ABSENT = list(EXTRAS["train"])


def with_onnx(model: Path, out: Path) -> Path:
    bundle = read_bundle(model)
    return rewrite(model, out, {ONNX: onnx_bytes(bundle.network, bundle.config)})


@pytest.fixture
def carrying(tiny_model: Path, tmp_path: Path) -> Path:
    return with_onnx(tiny_model, tmp_path / "carrying.cxr")


def stack(predictor: Predictor, films: list[Path]) -> np.ndarray:
    return np.stack([predictor.pixels(film) for film in films])


def test_both_runtimes_say_the_same(carrying: Path, films: list[Path]) -> None:
    ours, theirs = (load_predictor(carrying, runtime) for runtime in ("torch", "onnx"))
    assert (ours.runtime, theirs.runtime) == ("torch", "onnx")
    assert ours.digest == theirs.digest and len(ours.digest) == 64
    pixels = stack(ours, films)
    for mine, other in zip(ours.run(pixels), theirs.run(pixels), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-4)
    for mine, other in zip(ours.predictions(pixels), theirs.predictions(pixels), strict=True):
        assert mine.decision == other.decision and mine.reason == other.reason
        assert mine.calibrated == pytest.approx(other.calibrated, abs=1e-4)


def test_a_record_is_what_the_predictor_says(tiny_model: Path, films: list[Path]) -> None:
    predictor, predictor = load_predictor(tiny_model), load_learner(tiny_model)
    for record, film in zip(predictor.predictions(stack(predictor, films)), films, strict=True):
        logits = predictor.logits(predictor.pixels(film)[None])
        calibrated = predictor.probabilities(logits, calibrated=True)[0].tolist()
        assert record.prediction == predictor.predict(film)[0]
        assert record.decision == predictor.decision(calibrated)
        assert list(record.calibrated.values()) == pytest.approx(calibrated, abs=1e-6)
        assert record.probability == record.calibrated["PNEUMONIA"]


def test_a_prevalence_changes_what_is_told_and_not_what_is_decided(
    write_model: WriteModel, films: list[Path]
) -> None:
    predictor = load_predictor(write_model(training_data={"prevalence": 0.5}))
    pixels = stack(predictor, films)
    for plain, rare in zip(
        predictor.predictions(pixels), predictor.predictions(pixels, 0.01), strict=True
    ):
        assert rare.probability < plain.probability
        assert (rare.decision, rare.reason) == (plain.decision, plain.reason)


def test_auto_takes_what_the_file_holds(tiny_model: Path, carrying: Path) -> None:
    assert load_predictor(tiny_model).runtime == "torch"
    assert load_predictor(carrying).runtime == "onnx"
    assert load_predictor(tiny_model, "onnx").runtime == "onnx"  # translated on the spot


@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_heat_is_a_map_of_the_finding(runtime: str, carrying: Path, films: list[Path]) -> None:
    predictor = load_predictor(carrying, runtime)
    heat, explained, method = predictor.heat_map(predictor.pixels(films[0]))
    assert heat.shape == (64, 64) and heat.dtype == np.float32
    assert heat.min() >= 0 and heat.max() in (0, 1)
    assert explained == "PNEUMONIA" and ("occlusion" in method) == (runtime == "onnx")


def test_another_network_in_the_file_fails_the_self_test(
    carrying: Path, write_model: WriteModel, tmp_path: Path
) -> None:
    other = read_bundle(write_model("test_resnet"))
    mixed = rewrite(
        carrying, tmp_path / "mixed.cxr", {ONNX: onnx_bytes(other.network, other.config)}
    )
    with pytest.raises(BundleError, match=r"mixed\.cxr is refused: self-test failed"):
        load_predictor(mixed)


def test_wrong_names(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="tensorrt"):
        load_predictor(tiny_model, "tensorrt")
    with pytest.raises(UsageError, match="no model file"):
        load_predictor(tmp_path / "none.cxr")


def without(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs `code` in a Python that has nothing of ABSENT."""
    absent = f"import sys\nfor name in {ABSENT}: sys.modules[name] = None\n"
    command = [sys.executable, "-c", absent + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_slim_install_reads_images(carrying: Path, films: list[Path]) -> None:
    code = """
from cxr.apply.predictor import load_predictor
predictor = load_predictor(sys.argv[1])
pixels = predictor.pixels(sys.argv[2])
predictor.heat_map(pixels)
sys.stdout.write(f"{predictor.predictions(pixels[None])[0].probability:.6f}")
"""
    done = without(code, carrying, films[0])
    assert done.stderr == ""
    predictor = load_predictor(carrying)
    (record,) = predictor.predictions(predictor.pixels(films[0])[None])
    assert done.stdout == f"{record.probability:.6f}"


def test_a_slim_install_says_what_a_file_lacks(tiny_model: Path) -> None:
    code = """
from cxr.apply.predictor import load_predictor
from cxr.errors import BundleError
try:
    load_predictor(sys.argv[1])
except BundleError as error:
    sys.stdout.write(str(error))
"""
    said = without(code, tiny_model).stdout
    assert "holds no model.onnx" in said and "cxr export model.cxr --onnx" in said
