from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from cxr.check.checks import unusual
from cxr.check.checks.unusual import (
    ENOUGH,
    FAULTS,
    check_unusual,
    distances,
    lung_polarity,
)
from cxr.check.scan import SIDE
from cxr.pixels import WHOLE, locate_many

SEED = 0


def with_faults(scan, each):
    """The scan with `each` images of every fault in it, and which fault each row has."""
    squares = np.array(scan.squares)
    rows = np.random.default_rng(SEED).permutation(len(squares))
    planted = {}
    for i, fault in enumerate(FAULTS):
        some = rows[i * each : (i + 1) * each]
        squares[some] = fault.simulate(squares[some])
        planted |= dict.fromkeys(some.tolist(), fault.code)
    return replace(scan, squares=squares, frames=locate_many(squares)), planted


def found_in(scan):
    row = {name: i for i, name in enumerate(scan.names)}
    return {row[f.path.as_posix()]: f.code for f in check_unusual(scan) if f.path is not None}


def test_turned_inverted_and_cut_images_are_found(phantom_scan):
    scan, planted = with_faults(phantom_scan, 3)
    found = found_in(scan)
    assert len(set(planted) & set(found)) >= 0.9 * len(planted)
    assert len(set(found) - set(planted)) <= 0.03 * len(scan.names)
    named = Counter(found[row] for row in planted if planted[row] == "inverted" and row in found)
    assert named.most_common(1)[0][0] == "inverted"


def test_an_upright_image_never_stands_under_upside_down(phantom_scan, monkeypatch):
    """However sure the model is of a turn: the lung frame sees which way up the lungs are."""

    def accused(scan, rows, like):
        chances = np.zeros((len(rows), 1 + len(FAULTS)))
        chances[:, 0] = 1
        chances[0] = np.eye(1 + len(FAULTS))[3]
        return chances

    monkeypatch.setattr(unusual, "fault_chances", accused)
    assert phantom_scan.frames[0].found and 0 not in found_in(phantom_scan)
    unseen = replace(phantom_scan, frames=[WHOLE] * len(phantom_scan.names))
    assert found_in(unseen)[0] == "upside-down"


def test_something_else_altogether(phantom_scan):
    rng = np.random.default_rng(1)
    squares = np.array(phantom_scan.squares)
    squares[5] = rng.integers(0, 256, (SIDE, SIDE))
    ys, xs = np.mgrid[:SIDE, :SIDE]
    squares[9] = ((ys // 16 + xs // 16) % 2 * 200).astype(np.uint8)
    assert {5, 9} <= set(found_in(replace(phantom_scan, squares=squares)))


def test_from_few_images_nothing_is_learnt(images, scan_of):
    found, *_ = check_unusual(scan_of(images("A/1.png", "B/2.png", side=100)))
    assert (found.code, found.severity) == ("too-few-to-compare", "info")
    assert found.evidence["needed"] == ENOUGH


def test_white_lungs_are_seen_in_a_small_set_too(phantom_scan, made_scan):
    squares = np.array(phantom_scan.squares[:6])
    squares[2] = 255 - squares[2]
    assert set(found_in(made_scan(["A"] * 6, squares=squares))) == {2}


def test_distance_is_about_what_most_rows_are():
    rng = np.random.default_rng(0)
    usual = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 50)) + rng.normal(0, 0.1, (400, 50))
    odd = rng.normal(0, 3, (60, 50))
    far = distances(np.concatenate([usual, odd]).astype(np.float32))
    assert np.median(far) == pytest.approx(1, abs=0.3)
    assert far[:400].max() < far[400:].min()


def test_real_images_turned_and_cut(shared_data):
    from cxr.check.scan import scan
    from cxr.find import read_manifest

    manifest = read_manifest(shared_data / "kermany224")
    rows = np.random.default_rng(0).permutation(len(manifest))[:400]
    scanned, planted = with_faults(scan(manifest.select(rows)), 8)
    found = found_in(scanned)
    assert len(set(planted) & set(found)) >= 0.95 * len(planted)
    assert len(set(found) - set(planted)) <= 0.02 * (len(rows) - len(planted))


def test_polarity_of_the_phantom_and_of_its_negative(phantom_scan):
    assert (lung_polarity(phantom_scan.squares) > 0).mean() > 0.97
    assert (lung_polarity(255 - phantom_scan.squares) < 0).mean() > 0.97


def test_polarity_of_real_images(shared_data):
    from cxr.find import read_manifest
    from cxr.pixels import load_grey

    paths = read_manifest(shared_data / "kermany224").paths()[::13]
    squares = np.stack([load_grey(path, SIDE) for path in paths])
    assert (lung_polarity(squares) < 0).mean() < 0.01
    assert (lung_polarity(255 - squares) < 0).mean() > 0.99
