from __future__ import annotations

import numpy as np
import pytest

from cxr.find import read_manifest


@pytest.fixture
def nih(touch):
    root = touch("images_001/images/00000001_000.png", "images_002/images/00000002_000.png")
    touch("images_002/images/00000002_001.png")
    (root / "Data_Entry_2017_v2020.csv").write_text(
        # As published: brackets that hold a comma, and a comma at the end of every line.
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,"
        "View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],\n"
        "00000001_000.png,Cardiomegaly|Effusion,0,1,058Y,M,PA,2682,2749,0.143,0.143,\n"
        "00000002_000.png,No Finding,0,2,81,F,AP,2500,2048,0.171,0.171,\n"
        "00000002_001.png,Effusion,1,2,82,F,AP,2500,2048,0.171,0.171,\n"
    )
    (root / "train_val_list.txt").write_text("00000001_000.png")
    (root / "test_list.txt").write_text("00000002_000.png\n00000002_001.png\n")
    return root


def test_nih(nih):
    manifest = read_manifest(nih)
    assert manifest.classes == ("Cardiomegaly", "Effusion")
    np.testing.assert_array_equal(manifest.targets(), [[1, 1], [0, 0], [0, 1]])
    assert manifest.table["path"][0] == "images_001/images/00000001_000.png"
    assert manifest.patients() == ["1", "2", "2"]
    assert manifest.splits() == [None, "test", "test"]
    assert manifest.table["age"].tolist() == [58.0, 81.0, 82.0]
    assert manifest.table["sex"].tolist() == ["M", "F", "F"]
    assert manifest.table["view"].tolist() == ["PA", "AP", "AP"]
