"""The operating threshold: the probability from which an image is called positive."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, UsageError
from .predictions import Predictions

Floats = NDArray[np.float64]
RULES = (
    "youden, sensitivity:0.95 or specificity:0.9 (any share from 0 to 1), cost:5 (a missed case is "
    "as bad as 5 false alarms) or cost:5@0.2 (the same where 20 % have the finding)"
)
DEFAULT_RULE = "youden"
GRID = 1001  # thresholds tried on the log-odds scale
OUTERMOST = 1e-12  # probabilities nearer to 0 or 1 count as this far from them


@dataclass(frozen=True)
class ThresholdRule:
    """`amount` is the share wanted or the cost; `prevalence` None is that of the images at hand."""

    kind: str
    amount: float = 1.0
    prevalence: float | None = None


def choose_threshold(predictions: Predictions, rule: str = "youden") -> float:
    """A threshold in (0, 1) for two classes; choose it on validation images, never on test ones.

    `youden` maximises sensitivity + specificity - 1 (Youden, 1950). `cost:5` makes the expected
    cost least where a missed case weighs as much as 5 false alarms; `cost:5@0.2` weighs the two
    classes as they are met where a share of 0.2 has the finding (Metz, 1978,
    doi:10.1016/S0001-2998(78)80014-2). Both are read off the smoothed distributions of the two
    classes, not off these very images (see `_least_cost`). `sensitivity:0.95` is the highest
    threshold that finds that share of the positives, `specificity:0.9` the lowest that clears that
    share of the negatives, midway between two neighbouring scores, so that a last digit that
    differs elsewhere changes no decision.
    Raises UsageError for another rule or other than two classes, DataError when the images are
    all of one class or no threshold reaches the share.
    """
    truth = predictions.targets == predictions.positive_index
    return _choose(predictions.probabilities[:, predictions.positive_index], truth, rule)


def choose_label_thresholds(predictions: Predictions, rule: str) -> tuple[float, ...]:
    """(k,) the same for each of several labels, from the images where it is known.

    Raises DataError where a label is known to be present, or absent, in no image.
    """
    thresholds = []
    for index, name in enumerate(predictions.classes):
        known = ~np.isnan(predictions.targets[:, index])
        truth = predictions.targets[known, index] == 1
        try:
            thresholds.append(_choose(predictions.probabilities[known, index], truth, rule))
        except DataError as error:
            raise DataError(f"no threshold for {name}: {error}") from error
    return tuple(thresholds)


def require_rule_fits(rule: str | None, classes: int, multi_label: bool) -> None:
    """Raises UsageError for a rule that several classes which exclude each other cannot have."""
    if rule is not None and not multi_label and classes != 2:
        raise UsageError(
            f"threshold {rule!r} for {classes} classes that exclude each other, of which the most "
            "probable is taken; leave the threshold out, or train two classes or several labels"
        )


def _choose(scores: Floats, truth: NDArray[np.bool_], rule: str) -> float:
    target = parse_rule(rule)
    if truth.all() or not truth.any():
        raise DataError(
            f"all {len(truth)} images are of one class; a threshold needs images of both"
        )
    if target.kind in ("sensitivity", "specificity"):
        return _reach_share(scores, truth, target, rule)
    odds = 1.0
    if target.kind == "cost":
        share = float(truth.mean()) if target.prevalence is None else target.prevalence
        odds = target.amount * share / (1 - share)
    return _least_cost(scores, truth, odds)


def parse_rule(rule: str) -> ThresholdRule:
    """`sensitivity:0.95` as a ThresholdRule. Raises UsageError for what is no rule."""
    if rule == "youden":
        return ThresholdRule("youden")
    kind, _, amount = rule.partition(":")
    amount, at, prevalence = amount.partition("@")
    target = ThresholdRule(kind, _number(amount), _number(prevalence) if at else None)
    if not _allowed(target):
        raise UsageError(f"threshold rule {rule!r}; allowed: {RULES}")
    return target


def _allowed(rule: ThresholdRule) -> bool:
    if rule.kind in ("sensitivity", "specificity"):
        return 0 <= rule.amount <= 1 and rule.prevalence is None
    share = 0.5 if rule.prevalence is None else rule.prevalence
    return rule.kind == "cost" and 0 < rule.amount < math.inf and 0 < share < 1


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _least_cost(scores: Floats, truth: NDArray[np.bool_], odds: float) -> float:
    """Maximises odds x sensitivity + specificity of Gaussian kernel estimates on log-odds.

    Where classes are well apart many thresholds do almost equally well, and which of them is best
    on these very images is chance. The kernel estimate varies a quarter to a half less and does
    better on new images (Fluss, Faraggi and Reiser, 2005, doi:10.1002/bimj.200410135, as in our own
    simulations and split halves); Silverman's bandwidth.
    """
    near = np.clip(scores, OUTERMOST, 1 - OUTERMOST)
    log_odds = np.log(near) - np.log1p(-near)
    positives, negatives = log_odds[truth], log_odds[~truth]
    widths = _bandwidth(positives), _bandwidth(negatives)
    beyond = 3 * max(widths)
    grid = np.linspace(log_odds.min() - beyond, log_odds.max() + beyond, GRID)
    gain = odds * (1 - _share_below(grid, positives, widths[0])) + _share_below(
        grid, negatives, widths[1]
    )
    best = np.flatnonzero(gain >= gain.max() - 1e-9 * (1 + odds))
    return float(1 / (1 + np.exp(-grid[best[len(best) // 2]])))


def _share_below(grid: Floats, values: Floats, width: float) -> Floats:
    """The smoothed share of the values below each point of the grid."""
    from scipy.special import ndtr  # scipy.stats would take seconds to import

    return np.array([ndtr((point - values) / width).mean() for point in grid])


def _bandwidth(values: Floats) -> float:
    """Silverman (1986), eq. 3.31; above 0 where all values are the same."""
    low, high = np.quantile(values, [0.25, 0.75])
    spread = min(values.std(), (high - low) / 1.34) or values.std()
    return max(0.9 * float(spread) * len(values) ** -0.2, 1e-6)


def _reach_share(
    scores: Floats, truth: NDArray[np.bool_], target: ThresholdRule, rule: str
) -> float:
    candidates = _candidates(scores)
    sensitive = target.kind == "sensitivity"
    called_positive = _share_from(scores[truth if sensitive else ~truth], candidates)
    reached = called_positive if sensitive else 1 - called_positive
    enough = candidates[reached >= target.amount - 1e-12]
    if not len(enough):
        raise DataError(f"no threshold reaches {rule} on these images; ask for a smaller share")
    return float(enough[-1 if sensitive else 0])


def _candidates(scores: Floats) -> Floats:
    """Rising; each splits the scores differently, from all positive to (below 1) none."""
    distinct = np.unique(scores)
    return np.r_[distinct[0] / 2, (distinct[1:] + distinct[:-1]) / 2, (distinct[-1] + 1) / 2]


def _share_from(scores: Floats, thresholds: Floats) -> Floats:
    """Share of the scores at or above each threshold."""
    return 1 - np.searchsorted(np.sort(scores), thresholds, side="left") / len(scores)
