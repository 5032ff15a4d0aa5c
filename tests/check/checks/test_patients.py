from __future__ import annotations

import json

import numpy as np
import pytest

from cxr.check.checks.labels import HELD_OUT
from cxr.check.checks.patients import check_patients, expected_leak


def by_code(findings):
    return {finding.code: finding for finding in findings}


def test_how_patients_were_found(images, scan_of):
    data = images("A/IM-0001-0001.png", "A/IM-0001-0002.png", "B/person1_virus_1.png")
    (found,) = check_patients(scan_of(data))
    assert (found.code, found.severity) == ("patients", "info")
    assert "kermany" in found.message
    assert found.evidence == {"images": 3, "patients": 2, "without_patient": 0}


def test_no_patient_at_all_is_a_warning(images, scan_of):
    (found,) = check_patients(scan_of(images("A/1.png", "B/2.png")))
    assert (found.code, found.severity) == ("no-patients", "warning")
    assert "--patient-pattern" in found.action


def test_images_without_a_patient(images, scan_of):
    data = images("1.png", "2.png", "3.png")
    (data / "t.csv").write_text("path,label,patient\n1.png,A,p1\n2.png,B,p2\n3.png,B,\n")
    found = by_code(check_patients(scan_of(data / "t.csv")))
    assert found["without-patient"].severity == "info"
    assert "1 of 3" in found["without-patient"].message


def test_a_patient_in_two_parts_is_an_error(images, scan_of):
    data = images(
        *("train/A/person1_virus_1.png", "train/A/person1_virus_2.png", "train/B/IM-0001-0001.png"),
        *("val/A/person1_virus_3.png", "val/B/IM-0002-0001.png"),
        *("test/A/person9_virus_1.png", "test/B/IM-0003-0001.png"),
    )
    found = by_code(check_patients(scan_of(data)))["patients-across-splits"]
    assert found.severity == "error" and found.group == "train, valid"
    assert found.evidence["patients"] == 1
    assert found.evidence["images"] == {"train": 2, "valid": 1}
    assert found.evidence["leaked"] == {"part": "valid", "images": 1, "n": 2}
    assert found.evidence["leaked_share"] == 0.5 and "1 of 2 valid images" in found.message


def test_patients_kept_apart(images, scan_of):
    data = images(
        *("train/A/person1_virus_1.png", "train/B/IM-0001-0001.png"),
        *("val/A/person2_virus_3.png", "val/B/IM-0002-0001.png"),
    )
    assert set(by_code(check_patients(scan_of(data)))) == {"patients"}


def test_a_patient_of_two_classes_is_a_warning(images, scan_of):
    data = images("1.png", "2.png", "3.png", "4.png")
    (data / "t.csv").write_text(
        "path,label,patient\n1.png,A,Jane Roe\n2.png,B,Jane Roe\n3.png,A,p2\n4.png,B,p3\n"
    )
    findings = check_patients(scan_of(data / "t.csv"))
    found = by_code(findings)["patients-across-labels"]
    assert found.severity == "warning"
    assert found.evidence == {"patients": 1, "images": 2}
    assert "Jane" not in json.dumps([finding.to_dict() for finding in findings])


def test_several_findings_may_come_and_go(images, scan_of):
    data = images("1.png", "2.png")
    (data / "t.csv").write_text("path,X,Y,patient\n1.png,1,0,p\n2.png,0,1,p\n")
    found = by_code(check_patients(scan_of(data / "t.csv", label_columns=("X", "Y"))))
    assert set(found) == {"patients"}


@pytest.mark.parametrize("sizes", [[1] * 50, [3] * 20 + [1] * 40, [30, 2, 2, 2, 1, 1, 1]])
def test_what_a_random_split_leaks_on_average(sizes):
    """Against splits drawn at random."""
    patients = np.repeat(np.arange(len(sizes)), sizes)
    n, rng, shares = len(patients), np.random.default_rng(0), []
    for _ in range(2000):
        order = rng.permutation(n)
        valid, train = order[: round(HELD_OUT * n)], order[round(HELD_OUT * n) :]
        shares.append(np.isin(patients[valid], patients[train]).mean())
    expected = expected_leak(np.repeat(sizes, sizes), n)
    assert expected == pytest.approx(np.mean(shares), abs=0.02)


def test_a_random_split_that_leaks_is_a_warning(images, scan_of):
    data = images(*(f"A/IM-{i:04}-{j:04}.png" for i in range(5) for j in range(4)))
    found = by_code(check_patients(scan_of(data)))["random-split-leaks"]
    assert found.severity == "warning" and "--split patient" in found.action
    assert 0.9 < found.evidence["leaked_share"] <= 1
