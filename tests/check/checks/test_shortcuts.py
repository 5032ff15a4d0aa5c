from __future__ import annotations

import numpy as np
import pytest

from cxr.check.checks import shortcuts
from cxr.check.checks.shortcuts import CUES, check_shortcuts, class_rows
from cxr.check.scan import SIDE, FileFacts
from cxr.pixels import StoredFacts

N = 160
NAMES = np.array(["NORMAL", "PNEUMONIA"])


@pytest.fixture
def sick():
    return np.random.default_rng(0).integers(0, 2, N)


@pytest.fixture
def noise():
    return np.random.default_rng(1).integers(60, 180, (N, SIDE, SIDE), dtype=np.uint8)


@pytest.fixture
def only(monkeypatch):
    """`only("shortcut-file")` looks at this cue alone."""

    def choose(code):
        monkeypatch.setattr(shortcuts, "CUES", [cue for cue in CUES if cue.code == code])

    return choose


def files_of_width(widths):
    stored = StoredFacts("jpeg", quantisation=20.0)
    return [FileFacts(1000, 300, int(width), "x", stored=stored) for width in widths]


def found_by(code, findings):
    return next(finding for finding in findings if finding.code == code)


def test_width_gives_the_label_away(made_scan, sick, only):
    only("shortcut-file")
    rng = np.random.default_rng(0)
    widths = 400 + 100 * sick + rng.normal(0, 10, N)
    (found,) = check_shortcuts(made_scan(NAMES[sick], files=files_of_width(widths)))
    assert (found.severity, found.group) == ("warning", "PNEUMONIA")
    assert found.evidence["auroc"]["value"] > 0.99
    assert found.evidence["auroc"]["n"] == found.evidence["patients"] == N
    assert next(iter(found.evidence["factors"])) in ("width", "aspect", "bytes per pixel")
    assert found.action


def test_facts_that_say_nothing(made_scan, sick, only):
    only("shortcut-file")
    widths = np.random.default_rng(1).normal(400, 50, N)
    (found,) = check_shortcuts(made_scan(NAMES[sick], files=files_of_width(widths)))
    assert found.severity == "info" and found.action == "" and "examples" not in found.evidence
    figure = found.evidence["auroc"]
    assert figure["low"] < figure["value"] < figure["high"] and figure["value"] < 0.65


def test_brightness_gives_the_label_away(made_scan, sick, noise, only):
    only("shortcut-statistics")
    brighter = noise + (20 * sick)[:, None, None].astype(np.uint8)
    (found,) = check_shortcuts(made_scan(NAMES[sick], squares=brighter))
    assert found.severity == "warning" and found.evidence["auroc"]["value"] > 0.99
    images = found.evidence["examples"]
    assert len(images) == 6
    assert images[0]["caption"] == "most like PNEUMONIA, is PNEUMONIA"
    assert images[-1]["caption"] == "least like PNEUMONIA, is not PNEUMONIA"


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("shortcut-borders", np.s_[:, :4, :60]),
        ("shortcut-borders", np.s_[:, -6:, -6:]),
        ("shortcut-thumbnail", np.s_[:, 48:64, 64:80]),
        ("shortcut-surroundings", np.s_[:, 3:13, 3:13]),
    ],
)
def test_a_mark_is_seen_by_its_cue(made_scan, sick, noise, only, code, changed):
    only(code)
    marked = noise.copy()
    marked[changed] = np.where(sick[:, None, None] == 1, 255, marked[changed])
    (plain,) = check_shortcuts(made_scan(NAMES[sick], squares=noise))
    (found,) = check_shortcuts(made_scan(NAMES[sick], squares=marked))
    assert plain.evidence["auroc"]["value"] < 0.7 < 0.95 < found.evidence["auroc"]["value"]


def test_the_masked_centre_is_not_seen(made_scan, sick, noise, only):
    only("shortcut-surroundings")
    marked = noise.copy()
    marked[:, 40:80, 40:80] = np.where(sick[:, None, None] == 1, 255, 0)
    (found,) = check_shortcuts(made_scan(NAMES[sick], squares=marked))
    assert found.evidence["auroc"]["value"] < 0.7


def test_cues_without_anatomy_come_first_then_the_most_telling(made_scan, sick, noise):
    marked = noise.copy()
    marked[sick == 1, :4] = 255  # all of the images' cues see it, those of the files do not
    codes = [finding.code for finding in check_shortcuts(made_scan(NAMES[sick], squares=marked))]
    assert codes[:2] == ["shortcut-statistics", "shortcut-file"]
    assert set(codes[2:]) == {"shortcut-borders", "shortcut-thumbnail", "shortcut-surroundings"}


def test_too_few_patients_say_nothing(made_scan):
    labels = NAMES[(np.arange(N) < 19).astype(int)]
    assert check_shortcuts(made_scan(labels)) == []


def test_no_labels_or_one_class_say_nothing(made_scan):
    assert check_shortcuts(made_scan(["NORMAL"] * N)) == []


def test_each_of_several_labels_without_what_is_not_known(made_scan, sick, only):
    only("shortcut-file")
    labels = {"X": sick.astype(float), "Y": 1.0 - sick}
    labels["X"][1] = np.nan
    files = files_of_width(np.random.default_rng(4).normal(400, 50, N))
    files[0] = FileFacts(10, error="damaged")
    found = {f.group: f for f in check_shortcuts(made_scan(labels, files=files))}
    assert {name: f.evidence["auroc"]["n"] for name, f in found.items()} == {"X": N - 2, "Y": N - 1}


def test_of_many_classes_the_largest(made_scan, only):
    only("shortcut-file")
    labels = [f"class {i % 7}" for i in range(7 * 20)] + ["class 6"] * 40
    found = check_shortcuts(made_scan(labels))
    assert len(found) == shortcuts.MAX_CLASSES and "class 6" in {f.group for f in found}


def test_a_sample_takes_whole_patients(made_scan, monkeypatch):
    patients = [f"p{i // 4}" for i in range(N)]
    scan = made_scan(NAMES[(np.arange(N) // 4) % 2], patients=patients)
    assert class_rows(scan, 1, 40) is None  # too few patients are left
    monkeypatch.setattr(shortcuts, "MIN_PATIENTS", 10)
    rows = class_rows(scan, 1, 120)
    assert len(rows) == 120 and set(np.bincount(scan.groups[rows])) <= {0, 4}
    np.testing.assert_array_equal(rows, class_rows(scan, 1, 120))


def test_real_images_tell_their_label_by_how_they_were_made(shared_data, scan_of, only):
    """The measured fact that this check exists for; a part of the set, for time."""
    from cxr.check.scan import scan
    from cxr.find import read_manifest

    only("shortcut-statistics")
    manifest = read_manifest(shared_data / "kermany224")
    rows = np.random.default_rng(0).permutation(len(manifest))[:1500]
    (found,) = check_shortcuts(scan(manifest.select(rows)))
    assert found.severity == "warning" and 0.9 < found.evidence["auroc"]["value"] < 0.96
