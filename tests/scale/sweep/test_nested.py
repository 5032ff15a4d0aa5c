"""The split inside the split, and the tables by which it reaches the trials."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxr.config import RunConfig
from cxr.errors import DataError, UsageError
from cxr.find import Manifest
from cxr.scale.sweep.nested import INNER_SHARE, inner_config, nest, write_tables
from cxr.workflows.train import read_run_manifest

N = 80


def make_data(folder: Path, *, multi_label: bool, patients: bool) -> RunConfig:
    """Blank images; names, labels and patients are all that a split looks at."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    names = [f"image {i}, left.png" for i in range(N)]
    for name in names:
        Image.new("L", (32, 32)).save(folder / name)
    table = pd.DataFrame({"path": names, "comment": "kept, out"})
    if multi_label:
        flags = rng.integers(0, 2, (N, 2)).astype(object)
        flags[::9, 0] = ""
        table[["Edema", "Mass"]] = flags
    else:
        table["label"] = rng.choice(["NORMAL", "PNEUMONIA"], N)
    if patients:
        table["patient"] = [f"{i // 2:04d}" for i in range(N)]
    table.to_csv(folder / "table.csv", index=False)
    return RunConfig(
        data=str(folder / "table.csv"),
        label_columns=("Edema", "Mass") if multi_label else None,
        patient_pattern="auto",
    )


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("patients", [False, True])
def test_a_trial_reads_what_was_written(tmp_path: Path, multi_label: bool, patients: bool) -> None:
    config = make_data(tmp_path / "images", multi_label=multi_label, patients=patients)
    nested = nest(config, read_run_manifest(config))
    (table,) = write_tables(nested, tmp_path / "sweep")
    (inner,) = nested.inner
    read = read_run_manifest(inner_config(config, table, inner))
    assert read.paths() == inner.paths() and read.splits() == inner.splits()
    assert read.patients() == inner.patients() and read.classes == inner.classes
    np.testing.assert_array_equal(read.targets(), inner.targets())


def groups(manifest: Manifest, name: str) -> set[str | None]:
    rows = zip(manifest.patients(), manifest.splits() or [], strict=True)
    return {patient for patient, split in rows if split == name}


@pytest.mark.parametrize("folds", [1, 4])
def test_patients_are_on_one_side(tmp_path: Path, folds: int) -> None:
    config = make_data(tmp_path / "images", multi_label=False, patients=True)
    nested = nest(config, read_run_manifest(config), folds)
    assert not groups(nested.outer, "train") & groups(nested.outer, "valid")
    judged: list[str | None] = []
    for inner in nested.inner:
        assert not groups(inner, "train") & groups(inner, "valid")
        assert groups(inner, "train") | groups(inner, "valid") == groups(nested.outer, "train")
        judged += groups(inner, "valid")
    if folds == 1:
        share = len(judged) / len(groups(nested.outer, "train"))
        assert share == pytest.approx(INNER_SHARE, abs=0.05)
    else:
        assert sorted(map(str, judged)) == sorted(map(str, groups(nested.outer, "train")))


def test_it_depends_on_the_seed_alone(tmp_path: Path) -> None:
    config = make_data(tmp_path / "images", multi_label=False, patients=True)
    manifest = read_run_manifest(config)
    once, again = (nest(config, manifest).inner[0].table for _ in range(2))
    pd.testing.assert_frame_equal(once, again)


def test_too_few_patients_are_refused(tmp_path: Path) -> None:
    config = make_data(tmp_path / "images", multi_label=False, patients=True)
    manifest = read_run_manifest(config)
    with pytest.raises(DataError, match=r"fewer than 40 folds"):
        nest(config, manifest, 40)
    with pytest.raises(UsageError, match="0 inner folds"):
        nest(config, manifest, 0)
