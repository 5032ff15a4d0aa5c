from __future__ import annotations

import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from cxr.errors import DataError, ManifestError, StorageError, UnknownName, UsageError
from cxr.find import read_manifest, require_trainable


def test_class_folders(touch):
    root = touch("PNEUMONIA/person1_virus_1.png", "NORMAL/IM-0001-0001.png", "NORMAL/IM-0001-2.png")
    manifest = read_manifest(root)
    assert len(manifest) == 3
    assert manifest.classes == ("NORMAL", "PNEUMONIA")
    assert not manifest.multi_label
    assert manifest.paths() == sorted(root.glob("*/*.png"))
    np.testing.assert_array_equal(manifest.targets(), [0, 0, 1])
    assert manifest.targets().dtype == np.int64
    assert manifest.patients() == ["IM-0001", "IM-0001", "person1_virus"]
    assert manifest.splits() is None
    assert manifest.identity == "2 patients in 3 images, from file names (kermany pattern)"


def test_kermany(shared_data):
    manifest = read_manifest(shared_data / "kermany224")
    counts = manifest.table.groupby(["split", "label"]).size().to_dict()
    assert counts == {
        ("train", "NORMAL"): 1341,
        ("train", "PNEUMONIA"): 3875,
        ("valid", "NORMAL"): 8,
        ("valid", "PNEUMONIA"): 8,
    }
    assert manifest.table["patient"].nunique() == 3669
    require_trainable(manifest)


def test_a_folder_with_a_manifest_is_read_by_it(touch):
    root = touch("x/1.png", "x/2.png")
    (root / "manifest.csv").write_text(
        "path,label,patient,view,age,sex,site,finding\n"
        "x/1.png,NORMAL,phantom0001,PA,44,F,north,\n"
        "x/2.png,PNEUMONIA,phantom0002,AP,51,M,harbour,consolidation\n"
    )
    manifest = read_manifest(root)
    assert list(manifest.table.columns) == [
        *("path", "label", "patient", "view", "age", "sex", "site", "finding")
    ]
    assert manifest.classes == ("NORMAL", "PNEUMONIA")
    assert manifest.identity == "2 patients in 2 images, from the column 'patient'"
    assert read_manifest(root, layout="classes").classes == ("x",)


def test_numbers_as_labels_are_names(table):
    manifest = read_manifest(table("image,target\na.png,1\nb.png,0\nc.png,10\n"))
    assert manifest.classes == ("0", "1", "10")
    np.testing.assert_array_equal(manifest.targets(), [1, 0, 2])


def test_numbers_as_labels_and_patients_are_two_things(table):
    manifest = read_manifest(table("path,label,patient\na.png,1,1\nb.png,0,0\n"))
    assert manifest.classes == ("0", "1")
    assert manifest.patients() == ["1", "0"]


def test_chosen_columns(table):
    path = table("scan,note,label,who\na.png,yes,X,p1\nb.png,no,Y,p2\n")
    manifest = read_manifest(
        path, path_column="scan", label_column="note", patient_column="who", classes=["yes", "no"]
    )
    assert manifest.classes == ("yes", "no")
    assert manifest.patients() == ["p1", "p2"]
    assert list(manifest.table.columns) == ["path", "label", "patient"]
    with pytest.raises(UnknownName, match="unknown patient column 'whom'; near names: who"):
        read_manifest(path, patient_column="whom")


def test_sex_can_be_the_label(table):
    manifest = read_manifest(table("path,sex,finding\na.png,F,x\nb.png,M,y\n"), label_column="sex")
    assert manifest.classes == ("F", "M")


def test_several_labels(table):
    manifest = read_manifest(
        table("path,Mass,Edema,patient\na.png,1,0,p\nb.png,,1,q\nc.png,0,-1,r\n"),
        label_columns=["Mass", "Edema"],
    )
    assert manifest.multi_label
    assert manifest.classes == ("Edema", "Mass")
    expected = np.array([[0, 1], [1, np.nan], [np.nan, 0]], np.float32)
    np.testing.assert_array_equal(manifest.targets(), expected)
    assert manifest.targets().dtype == np.float32
    np.testing.assert_array_equal(manifest.labels(), expected)


def test_image_root(touch, tmp_path_factory):
    root = touch("a.png", "b.png")
    csv = tmp_path_factory.mktemp("tables") / "data.csv"
    csv.write_text("path,label\na.png,X\nb.png,Y\n")
    assert read_manifest(csv, image_root=root).paths() == [root / "a.png", root / "b.png"]
    with pytest.raises(ManifestError, match=r"2 of 2 images that are not under .*--image-root"):
        read_manifest(csv)


def test_unlabelled_rows_are_left_out_with_a_line(table, capsys):
    manifest = read_manifest(table("path,label\na.png,X\nb.png,\nc.png,Y\n"))
    assert manifest.table["path"].tolist() == ["a.png", "c.png"]
    assert "left out 1 of 3 images: they have no label" in capsys.readouterr().err


def test_repeated_rows_are_left_out_with_a_line(table, capsys):
    manifest = read_manifest(table("path,label\na.png,X\na.png,X\nb.png,Y\n"))
    assert len(manifest) == 2
    assert "left out 1 rows" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "path,label\na.png,X\na.png,Y\nb.png,X\n",
            {},
            r"1 images are listed with different labels, such as a\.png \(X and Y\)",
        ),
        ("path,label\na.png,Normal\nb.png,NORMAL\n", {}, "differ only in upper and lower case"),
        (
            "path,label\na.png,X\nb.png,Z\n",
            {"classes": ["X", "Y"]},
            "unknown labels 'Z': the classes are X, Y",
        ),
        ("path,label\na.png,X\n,Y\n", {}, "1 rows name no image in the column 'path'"),
        ("path,label\na.png,X\nx.png,Y\n", {}, r"1 of 2 images .* x\.png"),
        ("path,A,B\na.png,1,0\nb.png,2,1\n", {"label_columns": ["A", "B"]}, "holds '2' in row 2"),
    ],
)
def test_contradictions_are_refused_in_one_line(table, text, options, message):
    with pytest.raises(ManifestError, match=message) as caught:
        read_manifest(table(text), **options)
    assert "\n" not in str(caught.value)


def test_missing_things(touch):
    root = touch("chest/NORMAL/a.png", "notes.txt")
    (root / "empty").mkdir()
    with pytest.raises(UsageError, match=r"there is no .*chets; .* holds chest"):
        read_manifest(root / "chets")
    with pytest.raises(UsageError, match=r"there is no .*chest\.csv"):
        read_manifest(root / "chest.csv")
    with pytest.raises(UsageError, match=r"a\.png is not a table"):
        read_manifest(root / "chest" / "NORMAL" / "a.png")
    with pytest.raises(DataError, match=r"no images under .*empty"):
        read_manifest(root / "empty")


def test_layout_names(touch):
    root = touch("A/1.png", "B/2.png")
    with pytest.raises(UnknownName, match="unknown layout 'class'; near names: classes"):
        read_manifest(root, layout="class")
    with pytest.raises(UsageError, match="without a table"):
        read_manifest(root, label_column="label")
    (root / "t.csv").write_text("path,label\nA/1.png,x\n")
    with pytest.raises(UsageError, match="'splits' needs a folder"):
        read_manifest(root / "t.csv", layout="splits")


def test_select_and_split(touch):
    manifest = read_manifest(touch("A/1.png", "A/2.png", "B/3.png", "B/4.png"))
    split = manifest.with_split(train=[0, 3], valid=[1])
    assert split.splits() == ["train", "valid", None, "train"]
    assert manifest.splits() is None
    assert split.select([True, False, False, True]).table["path"].tolist() == ["A/1.png", "B/4.png"]
    assert split.select([3, 1]).table["path"].tolist() == ["B/4.png", "A/2.png"]
    assert split.select([1]).classes == ("A", "B")
    assert len(split.select([])) == 0
    with pytest.raises(UsageError, match="row 1 is in two parts, 'train' and 'valid'"):
        manifest.with_split(train=[0, 1], valid=[1])


@pytest.mark.parametrize("name", ["m.csv", "m.tsv", "m.parquet"])
@pytest.mark.parametrize("multi", [False, True])
def test_written_and_read_again(table, tmp_path, name, multi):
    single = "path,label,patient,age\na.png,0,01,58\nb.png,1,,3.5\nc.png,1,03,\n"
    several = "path,A,B,patient,age\na.png,1,0,01,58\nb.png,0,,02,3.5\nc.png,-1,1,,\n"
    before = read_manifest(table(several if multi else single)).with_split(train=[0, 1], valid=[2])
    after = read_manifest(before.write(tmp_path / "run" / name), image_root=tmp_path)
    assert after.classes == before.classes
    assert after.multi_label is multi
    assert after.fingerprint() == before.fingerprint()
    assert after.patients() == before.patients()
    assert after.splits() == ["train", "train", "valid"]
    np.testing.assert_array_equal(after.targets(), before.targets())
    pd.testing.assert_series_equal(after.table["age"], before.table["age"])


def test_written_flags_are_whole_numbers(table, tmp_path):
    manifest = read_manifest(table("path,A,B\na.png,1,0\nb.png,0,-1\n"), label_columns=["A", "B"])
    text = manifest.write(tmp_path / "m.csv").read_text()
    assert text.splitlines() == ["path,patient,A,B", "a.png,,1,0", "b.png,,0,"]


def test_a_manifest_that_cannot_be_written(touch, tmp_path):
    manifest = read_manifest(touch("A/1.png", "B/2.png"))
    with pytest.raises(UsageError, match=r"m\.xlsx: a manifest is \.csv"):
        manifest.write(tmp_path / "m.xlsx")
    with pytest.raises(StorageError, match=r"1\.png"):
        manifest.write(tmp_path / "A" / "1.png" / "m.csv")


def test_fingerprint_is_that_of_sorted_rows(touch):
    manifest = read_manifest(touch("A/1.png", "B/2.png"))
    rows = [json.dumps(["A/1.png", "A"]), json.dumps(["B/2.png", "B"])]
    assert manifest.fingerprint() == hashlib.sha256("\n".join(rows).encode()).hexdigest()
    assert manifest.select([1, 0]).fingerprint() == manifest.fingerprint()
    assert manifest.select([0]).fingerprint() != manifest.fingerprint()


class TestTrainable:
    def test_no_labels(self, touch):
        manifest = read_manifest(touch("1.png", "2.png"))
        assert manifest.classes == ()
        with pytest.raises(DataError, match="none of 2 images has a label; put each"):
            require_trainable(manifest)
        with pytest.raises(DataError, match="have no labels"):
            manifest.targets()

    def test_one_class(self, touch):
        root = touch("NORMAL/1.png", "NORMAL/2.png")
        message = (
            "only one class (NORMAL); training needs at least two: "
            "put each class into its own folder or give a CSV with --label-column"
        )
        with pytest.raises(DataError) as caught:
            require_trainable(read_manifest(root))
        assert str(caught.value) == message

    def test_a_class_of_one_patient(self, touch):
        root = touch("A/IM-0001-01.png", "A/IM-0001-02.png", "B/IM-0002-01.png", "B/IM-0003-01.png")
        with pytest.raises(DataError, match="class 'A' has 2 images of 1 patient") as caught:
            require_trainable(read_manifest(root))
        assert "IM-0001" not in str(caught.value)
        touch("A/IM-0004-01.png")
        require_trainable(read_manifest(root))

    def test_images_without_patient_count_by_themselves(self, touch):
        require_trainable(read_manifest(touch("A/1.png", "A/2.png", "B/3.png", "B/4.png")))

    def test_several_labels(self, table):
        text = "path,A,B,patient\na.png,1,0,p\nb.png,0,1,q\nc.png,1,{},r\nd.png,0,0,s\n"
        with pytest.raises(DataError, match="class 'B' has 1 image of 1 patient"):
            require_trainable(read_manifest(table(text.format("0"))))
        require_trainable(read_manifest(table(text.format("1"))))
        nothing_absent = "path,A,B,patient\na.png,1,1,p\nb.png,1,1,q\nc.png,1,0,r\nd.png,0,0,s\n"
        with pytest.raises(DataError, match="class 'A' = 0 has 1 image of 1 patient"):
            require_trainable(read_manifest(table(nothing_absent)))
