"""The shape of `metrics.json`: what a figure and a split hold."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from .. import __version__

FORMAT = 1
RESEARCH_USE_ONLY = (
    "Research tool, not a medical device: not for diagnosis or any decision about a patient."
)


class Figure(TypedDict, total=False):
    """A `value` with its interval `low` to `high` and the `n` images it is of.

    Without a value (None), or without an interval, `reason` says why. A mean over classes says over
    how many `classes`.
    """

    value: Any  # float or None; Any, as callers check for None before
    low: float
    high: float
    n: int
    reason: str
    classes: int


class IntervalSettings(TypedDict):
    """How all intervals of a split were made; `note` says where patients are not known."""

    level: float
    method: str
    resamples: int
    seed: int
    note: NotRequired[str]


class About(TypedDict):
    """What made a file of figures, and what it is for."""

    format: int
    generator: str
    research_use_only: str


def undefined(reason: str) -> Figure:
    return {"value": None, "reason": reason}


def about() -> About:
    return {
        "format": FORMAT,
        "generator": f"cxr {__version__}",
        "research_use_only": RESEARCH_USE_ONLY,
    }
