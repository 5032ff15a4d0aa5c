"""`cxr sweep`: an honest choice, whatever fails, is killed, or runs side by side."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import cxr.scale.sweep.nested as nested_module
import cxr.scale.sweep.run as sweep_module
import cxr.scale.sweep.trials as trials_module
from cxr._io import progress_disabled
from cxr.config import RunConfig
from cxr.errors import DataError, StorageError, TrainingError, UsageError, WeightsError
from cxr.evaluate import compare_models
from cxr.find import read_manifest
from cxr.find.phantom import write_phantom
from cxr.prepare.split import PatientSplitter
from cxr.scale.sweep.plan import Sweep
from cxr.scale.sweep.run import run_sweep
from cxr.scale.sweep.trials import TrialRunner, TrialTask, run_task
from cxr.train.resume.lock import locked
from cxr.workflows.train import train_run

SPACE = {"size": [32, 48], "epochs": [1, 2]}
Fake = Callable[[RunConfig, Path], None]


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    torch.set_num_threads(1)
    with progress_disabled():
        yield


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantom(tmp_path_factory.mktemp("data") / "images", n_images=120, seed=2, size=64)


@pytest.fixture(scope="module")
def config(films: Path) -> RunConfig:
    return RunConfig(
        data=str(films), backbone="test_efficientnet", weights=None, size=64, frame="whole"
    )


def make_fake() -> Fake:
    """A model of its pixels and labels: along the difference of the classes' mean images.

    A nested function with imports of its own, so that Ray can send it to a worker.
    """

    def fake_train(config: Any, run: Any) -> None:
        import numpy as np
        from sklearn.metrics import log_loss, roc_auc_score

        from cxr._io import write_json
        from cxr.evaluate import make_predictions, write_predictions
        from cxr.pixels import decode_all
        from cxr.prepare.from_manifest import manifest_items, named_splitter
        from cxr.prepare.items import split_items
        from cxr.workflows.train import read_run_manifest

        manifest = read_run_manifest(config)
        splitter = named_splitter(config.split, config.valid_pct, config.seed)
        train, valid = split_items(manifest_items(manifest), splitter)
        pixels = decode_all(manifest.paths(), config.size, progress=False).pixels / 255.0
        pixels = pixels.reshape(len(manifest), -1)[:, :: config.epochs]
        means = [pixels[train][manifest.targets()[train] == i].mean(axis=0) for i in (0, 1)]
        scores = (pixels[valid] - pixels[train].mean(axis=0)) @ (means[1] - means[0])
        noise = np.random.default_rng(config.size).normal(size=len(valid)) * 1.5 * scores.std()
        chance = 1 / (1 + np.exp(-(scores + noise)))
        table = manifest.select(valid)
        predictions = make_predictions(
            table.table["path"].tolist(),
            np.stack([1 - chance, chance], axis=1),
            table.targets(),
            table.classes,
            patients=table.patients(),
            split="valid",
        )
        run.mkdir(parents=True, exist_ok=True)
        manifest.with_split(train=train.tolist(), valid=valid.tolist()).write(run / "manifest.csv")
        write_predictions(predictions, run / "predictions_valid.csv")
        truth, n = table.targets(), len(valid)
        auroc = float(roc_auc_score(truth, chance))
        figures = {
            "n": n,
            "n_patients": table.table["patient"].nunique(),
            "auroc": {"value": auroc, "low": auroc - 0.1, "high": auroc + 0.1, "n": n},
            "log_loss": {"value": float(log_loss(truth, chance)), "n": n},
        }
        write_json(run / "metrics.json", {"valid": figures})

    return fake_train


fake_train = make_fake()


@pytest.fixture(scope="module")
def whole(config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that nothing disturbed. Tests leave it as it is."""
    folder = tmp_path_factory.mktemp("sweeps") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_CACHE_DIR", str(folder.with_name("cache")))
        go(Sweep(config, SPACE), folder)
    return folder


class Stops:
    """Trains until its n-th run; there it raises `error`."""

    def __init__(self, n: int, error: BaseException) -> None:
        self.n, self.error = n, error
        self.runs: list[str] = []

    def __call__(self, config: RunConfig, run: Path) -> None:
        self.runs.append(run.name)
        if len(self.runs) == self.n:
            raise self.error
        fake_train(config, run)


def go(asked: Sweep, out: Path, train: Any = fake_train) -> dict[str, Any]:
    return run_sweep(asked, out, train=train)


def table_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# An honest choice ------------------------------------------------------------------------------


def test_both_figures_and_what_lies_between(whole: Path) -> None:
    result = json.loads((whole / "sweep.json").read_text())
    assert [row["settings"] for row in result["trials"]] == [
        {"size": size, "epochs": epochs} for size in (32, 48) for epochs in (1, 2)
    ]
    inner, outer = result["choice"]["auroc"], result["outer"]["auroc"]
    assert inner["value"] == max(row["auroc"]["value"] for row in result["trials"])
    own = json.loads((whole / "best" / "metrics.json").read_text())["valid"]
    assert outer == own["auroc"] and result["outer"]["n"] == own["n"]
    assert result["optimism"]["value"] == inner["value"] - outer["value"]
    assert result["optimism"]["low"] < result["optimism"]["value"] < result["optimism"]["high"]
    rows = table_of(whole / "sweep.csv")
    assert [float(row["auroc"]) for row in rows] == [r["auroc"]["value"] for r in result["trials"]]
    page = (whole / "sweep.html").read_text(encoding="utf-8")
    assert "not a medical device" in page and "that no trial had seen" in page


def test_the_outer_split_is_that_of_a_run(config: RunConfig, whole: Path) -> None:
    manifest = read_manifest(config.data)
    _, valid = PatientSplitter(config.valid_pct, seed=config.seed)(
        manifest.paths(), manifest.targets(), manifest.patients()
    )
    for name in ("outer.csv", "best/manifest.csv"):
        table = pd.read_csv(whole / name)
        of_run = table.loc[table["split"] == "valid", "path"].tolist()
        assert of_run == manifest.table["path"].iloc[valid].tolist()


@pytest.mark.parametrize("folds", [1, 3])
def test_no_trial_sees_an_outer_validation_image(
    config: RunConfig, tmp_path: Path, folds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: set[str] = set()
    decode = nested_module.decode_all

    def listening(paths: list[Path], *given: Any, **named: Any) -> Any:
        decoded.update(path.name for path in paths)
        return decode(paths, *given, **named)

    monkeypatch.setattr(nested_module, "decode_all", listening)
    go(Sweep(config, {"size": [32, 48]}, inner_folds=folds), tmp_path / "a")
    outer = pd.read_csv(tmp_path / "a" / "outer.csv")
    sides = {name: outer[outer["split"] == name] for name in ("train", "valid")}
    assert not set(sides["train"]["patient"]) & set(sides["valid"]["patient"])
    tables = sorted((tmp_path / "a" / "trials").rglob("manifest.csv"))
    assert len(tables) == 2 * folds
    for table in map(pd.read_csv, tables):
        assert set(table["path"]) == set(sides["train"]["path"])
        inner = {name: table[table["split"] == name] for name in ("train", "valid")}
        assert not set(inner["train"]["patient"]) & set(inner["valid"]["patient"])
    assert decoded == {Path(path).name for path in sides["train"]["path"]}
    if folds > 1:
        judged = [table_of(path) for path in (tmp_path / "a/trials/01").rglob("predictions*")]
        assert sorted(row["path"] for rows in judged for row in rows) == sorted(
            sides["train"]["path"]
        )


def test_outer_validation_images_do_not_change_the_choice(
    films: Path, tmp_path: Path, config: RunConfig
) -> None:
    """The split is given, as one by patient heeds the labels."""
    manifest = read_manifest(films)
    train, valid = PatientSplitter(0.2)(manifest.paths(), manifest.targets(), manifest.patients())
    results = []
    for name in ("as they are", "spoilt"):
        root = tmp_path / name
        table = manifest.with_split(train=train, valid=valid).table
        for i, path in enumerate(manifest.paths()):
            target = root / table["path"].iloc[i]
            target.parent.mkdir(parents=True, exist_ok=True)
            if name == "spoilt" and i in valid:
                noise = np.random.default_rng(i).integers(0, 255, (64, 64), dtype=np.uint8)
                Image.fromarray(noise).save(target, "PNG")
            else:
                target.write_bytes(path.read_bytes())
        if name == "spoilt":
            other = dict(zip(manifest.classes, reversed(manifest.classes), strict=True))
            table.loc[valid, "label"] = table.loc[valid, "label"].map(other)
        table.to_csv(root / "table.csv", index=False)
        given = replace(config, data=str(root / "table.csv"), split="manifest")
        results.append(go(Sweep(given, SPACE), tmp_path / f"out {name}"))
    first, second = results
    assert first["choice"] == second["choice"] and first["trials"] == second["trials"]
    assert first["outer"]["auroc"] != second["outer"]["auroc"]


# What fails, and what is killed ------------------------------------------------------------------


def test_a_trial_that_fails_is_a_row(config: RunConfig, tmp_path: Path) -> None:
    result = go(Sweep(config, SPACE), tmp_path / "a", Stops(2, WeightsError("no weights\nhere")))
    errors = [row["error"] for row in result["trials"]]
    assert errors == [None, "no weights here", None, None]
    assert result["trials"][1]["auroc"] is None and result["choice"]["trial"] != "02"
    assert "1 of the 4 trials failed" in " ".join(result["sentences"])
    assert table_of(tmp_path / "a" / "sweep.csv")[1]["error"] == "no weights here"
    out_of_memory = Stops(1, torch.OutOfMemoryError("of 80 GiB"))
    result = go(Sweep(config, SPACE), tmp_path / "b", out_of_memory)
    assert result["trials"][0]["error"] == "OutOfMemoryError: of 80 GiB"


def test_when_all_fail_the_sweep_fails_and_can_be_tried_again(
    config: RunConfig, tmp_path: Path
) -> None:
    def fails(config: RunConfig, run: Path) -> None:
        raise WeightsError("no weights")

    asked = Sweep(config, SPACE)
    with pytest.raises(TrainingError, match=r"^all 4 trials failed; trial 01 .*: no weights$"):
        go(asked, tmp_path / "a", fails)
    rows = table_of(tmp_path / "a" / "sweep.csv")
    assert [row["error"] for row in rows] == ["no weights"] * 4
    assert go(asked, tmp_path / "a")["outer"]["n"] > 0


def test_a_full_disk_ends_it(config: RunConfig, tmp_path: Path) -> None:
    """Else the choice would be made among those that were early."""
    with pytest.raises(StorageError, match="disk full"):
        go(Sweep(config, SPACE), tmp_path / "a", Stops(2, StorageError("disk full")))
    assert len(go(Sweep(config, SPACE), tmp_path / "a")["choice"]["not_told_apart"]) <= 3


@pytest.mark.parametrize("run", [1, 3, 5])
def test_a_killed_sweep_goes_on(config: RunConfig, tmp_path: Path, run: int, whole: Path) -> None:
    """The fifth run is the last, of the chosen setting."""
    asked = Sweep(config, SPACE)
    with pytest.raises(KeyboardInterrupt):
        go(asked, tmp_path / "a", Stops(run, KeyboardInterrupt()))
    again = Stops(0, RuntimeError())
    go(asked, tmp_path / "a", again)
    assert again.runs == ["01", "02", "03", "04", "best"][run - 1 :]
    for name in ("sweep.json", "sweep.csv", "sweep.html"):
        assert (tmp_path / "a" / name).read_bytes() == (whole / name).read_bytes()


def test_a_choice_stands(config: RunConfig, tmp_path: Path) -> None:
    """Once the outer images were looked at, no trial is tried again."""
    asked = Sweep(config, SPACE)

    def train(config: RunConfig, run: Path) -> None:
        if run.name == "03":
            raise WeightsError("no weights")
        if run.name == "best":
            raise MemoryError
        fake_train(config, run)

    with pytest.raises(TrainingError, match=r"the last run, .*best, failed: MemoryError"):
        go(asked, tmp_path / "a", train)
    again = Stops(0, RuntimeError())
    assert go(asked, tmp_path / "a", again)["trials"][2]["error"] == "no weights"
    assert again.runs == ["best"]


def test_a_finished_sweep_is_returned(config: RunConfig, whole: Path) -> None:
    found = go(Sweep(config, SPACE), whole, Stops(1, AssertionError()))
    assert found == json.loads((whole / "sweep.json").read_text())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"values": {**SPACE, "size": [32, 64]}}, r"space was .*48.*, is .*64"),
        ({"inner_folds": 2}, "inner_folds was 1, is 2"),
        ({"cpus": 2}, "cpus_per_trial was 1, is 2"),
        ({"seed": 7}, "seed was 42, is 7"),
    ],
)
def test_another_sweep_is_refused(
    config: RunConfig, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(Sweep(config, SPACE), tmp_path / "a", Stops(2, KeyboardInterrupt()))
    seed = change.pop("seed", config.seed)
    other = replace(Sweep(replace(config, seed=seed), SPACE), **change)
    with pytest.raises(UsageError, match=words):
        go(other, tmp_path / "a")


def test_other_images_are_refused(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(Sweep(config, SPACE), tmp_path / "a", Stops(2, KeyboardInterrupt()))
    manifest = read_manifest(config.data)
    fewer = manifest.select(range(1, len(manifest)))
    monkeypatch.setattr(sweep_module, "read_run_manifest", lambda _: fewer)
    with pytest.raises(DataError, match=r"1 gone"):
        go(Sweep(config, SPACE), tmp_path / "a")


def test_images_that_change_before_the_last_run(config: RunConfig, tmp_path: Path) -> None:
    def train(config: RunConfig, run: Path) -> None:
        fake_train(replace(config, seed=1) if run.name == "best" else config, run)

    with pytest.raises(DataError, match="the data have changed meanwhile"):
        go(Sweep(config, SPACE), tmp_path / "a", train)


def test_a_folder_of_something_else_is_left_alone(config: RunConfig, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty and not a sweep"):
        go(Sweep(config, SPACE), tmp_path)
    with pytest.raises(UsageError, match="lies inside"):
        go(Sweep(config, SPACE), Path(config.data) / "sweep")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt"]


def test_a_run_folder_of_other_settings_ends_it(config: RunConfig, tmp_path: Path) -> None:
    """A row would drop the trial from the choice without a word."""
    asked = Sweep(config, SPACE)
    with pytest.raises(KeyboardInterrupt):
        go(asked, tmp_path / "a", Stops(2, KeyboardInterrupt()))
    (tmp_path / "a" / "trials" / "02").mkdir()
    (tmp_path / "a" / "trials" / "02" / "config.yaml").write_text(config.to_yaml())
    with pytest.raises(UsageError, match=r"02 holds an unfinished run with other settings"):
        go(asked, tmp_path / "a")


def test_a_run_folder_in_use_is_waited_for(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, taken = TrialTask("a", ((tmp_path / "a", config),)), locked(tmp_path / "a")
    taken.__enter__()
    monkeypatch.setattr(trials_module, "WAIT_S", 0)
    with pytest.raises(UsageError, match=r"a is in use by process"):
        run_task(task, fake_train)
    monkeypatch.setattr(trials_module, "WAIT_S", 60)
    monkeypatch.setattr(trials_module.time, "sleep", lambda _: taken.__exit__(None, None, None))
    assert run_task(task, fake_train) == "" and task.done


# Engines -----------------------------------------------------------------------------------------


def test_every_run_has_the_threads_that_were_asked_for(config: RunConfig, tmp_path: Path) -> None:
    seen = []

    def train(config: RunConfig, run: Path) -> None:
        seen.append(torch.get_num_threads())
        fake_train(config, run)

    go(Sweep(config, {"size": [32, 48]}, cpus=2), tmp_path / "a", train)
    assert seen == [2, 2, 2] and torch.get_num_threads() == 1


def test_shards_are_refused(config: RunConfig) -> None:
    with pytest.raises(UsageError, match="holds shards, which another split cannot be cut from"):
        Sweep(replace(config, data="s3://bucket/shards"), SPACE)


def test_engines_say_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"engine 'slurm'.*local, ray"):
        TrialRunner("slurm")
    with pytest.raises(UsageError, match="one trial after the other"):
        TrialRunner("local", workers=2)


def test_trials_of_train_run(config: RunConfig, tmp_path: Path) -> None:
    """The real thing, small; its folders are runs as any other."""
    small = replace(config, batch_size=16, precision="fp32", epochs=1, explain=False)
    result = go(Sweep(small, {"base_lr": [1e-3, 2e-3]}), tmp_path / "a", train_run)
    assert [row["error"] for row in result["trials"]] == [None, None]
    assert all(row["seconds"] > 0 for row in result["trials"])
    assert result["outer"]["epoch"]["of"] == 2
    assert (tmp_path / "a" / "best" / "model.cxr").is_file()
    own = compare_models(tmp_path / "a/trials/01", tmp_path / "a/trials/02")
    best, other = (int(name) for name in (result["choice"]["trial"], result["choice"]["runner_up"]))
    lead = result["trials"][other - 1]["behind_best"]["value"]
    assert lead == pytest.approx(own["difference"]["auroc"]["value"] * (best - other))


@pytest.mark.filterwarnings("default")  # Ray's own
def test_on_a_real_ray_all_is_the_same(
    ray_here: Any, config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    fake = make_fake()
    monkeypatch.setattr(trials_module, "RETRIES", 0)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def train(config: Any, run: Any) -> None:
        if config.size == 40:
            os._exit(1)
        fake(config, run)

    asked = Sweep(config, {"size": [32, 40]}, engine=TrialRunner("ray", workers=2, gpus=0.5))
    with pytest.raises(UsageError, match=r"a trial wants 3 CPU, the Ray cluster has 2 in all"):
        go(replace(asked, cpus=3), tmp_path / "too much", train)
    result = go(asked, tmp_path / "ray", train)
    assert "died 1 times" in result["trials"][1]["error"]
    local = go(
        replace(asked, engine=TrialRunner()),
        tmp_path / "local",
        Stops(2, TrainingError("fails too")),
    )
    for one in (result, local):
        del one["trials"][1]["error"]
    assert result == local
    assert not list((tmp_path / "home").rglob("*ray_results*"))
    assert not list((tmp_path / "ray").glob(".*")), "what Tune wrote is gone"
    assert capfd.readouterr().out == ""
