from __future__ import annotations

import numpy as np
import pytest

from cxr.check.checks import shortcuts
from cxr.check.checks.shortcuts import CUES, check_shortcuts
from cxr.check.scan import SIDE, FileFacts, Scan
from cxr.pixels import LungFrame, StoredFacts, locate_many, resize
from cxr.pixels.resize import cut

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


def framed(across, width):
    return LungFrame(across - width / 2, 0.2, across + width / 2, 0.8, 0.9, "lungs")


def test_framing_that_gives_the_label_away(made_scan, sick, only):
    only("shortcut-framing")
    rng = np.random.default_rng(0)
    frames = [framed(0.5 + 0.02 * rng.normal(), 0.4 + 0.15 * one) for one in sick]
    (found,) = check_shortcuts(made_scan(NAMES[sick], frames=frames))
    assert found.severity == "warning" and found.evidence["auroc"]["value"] > 0.99
    assert found.message.startswith("How the images are framed")
    assert "tells NORMAL from PNEUMONIA with AUROC 1.000" in found.message
    assert "; after the cut to the lungs 0." in found.message
    assert "--frame lungs" in found.action and "framed alike" in found.action


def test_framing_of_another_sort_for_no_class(made_scan, only):
    """Several classes: each against the rest, and only the one that is framed otherwise."""
    only("shortcut-framing")
    rng = np.random.default_rng(3)
    labels = np.array(["A", "B", "C"])[rng.integers(0, 3, 300)]
    frames = [framed(0.5 + 0.05 * rng.normal(), 0.4 + 0.2 * (one == "C")) for one in labels]
    found = {
        finding.group: finding for finding in check_shortcuts(made_scan(labels, frames=frames))
    }
    assert found["C"].severity == "warning" and "tells C from the rest" in found["C"].message
    assert found["A"].severity == found["B"].severity == "info"


def looked_at(scan, squares):
    """`scan` with other images, and lungs found and cut on these."""
    frames = locate_many(squares)
    cuts = np.stack([cut(grey, one.box, SIDE) for grey, one in zip(squares, frames, strict=True)])
    return Scan(scan.manifest, scan.files, squares, frames, cuts)


def test_planted_framing_is_found_on_images_and_the_cut_takes_it_away(phantom_scan, only):
    only("shortcut-framing")
    (plain,) = check_shortcuts(phantom_scan)
    squares = np.array(phantom_scan.squares)
    for row in np.flatnonzero(phantom_scan.flags[:, 1] == 1):
        squares[row] = resize(np.pad(squares[row], 18), SIDE)
    (planted,) = check_shortcuts(looked_at(phantom_scan, squares))
    assert plain.severity == "info" and plain.evidence["auroc"]["value"] < 0.7
    assert planted.severity == "warning" and planted.evidence["auroc"]["value"] > 0.95
    left = planted.evidence["auroc_after_cut"]["value"]
    assert left < planted.evidence["auroc"]["value"] - 0.15
    captions = [figure.caption for figure in planted.figures]
    assert len(captions) == 4
    assert captions[0].startswith("NORMAL, whole image: mean of ")
    assert captions[3].startswith("PNEUMONIA, cut to the lungs: mean of ")


def test_framing_is_not_judged_where_no_lungs_are_found(made_scan, sick, only):
    only("shortcut-framing")
    (found,) = check_shortcuts(made_scan(NAMES[sick]))
    assert (found.code, found.severity) == ("framing-not-judged", "info")
    assert "found in 0 of 160 images" in found.message


def test_what_the_cut_leaves_is_measured_beside_the_whole_image(made_scan, sick, noise, only):
    only("shortcut-borders")
    marked = noise.copy()
    marked[sick == 1, :4] = 255
    whole = made_scan(NAMES[sick], squares=marked)
    (found,) = check_shortcuts(Scan(whole.manifest, whole.files, marked, whole.frames, noise))
    assert found.evidence["auroc"]["value"] > 0.95
    assert found.evidence["auroc_after_cut"]["value"] < 0.7


def test_nothing_is_said_of_a_cut_that_was_not_made(made_scan, sick, only):
    only("shortcut-borders")
    scan = made_scan(NAMES[sick])
    (found,) = check_shortcuts(Scan(scan.manifest, scan.files, scan.squares))
    assert "auroc_after_cut" not in found.evidence and "the cut" not in found.message


def test_no_more_is_said_than_the_interval_bears(made_scan, sick, only):
    only("shortcut-file")
    rng = np.random.default_rng(1)
    (chance,) = check_shortcuts(
        made_scan(NAMES[sick], files=files_of_width(rng.normal(400, 50, N)))
    )
    shifted = 400 + 70 * sick + rng.normal(0, 50, N)
    (weak,) = check_shortcuts(made_scan(NAMES[sick], files=files_of_width(shifted)))
    assert chance.evidence["auroc"]["low"] <= 0.5
    assert chance.message.startswith("It is not shown that the file")
    assert weak.evidence["auroc"]["low"] > 0.5 and weak.evidence["auroc"]["value"] < 0.8
    assert "tells NORMAL from PNEUMONIA in part: AUROC" in weak.message


def test_cues_without_anatomy_come_first_then_the_most_telling(made_scan, sick, noise):
    marked = noise.copy()
    marked[sick == 1, :4] = 255  # all of the images' cues see it, those of the files do not
    frames = [framed(0.5, 0.4)] * N
    found = check_shortcuts(made_scan(NAMES[sick], squares=marked, frames=frames))
    codes = [finding.code for finding in found]
    assert set(codes[:2]) == {"shortcut-file", "shortcut-framing"}
    seen = [finding.evidence["auroc"]["value"] for finding in found[2:]]
    assert len(seen) == 4 and seen == sorted(seen, reverse=True)


def test_too_few_patients_are_not_judged(made_scan):
    labels = NAMES[(np.arange(N) < 19).astype(int)]
    (found,) = check_shortcuts(made_scan(labels))
    assert (found.code, found.severity) == ("shortcuts-not-judged", "info")
    assert "has 19 patients, and 20 are needed" in found.message


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


def test_real_images_tell_their_label_by_how_they_were_made(shared_data, scan_of, only):
    """The measured fact that this check exists for; a part of the set, for time."""
    from cxr.check.scan import scan
    from cxr.find import read_manifest

    only("shortcut-statistics")
    manifest = read_manifest(shared_data / "kermany224")
    rows = np.random.default_rng(0).permutation(len(manifest))[:1500]
    (found,) = check_shortcuts(scan(manifest.select(rows)))
    assert found.severity == "warning" and 0.9 < found.evidence["auroc"]["value"] < 0.96
