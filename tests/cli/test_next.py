"""The commands that finish a step end with the next one, which can be typed as it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxr.apply.onnx import Int8
from cxr.cli._options import as_typed
from cxr.cli._output import following
from cxr.config import ManifestOptions
from cxr.evaluate import make_predictions, write_predictions
from cxr.find import get_image_files
from cxr.find.phantom import write_phantom
from cxr.pixels import decode_all
from cxr.workflows.demo import DemoResult
from cxr.workflows.finish import RunResult
from helpers.commands import COMMANDS, misnamed
from helpers.figures import undrawn

Call = Callable[..., Any]
ENDLESS = {"serve", "listen"}  # stopped by their user, they have no end to say something at
FIGURES: dict[str, Any] = {name: {"n": 9, "n_patients": 3} for name in ("valid", "about")}
FINISHING = {  # what is typed -> the commands that follow
    "demo": ["serve", "check"],
    "fetch kermany {here}/kermany": ["check"],
    "check {images} --out {here}/check": ["train"],
    "train {images} --run {here}/a {quick}": ["evaluate", "predict"],
    "evaluate {model} {images} --out {here}/e": ["stress"],
    "evaluate {model} {images} --out {here}/e --stress stress.json": ["predict"],
    "predict {model} {image}": ["predict"],
    "predict {model} {image} --out {here}/rows.csv --explain {here}/heat": ["serve"],
    "stress {model} {images} --out {here}/s": ["evaluate"],
    "compare {here}/a.csv {here}/b.csv --out {here}/c": ["evaluate"],
    "export {model} --onnx {here}/served.cxr": ["serve"],
    "export {model} --onnx {here}/network.onnx": ["doctor"],
    "export {model} --onnx {here}/8.cxr --int8 --data {images}": ["serve"],
    "sign --new-key {here}/key": ["sign"],
    "doctor": ["demo"],
    "doctor {model}": ["predict"],
    "deidentify {dicom} {here}/copies --pixels keep --key-file {here}/secret": ["check"],
    "hold-out {images} --series phantom000* --out {here}/held": ["train", "evaluate"],
    "phantom {here}/new --images 2 --size 64": ["check"],
    "shards {images} --out {here}/shards --size 32": ["train"],
    "lr-find {images} --seed 0 --weights none": ["train"],
    "sweep {images} --out {here}/sweep": ["evaluate"],
    "runs {run}": ["evaluate"],
    "runs --compare {run} {run}": ["evaluate"],
    "runs {here}": ["train"],
    "cache": ["cache"],
    "dicomweb {model} https://pacs.example/web --study 1.2": ["listen"],
}


@pytest.fixture(autouse=True)
def without_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long, or another machine, has tests of its own."""
    run = RunResult(Path("d/run"), Path("d/run/model.cxr"), Path("d/run/report.html"), FIGURES)
    for name, result in {
        "cxr.workflows.demo.run_demo": DemoResult(run, {}),
        "cxr.find.fetch.fetch": Path("kermany"),
        "cxr.find.fetch.receipt": {},
        "cxr.workflows.evaluate.evaluate_model": FIGURES,
        "cxr.workflows.stress.stress_model": {},
        "cxr.report.stress.stress_table": "",
        "cxr.apply.onnx.export_onnx": 1e-6,
        "cxr.apply.onnx.export_int8": Int8(9, 0, 0, 0.01, 1.5, 1.2),
        "cxr.workflows.train.find_rates": {"valley": 1e-3},
        "cxr.scale.sweep.run_sweep": {"sentences": []},
        "cxr.apply.dicom.answer_studies": [{"error": None}],
        "cxr.cli.dicomweb.prediction_line": "",
        "cxr.cli.demo.prediction_line": "",
        "cxr.cli.runs._side_by_side": [],
        "cxr.track.compare_runs": {},
    }.items():
        monkeypatch.setattr(name, lambda *_, result=result, **__: result)
    monkeypatch.setattr("cxr.report.page.render_figures", undrawn)


@pytest.fixture
def words(
    trained: tuple[Path, Any],
    films: Path,
    quick: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, object]:
    """What stands in braces above."""
    run = trained[0]
    monkeypatch.setenv("CXR_CACHE_DIR", str(tmp_path / "cache"))
    decode_all(list(get_image_files(films)[:2]), (32, 32))
    for name in ("a.csv", "b.csv"):
        truth = np.arange(40) % 2
        p = np.random.default_rng(len(name)).random(40)
        classes, paths = ("NORMAL", "SICK"), [f"{i}.png" for i in range(40)]
        rows = make_predictions(paths, np.c_[1 - p, p], truth, classes, split="test")
        write_predictions(rows, tmp_path / name)
    dicom = write_phantom(tmp_path / "dicom", n_images=2, format="dicom", size=64)
    return {
        "here": tmp_path,
        "images": films,
        "image": get_image_files(films)[0],
        "dicom": next(dicom.rglob("*.dcm")),
        "model": run / "model.cxr",
        "run": run,
        "quick": " ".join(quick),
    }


@pytest.mark.parametrize("typed", FINISHING)
def test_the_next_command(
    typed: str, words: dict[str, object], cxr: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = cxr(*typed.format(**words).split())
    assert outcome.code == 0
    assert [line.split()[0] for line in outcome.following] == FINISHING[typed]
    assert [misnamed(line) for line in outcome.following] == [[]] * len(outcome.following)


def test_all_commands_that_end_are_walked() -> None:
    assert {typed.split()[0] for typed in FINISHING} == set(COMMANDS) - ENDLESS


def test_not_with_json(films: Path, tmp_path: Path, cxr: Call) -> None:
    for command in (
        ("phantom", tmp_path / "new", "--images", 2, "--size", 64),
        ("check", films, "--out", tmp_path / "check"),
        ("lr-find", films),
    ):
        assert cxr(*command, "--json").json is not None


def test_after_a_failure_there_is_none(films: Path, tmp_path: Path, cxr: Call) -> None:
    """Of data that cannot be trained on, cxr check says what to do instead."""
    outcome = cxr("check", films / "NORMAL", "--out", tmp_path / "check")
    assert outcome.code == 1 and outcome.following == []
    assert outcome.out.endswith("next: mend this, then run cxr check again\n")


def test_what_was_typed_comes_back_as_it_must_be_typed() -> None:
    table = ManifestOptions(label_columns=("Lung Lesion", "Mass"), follow_links=True)
    given = ["--label-columns", "Lung Lesion,Mass", "--follow-links"]
    assert sorted(as_typed(table)) == sorted(given)
    assert as_typed(ManifestOptions()) == []
    assert following(("check", Path("a b")), ("demo",)) == [
        "next: cxr check 'a b'",
        "then: cxr demo",
    ]
