"""A run from beginning to end, on synthetic images and with a network of 0.4 million weights."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from cxr._io import progress_disabled
from cxr.apply import load_learner, predict_files
from cxr.config import FRAME_COLUMNS, RunConfig
from cxr.errors import BundleError, DataError, StorageError, UnknownName, UsageError
from cxr.evaluate import choose_threshold, measure, read_predictions
from cxr.find.phantom import write_phantom
from cxr.find.quarantine import QuarantineRow, digest, write_quarantine
from cxr.pixels.frame import locator_version
from cxr.report import page
from cxr.report.checklists import CHECKLISTS
from cxr.report.figures import FIGURES
from cxr.train import fit as fit_module
from cxr.train.resume.lock import locked
from cxr.train.resume.run_folder import check_folder
from cxr.workflows import finish as finishing
from cxr.workflows.train import RunResult, check_settings, find_rates, train_run
from helpers.figures import undrawn
from helpers.runs import small_run

FIGURES_OF_A_SPLIT = (
    *("prevalence", "accuracy", "error_rate", "auroc", "auprc", "sensitivity", "specificity"),
    *("ppv", "npv", "f1", "brier", "ece"),
)


@pytest.fixture(scope="module", autouse=True)
def quiet_and_one_thread(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch, progress_disabled():
        patch.setenv("CXR_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantom(tmp_path_factory.mktemp("data") / "images", n_images=72, seed=2, size=96)


@pytest.fixture(scope="module")
def config(films: Path) -> RunConfig:
    return small_run(films, epochs=2)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, config: RunConfig) -> RunResult:
    """The one run that draws its figures. Tests leave it as it is."""
    return train_run(config, tmp_path_factory.mktemp("runs") / "a")


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes seconds and has tests of its own."""
    monkeypatch.setattr(page, "render_figures", undrawn)


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`stop_at(2)`: Ctrl-C in the second epoch from now, after its last step."""

    def stop(number: int) -> None:
        epochs = iter(range(1, 100))
        train_epoch = fit_module.train_epoch

        def interrupted(*given: Any, **named: Any) -> None:
            train_epoch(*given, **named)
            if next(epochs) == number:
                raise KeyboardInterrupt

        monkeypatch.setattr(fit_module, "train_epoch", interrupted)

    return stop


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# What a run leaves behind ---------------------------------------------------------------------


def test_the_folder_holds_what_the_design_says(finished: RunResult) -> None:
    assert files_of(finished.folder) == {
        "check.json",
        "config.yaml",
        "environment.json",
        "manifest.csv",
        "log.jsonl",
        "history.csv",
        "checkpoints/last.safetensors",
        "checkpoints/previous.safetensors",
        "checkpoints/best.safetensors",
        "predictions_valid.csv",
        "metrics.json",
        "report.html",
        "report.json",
        "README.md",
        *(f"checklists/{one.key}.md" for one in CHECKLISTS),
        "checklists/checklists.json",
        "model.cxr",
        *(f"figures/valid_{name}.png" for name in FIGURES),
    }
    assert finished.model == finished.folder / "model.cxr"
    assert finished.report == finished.folder / "report.html"


def test_a_run_on_the_lungs(
    config: RunConfig, finished: RunResult, tmp_path: Path, without_figures: None
) -> None:
    result = train_run(replace(config, frame="lungs", epochs=0), tmp_path / "run")
    table = pd.read_csv(result.folder / "predictions_valid.csv")
    before = list(pd.read_csv(finished.folder / "predictions_valid.csv"))
    assert list(table) == [*before, *FRAME_COLUMNS]
    boxes = table[list(FRAME_COLUMNS)].to_numpy()
    assert (boxes >= 0).all() and (boxes <= 1).all() and (boxes[:, 4] > 0.5).mean() > 0.8
    model = load_learner(result.model)
    assert model.config.frame == "lungs" and load_learner(finished.model).config.frame == "whole"
    for name, row in zip(table["path"], boxes, strict=True):
        assert [*model.framed(Path(config.data) / name)[1].row()][:5] == row.tolist()
    report = json.loads((result.folder / "report.json").read_text())
    assert "the lungs, cut by a lung frame" in json.dumps(report)
    assert "the lungs, cut by a lung frame" in (result.folder / "README.md").read_text()


def test_a_wanted_sensitivity_is_that_of_the_images_as_they_are(
    config: RunConfig, tmp_path: Path, without_figures: None
) -> None:
    result = train_run(replace(config, epochs=0, threshold="sensitivity:0.8"), tmp_path / "a")
    table = read_predictions(result.folder / "predictions_valid.csv")
    threshold = result.metrics["valid"]["threshold"]
    assert threshold == choose_threshold(table, "sensitivity:0.8")
    other = train_run(replace(config, epochs=0), tmp_path / "b")
    table = read_predictions(other.folder / "predictions_valid.csv")
    assert other.metrics["valid"]["threshold"] != choose_threshold(table, "youden")


def test_a_run_without_its_card_is_not_finished(
    config: RunConfig, tmp_path: Path, without_figures: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(finishing, "write_checklists", stopped)
        with pytest.raises(KeyboardInterrupt):
            train_run(replace(config, epochs=0), tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.json").exists()
    train_run(replace(config, epochs=0), tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "checklists" / "checklists.json").is_file()


def test_the_report_explains_where_it_is_asked_to(config: RunConfig, tmp_path: Path) -> None:
    result = train_run(replace(config, epochs=0, explain=True), tmp_path / "run")
    report = json.loads((result.folder / "report.json").read_text())
    explanation = report["parts"]["explanation"]
    shown = [one for some in explanation["examples"].values() for one in some]
    assert {one["path"] for one in shown} <= set(
        pd.read_csv(result.folder / "predictions_valid.csv")["path"]
    )
    names = {one["image"] for one in shown}
    assert names and all((result.folder / "figures" / name).is_file() for name in names)
    trained = pd.read_csv(result.folder / "manifest.csv").query("split == 'train'")
    assert {near["path"] for one in shown for near in one["neighbours"]} <= set(trained["path"])


def test_the_settings_are_those_that_were_used(finished: RunResult, config: RunConfig) -> None:
    assert RunConfig.read(finished.folder / "config.yaml") == config


def test_the_environment_names_versions_and_no_machine(finished: RunResult) -> None:
    found = json.loads((finished.folder / "environment.json").read_text())
    assert found["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert found["device"] in ("cpu", "cuda", "mps") and found["threads"] == 1
    assert os.uname().nodename not in json.dumps(found) if hasattr(os, "uname") else True


def test_the_split_is_by_patient_and_covers_every_image(finished: RunResult) -> None:
    table = pd.read_csv(finished.folder / "manifest.csv")
    assert len(table) == 72 and set(table["split"]) == {"train", "valid"}
    sides = table.groupby("split")["patient"].agg(set)
    assert not sides["train"] & sides["valid"]
    assert set(table.loc[table["split"] == "valid", "label"]) == {"NORMAL", "PNEUMONIA"}


def test_the_history_has_a_row_for_each_epoch(finished: RunResult) -> None:
    with (finished.folder / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *("phase", "epoch", "train_loss", "valid_loss", "error_rate", "auroc", "seconds")
    ]
    assert [(row["phase"], row["epoch"]) for row in rows] == [("0", "0"), ("1", "0"), ("1", "1")]
    assert all(float(row["valid_loss"]) > 0 for row in rows)


def test_the_best_epoch_is_exported(finished: RunResult) -> None:
    best = load_file(finished.folder / "checkpoints" / "best.safetensors")
    network = load_learner(finished.model).network
    assert all(torch.equal(tensor, best[name]) for name, tensor in network.state_dict().items())


def test_every_named_figure_is_there_with_its_interval(finished: RunResult) -> None:
    metrics = json.loads((finished.folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics == finished.metrics
    valid = metrics["valid"]
    assert {"n", "n_patients", "threshold"} <= set(valid)
    for name in FIGURES_OF_A_SPLIT:
        figure = valid[name]
        if figure["value"] is None:
            assert figure["reason"]
        else:
            assert figure["low"] <= figure["value"] <= figure["high"]
    assert valid["n_patients"] > 1 and valid["n"] > valid["n_patients"]


def test_the_table_gives_the_figures_again(finished: RunResult) -> None:
    valid = finished.metrics["valid"]
    table = read_predictions(finished.folder / "predictions_valid.csv")
    again = measure(table, valid["threshold"], resamples=2000, seed=42)
    assert again == {name: valid[name] for name in again}
    assert set(valid) - set(again) == {
        *("calibration", "decision_curve", "operating_point", "subgroups"),
    }


def test_the_model_gives_the_table_again(finished: RunResult, films: Path) -> None:
    """Calibrated probabilities and decisions of the exported model, file by file."""
    table = pd.read_csv(finished.folder / "predictions_valid.csv")
    rows = predict_files(load_learner(finished.model), [films / path for path in table["path"]])
    found = np.array([[row["prob_NORMAL"], row["prob_PNEUMONIA"]] for row in rows])
    expected = table[["prob_NORMAL", "prob_PNEUMONIA"]].to_numpy()
    assert np.abs(found - expected).max() < 1e-5
    assert [row["decision"] for row in rows] == table["predicted"].tolist()


def test_the_bundle_knows_its_training(finished: RunResult) -> None:
    config = load_learner(finished.model).config
    table = pd.read_csv(finished.folder / "manifest.csv")
    counts = table["split"].value_counts()
    assert config.training_data["n_train"] == counts["train"]
    assert config.training_data["n_valid"] == counts["valid"]
    assert config.training_data["n_patients"] == table["patient"].nunique()
    assert len(config.training_data["fingerprint"]) == 64
    assert config.positive == "PNEUMONIA"
    assert config.threshold == finished.metrics["valid"]["threshold"]
    assert "72 images from 'images'" in config.population


def test_the_report_says_first_what_speaks_against_it(finished: RunResult) -> None:
    report = finished.report.read_text(encoding="utf-8")
    for words in (
        "not a medical device",
        "Validation images also chose the model",
        "from random numbers, without pretrained weights",
        "predictions_valid.csv",
    ):
        assert words in report


def test_no_patient_is_named_in_what_may_be_shared(finished: RunResult) -> None:
    patients = pd.read_csv(finished.folder / "manifest.csv")["patient"].unique()
    with zipfile.ZipFile(finished.model) as archive:
        shared = archive.read("config.json") + archive.read("README.md")
    shared += finished.report.read_bytes() + (finished.folder / "metrics.json").read_bytes()
    assert not [name for name in patients if name.encode() in shared]


# The same again -------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_model(
    finished: RunResult, config: RunConfig, tmp_path: Path, without_figures: None
) -> None:
    torch.manual_seed(12345)  # what the caller drew before does not matter
    again = train_run(config, tmp_path / "b")
    assert again.model.read_bytes() == finished.model.read_bytes()
    assert again.metrics == finished.metrics
    for name in ("predictions_valid.csv", "manifest.csv"):
        assert (again.folder / name).read_bytes() == (finished.folder / name).read_bytes()


def test_another_seed_gives_another(
    finished: RunResult, config: RunConfig, tmp_path: Path, without_figures: None
) -> None:
    other = train_run(replace(config, seed=43, epochs=0), tmp_path / "b")
    assert other.model.read_bytes() != finished.model.read_bytes()


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(
    epoch: int,
    stop_at: Callable[[int], None],
    finished: RunResult,
    config: RunConfig,
    tmp_path: Path,
    without_figures: None,
) -> None:
    """Epoch 1 trains the head, 2 is the first and 3 the last of the whole network."""
    run = tmp_path / "run"
    stop_at(epoch)
    with pytest.raises(KeyboardInterrupt):
        train_run(config, run)
    kept = {f"checkpoints/{name}.safetensors" for name in ("last", "best", "previous")[:epoch]}
    assert files_of(run) == {
        "check.json",
        "config.yaml",
        "environment.json",
        "log.jsonl",
        "manifest.csv",
    } | (kept | {"history.csv"} if epoch > 1 else set())
    resumed = train_run(config, run)
    assert resumed.model.read_bytes() == finished.model.read_bytes()
    assert resumed.metrics == finished.metrics
    histories = [pd.read_csv(r.folder / "history.csv") for r in (resumed, finished)]
    pd.testing.assert_frame_equal(*(h.drop(columns="seconds") for h in histories))
    lasts = [load_file(r.folder / "checkpoints/last.safetensors") for r in (resumed, finished)]
    assert lasts[0].keys() == lasts[1].keys()
    assert all(torch.equal(lasts[0][name], lasts[1][name]) for name in lasts[0])


def test_a_run_that_was_trained_but_not_evaluated_is_finished(
    finished: RunResult, config: RunConfig, tmp_path: Path, without_figures: None
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished.folder, run)
    for name in ("metrics.json", "model.cxr", "report.html"):
        (run / name).unlink()
    assert train_run(config, run, resume=True).metrics == finished.metrics
    assert (run / "model.cxr").read_bytes() == finished.model.read_bytes()
    (run / "run.lock").touch()  # killed at the very end
    assert train_run(config, run, resume=True).metrics == finished.metrics
    assert not (run / "run.lock").exists()


def test_a_run_may_go_on_elsewhere(
    stop_at: Callable[[int], None],
    finished: RunResult,
    config: RunConfig,
    films: Path,
    tmp_path: Path,
    without_figures: None,
) -> None:
    """The images may lie in another place, if they are the same."""
    stop_at(2)
    with pytest.raises(KeyboardInterrupt):
        train_run(config, tmp_path / "run")
    moved = shutil.copytree(films, tmp_path / "images")
    resumed = train_run(replace(config, data=str(moved)), tmp_path / "run", resume=True)
    weights = [load_file(r.folder / "checkpoints/last.safetensors") for r in (resumed, finished)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


# What is refused ------------------------------------------------------------------------------


def test_a_finished_run_is_never_written_over(finished: RunResult, config: RunConfig) -> None:
    """With `resume`, as a script has it that is run again and again, it is what was asked for."""
    before = {
        name: (finished.folder / name).stat().st_mtime_ns for name in files_of(finished.folder)
    }
    with pytest.raises(UsageError, match="holds a finished run; choose another"):
        train_run(config, finished.folder)
    with pytest.raises(UsageError, match="a finished run with other settings: seed was 42, is 7"):
        train_run(replace(config, seed=7), finished.folder, resume=True)
    assert train_run(config, finished.folder, resume=True) == finished
    assert before == {
        name: (finished.folder / name).stat().st_mtime_ns for name in files_of(finished.folder)
    }


@pytest.fixture
def unfinished(finished: RunResult, tmp_path: Path) -> Path:
    run = tmp_path / "unfinished"
    shutil.copytree(finished.folder, run)
    (run / "metrics.json").unlink()
    return run


def test_another_process_is_kept_out(unfinished: Path, config: RunConfig) -> None:
    before = files_of(unfinished)
    refused = pytest.raises(UsageError, match=f"is in use by process {os.getpid()} on ")
    with locked(unfinished), refused:
        train_run(config, unfinished)
    assert files_of(unfinished) == before


def test_what_a_killed_process_left_is_cleared_away(
    finished: RunResult, config: RunConfig, tmp_path: Path, without_figures: None
) -> None:
    """Half-written files, a folder too, and its lock."""
    run = tmp_path / "run"
    (run / ".figures.77-ab.part").mkdir(parents=True)
    (run / ".manifest.csv.77-ab.part").write_text("path,la")
    (run / "run.lock").write_text('{"pid": 77, "host": "a"}')
    result = train_run(config, run)
    assert result.metrics == finished.metrics
    assert files_of(run) == files_of(finished.folder)


def test_other_settings_are_refused_by_name(unfinished: Path, config: RunConfig) -> None:
    changed = replace(config, epochs=3, seed=7)
    with pytest.raises(UsageError, match="epochs was 2, is 3; seed was 42, is 7"):
        train_run(changed, unfinished)


@pytest.mark.parametrize("began", ["0123456789abcdef", None])
def test_a_run_begun_with_another_lung_locator_does_not_go_on(
    began: str | None, unfinished: Path, config: RunConfig
) -> None:
    """None: begun by a version that did not note it."""
    path, on_lungs = unfinished / "environment.json", replace(config, frame="lungs")
    (unfinished / "config.yaml").write_text(on_lungs.to_yaml(), encoding="utf-8")
    facts = json.loads(path.read_text())
    assert facts["lung_locator"] == locator_version()
    assert check_folder(unfinished, on_lungs, "metrics.json")
    del facts["lung_locator"]
    path.write_text(json.dumps(facts if began is None else {**facts, "lung_locator": began}))
    before = {name: (unfinished / name).read_bytes() for name in files_of(unfinished)}
    named = began or "of an earlier version"
    said = f"lung locator {named}, .* cuts by {locator_version()}; choose another --run"
    with pytest.raises(UsageError, match=said):
        train_run(on_lungs, unfinished)
    assert before == {name: (unfinished / name).read_bytes() for name in files_of(unfinished)}
    (unfinished / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
    assert check_folder(unfinished, config, "metrics.json")  # of whole images, none is asked


def test_a_folder_with_other_things_is_left_alone(config: RunConfig, tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").touch()
    for resume in (False, True):
        with pytest.raises(UsageError, match="not empty and not a run"):
            train_run(config, tmp_path, resume=resume)
    with pytest.raises(UsageError, match="is a file"):
        train_run(config, tmp_path / "thesis.docx")


def test_a_run_inside_its_data_is_refused(config: RunConfig, films: Path) -> None:
    """Its figures would be images of a class "figures" the next time."""
    with pytest.raises(UsageError, match=r"lies inside .*; choose another --run folder"):
        train_run(config, films / "runs" / "a")
    assert not (films / "runs").exists()


def test_other_images_under_the_old_name_are_refused(
    unfinished: Path, config: RunConfig, films: Path, tmp_path: Path
) -> None:
    """They could have been on the other side of the split before."""
    fewer = shutil.copytree(films, tmp_path / "images")
    table = pd.read_csv(fewer / "manifest.csv")
    table.iloc[:-1].to_csv(fewer / "manifest.csv", index=False)
    difference = r"manifest\.csv: 1 gone \(PNEUMONIA/.*; split differs for \d+ .*; put them back"
    with pytest.raises(DataError, match=difference):
        train_run(replace(config, data=str(fewer)), unfinished)


def test_checkpoints_of_another_network_are_refused(unfinished: Path, config: RunConfig) -> None:
    other = replace(config, backbone="test_resnet")
    (unfinished / "config.yaml").write_text(other.to_yaml(), encoding="utf-8")
    with pytest.raises(BundleError, match="of another network"):
        train_run(other, unfinished, resume=True)


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"backbone": "resnet81"}, UnknownName, "unknown backbone 'resnet81'; near names: resnet"),
        ({"device": "tpu"}, UsageError, "device 'tpu'"),
        ({"precision": "fp8"}, UsageError, "precision 'fp8'"),
        ({"threshold": "youdne"}, UsageError, "threshold rule 'youdne'"),
        ({"threshold": "sensitivity:95"}, UsageError, "threshold rule"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_read(
    changes: dict[str, str], error: type[Exception], reason: str, tmp_path: Path
) -> None:
    data = str(tmp_path / "not there")
    with pytest.raises(error, match=reason):
        train_run(RunConfig(data, **changes), tmp_path / "run")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
    check_settings(RunConfig(data, backbone="resnet18", device="cpu", precision="bf16",
                             threshold="specificity:0.9"))  # fmt: skip


def test_a_full_disk_at_export_keeps_the_epochs(
    finished: RunResult,
    unfinished: Path,
    config: RunConfig,
    without_figures: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (unfinished / "model.cxr").unlink()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "writestr", full)
        with pytest.raises(StorageError, match=r"disk full while writing .*model\.cxr"):
            train_run(config, unfinished, resume=True)
    kept = files_of(unfinished)
    assert {"checkpoints/last.safetensors", "checkpoints/best.safetensors"} <= kept
    assert not {name for name in kept if ".part" in name or name in ("model.cxr", "metrics.json")}
    again = train_run(config, unfinished, resume=True)
    assert again.model.read_bytes() == finished.model.read_bytes()


def test_a_full_disk_at_a_checkpoint_keeps_the_one_before(
    stop_at: Callable[[int], None],
    config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "run"
    stop_at(2)
    with pytest.raises(KeyboardInterrupt):
        train_run(config, run)
    before = (run / "checkpoints/last.safetensors").read_bytes()

    def full(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match=r"disk full while writing .*safetensors"):
        train_run(config, run, resume=True)
    assert (run / "checkpoints/last.safetensors").read_bytes() == before
    assert not list(run.rglob("*.part"))


# What is quarantined --------------------------------------------------------------------------


@pytest.fixture
def copied(films: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(films, tmp_path / "copied"))


@pytest.fixture
def quarantine(copied: Path, tmp_path: Path) -> Callable[..., Path]:
    """`quarantine("NORMAL/a.jpeg")` lists files as they are, with an error."""

    def write(*names: str, severity: str = "error") -> Path:
        rows = [
            QuarantineRow(name, "copy", severity, None, digest(copied / name), "m")
            for name in names
        ]
        return write_quarantine(rows, tmp_path / "quarantine.csv")

    return write


def names_in(table: Path) -> list[str]:
    return pd.read_csv(table)["path"].tolist()


def test_quarantined_files_are_not_in_the_run(
    quarantine: Callable[..., Path],
    config: RunConfig,
    copied: Path,
    tmp_path: Path,
    without_figures: None,
) -> None:
    bad = names_in(copied / "manifest.csv")[::24]
    changed = replace(config, data=str(copied), quarantine=str(quarantine(*bad)), epochs=0)
    result = train_run(changed, tmp_path / "run")
    names = names_in(result.folder / "manifest.csv")
    assert len(names) == 72 - len(bad) and not set(bad) & set(names)
    saved = RunConfig.read(result.folder / "config.yaml")
    assert (saved.quarantine, saved.skip_quarantined) == (changed.quarantine, "errors")
    counts = load_learner(result.model).config.training_data
    assert counts["n_train"] + counts["n_valid"] == 72 - len(bad)


@pytest.mark.parametrize("stopped_after", ["moved", "written anew"])
def test_a_run_goes_on_while_the_quarantine_leaves_the_same_images(
    stopped_after: str,
    stop_at: Callable[[int], None],
    quarantine: Callable[..., Path],
    config: RunConfig,
    copied: Path,
    tmp_path: Path,
    without_figures: None,
) -> None:
    first, second = names_in(copied / "manifest.csv")[:2]
    listed = quarantine(first)
    begun = replace(config, data=str(copied), quarantine=str(listed), epochs=1)
    stop_at(2)
    with pytest.raises(KeyboardInterrupt):
        train_run(begun, tmp_path / "run")
    if stopped_after == "moved":
        moved = replace(begun, quarantine=str(listed.rename(tmp_path / "elsewhere.csv")))
        train_run(moved, tmp_path / "run", resume=True)
        assert first not in names_in(tmp_path / "run" / "manifest.csv")
        return
    quarantine(first, second)
    with pytest.raises(DataError, match=r"are not those of .* the quarantine too"):
        train_run(begun, tmp_path / "run", resume=True)
    quarantine(first)
    train_run(begun, tmp_path / "run", resume=True)


def test_a_class_that_is_quarantined_is_refused(
    quarantine: Callable[..., Path], config: RunConfig, copied: Path, tmp_path: Path
) -> None:
    table = pd.read_csv(copied / "manifest.csv")
    ill = table.loc[table["label"] == "PNEUMONIA", "path"]
    changed = replace(config, data=str(copied), quarantine=str(quarantine(*ill)))
    with pytest.raises(DataError, match="class 'PNEUMONIA' has 0 images"):
        train_run(changed, tmp_path / "run")
    assert not (tmp_path / "run").exists()


# Other kinds of labels ------------------------------------------------------------------------


def test_three_classes_with_odd_names(
    config: RunConfig, films: Path, tmp_path: Path, without_figures: None
) -> None:
    table = pd.read_csv(films / "manifest.csv")
    names = {"NORMAL": "10", "PNEUMONIA": "9"}
    table["label"] = table["label"].map(names)
    table.loc[table["patient"].isin(table["patient"].unique()[::3]), "label"] = "Entzündung, akut"
    table[["path", "label", "patient"]].to_csv(tmp_path / "three.csv", index=False)
    changed = replace(
        config, data=str(tmp_path / "three.csv"), image_root=str(films), epochs=0, valid_pct=0.3
    )
    with pytest.raises(UsageError, match="for 3 classes that exclude each other"):
        train_run(replace(changed, threshold="sensitivity:0.95"), tmp_path / "refused")
    result = train_run(changed, tmp_path / "run")
    predictor = load_learner(result.model)
    assert predictor.vocab == ("10", "9", "Entzündung, akut")
    assert predictor.config.positive is None and predictor.config.threshold == 0.5
    assert list(result.metrics["valid"]["per_class"]) == list(predictor.vocab)
    header = pd.read_csv(result.folder / "predictions_valid.csv").columns
    assert [name for name in header if name.startswith("prob_")] == [
        f"prob_{name}" for name in predictor.vocab
    ]


def test_several_labels_with_blanks(
    config: RunConfig, films: Path, tmp_path: Path, without_figures: None
) -> None:
    table = pd.read_csv(films / "manifest.csv")
    ill = (table["label"] == "PNEUMONIA").astype("Int64")
    table["Opacity"], table["Clear"] = ill, 1 - ill
    table.loc[::7, "Opacity"] = pd.NA
    table[["path", "patient", "Opacity", "Clear"]].to_csv(tmp_path / "some.csv", index=False)
    changed = replace(
        config,
        data=str(tmp_path / "some.csv"),
        image_root=str(films),
        label_columns=("Opacity", "Clear"),
        epochs=0,
        valid_pct=0.3,
        threshold="sensitivity:0.95",
    )
    result = train_run(changed, tmp_path / "run")
    valid = result.metrics["valid"]
    assert valid["multi_label"] and set(valid["per_class"]) == {"Clear", "Opacity"}
    model = load_learner(result.model).config
    assert model.multi_label and model.thresholds is not None
    assert valid["threshold"] == model.task.operating_thresholds
    assert all(one["sensitivity"]["value"] >= 0.95 for one in valid["per_class"].values())
    assert RunConfig.read(result.folder / "config.yaml").label_columns == ("Opacity", "Clear")


def test_the_rates_found_and_their_image(config: RunConfig, tmp_path: Path) -> None:
    plot = tmp_path / "rates.png"
    rates = find_rates(config, unfrozen=True, plot=plot)
    assert set(rates) == {"valley", "steep", "minimum", "slide"}
    assert all(1e-8 < rate < 10 for rate in rates.values())
    assert plot.read_bytes().startswith(b"\x89PNG")
