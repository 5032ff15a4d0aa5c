from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cxr.errors import UsageError
from cxr.find import get_image_files, read_manifest
from cxr.prepare import (
    FolderSplitter,
    ManifestSplitter,
    PatientSplitter,
    RandomSplitter,
    Resize,
    dataloaders_from_manifest,
    named_splitter,
)


def test_a_manifest_becomes_loaders(films):
    manifest = read_manifest(films)
    dls = dataloaders_from_manifest(
        manifest, PatientSplitter(0.25, seed=3), Resize(32), bs=4, seed=3, path="somewhere"
    )
    assert dls.classes == manifest.classes
    assert list(dls.items.paths) == manifest.paths()
    assert not set(dls.train.images.patients) & set(dls.valid.images.patients)
    assert (dls.train.bs, dls.seed, str(dls.path)) == (4, 3, "somewhere")


def test_unknown_labels_stay_unknown(films, tmp_path):
    """Several label columns of 1, 0 and blank."""
    files = get_image_files(films)
    table = pd.DataFrame(
        {
            "path": [path.relative_to(films).as_posix() for path in files],
            "Edema": [1, 0, None] * 16,
            "Mass": [None, 1, 0] * 16,
        }
    )
    table.to_csv(tmp_path / "labels.csv", index=False)
    manifest = read_manifest(
        tmp_path / "labels.csv", label_columns=("Edema", "Mass"), image_root=films
    )
    dls = dataloaders_from_manifest(manifest, RandomSplitter(0.25, seed=0), Resize(32), bs=8)
    assert dls.multi_label
    targets = dls.train.images.targets
    assert targets.dtype == np.float32
    assert np.isnan(targets).any(axis=0).all()
    expected = table.set_index("path")[["Edema", "Mass"]]
    for path, target in zip(dls.train.images.paths, targets, strict=True):
        np.testing.assert_array_equal(target, expected.loc[path.relative_to(films).as_posix()])


def test_splitters_by_name():
    assert named_splitter("patient", 0.3, 7) == PatientSplitter(0.3, seed=7)
    assert named_splitter("random", 0.3, 7) == RandomSplitter(0.3, seed=7)
    assert isinstance(named_splitter("folders", 0.3, 7), FolderSplitter)
    assert isinstance(named_splitter("manifest", 0.3, 7), ManifestSplitter)
    with pytest.raises(UsageError, match="'patients' is not one of patient, random, folders"):
        named_splitter("patients", 0.3, 7)
