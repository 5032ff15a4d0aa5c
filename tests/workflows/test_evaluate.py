"""A model file on labelled images. The model is untrained: what is tested is the bookkeeping."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from cxr._io import progress_disabled
from cxr.apply import load_learner
from cxr.backbones import Architecture, build_network
from cxr.bundle import BundleConfig, write_bundle
from cxr.check import inspect_data, write_findings
from cxr.errors import DataError, ManifestError, UsageError
from cxr.evaluate import measure, read_predictions
from cxr.find import get_image_files, read_manifest
from cxr.find.phantom import write_phantom
from cxr.pixels import load_grey
from cxr.pixels.doubt import FROM_THE_SIDE
from cxr.report import page
from cxr.report.figures import FIGURES
from cxr.workflows.evaluate import (
    TRAINED_ON_THESE,
    evaluate_model,
    how_it_answers,
    predict_labelled,
)
from helpers.dicom_data import dicom_dataset, written
from helpers.figures import undrawn


@pytest.fixture(scope="module", autouse=True)
def quiet_and_one_thread(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch, progress_disabled():
        patch.setenv("CXR_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(page, "render_figures", undrawn)
        yield


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/, val/ and test/."""
    folder = tmp_path_factory.mktemp("data") / "images"
    return write_phantom(folder, n_images=60, seed=4, size=96, layout="splits")


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., Path]:
    def write(**changes: Any) -> Path:
        facts = BundleConfig(
            ("NORMAL", "PNEUMONIA"),
            "test_efficientnet",
            64,
            temperature=1.5,
            threshold=0.45,
            positive="PNEUMONIA",
            population="nobody",
        )
        facts = replace(facts, **changes)
        network, _ = build_network(
            Architecture(facts.backbone, len(facts.classes), facts.size), None, seed=5
        )
        return write_bundle(tmp_path / "model.cxr", network, facts)

    return write


def test_the_folder_holds_what_the_design_says(
    model: Callable[..., Path], films: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    metrics = evaluate_model(model(), films, out)
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    figures = {f"figures/test_{name}.png" for name in FIGURES}
    assert files == {"metrics.json", "report.html", "report.json", "predictions.csv"} | figures
    assert json.loads((out / "metrics.json").read_text(encoding="utf-8")) == metrics


def test_the_figures_are_those_of_the_test_images_at_the_threshold_of_the_model(
    model: Callable[..., Path], films: Path, tmp_path: Path
) -> None:
    path = model()
    metrics = evaluate_model(path, films, tmp_path / "out", seed=3)
    manifest = pd.read_csv(films / "manifest.csv")
    table = read_predictions(tmp_path / "out" / "predictions.csv")
    assert set(table.table["path"]) == set(manifest.loc[manifest["split"] == "test", "path"])
    again = measure(table, 0.45, seed=3)
    assert again == {name: metrics["test"][name] for name in again}

    predictor = load_learner(path)
    row = table.table.iloc[2]
    logits = predictor.logits(predictor.pixels(films / row["path"])[np.newaxis])
    chances = predictor.probabilities(logits, calibrated=True)[0].tolist()
    assert [row["prob_NORMAL"], row["prob_PNEUMONIA"]] == pytest.approx(chances, abs=1e-5)
    assert row["predicted"] == predictor.decision(chances)


def test_groups_by_the_columns_asked_for(
    model: Callable[..., Path], films: Path, tmp_path: Path
) -> None:
    metrics = evaluate_model(model(), films, tmp_path / "out", split="all", by=["sex"])
    found = metrics["all"]["subgroups"]["sex"]
    manifest = pd.read_csv(films / "manifest.csv")
    counts = manifest["sex"].value_counts().to_dict()
    assert {one["name"]: one["n"] for one in found["groups"]} == counts
    with pytest.raises(UsageError, match="no column 'ward' to make groups by; there are: path"):
        evaluate_model(model(), films, tmp_path / "other", by=["ward"])


def test_check_and_stress_of_others_go_into_the_report(
    model: Callable[..., Path], films: Path, tmp_path: Path
) -> None:
    (tmp_path / "stress.json").write_text("{}")
    with pytest.raises(UsageError, match="the report's stress has no plain, changes"):
        evaluate_model(model(), films, tmp_path / "out", stress=tmp_path / "stress.json")


def test_a_check_of_other_images_is_refused(
    model: Callable[..., Path], films: Path, tmp_path: Path
) -> None:
    write_findings(inspect_data(films), tmp_path / "own")
    evaluate_model(model(), films, tmp_path / "a", check=tmp_path / "own" / "check.json")
    other = write_phantom(tmp_path / "other", n_images=8, size=64)
    write_findings(inspect_data(other), tmp_path / "others")
    with pytest.raises(UsageError, match="is about other images or labels than these"):
        evaluate_model(model(), films, tmp_path / "b", check=tmp_path / "others" / "check.json")
    assert not (tmp_path / "b").exists()


def test_the_report_tells_how_to_reproduce_from_its_own_table(
    model: Callable[..., Path], films: Path, tmp_path: Path
) -> None:
    evaluate_model(model(), films, tmp_path / "out")
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "read_predictions(&quot;predictions.csv&quot;" in report
    assert "predictions_test" not in report and TRAINED_ON_THESE not in report


@pytest.mark.parametrize(("split", "name"), [("val", "valid"), ("train", "train"), ("all", "all")])
def test_another_split_by_name(
    split: str, name: str, model: Callable[..., Path], films: Path, tmp_path: Path
) -> None:
    del split  # the manifest writes them as train, valid, test
    metrics = evaluate_model(model(), films, tmp_path / "out", split=name)
    manifest = pd.read_csv(films / "manifest.csv")["split"].replace("val", "valid")
    assert metrics[name]["n"] == (len(manifest) if name == "all" else sum(manifest == name))


def test_an_unknown_split_lists_what_there_is(
    model: Callable[..., Path], films: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no split 'tset' in the data; there are: all, test, tr"):
        evaluate_model(model(), films, tmp_path / "out", split="tset")


def test_the_images_of_training_are_told_apart(
    model: Callable[..., Path], films: Path, tmp_path: Path
) -> None:
    fingerprint = read_manifest(films).fingerprint()
    path = model(training_data={"fingerprint": fingerprint})
    for split in ("train", "test"):
        evaluate_model(path, films, tmp_path / split, split=split)
        page = (tmp_path / split / "report.html").read_text(encoding="utf-8")
        assert (TRAINED_ON_THESE in page) == (split == "train")


def test_an_unreadable_image_is_left_out_and_counted(
    model: Callable[..., Path], films: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(films, tmp_path / "images")
    (data / "manifest.csv").unlink()
    next((data / "train" / "NORMAL").glob("*.jpeg")).write_text("no image")
    metrics = evaluate_model(model(), data, tmp_path / "out", split="all")
    assert metrics["all"]["n"] == 59
    assert len(pd.read_csv(tmp_path / "out" / "predictions.csv")) == 59


def test_what_dicom_headers_say_counts_against_confidence(
    model: Callable[..., Path], films: Path, tmp_path: Path
) -> None:
    """A model without rules is judged only of images that are no frontal chest."""
    sources = sorted(get_image_files(films / "test"))
    views = ["LL" if i % 3 == 0 else "PA" for i in range(len(sources))]
    rows = []
    for i, (source, view) in enumerate(zip(sources, views, strict=True)):
        data = written(dicom_dataset(load_grey(source), ViewPosition=view))
        (tmp_path / f"{i}.dcm").write_bytes(data)
        rows.append({"path": f"{i}.dcm", "label": source.parent.name, "patient": str(i)})
    pd.DataFrame(rows).to_csv(tmp_path / "images.csv", index=False)
    predictor = load_learner(model(frame="lungs"))
    images = predict_labelled(predictor, read_manifest(tmp_path / "images.csv"), "all")
    assert images.doubts == [FROM_THE_SIDE if view == "LL" else "" for view in views]
    lost = images.frames[:, 5] > 0
    against = sum(lost | np.array([view == "LL" for view in views]))
    assert lost.sum() < against < len(views)
    confident = how_it_answers(predictor, images)["figures"]["Confident answers"]
    assert confident["n"] == against and confident["value"] == 0


def test_a_run_folder_is_not_written_into(
    model: Callable[..., Path], films: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").touch()
    with pytest.raises(UsageError, match="is a run folder; choose another --out"):
        evaluate_model(model(), films, run)
    assert len(list(run.iterdir())) == 1


def write_table(films: Path, path: Path, **columns: Any) -> Path:
    table = pd.read_csv(films / "manifest.csv")[["path", "patient"]].assign(**columns)
    table.to_csv(path, index=False)
    return path


def test_labels_that_the_model_does_not_know(
    model: Callable[..., Path], films: Path, tmp_path: Path
) -> None:
    table = write_table(films, tmp_path / "t.csv", label=["NORMAL", "COVID"] * 30)
    with pytest.raises(ManifestError, match="unknown labels 'COVID': the classes are NORMAL, PNE"):
        evaluate_model(model(), table, tmp_path / "out", image_root=films)


def test_several_labels_for_a_model_of_one(
    model: Callable[..., Path], films: Path, tmp_path: Path
) -> None:
    table = write_table(films, tmp_path / "t.csv", NORMAL=[1, 0] * 30, PNEUMONIA=[0, 1] * 30)
    with pytest.raises(DataError, match="has several labels an image, the model gives one label"):
        evaluate_model(model(), table, tmp_path / "out", image_root=films)


def test_one_label_for_a_model_of_several(
    model: Callable[..., Path], films: Path, tmp_path: Path
) -> None:
    path = model(multi_label=True, positive=None)
    with pytest.raises(DataError, match="has one label an image, the model gives several"):
        evaluate_model(path, films, tmp_path / "out")


def test_a_label_without_a_column(model: Callable[..., Path], films: Path, tmp_path: Path) -> None:
    path = model(classes=("Edema", "Mass", "Nodule"), multi_label=True, positive=None)
    table = write_table(films, tmp_path / "t.csv", Mass=[1, 0] * 30, Edema=[0, 1] * 30)
    with pytest.raises(DataError, match="no column for Nodule of the model's classes; add it"):
        evaluate_model(path, table, tmp_path / "out", image_root=films)


def test_several_labels_whatever_the_order_of_the_columns(
    model: Callable[..., Path], films: Path, tmp_path: Path
) -> None:
    path = model(classes=("Edema", "Mass"), multi_label=True, positive=None)
    table = write_table(films, tmp_path / "t.csv", Mass=[1, 1, 0] * 20, Edema=[0, 1, ""] * 20)
    metrics = evaluate_model(path, table, tmp_path / "out", image_root=films)
    per_class = metrics["all"]["per_class"]
    assert list(per_class) == ["Edema", "Mass"]
    assert per_class["Mass"]["prevalence"]["value"] == pytest.approx(2 / 3)
    assert per_class["Edema"]["prevalence"]["value"] == pytest.approx(1 / 2)


def test_images_without_labels(model: Callable[..., Path], films: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in films.rglob("*.jpeg"):
        shutil.copy(path, flat / path.name)
    with pytest.raises(DataError, match="have no labels"):
        evaluate_model(model(), flat, tmp_path / "out")
    assert not (tmp_path / "out").exists()
