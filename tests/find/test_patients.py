from __future__ import annotations

from pathlib import Path, PureWindowsPath

import pytest

from cxr.errors import UsageError
from cxr.find.files import get_image_files
from cxr.find.patients import PATTERNS, detect_pattern, identity_note, patients_of


@pytest.mark.parametrize(
    ("path", "pattern", "patient"),
    [
        ("train/PNEUMONIA/person63_bacteria_306.jpeg", "kermany", "person63_bacteria"),
        ("person63_virus_126.jpeg", "kermany", "person63_virus"),
        ("person1_virus_13_2.jpeg", "kermany", "person1_virus"),
        ("person63_bacteria_306_rotated.png", "kermany", "person63_bacteria"),
        ("IM-0115-0001.jpeg", "kermany", "IM-0115"),
        ("IM-0640-0001-0001.jpeg", "kermany", "IM-0640"),
        ("NORMAL2-IM-0383-0001.jpeg", "kermany", "NORMAL2-IM-0383"),
        ("NORMAL2-IM-1152-0001-0001.jpeg", "kermany", "NORMAL2-IM-1152"),
        ("BACTERIA-1083680-0001.jpeg", "kermany", "BACTERIA-1083680"),
        ("VIRUS-7396450-0002.jpeg", "kermany", "VIRUS-7396450"),
        ("NORMAL-4512-0001.jpeg", "kermany", "NORMAL-4512"),
        ("images_001/00000013_005.png", "nih", "00000013"),
        ("train/patient00001/study1/view1_frontal.jpg", "chexpert", "patient00001"),
        ("files/p10/p10000032/s50414267/02aa804e.jpg", "mimic", "p10000032"),
        ("NORMAL/phantom0012_003.png", "phantom", "phantom0012"),
    ],
)
def test_each_pattern_reads_its_own_names(path, pattern, patient):
    assert PATTERNS[pattern].patient(path) == patient
    assert patients_of([path]) == [patient]
    assert [name for name in PATTERNS if PATTERNS[name].patient(path)] == [pattern]


def test_other_names_have_no_patient():
    paths = ["scan.png", "person_of_interest.png", "IM.png", "2024_001.png", "patient1/a.png"]
    assert patients_of(paths) == [None] * 5
    assert detect_pattern(paths) is None
    assert detect_pattern([]) is None


def test_paths_of_any_system():
    assert patients_of([PureWindowsPath(r"p10\p10000032\s50414267\a.jpg")]) == ["p10000032"]
    assert patients_of([r"p10\p10000032\s50414267\a.jpg"]) == ["p10000032"]
    assert patients_of([Path("x") / "00000013_005.png"]) == ["00000013"]


def test_study_names_its_patient():
    assert PATTERNS["chexpert"].study("patient00001/study1/a.jpg") == "patient00001/study1"
    assert PATTERNS["mimic"].study("p10000032/s50414267/a.jpg") == "p10000032/s50414267"
    assert PATTERNS["nih"].study("00000013_005.png") is None


def test_nearly_all_names_must_fit():
    fitting = [f"{index:08}_000.png" for index in range(95)]
    found = detect_pattern([*fitting, *["other.png"] * 5])
    assert found is PATTERNS["nih"]
    assert detect_pattern([*fitting, *["other.png"] * 6]) is None
    assert patients_of([*fitting, "other.png"])[-1] is None


def test_two_data_sets_in_one_folder():
    paths = ["00000013_005.png", "IM-0115-0001.jpeg", "person63_bacteria_306.jpeg"]
    found = detect_pattern(paths)
    assert found is not None
    assert found.name == "kermany+nih"
    assert patients_of(paths) == ["00000013", "IM-0115", "person63_bacteria"]


def test_own_pattern():
    paths = ["siteA/P7_1.png", "siteB/P8_1.png", "siteB/x.png"]
    assert patients_of(paths, r"/(P\d+)_") == ["P7", "P8", None]
    assert patients_of(paths, r"(\w+)/(?P<patient>P\d+)_") == ["P7", "P8", None]
    assert patients_of(["00000013_005.png"], "nih") == ["00000013"]
    assert patients_of(["00000013_005.png"], None) == [None]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(P[0-9]+", "not a regular expression"),
        (r"P\d+", "neither a known name .*kermany.* nor a regular expression with a group"),
        ("nhi", "neither a known name"),
        (r"(Q\d+)", "fits none of 1 paths"),
    ],
)
def test_bad_patterns_are_refused(pattern, message):
    with pytest.raises(UsageError, match=message):
        patients_of(["P7_1.png"], pattern)


def test_note():
    assert identity_note(["a", "a", "b"], "file names").startswith(
        "2 patients in 3 images, from file names"
    )
    assert "1 images have no patient" in identity_note(["a", None], "file names")
    assert identity_note([None, None], None).startswith("no patient identity was found for 2")
    assert "private-id" not in identity_note(["private-id"], "the column 'patient'")


def test_real_names(shared_data):
    files = get_image_files(shared_data / "kermany224")
    patients = patients_of(files)
    assert None not in patients
    assert detect_pattern(files) is PATTERNS["kermany"]
    # The part before the last number, or before the numbers that follow `IM-0000`.
    expected = {
        "-".join(name.split("-")[: 3 if name.startswith("NORMAL2") else 2])
        if "IM-" in name
        else "_".join(name.split("_")[:2])
        for name in (file.stem for file in files)
    }
    assert set(patients) == expected
    assert len(expected) == 3669
