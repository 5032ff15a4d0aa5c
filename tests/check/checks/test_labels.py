from __future__ import annotations

import pytest
from scipy.stats import binomtest

from cxr.check.checks.labels import check_labels, wilson


def by_code(findings):
    return {finding.code: finding for finding in findings}


@pytest.mark.parametrize(("k", "n"), [(9, 10), (45, 50), (900, 1000), (0, 7), (3, 3)])
def test_wilson_agrees_with_scipy(k, n):
    theirs = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k / n, n, z=1.959963984540054) == pytest.approx(
        (theirs.low, theirs.high), abs=1e-9
    )


def test_wilson_of_nothing_is_everything():
    assert wilson(0.9, 0) == (0.0, 1.0)


def test_counts_images_and_patients(images, scan_of):
    data = images("A/IM-0001-0001.png", "A/IM-0001-0002.png", "B/person1_virus_1.png")
    found = by_code(check_labels(scan_of(data)))["classes"]
    assert found.severity == "info"
    assert found.message == "A 2 images of 1 patients, B 1 images of 1 patients"
    assert found.evidence == {
        "A": {"images": 2, "patients": 1},
        "B": {"images": 1, "patients": 1},
    }


def test_without_patients_images_are_counted(images, scan_of):
    found = by_code(check_labels(scan_of(images("A/1.png", "A/2.png", "B/3.png"))))
    assert found["classes"].message == "A 2 images, B 1 images"
    assert "0 images with B" in found["class-too-small"].message


def test_no_label_at_all(images, scan_of):
    assert check_labels(scan_of(images("1.png", "2.png"))) == []


@pytest.mark.parametrize(("n_small", "expected"), [(1, True), (2, False)])
def test_imbalance(images, scan_of, n_small, expected):
    data = images(*(f"A/{i}.png" for i in range(10)), *(f"B/{i}.png" for i in range(n_small)))
    found = by_code(check_labels(scan_of(data)))
    assert ("imbalance" in found) is expected
    if expected:
        assert "call every image A would be right in 91%" in found["imbalance"].message


def test_a_part_too_small_to_measure_on(images, scan_of):
    data = images(
        *(
            f"{part}/{label}/{i}.png"
            for part in ("train", "val")
            for label in "AB"
            for i in range(4)
        ),
        *(f"val/B/more{i}.png" for i in range(36)),
        side=16,
    )
    findings = check_labels(scan_of(data))
    (found,) = [finding for finding in findings if finding.code == "class-too-small"]
    assert (found.group, found.evidence["part"], found.evidence["images"]) == ("A", "valid", 4)
    low, high = wilson(0.9, 4)
    assert (found.evidence["low"], found.evidence["high"]) == (low, high)
    assert f"{low:.0%} to {high:.0%}" in found.message


def test_classes_of_many_patients_pass(images, scan_of):
    names = [f"{label}/{i}.png" for label in "AB" for i in range(200)]
    assert set(by_code(check_labels(scan_of(images(*names, side=16))))) == {"classes"}


def test_several_labels(images, scan_of):
    data = images(*(f"{i}.png" for i in range(4)))
    (data / "t.csv").write_text("path,X,Y\n0.png,1,0\n1.png,0,\n2.png,1,0\n3.png,,1\n")
    found = by_code(check_labels(scan_of(data / "t.csv", label_columns=("X", "Y"))))
    assert found["classes"].evidence == {"X": {"images": 2}, "Y": {"images": 1}}
    assert "imbalance" not in found
