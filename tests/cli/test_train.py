"""`cxr train`: what it prints and leaves, and how it refuses, stops and goes on."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cxr.apply import load_learner
from cxr.cli.train import on_this_machine, run_config, without, workers_of
from cxr.config import RunConfig
from cxr.errors import UsageError
from cxr.find.quarantine import write_quarantine
from cxr.train import fit as fit_module
from cxr.train import loop

Call = Callable[..., Any]


@pytest.fixture(autouse=True)
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes seconds and has tests of its own."""
    from cxr.report import page
    from helpers.figures import undrawn

    monkeypatch.setattr(page, "render_figures", undrawn)


def test_the_default_run(trained: tuple[Path, Any]) -> None:
    run, outcome = trained
    assert outcome.code == 0
    first, *rest = outcome.lines
    assert first.startswith("valid: n=") and "error_rate 0." in first and "auroc 0." in first
    assert rest == [f"report: {run / 'report.html'}", f"model:  {run / 'model.cxr'}"]
    assert "64 images, classes NORMAL, PNEUMONIA. " in outcome.err
    assert load_learner(run / "model.cxr").config.backbone == "efficientnet_lite0"
    assert "packaged" in load_learner(run / "model.cxr").config.weights_source


def test_the_last_line_of_the_table_is_the_epoch_that_was_kept(trained: tuple[Path, Any]) -> None:
    """By its number in the table, which counts through both phases as the report does."""
    said = trained[1].err.splitlines()
    (at,) = (i for i, line in enumerate(said) if line.startswith("kept: "))
    rows = [line.split() for line in said[:at] if re.match(r" +\d+  ", line)]
    assert [row[0] for row in rows] == ["1", "2"] and said[at - 1].split() == rows[-1]
    best = max(rows, key=lambda row: float(row[4]))
    auroc = f"{float(best[4]):.4f}"
    assert said[at] == f"kept: epoch {best[0]} of 2, the best by validation AUROC {auroc}"
    heads = [line.split() for line in said[:at] if line.startswith("     epoch")]
    assert heads == [["epoch", "train_loss", "valid_loss", "error_rate", "auroc", "time"]] * 2


def test_the_summary_agrees_with_the_metrics(trained: tuple[Path, Any]) -> None:
    run, outcome = trained
    valid = json.loads((run / "metrics.json").read_text(encoding="utf-8"))["valid"]
    wrong = valid["error_rate"]
    assert f"n={valid['n']}, patients {valid['n_patients']}," in outcome.out
    interval = f"({wrong['low']:.3f} to {wrong['high']:.3f})"
    assert f"error_rate {wrong['value']:.4f} {interval}" in outcome.out
    assert f"auroc {valid['auroc']['value']:.4f}" in outcome.out


def test_json_is_all_there_is_on_stdout(
    films: Path, tmp_path: Path, quick: tuple[str, ...], cxr: Call
) -> None:
    outcome = cxr("train", films, "--run", tmp_path / "a", *quick, "--json")
    assert outcome.code == 0
    assert set(outcome.json) == {"run", "model", "metrics"}
    assert outcome.json["model"] == str(tmp_path / "a" / "model.cxr")
    written = json.loads((tmp_path / "a" / "metrics.json").read_text(encoding="utf-8"))
    assert outcome.json["metrics"] == written


def test_every_option_reaches_the_settings(
    films: Path, tmp_path: Path, quick: tuple[str, ...], cxr: Call
) -> None:
    options = {
        "--freeze-epochs": 2,
        "--lr": 0.005,
        "--split": "random",
        "--valid": 0.3,
        "--seed": 7,
        "--threshold": "specificity:0.5",
        "--population": "SYNTHETIC",
        "--label-column": "label",
        "--path-column": "path",
        "--patient-column": "patient",
        "--patient-pattern": "auto",
        "--device": "cpu",
        "--precision": "fp32",
        "--quarantine": write_quarantine([], tmp_path / "q.csv"),
        "--skip-quarantined": "all",
    }
    flat = [part for option in options.items() for part in option]
    outcome = cxr(
        "train", films / "manifest.csv", "--run", tmp_path / "a", *quick, *flat,
        "--no-augment", "--balance", "--image-root", films,
    )  # fmt: skip
    assert outcome.code == 0
    assert RunConfig.read(tmp_path / "a" / "config.yaml") == RunConfig(
        data=str(films / "manifest.csv"),
        backbone="test_efficientnet",
        weights=None,
        size=64,
        frame="whole",
        epochs=0,
        batch_size=16,
        freeze_epochs=2,
        base_lr=0.005,
        split="random",
        valid_pct=0.3,
        seed=7,
        augment=False,
        class_weights="balanced",
        threshold="specificity:0.5",
        population="SYNTHETIC",
        label_column="label",
        path_column="path",
        patient_column="patient",
        image_root=str(films),
        device="cpu",
        precision="fp32",
        quarantine=str(tmp_path / "q.csv"),
        skip_quarantined="all",
        explain=False,
    )


def test_a_run_is_repeated_from_its_settings(
    films: Path, tmp_path: Path, quick: tuple[str, ...], cxr: Call
) -> None:
    first = cxr("train", films, "--run", tmp_path / "a", *quick, "--balance", "--seed", "5")
    assert first.code == 0
    settings = tmp_path / "a" / "config.yaml"
    again = cxr("train", "--config", settings, "--run", tmp_path / "b")
    assert again.code == 0
    assert (tmp_path / "b" / "config.yaml").read_bytes() == settings.read_bytes()
    model = [(tmp_path / run / "predictions_valid.csv").read_bytes() for run in "ab"]
    assert model[0] == model[1]

    changed = run_config("other", tmp_path / "c", settings, {"class_weights": None, "seed": 42})
    assert (changed.data, changed.class_weights, changed.seed) == ("other", None, 42)
    assert changed.backbone == "test_efficientnet"  # what is not given is the file's


def test_settings_of_a_hand_begin_from_what_is_usual(tmp_path: Path) -> None:
    settings = tmp_path / "run.yaml"
    settings.write_text("data: images\nepochs: 3\n")
    assert run_config(None, tmp_path / "a", settings, {}) == RunConfig(data="images", epochs=3)


def test_several_labels_from_columns(
    films: Path, tmp_path: Path, quick: tuple[str, ...], cxr: Call
) -> None:
    import pandas as pd

    table = pd.read_csv(films / "manifest.csv")
    ill = (table["label"] == "PNEUMONIA").astype(int)
    table.assign(Opacity=ill, Clear=1 - ill)[["path", "patient", "Opacity", "Clear"]].to_csv(
        tmp_path / "labels.csv", index=False
    )
    outcome = cxr(
        "train", tmp_path / "labels.csv", "--run", tmp_path / "a", *quick, "--image-root", films,
        "--label-columns", "Opacity,Clear", "--json",
    )  # fmt: skip
    assert outcome.code == 0
    assert list(outcome.json["metrics"]["valid"]["per_class"]) == ["Clear", "Opacity"]


def test_without_patients_the_summary_says_so(
    pictures: Callable[..., Path], tmp_path: Path, quick: tuple[str, ...], cxr: Call
) -> None:
    outcome = cxr("train", pictures(NORMAL=20, PNEUMONIA=20), "--run", tmp_path / "a", *quick)
    assert outcome.code == 0 and "patients not known" in outcome.out


# Stopping and going on ------------------------------------------------------------------------


def interrupt(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in epoch `number`, counted from 1 over all phases."""
    train_epoch, epochs = fit_module.train_epoch, iter(range(1, 100))

    def interrupted(*given: Any, **named: Any) -> None:
        if next(epochs) == number:
            raise KeyboardInterrupt
        train_epoch(*given, **named)

    monkeypatch.setattr(fit_module, "train_epoch", interrupted)


def test_stopped_and_gone_on_with(
    films: Path,
    tmp_path: Path,
    quick: tuple[str, ...],
    cxr: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ("train", films, "--run", tmp_path / "a", *quick, "--epochs", "2")
    interrupt(3, monkeypatch)
    outcome = cxr(*command)
    assert outcome.code == 130
    assert outcome.error == ("stopped; the same command goes on where it was")
    history = (tmp_path / "a" / "history.csv").read_text()
    assert len(history.splitlines()) == 3
    assert (tmp_path / "a" / "checkpoints" / "last.safetensors").is_file()

    other = cxr(*command, "--seed", "1")
    assert other.code == 2 and "seed was 42, is 1" in other.error

    resumed = cxr(*command)
    assert resumed.code == 0 and "going on at step 0 of epoch 3 " in resumed.err
    assert "holds an unfinished run with these settings" in resumed.err
    assert (tmp_path / "a" / "history.csv").read_text().startswith(history)

    finished = cxr(*command)
    assert finished.code == 2 and "holds a finished run" in finished.error
    again = cxr(*command, "--resume")
    assert again.code == 0 and "is finished already" in again.err and again.out == resumed.out


def test_a_run_of_an_older_version_goes_on_with_whole_images(
    films: Path, tmp_path: Path, quick: tuple[str, ...], cxr: Call
) -> None:
    run = tmp_path / "a"
    run.mkdir()
    assert run_config("images", run, None, {}).frame == "lungs"
    older = RunConfig(data=str(films), frame="whole").to_yaml().replace("frame: whole\n", "")
    (run / "config.yaml").write_text(older)
    assert RunConfig.read(run / "config.yaml").frame == "whole"
    assert run_config("images", run, None, {}).frame == "whole"
    assert run_config("images", run, None, {"frame": "lungs"}).frame == "lungs"
    outcome = cxr("train", films, "--run", run, "--frame", "lungs")
    assert outcome.code == 2 and "frame was 'whole', is 'lungs'" in outcome.error


def test_terminated_in_the_middle_of_an_epoch(
    films: Path,
    tmp_path: Path,
    quick: tuple[str, ...],
    cxr: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After its second step: that is kept, and the exit code is what a supervisor expects."""
    command = ("train", films, "--run", tmp_path / "a", *quick, "--batch-size", "8")
    steps, train_step = iter(range(100)), loop.train_step

    def terminated(*given: Any) -> Any:
        if next(steps) == 1:
            signal.raise_signal(signal.SIGTERM)
        return train_step(*given)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_step", terminated)
        outcome = cxr(*command)
    assert outcome.code == 143
    assert outcome.error == "stopped; the same command goes on from here"
    assert not (tmp_path / "a" / "run.lock").exists()
    resumed = cxr(*command)
    assert resumed.code == 0 and "going on at step 2 of epoch 1 " in resumed.err


def test_stopped_before_anything_was_finished(
    films: Path,
    tmp_path: Path,
    quick: tuple[str, ...],
    cxr: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupt(1, monkeypatch)
    command = ("train", films, "--run", tmp_path / "a", *quick)
    assert cxr(*command).code == 130
    assert cxr(*command, "--resume").code == 0


# What cxr check found -------------------------------------------------------------------------


@pytest.fixture
def faulty(films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Synthetic images in the working directory: one cut short, one copied into another class."""
    monkeypatch.chdir(tmp_path)
    folder = Path(shutil.copytree(films, tmp_path / "images"))
    (folder / "manifest.csv").unlink()
    normal, *_, cut = sorted((folder / "NORMAL").iterdir())
    cut.rename(folder / "NORMAL" / "cut.jpeg")
    (folder / "NORMAL" / "cut.jpeg").write_bytes((normal).read_bytes()[:2000])
    normal.rename(folder / "NORMAL" / "one.jpeg")
    shutil.copy(folder / "NORMAL" / "one.jpeg", folder / "PNEUMONIA" / "other.jpeg")
    return folder


def trained_on(run: Path) -> set[str]:
    import pandas as pd

    return set(pd.read_csv(run / "manifest.csv")["path"])


FAULTY = {"NORMAL/cut.jpeg", "NORMAL/one.jpeg", "PNEUMONIA/other.jpeg"}


def test_from_a_fault_found_to_a_fault_mended(
    faulty: Path, quick: tuple[str, ...], cxr: Call
) -> None:
    everything = {path.relative_to(faulty).as_posix() for path in faulty.rglob("*.jpeg")}
    checked = cxr("check", "images")
    assert checked.code == 1
    assert "quarantine: 3 files with errors, which cxr train leaves out" in checked.out
    assert checked.out.endswith("next: cxr train images --run runs/a\n")

    first = cxr("train", "images", "--run", "runs/a", *quick)
    assert first.code == 0
    listed = Path("check", "quarantine.csv")
    assert f"skipped 3 of {len(everything)} images that {listed} lists" in first.err
    assert "(copy-across-labels 2, unreadable 1); --skip-quarantined none uses them" in first.err
    assert trained_on(Path("runs/a")) == everything - FAULTY

    shutil.copy(sorted((faulty / "NORMAL").glob("phantom*"))[0], faulty / "NORMAL" / "cut.jpeg")
    second = cxr("train", "images", "--run", "runs/b", *quick)
    assert second.code == 0 and "skipped 2 of" in second.err
    assert f"1 of the files that {listed} lists is not skipped: mended, replaced or" in second.err
    assert trained_on(Path("runs/b")) == everything - FAULTY | {"NORMAL/cut.jpeg"}


def test_what_is_skipped_can_be_chosen(faulty: Path, quick: tuple[str, ...], cxr: Call) -> None:
    shutil.copy(faulty / "NORMAL" / "one.jpeg", faulty / "NORMAL" / "again.jpeg")
    again = sorted((faulty / "PNEUMONIA").glob("phantom*"))[0]
    shutil.copy(again, faulty / "PNEUMONIA" / "repeat.jpeg")
    cxr("check", "images", "--out", "elsewhere")
    chosen = ("--quarantine", "elsewhere/quarantine.csv", "--skip-quarantined")
    assert cxr("train", "images", "--run", "none", *quick, *chosen, "none").code == 0
    assert trained_on(Path("none")) >= FAULTY
    assert cxr("train", "images", "--run", "all", *quick, *chosen, "all").code == 0
    left = trained_on(Path("all"))
    assert not left & {*FAULTY, "NORMAL/again.jpeg"}
    assert len({f"PNEUMONIA/{again.name}", "PNEUMONIA/repeat.jpeg"} & left) == 1
    assert RunConfig.read(Path("all/config.yaml")).skip_quarantined == "all"
    assert cxr("train", "images", "--run", "as-ever", *quick).code == 0  # check/ is not there
    assert RunConfig.read(Path("as-ever/config.yaml")).quarantine is None


def test_a_check_during_a_run_does_not_change_it(
    faulty: Path, quick: tuple[str, ...], cxr: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("train", "images", "--run", "a", *quick, "--epochs", "1")
    with monkeypatch.context() as patch:
        interrupt(2, patch)
        assert cxr(*command).code == 130
    cxr("check", "images")
    other = cxr(*command, "--resume")
    assert other.code == 1 and "are not those of" in other.error and "quarantine" in other.error
    resumed = cxr(*command, "--resume", "--skip-quarantined", "none")
    assert resumed.code == 0 and trained_on(Path("a")) >= FAULTY


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no quarantine file q.csv; cxr check DATA --out FOLDER writes"),
        ("path,code\nNORMAL/one.jpeg,copy\n", "q.csv is not a quarantine file of cxr check (no c"),
        ("", "q.csv is not a quarantine file of cxr check (no column path"),
    ],
)
def test_a_quarantine_that_is_none(
    content: str | None, said: str, faulty: Path, tmp_path: Path, cxr: Call
) -> None:
    if content is not None:
        Path("q.csv").write_text(content)
    assert refused(cxr, 2, faulty, tmp_path, "--quarantine", "q.csv").startswith(said)


def test_everything_in_quarantine(faulty: Path, tmp_path: Path, cxr: Call) -> None:
    for path in faulty.rglob("*.jpeg"):
        path.write_bytes(b"broken")
    cxr("check", "images")
    message = refused(cxr, 1, faulty, tmp_path)
    assert "images are quarantined: mend them and run cxr check" in message


# What is refused ------------------------------------------------------------------------------


def refused(cxr: Call, code: int, data: Path, tmp_path: Path, *options: object) -> str:
    outcome = cxr("train", data, "--run", tmp_path / "run", *options)
    assert outcome.code == code
    assert not (tmp_path / "run").exists()
    return str(outcome.error)


def test_an_empty_folder(tmp_path: Path, cxr: Call) -> None:
    (tmp_path / "data").mkdir()
    assert refused(cxr, 1, tmp_path / "data", tmp_path).startswith("no images under ")


def test_a_folder_that_does_not_exist(films: Path, tmp_path: Path, cxr: Call) -> None:
    message = refused(cxr, 2, films.with_name("phantm"), tmp_path)
    assert message.startswith("there is no ") and message.endswith("holds phantom")


def test_one_class_only(pictures: Callable[..., Path], tmp_path: Path, cxr: Call) -> None:
    message = refused(cxr, 1, pictures(NORMAL=5), tmp_path)
    assert message.startswith("only one class (NORMAL)") and "at least two" in message


def test_a_class_with_one_patient(pictures: Callable[..., Path], tmp_path: Path, cxr: Call) -> None:
    data = pictures(NORMAL=4, PNEUMONIA=3)
    rows = [f"NORMAL/N{i}x.png,NORMAL,n{i}" for i in range(4)]
    rows += [f"PNEUMONIA/P{i}x.png,PNEUMONIA,p" for i in range(3)]
    (data / "labels.csv").write_text("\n".join(["path,label,patient", *rows]) + "\n")
    message = refused(cxr, 1, data / "labels.csv", tmp_path)
    assert "class 'PNEUMONIA' has 3 images of 1 patient" in message and "add images" in message


def test_a_table_that_names_missing_files(
    pictures: Callable[..., Path], tmp_path: Path, cxr: Call
) -> None:
    data = pictures(NORMAL=2)
    rows = ["NORMAL/N0x.png,NORMAL", "NORMAL/N7x.png,PNEUMONIA"]
    (data / "labels.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    message = refused(cxr, 1, data / "labels.csv", tmp_path)
    assert "names 1 of 2 images that are not under" in message and "NORMAL/N7x.png" in message


def test_an_unknown_backbone_lists_near_names(films: Path, tmp_path: Path, cxr: Call) -> None:
    message = refused(cxr, 2, films, tmp_path, "--backbone", "resnet81")
    assert message.startswith("unknown backbone 'resnet81'; near names: resnet")
    assert "resnet18" in message


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--split", "patients", "split 'patients' is not one of patient, random, folders"),
        ("--threshold", "youden:1", "threshold rule 'youden:1'"),
        ("--device", "abacus", "device 'abacus'"),
        ("--precision", "fp64", "precision 'fp64'"),
        ("--size", "16", "size=16"),
        ("--epochs", "-1", "epochs=-1"),
        ("--valid", "1.5", "valid_pct=1.5"),
        ("--weights", "no-such.pth", "no weights file no-such.pth"),
        ("--skip-quarantined", "warnings", "skip_quarantined 'warnings' is not one of errors, all"),
        ("--label-column", "diagnose", "unknown label column 'diagnose'"),
    ],
)
def test_wrong_options(
    option: str, value: str, said: str, films: Path, tmp_path: Path, cxr: Call
) -> None:
    assert refused(cxr, 2, films, tmp_path, "--size", "64", option, value).startswith(said)


def test_no_network_for_weights(
    films: Path, tmp_path: Path, cxr: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr("cxr.backbones.weights._reachable", lambda *_: False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "no cached weights"))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    message = refused(cxr, 1, films, tmp_path, "--backbone", "resnet18", "--size", "64")
    assert message.startswith("weights of resnet18 could not be downloaded (no connection)")
    assert "local file" in message and "efficientnet_lite0" in message


def write_broken(folder: Path) -> list[str]:
    """Four files that are no usable images, among the normal ones."""
    from PIL import Image

    whole = folder / "whole.jpeg"
    Image.effect_noise((64, 64), 40).save(whole, "JPEG")
    (folder / "truncated.jpeg").write_bytes(whole.read_bytes()[:700])
    whole.unlink()
    (folder / "text.jpeg").write_text("Patient: Jane Doe")
    Image.new("L", (1, 1)).save(folder / "dot.png")
    Image.new("1", (20_000, 20_000)).save(folder / "huge.png")
    return ["dot.png", "huge.png", "text.jpeg", "truncated.jpeg"]


def test_a_few_broken_files_are_left_out_and_listed(
    pictures: Callable[..., Path], tmp_path: Path, quick: tuple[str, ...], cxr: Call
) -> None:
    import pandas as pd

    data = pictures(NORMAL=50, PNEUMONIA=40)
    broken = write_broken(data / "NORMAL")
    outcome = cxr("train", data, "--run", tmp_path / "run", *quick)
    assert outcome.code == 0 and "Jane" not in outcome.err
    listed = [line for line in outcome.err.splitlines() if line.startswith("left out: ")]
    for name, line, reason in zip(
        broken, listed, ("too small", "400 megapixels", "not an image", "damaged"), strict=True
    ):
        assert name in line and reason in line
    table = pd.read_csv(tmp_path / "run" / "manifest.csv")
    assert sorted(Path(p).name for p in table.loc[table["split"].isna(), "path"]) == broken
    assert all((data / "NORMAL" / name).is_file() for name in broken)  # never deleted
    report = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "unreadable images left out" in report


def test_more_than_a_twentieth_of_broken_files_stops_the_run(
    pictures: Callable[..., Path], tmp_path: Path, quick: tuple[str, ...], cxr: Call
) -> None:
    data = pictures(NORMAL=30, PNEUMONIA=30)
    write_broken(data / "NORMAL")
    message = refused(cxr, 1, data, tmp_path, *quick)
    assert message.startswith("4 of 64 images cannot be read, more than 5%")
    assert "mend or remove them" in message


def test_a_full_disk_at_the_end_keeps_what_was_trained(
    films: Path,
    tmp_path: Path,
    quick: tuple[str, ...],
    cxr: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ("train", films, "--run", tmp_path / "run", *quick)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "writestr", full)
        outcome = cxr(*command)
    assert outcome.code == 1
    assert outcome.error.startswith(f"disk full while writing {tmp_path / 'run' / 'model.cxr'}")
    kept = {path.name for path in (tmp_path / "run").rglob("*")}
    assert {"last.safetensors", "best.safetensors", "history.csv"} <= kept
    assert not {name for name in kept if name == "model.cxr" or name.endswith(".part")}
    assert cxr(*command, "--resume").code == 0


def test_data_that_may_not_be_read(
    films: Path, tmp_path: Path, cxr: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    import builtins
    import io

    table = films / "manifest.csv"
    opened = io.open

    def closed(file: Any, *given: Any, **named: Any) -> Any:
        if str(file) == str(table):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(table))
        return opened(file, *given, **named)

    monkeypatch.setattr(io, "open", closed)
    monkeypatch.setattr(builtins, "open", closed)
    message = refused(cxr, 1, films, tmp_path)
    assert str(table) in message and "Permission denied" in message


# --workers


@pytest.mark.parametrize(
    ("given", "size"), [("1", 1), ("4", 4), ("1-4", (1, 4)), ("2-2", 2), (" 2 - 3", (2, 3))]
)
def test_a_number_or_a_range(given: str, size: object) -> None:
    assert workers_of(given) == size


@pytest.mark.parametrize("given", ["0", "-1", "4-2", "0-2", "two", "", "1-2-3", "1.5", "-", "1-"])
def test_anything_else_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match=r"--workers .*: give a number"):
        workers_of(given)


def test_a_range_is_for_ray() -> None:
    assert on_this_machine(3) == 3
    with pytest.raises(UsageError, match="goes with --engine ray"):
        on_this_machine((1, 4))


@pytest.mark.parametrize("given", [["--workers", "2"], ["--workers=2"]])
def test_the_command_of_the_others_has_no_workers(given: list[str]) -> None:
    rest = ["train", "images", "--run", "r"]
    assert without([*rest[:2], *given, *rest[2:]], "--workers") == rest
