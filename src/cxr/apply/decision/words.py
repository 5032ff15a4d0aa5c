"""One prediction in one line: what is not judged first, then the decision with its threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """What a line is made of, as `Prediction` names it. `not_judged` and `reason` are lists joined
    by "; ", of which the line says the first; `shares` are the probabilities in words."""

    status: str
    not_judged: str
    reason: str
    decision: str
    thresholds: Mapping[str, float]
    shares: str


def in_words(facts: Facts) -> str:
    """No probability is shown of an image that was not judged or is out of distribution."""
    decision, at = facts.decision or "no finding", thresholds_in_words(facts.thresholds)
    if facts.status == "out of distribution":
        return f"{_capital(_first(facts.reason))}. Disregard the decision: {decision} ({at})"
    if facts.status == "not judged":
        more = facts.not_judged.count("; ")
        others = f", and {more} more" if more else ""
        return f"Not judged: {_first(facts.not_judged)}{others}. Decision: {decision} ({at})"
    line = f"{decision} ({facts.shares}; {at})"
    if facts.status == "confident":
        return f"{line}, confident"
    return f"{line}, not confident: {_first(facts.reason)}"


def caution(status: str, not_judged: Sequence[str], reason: str) -> str:
    """Without a full stop; what is not judged before why the model abstains."""
    gaps = f"Not judged: {'; '.join(not_judged)}" if not_judged else ""
    parts = [reason, gaps] if status == "out of distribution" else [gaps, reason]
    return _capital(". ".join(_capital(part) for part in parts if part))


def shares_in_words(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {share:.4f}" for name, share in shares.items())


def thresholds_in_words(thresholds: Mapping[str, float]) -> str:
    """`operating threshold 0.392`; of labels with thresholds of their own, each."""
    if not thresholds:
        return "the most probable class"
    if len(set(thresholds.values())) == 1:
        return f"operating threshold {next(iter(thresholds.values())):.4g}"
    each = ", ".join(f"{name} {at:.4g}" for name, at in thresholds.items())
    return f"operating thresholds {each}"


def _first(reasons: str) -> str:
    return reasons.split("; ")[0]  # the whole is in the table


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
