from __future__ import annotations

import gzip

import numpy as np
import pytest

from cxr.errors import ManifestError
from cxr.find import read_manifest
from cxr.find.layouts.chexpert import CLASSES
from helpers.chexpert_labels import flags


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
