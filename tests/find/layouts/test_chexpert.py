from __future__ import annotations

import numpy as np
import pytest

from cxr.errors import ManifestError
from cxr.find import read_manifest
from cxr.find.layouts.chexpert import CLASSES
from helpers.chexpert_labels import flags


@pytest.fixture
def chexpert(touch):
    train = [f"train/patient0000{n}/study1/view1_frontal.jpg" for n in (1, 2)]
    train.append("train/patient00002/study1/view2_lateral.jpg")
    root = touch(*train, "valid/patient64541/study1/view1_frontal.jpg")
    head = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{','.join(CLASSES)}\n"
    (root / "train.csv").write_text(
        head
        + f"CheXpert-v1.0-small/{train[0]},Female,68,Frontal,AP,{flags(Pneumonia='1.0')}\n"
        + f"CheXpert-v1.0-small/{train[1]},Male,87,Frontal,PA,{flags(Pneumonia='-1.0')}\n"
        + f"CheXpert-v1.0-small/{train[2]},Male,87,Lateral,,{flags(No_Finding='1.0')}\n"
    )
    (root / "valid.csv").write_text(
        head + "CheXpert-v1.0-small/valid/patient64541/study1/view1_frontal.jpg,"
        f"Male,73,Frontal,AP,{flags(Edema='1.0', Pneumonia='0.0')}\n"
    )
    return root


def test_chexpert(chexpert, capsys):
    manifest = read_manifest(chexpert)
    assert manifest.classes == CLASSES
    column = CLASSES.index("Pneumonia")
    np.testing.assert_array_equal(manifest.targets()[:, column], [1, np.nan, 0, 0])
    assert manifest.splits() == ["train"] * 3 + ["valid"]
    assert manifest.patients() == ["patient00001", "patient00002", "patient00002", "patient64541"]
    assert manifest.table["study"][1] == "patient00002/study1"
    assert manifest.table["view"].tolist() == ["AP", "PA", "LATERAL", "AP"]
    assert "1 uncertain labels" in capsys.readouterr().err


def test_one_table_of_chexpert(chexpert):
    manifest = read_manifest(chexpert / "train.csv", label_columns=["Pneumonia", "Edema"])
    assert manifest.classes == ("Edema", "Pneumonia")
    np.testing.assert_array_equal(manifest.targets(), [[0, 1], [0, np.nan], [0, 0]])


def test_what_is_unknown_stays_unknown_when_written(chexpert, tmp_path):
    manifest = read_manifest(chexpert)
    again = read_manifest(
        manifest.write(tmp_path / "run" / "m.csv"),
        image_root=chexpert,
        label_columns=manifest.classes,
    )
    np.testing.assert_array_equal(again.targets(), manifest.targets())


def test_chexpert_without_its_table(chexpert):
    for table in chexpert.glob("*.csv"):
        table.unlink()
    with pytest.raises(ManifestError, match="named after patients, not classes") as caught:
        read_manifest(chexpert)
    assert "patient00001" not in str(caught.value)
