from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cxr.apply import Predictor, load_learner, predict_files
from cxr.apply.decision.confidence import (
    CHEST_RULE,
    LEAST_SURE,
    NO_RULES,
    Confidence,
    confidences,
    rules_in_words,
)
from cxr.backbones.infer import logits_and_features_of
from cxr.bundle.abstention import (
    AbstentionRules,
    ConformalRule,
    FeatureDistribution,
    NotFitted,
    OutOfDistributionDetector,
    layout,
)
from cxr.cli._output import prediction_line

WriteModel = Callable[..., Path]
INF = np.inf


def unlike(predictor: Predictor, limit: float) -> OutOfDistributionDetector:
    """Every image is 1 / limit away: no scale, one axis of no weight."""
    pixels = np.zeros((1, 64, 64), np.uint8)
    seen = logits_and_features_of(predictor.network, pixels)
    widths = {"features": seen.features.shape[1], "middle": seen.middle.shape[1], "layout": 64}
    parts = {
        name: FeatureDistribution(
            np.zeros(d, np.float32),
            np.full(d, 1e9, np.float32),
            np.zeros((1, d), np.float32),
            np.zeros(1, np.float32),
            middle=0.5 * np.log(1e-6) - 1,  # the least log distance that is told, less 1
        )
        for name, d in widths.items()
    }
    return OutOfDistributionDetector(parts, limit, 0.02, 500)


def with_rules(
    predictor: Predictor,
    limits: Sequence[object] | str = (0.0, 0.0),
    limit: float | str = 2.0,
) -> Predictor:
    """`limits` of the classes and `limit` of the distance, or why there are none."""
    counts = np.full(np.shape(limits), 50)
    return with_abstention(
        predictor,
        AbstentionRules(
            NotFitted(limits)
            if isinstance(limits, str)
            else ConformalRule(0.05, np.array(limits, float), counts),
            NotFitted(limit) if isinstance(limit, str) else unlike(predictor, limit),
        ),
    )


def with_abstention(predictor: Predictor, abstention: AbstentionRules) -> Predictor:
    return replace(predictor, rules=replace(predictor.rules, abstention=abstention))


@pytest.fixture
def predictor(write_model: WriteModel) -> Predictor:
    return load_learner(write_model(population="1,200 children of Guangzhou"))


def judge(
    predictor: Predictor, logits: Sequence[float], distance: float | None = 0.4
) -> Confidence:
    tensor = torch.tensor([logits], dtype=torch.float32)
    calibrated = predictor.probabilities(tensor, calibrated=True).tolist()
    far = None if distance is None else np.array([distance])
    return confidences(predictor.rules, tensor.numpy(), far, calibrated)[0]


def test_confident_where_the_decision_is_the_only_usual_class(predictor: Predictor) -> None:
    """Temperature 1.7, threshold 0.4."""
    sure = judge(with_rules(predictor), (0.0, 3.0))
    share = pytest.approx(1 / (1 + np.exp(-3 / 1.7)))
    assert sure == Confidence("confident", (), share, True, False, "")
    assert judge(with_rules(predictor), (3.0, 0.0)).confident
    both = judge(with_rules(predictor, (1.0, 1.0)), (0.0, 0.5))
    assert both.confident is False and "may be NORMAL or PNEUMONIA" in both.reason
    none = judge(with_rules(predictor, (-1.0, -1.0)), (0.0, 0.5))
    assert none.confident is False and "borderline" in none.reason and "95 %" in none.reason
    other = judge(with_rules(predictor), (0.2, 0.0))
    assert other.confident is False and "decided PNEUMONIA" in other.reason


def test_an_unlike_image_is_never_confident(predictor: Predictor) -> None:
    for limits in ((0.0, 0.0), "too few patients"):
        far = judge(with_rules(predictor, limits), (0.0, 3.0), 3.14)
        assert far.out_of_distribution is True and far.confident is False
        assert far.reason.startswith("unlike the training images (distance 3.1 times their limit)")
        assert "they were: 1,200 children of Guangzhou" in far.reason
    assert judge(with_rules(predictor), (0.0, 3.0), 1.0).out_of_distribution is False


def test_what_was_not_judged_is_null_and_says_why(predictor: Predictor) -> None:
    old = judge(predictor, (0.0, 3.0), None)
    assert (old.confident, old.out_of_distribution) == (None, None)
    assert (old.status, old.not_judged, old.reason) == ("not judged", (NO_RULES,), "")
    few = judge(with_rules(predictor, "30 patients"), (0.0, 3.0))
    assert (few.confident, few.out_of_distribution) == (None, False)
    assert few.status == "not judged" and few.reason == ""
    assert few.not_judged == ("whether to be confident: 30 patients",)
    blind = judge(with_rules(predictor, limit="99 images"), (0.0, 3.0), None)
    assert (blind.confident, blind.out_of_distribution) == (True, None)
    assert blind.status == "not judged"
    assert blind.not_judged == ("whether it is unlike the training images: 99 images",)


def test_never_confident_of_what_it_calls_a_matter_of_luck(predictor: Predictor) -> None:
    """A rule of a weak model may leave one class only, at 59 of 100."""
    weak = judge(with_rules(predictor, (9.0, -9.0)), (0.62, 0.0))
    assert weak.confident is False and weak.status == "abstains"
    weak = judge(with_rules(predictor, (-0.3, 0.3)), (0.0, 0.62))
    assert weak.probability == pytest.approx(0.59, abs=0.005) and weak.confident is False
    assert weak.reason == "not clear enough: its own probability for PNEUMONIA is 0.59"
    sure = judge(with_rules(predictor, (-0.3, 0.3)), (0.0, 3.0))
    assert sure.confident and sure.probability > LEAST_SURE


def test_more_classes(write_model: WriteModel) -> None:
    plain = load_learner(write_model(classes=("A", "B", "C", "D", "E")))
    sure = judge(with_rules(plain, [0.0] * 5), (0, 9, 0, 0, 0))
    assert sure.confident and sure.probability == pytest.approx(1, abs=0.03)
    open_ = judge(with_rules(plain, [9.0] * 5), (0, 1, 0, 0, 0))
    assert open_.reason == "not clear enough: it may be A, B, C or 2 more"


def test_several_labels(write_model: WriteModel) -> None:
    plain = load_learner(write_model(classes=("Edema", "Mass", "Nodule"), multi_label=True))
    rule = with_rules(plain, [[0, 0], [1, 1], [np.nan, 0]])
    sure = judge(rule, (2, -3, 0.1))
    assert sure.confident and sure.reason == "not judged for want of validation patients: Nodule"
    assert sure.probability == pytest.approx(1 / (1 + np.exp(-2 / 1.7)))
    unsure = judge(rule, (2, -0.5, 0.1))
    assert not unsure.confident and unsure.reason.startswith("not clear enough: Mass; ")
    against = judge(with_rules(plain, [[-9, 9], [0, 0], [0, 0]]), (-2, -2, 2))
    assert against.reason == "not clear enough: Edema", "decided absent, usual for present"


def test_rows_and_answers_say_the_same(predictor: Predictor, films: list[Path]) -> None:
    for rules, alike in ((with_rules(predictor, limit=0.5), False), (with_rules(predictor), True)):
        rows = predict_files(rules, films)
        for film, row in zip(films, rows, strict=True):
            pixels = rules.pixels(film)[None]
            (found,) = rules.predictions(pixels)
            assert row["out_of_distribution"] is found.out_of_distribution is not alike
            assert found.probability == pytest.approx(row["probability"], abs=1e-5)
            assert found.probability == found.calibrated["PNEUMONIA"]
            assert (found.confident, found.reason) == (row["confident"], row["reason"])


def test_judging_changes_no_figure(predictor: Predictor, films: list[Path]) -> None:
    plain, judged = predict_files(predictor, films), predict_files(with_rules(predictor), films)
    for one, other in zip(plain, judged, strict=True):
        for name in ("most_probable", "decision", "prob_NORMAL", "prob_PNEUMONIA", "probability"):
            assert one[name] == other[name]


def test_an_unreadable_file_is_not_judged(predictor: Predictor, tmp_path: Path) -> None:
    (row,) = predict_files(with_rules(predictor), [tmp_path / "gone.png"])
    for name in ("probability", "confident", "out_of_distribution", "reason"):
        assert row[name] is None


def test_the_distance_is_that_of_the_rule(predictor: Predictor, films: list[Path]) -> None:
    rules = with_rules(predictor)
    parts = {
        n: replace(p, scale=p.scale / 1e9) for n, p in unlike(predictor, 2.0).distributions.items()
    }
    assert rules.rules.abstention is not None
    detector = OutOfDistributionDetector(parts, 2.0, 0.02, 500)
    rules = with_abstention(rules, replace(rules.rules.abstention, out_of_distribution=detector))
    pixels = np.stack([rules.pixels(film) for film in films])
    logits, far = rules.logits_and_distances(pixels)
    assert far is not None and np.array_equal(logits, rules.logits(pixels).numpy())
    seen = logits_and_features_of(rules.network, pixels)
    norms = [np.linalg.norm(x, axis=1) for x in (seen.features, seen.middle, layout(pixels))]
    expected = (np.mean(np.log(norms), axis=0) - 0.5 * np.log(1e-6) + 1) / 2
    np.testing.assert_allclose(far, expected, rtol=1e-4)


FIGURES = "A (A 0.7500, B 0.2500; operating threshold 0.392)"


@pytest.mark.parametrize(
    ("status", "not_judged", "reason", "line"),
    [
        ("confident", "", "", f"{FIGURES}, confident"),
        ("abstains", "", "x (3 times); more", f"{FIGURES}, not confident: x (3 times)"),
        (
            "not judged",
            "no lungs; whether",
            "",
            "Not judged: no lungs, and 1 more. Decision: A (operating threshold 0.392)",
        ),
        (
            "out of distribution",
            "whether",
            "unlike x; more",
            "Unlike x. Disregard the decision: A (operating threshold 0.392)",
        ),
    ],
)
def test_the_line_says_first_what_was_not_judged(
    status: str, not_judged: str, reason: str, line: str
) -> None:
    row = {"path": "a.png", "status": status, "not_judged": not_judged, "reason": reason}
    figures = {"decision": "A", "threshold_A": 0.392, "prob_A": 0.75, "prob_B": 0.25}
    assert prediction_line({**row, **figures, "error": None}) == f"a.png: {line}"


def test_python_says_first_what_was_not_judged(
    predictor: Predictor, films: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = predictor.pixels(films[0])[None]
    (found,) = predictor.predictions(pixels)
    assert repr(found) == str(found) and repr(found).startswith("Not judged: whether it is unlike")
    assert "operating threshold 0.4" in repr(found) and "0.4)" in repr(found)
    assert f"{found.probability:.2f}" not in repr(found)
    answer = predictor.predict(films[0])
    assert "Not judged: " in capsys.readouterr().err
    assert repr(answer).startswith("Not judged: ")
    name, index, chances = answer
    assert name == found.decision == predictor.vocab[int(index)]
    assert chances.tolist() == pytest.approx(list(found.calibrated.values()), abs=1e-5)


def test_the_rules_in_words(predictor: Predictor) -> None:
    old, chest = rules_in_words(predictor.rules)
    assert chest == CHEST_RULE and old == f"Not judged: {NO_RULES}."
    chest, sure, far = rules_in_words(with_rules(predictor).rules)
    assert chest == CHEST_RULE
    assert "95 % of the images of each class" in sure and "at least 50 patients" in sure
    assert "2 %" in far and "(500)" in far
    one, other, _ = rules_in_words(with_rules(predictor, "30 patients", "99 images").rules)
    assert one == "Not judged: whether it is unlike the training images: 99 images."
    assert other == "Not judged: whether to be confident: 30 patients."
