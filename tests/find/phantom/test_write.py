"""The folder on disk: layouts, labels in every file, whole or absent."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from cxr._io import progress_disabled
from cxr.errors import UnknownName, UsageError
from cxr.find.phantom import PhantomSpec, render_image, write_phantom
from cxr.find.phantom import write as module

SPEC = PhantomSpec(size=64)


@pytest.fixture(autouse=True)
def _quiet():
    with progress_disabled():
        yield


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def image_of(path: str, bits: int = 8):
    patient, image = re.fullmatch(r"phantom(\d+)_(\d+)", Path(path).stem).groups()
    return render_image(int(patient), int(image), SPEC, bits=bits)


def test_class_folders_and_manifest_agree(tmp_path: Path) -> None:
    out = write_phantom(tmp_path / "x", n_images=24, size=64)
    rows = rows_of(out)
    on_disk = {p.relative_to(out).as_posix() for p in out.rglob("*.jpeg")}
    assert ",".join(rows[0]) == "path,label,patient,view,age,sex,site,finding,severity"
    assert {row["path"] for row in rows} == on_disk and len(rows) == 24
    for row in rows:
        folder, name = row["path"].split("/")
        assert folder == row["label"] and name.startswith(row["patient"] + "_")
    assert "SYNTHETIC" in (out / "README.txt").read_text(encoding="utf-8")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_split_folders_share_no_patient(tmp_path: Path) -> None:
    rows = rows_of(write_phantom(tmp_path / "x", n_images=110, size=64, layout="splits"))
    homes = defaultdict(set)
    for row in rows:
        assert row["path"].startswith(f"{row['split']}/{row['label']}/")
        homes[row["patient"]].add(row["split"])
    assert all(len(splits) == 1 for splits in homes.values())
    counts = {(r["split"], r["label"]) for r in rows}
    assert counts == {(s, c) for s in ("train", "val", "test") for c in ("NORMAL", "PNEUMONIA")}


def test_png_holds_the_pixels_and_says_synthetic(tmp_path: Path) -> None:
    out = write_phantom(tmp_path / "x", n_images=6, size=64, format="png")
    for path in out.rglob("*.png"):
        with Image.open(path) as image:
            assert image.text["Comment"].startswith("SYNTHETIC")
            assert np.array_equal(np.asarray(image), image_of(path.name).pixels)


def test_jpeg_comment_says_synthetic(tmp_path: Path) -> None:
    out = write_phantom(tmp_path / "x", n_images=4, size=64)
    for path in out.rglob("*.jpeg"):
        with Image.open(path) as image:
            assert image.info["comment"].startswith(b"SYNTHETIC") and image.mode == "L"
            wrong = np.asarray(image).astype(int) - image_of(path.name).pixels
            assert np.abs(wrong).mean() < 4


def test_dicom_headers_and_pixels(tmp_path: Path) -> None:
    out = write_phantom(tmp_path / "x", n_images=24, size=64, format="dicom")
    interpretations, modalities, studies = set(), set(), set()
    rows = {row["path"]: row for row in rows_of(out)}
    for path in out.rglob("*.dcm"):
        dataset, row = pydicom.dcmread(path), rows[path.relative_to(out).as_posix()]
        image = image_of(path.name, bits=12)
        assert str(dataset.PatientName) == "SYNTHETIC^PHANTOM"
        assert "SYNTHETIC" in dataset.ImageComments and dataset.BurnedInAnnotation == "YES"
        assert dataset.PatientID == row["patient"] and dataset.PatientSex == row["sex"]
        assert dataset.PatientAge == f"{int(row['age']):03d}Y" and dataset.ViewPosition == "PA"
        assert (dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit) == (16, 12, 11)
        assert dataset.PixelSpacing[0] * dataset.Rows == pytest.approx(430, rel=1e-3)
        stored = dataset.pixel_array
        if dataset.PhotometricInterpretation == "MONOCHROME1":
            stored = 4095 - stored
        assert np.array_equal(stored, image.pixels)
        interpretations.add(dataset.PhotometricInterpretation)
        modalities.add(dataset.Modality)
        studies.add(dataset.StudyInstanceUID)
    assert interpretations == {"MONOCHROME1", "MONOCHROME2"}
    assert modalities == {"CR", "DX"} and len(studies) == 24


def test_dicom_files_are_the_same_each_time(tmp_path: Path) -> None:
    first, second = (
        write_phantom(tmp_path / name, n_images=2, size=64, format="dicom") for name in "ab"
    )
    for path in first.rglob("*.dcm"):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes()


def test_mixed_has_all_three_formats_in_both_classes(tmp_path: Path) -> None:
    out = write_phantom(tmp_path / "x", n_images=40, size=64, format="mixed")
    for label in ("NORMAL", "PNEUMONIA"):
        assert {p.suffix for p in (out / label).iterdir()} == {".jpeg", ".png", ".dcm"}


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"format": "tiff"}, UnknownName, "tiff"),
        ({"layout": "split"}, UnknownName, "splits"),
        ({"n_images": 0}, UsageError, "0 images"),
        ({"size": 10}, UsageError, "size 10"),
    ],
)
def test_wrong_options_are_refused(
    tmp_path: Path, options: dict[str, object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        write_phantom(tmp_path / "x", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="not an empty folder"):
        write_phantom(tmp_path, n_images=2, size=64)
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    assert len(rows_of(write_phantom(tmp_path / "x", n_images=2, size=64))) == 2


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(module, "_write_manifest", fail)
    with pytest.raises(RuntimeError):
        write_phantom(tmp_path / "x", n_images=2, size=64)
    assert list(tmp_path.iterdir()) == []
