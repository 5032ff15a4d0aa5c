"""The published data sets: small trees in the form of NIH ChestX-ray14, CheXpert and MIMIC-CXR."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from cxr.errors import ManifestError
from cxr.find import read_manifest
from cxr.find.layouts.chexpert import CLASSES


def flags(**values: str) -> str:
    named = {name.replace("_", " "): value for name, value in values.items()}
    return ",".join(named.get(name, "") for name in CLASSES)


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


@pytest.fixture
def mimic(touch):
    root = touch("files/p10/p10000032/s50414267/aa.jpg", "files/p10/p10000032/s53189527/bb.jpg")
    (root / "mimic-cxr-2.0.0-metadata.csv").write_text(
        "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows\n"
        "aa,10000032,50414267,CHEST,PA,3056\n"
        "bb,10000032,53189527,CHEST,LATERAL,3056\n"
        "cc,10000764,57375967,CHEST,AP,3056\n"
    )
    packed = f"subject_id,study_id,{','.join(CLASSES)}\n" + "".join(
        f"10000032,{study},{flags(**found)}\n"
        for study, found in (("50414267", {"No_Finding": "1.0"}), ("53189527", {"Edema": "-1.0"}))
    )
    (root / "mimic-cxr-2.0.0-chexpert.csv.gz").write_bytes(gzip.compress(packed.encode()))
    (root / "mimic-cxr-2.0.0-split.csv").write_text(
        "dicom_id,study_id,subject_id,split\n"
        "aa,50414267,10000032,train\nbb,53189527,10000032,validate\n"
    )
    return root


def test_mimic(mimic, capsys):
    manifest = read_manifest(mimic)
    assert manifest.table["path"].tolist() == [
        "files/p10/p10000032/s50414267/aa.jpg",
        "files/p10/p10000032/s53189527/bb.jpg",
    ]
    assert "left out 1 of 3 images: their study has no labels" in capsys.readouterr().err
    assert manifest.patients() == ["p10000032"] * 2
    assert manifest.table["study"].tolist() == ["s50414267", "s53189527"]
    assert manifest.splits() == ["train", "valid"]
    assert manifest.table["view"].tolist() == ["PA", "LATERAL"]
    np.testing.assert_array_equal(manifest.targets()[:, CLASSES.index("Edema")], [0, np.nan])
    np.testing.assert_array_equal(manifest.targets()[:, CLASSES.index("No Finding")], [1, 0])


def test_mimic_with_other_tables(mimic):
    metadata = mimic / "mimic-cxr-2.0.0-metadata.csv"
    text = metadata.read_text()
    metadata.write_text(text.replace("ViewPosition", "View"))
    with pytest.raises(ManifestError, match=r"metadata\.csv lacks the column 'ViewPosition'"):
        read_manifest(mimic)
    metadata.write_text(text.replace("10000032", "99999999"))
    with pytest.raises(ManifestError, match="has labels for no study"):
        read_manifest(mimic)
