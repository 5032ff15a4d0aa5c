"""The data's own test images change nothing of a run, and its verdict rests on them."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from cxr._io import progress_disabled
from cxr.config import RunConfig
from cxr.errors import DataError
from cxr.evaluate import measure, read_predictions
from cxr.find import read_manifest
from cxr.find.phantom import write_phantom
from cxr.pixels.shards.write import write_shards
from cxr.report import page
from cxr.workflows import finish as finishing
from cxr.workflows import set_aside as module
from cxr.workflows.evaluate import TRAINED_ON_THESE, evaluate_model
from cxr.workflows.set_aside import set_aside
from cxr.workflows.train import RunResult, train_run
from helpers.figures import undrawn
from helpers.runs import small_run


@pytest.fixture(scope="module", autouse=True)
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch, progress_disabled():
        patch.setenv("CXR_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(page, "render_figures", undrawn)
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/, val/ and test/ as Kaggle's set has them, without a table."""
    data = write_phantom(
        tmp_path_factory.mktemp("data") / "images", n_images=120, seed=2, size=96, layout="splits"
    )
    (data / "manifest.csv").unlink()
    return data


@pytest.fixture(scope="module")
def config(folders: Path) -> RunConfig:
    return small_run(folders, epochs=1)


@pytest.fixture(scope="module")
def tested(config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """Tests leave it as it is."""
    return train_run(config, tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(module, "say", lines.append)
    return lines


def members(model: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(model) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_without_its_test_folder_the_model_is_the_same_to_the_byte(
    config: RunConfig, tested: RunResult, tmp_path: Path
) -> None:
    """Weights, calibration, threshold and rules: all that the file holds."""
    data = tmp_path / Path(config.data).name
    shutil.copytree(config.data, data, ignore=shutil.ignore_patterns("test"))
    without = train_run(replace(config, data=str(data)), tmp_path / "run")
    assert members(without.model) == members(tested.model)
    assert "test" not in without.metrics
    assert without.metrics["valid"] == tested.metrics["valid"]


def test_it_is_measured_once_by_the_finished_file(
    config: RunConfig, tested: RunResult, tmp_path: Path
) -> None:
    """`cxr evaluate` of the file on the same folder gives the same figures."""
    test = tested.metrics["test"]
    table = read_predictions(tested.folder / "predictions_test.csv")
    again = measure(table, test["threshold"], seed=config.seed)
    assert again == {name: test[name] for name in again}
    assert test["n_patients"] < test["n"] and test["auroc"]["low"] < test["auroc"]["high"]
    assert test["threshold"] == tested.metrics["valid"]["threshold"]
    assert {Path(path).parts[0] for path in table.table["path"]} == {"test"}
    found = evaluate_model(tested.model, config.data, tmp_path / "out", seed=config.seed)
    found["test"]["operating_point"]["rule"] = test["operating_point"]["rule"]  # the run's own
    assert found["test"] == {name: test[name] for name in found["test"]}
    columns = [
        list(pd.read_csv(tested.folder / f"predictions_{one}.csv")) for one in ("test", "valid")
    ]
    assert columns[0] == columns[1]


@pytest.mark.parametrize("split", ["patient", "random", "folders"])
def test_no_split_trains_or_validates_on_it(
    config: RunConfig, tmp_path: Path, split: Any, said: list[str]
) -> None:
    result = train_run(replace(config, epochs=0, split=split), tmp_path / "run")
    table = pd.read_csv(result.folder / "manifest.csv")
    folder = table["path"].str.split("/").str[0]
    assert set(folder[table["split"] == "test"]) == {"test"}
    assert (table["split"] == "test").equals(folder == "test")
    n = result.metrics["test"]["n"]
    assert said[0].startswith(f"{n} test images of") and "set aside" in said[0]
    if split == "folders":
        assert set(folder[table["split"] == "valid"]) == {"val"}
        assert len(said) == 1
    else:
        assert {"train", "val"} == set(folder[table["split"] == "train"])
        joined = int((folder == "val").sum())
        assert f"{joined} images of the data's validation folder join the others" in said[1]


def test_the_verdict_the_card_and_the_flow_rest_on_it(tested: RunResult) -> None:
    report = json.loads((tested.folder / "report.json").read_text())
    assert report["headline"] == "test" and list(report["splits"]) == ["test", "valid"]
    test, valid = (tested.metrics[name] for name in ("test", "valid"))
    gap = test["validation_minus_test"]["auroc"]
    assert gap["value"] == valid["auroc"]["value"] - test["auroc"]["value"]
    assert gap["low"] < gap["value"] < gap["high"]
    size = f"{test['n']} test images of {test['n_patients']} patients, set aside before training"
    for name in ("report.html", "README.md"):
        text = (tested.folder / name).read_text()
        assert f"On {size}" in text and "validation minus test" in text
    assert report["parts"]["flow"]["splits"]["test"]["n"] == test["n"]
    assert report["parts"]["flow"]["left_out"] == []
    assert report["facts"]["test images"] == test["n"]
    assert "Not yet shown on a test set" not in json.dumps(report)


def test_patients_on_both_sides_are_counted_and_said(
    config: RunConfig, tmp_path: Path, said: list[str]
) -> None:
    table = read_manifest(config.data).table
    train = table[table["split"] == "train"]
    twice = train.groupby("patient").filter(lambda some: len(some) > 1)
    moved = twice.drop_duplicates("patient").index[:3]
    table.loc[moved, "split"] = "test"
    table.to_csv(tmp_path / "table.csv", index=False)
    result = train_run(
        replace(config, data=str(tmp_path / "table.csv"), image_root=config.data, epochs=0),
        tmp_path / "run",
    )
    n = result.metrics["test"]["n"]
    assert result.metrics["test"]["set_aside"] == {"shared_patients": 3, "shared_images": 3}
    told = f"3 patients with 3 of {n} test images are among the training and validation images"
    report = json.loads((result.folder / "report.json").read_text())
    assert told in said[1] and told in (result.folder / "README.md").read_text()
    assert [one for one in report["caveats"] if told in one]
    assert "are in training, too" in report["verdict"]["doubt"]
    check = json.loads((result.folder / "check.json").read_text())
    assert "patients-across-splits" in {one["code"] for one in check["findings"]}
    assert [one for one in report["verdict"]["may_not"] if told in one["text"]]


def test_a_run_stopped_at_its_end_measures_the_same(
    config: RunConfig, tested: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(finishing, "test_predictions", stopped)
        with pytest.raises(KeyboardInterrupt):
            train_run(config, tmp_path / "run")
    assert train_run(config, tmp_path / "run", resume=True).metrics == tested.metrics


def test_only_images_that_it_learned_from_are_said_to_be_such(
    config: RunConfig, tested: RunResult, tmp_path: Path
) -> None:
    for split in ("test", "train"):
        evaluate_model(tested.model, config.data, tmp_path / split, split=split)
        caveats = json.loads((tmp_path / split / "report.json").read_text())["caveats"]
        assert (TRAINED_ON_THESE in caveats) == (split == "train")


def test_damaged_test_images_are_left_out_and_too_many_stop_it_before_training(
    config: RunConfig, tmp_path: Path
) -> None:
    data = tmp_path / "images"
    shutil.copytree(config.data, data)
    files = sorted((data / "test").rglob("*.jpeg"))
    files[0].write_bytes(b"no image")
    asked = replace(config, data=str(data), epochs=0)
    result = train_run(asked, tmp_path / "run")
    assert result.metrics["test"]["n"] == len(files) - 1
    left_out = json.loads((result.folder / "report.json").read_text())["parts"]["flow"]["left_out"]
    assert left_out == [{"why": "unreadable", "n": 1}]
    for file in files:
        file.write_bytes(b"no image")
    with pytest.raises(DataError, match="cannot be read"):
        train_run(asked, tmp_path / "other")
    assert not (tmp_path / "other" / "history.csv").exists()


def test_shards_give_the_same_test_figures(
    config: RunConfig, tested: RunResult, tmp_path: Path
) -> None:
    write_shards(read_manifest(config.data), tmp_path / "shards", 64, frame="whole")
    sharded = train_run(replace(config, data=str(tmp_path / "shards")), tmp_path / "run")
    assert sharded.metrics == tested.metrics


def test_all_for_testing_is_no_data_to_train_on(config: RunConfig) -> None:
    manifest = read_manifest(config.data)
    with pytest.raises(DataError, match="all for testing"):
        set_aside(manifest.select(manifest.table["split"].eq("test").to_numpy()))
    plain = replace(manifest, table=manifest.table.drop(columns="split"))
    data = set_aside(plain)
    assert data.test is None and data.development is plain
    assert np.array_equal(data.rows, np.arange(len(manifest)))
