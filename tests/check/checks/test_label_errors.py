from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cxr.check.checks.label_errors import check_mislabelled, confidently_other
from cxr.check.scan import Scan


def with_features(scan: Scan, features) -> Scan:
    scan.__dict__["features"] = np.asarray(features, np.float32)
    return scan


@pytest.fixture
def flipped(made_scan):
    """300 images whose features tell the class, 6 of them with the wrong label."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 300)
    wrong = rng.choice(300, 6, replace=False)
    given = truth.copy()
    given[wrong] ^= 1
    features = truth[:, None] + rng.normal(0, 0.5, (300, 20))
    scan = made_scan(np.array(["NORMAL", "PNEUMONIA"])[given])
    return with_features(scan, features), {f"{row}.png" for row in wrong}


def test_wrong_labels_come_first(flipped):
    scan, wrong = flipped
    (found,) = check_mislabelled(scan)
    ranking = found.evidence["ranking"]
    assert {one["path"] for one in ranking[:6]} == wrong
    assert found.severity == "warning" and found.evidence["doubtful"] >= 5
    assert sum(one["doubtful"] for one in ranking[:6]) >= 5
    assert all(one["label"] != one["looks_like"] for one in ranking)
    scores = [one["score"] for one in ranking]
    assert scores == sorted(scores)
    assert found.evidence["examples"][0]["path"] == ranking[0]["path"]


def test_the_ranking_holds_a_twentieth_at_least(flipped):
    (found,) = check_mislabelled(flipped[0])
    assert len(found.evidence["ranking"]) >= 0.05 * 300
    assert found.evidence["labels"] == 300


def test_each_finding_of_several_is_looked_at(made_scan):
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, (300, 2)).astype(float)
    given = truth.copy()
    given[7, 1] = 1 - given[7, 1]
    given[8, 0] = np.nan
    scan = made_scan({"edema": given[:, 0], "mass": given[:, 1]})
    features = np.repeat(truth, 10, axis=1) + rng.normal(0, 0.3, (300, 20))
    (found,) = check_mislabelled(with_features(scan, features))
    first = found.evidence["ranking"][0]
    assert first["path"] == "7.png" and {first["label"], first["looks_like"]} == {"mass", "no mass"}
    assert found.evidence["labels"] == 599


def test_too_few_patients_to_learn_from(made_scan):
    labels = ["A"] * 30 + ["B"] * 9
    assert check_mislabelled(with_features(made_scan(labels), np.zeros((39, 4)))) == []


def test_a_model_that_cannot_tell_the_classes_has_no_say(made_scan):
    rng = np.random.default_rng(0)
    labels = np.array(["A", "B"])[rng.integers(0, 2, 200)]
    scan = with_features(made_scan(labels), rng.normal(size=(200, 20)))
    assert check_mislabelled(scan) == []


def test_no_labels_at_all(images, scan_of):
    assert check_mislabelled(scan_of(images("1.png", "2.png"))) == []


def test_thresholds_are_the_classes_own():
    """Confident learning by hand: class 0 is told at 0.6 on average, class 1 at 0.8."""
    chances = np.array([[0.7, 0.3], [0.5, 0.5], [0.15, 0.85], [0.2, 0.8], [0.35, 0.65]])
    labels = np.array([0, 0, 1, 1, 0])
    other, doubtful = confidently_other(chances, labels)
    assert other.tolist() == [1, 1, 0, 0, 1]
    assert doubtful.tolist() == [False] * 5  # 0.65 is below the 0.825 of class 1
    chances[4] = [0.1, 0.9]
    assert confidently_other(chances, labels)[1].tolist() == [False] * 4 + [True]


def test_planted_flips_among_real_images(shared_data):
    """2 % of the labels turned round; a part of the set, for time."""
    from cxr.check.scan import scan
    from cxr.find import read_manifest

    manifest = read_manifest(shared_data / "kermany224")
    rng = np.random.default_rng(0)
    manifest = manifest.select(rng.permutation(len(manifest))[:1500])
    wrong = rng.choice(1500, 30, replace=False)
    labels = manifest.table["label"].to_numpy(object).copy()
    labels[wrong] = np.where(labels[wrong] == "NORMAL", "PNEUMONIA", "NORMAL")
    manifest = replace(manifest, table=manifest.table.assign(label=labels))
    (found,) = check_mislabelled(scan(manifest))
    top = {one["path"] for one in found.evidence["ranking"][:75]}
    planted = set(manifest.table["path"].iloc[wrong])
    assert len(top & planted) >= 0.7 * len(planted)
