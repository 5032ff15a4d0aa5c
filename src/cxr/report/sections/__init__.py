"""The page's sections, from top to bottom, one a module."""

from __future__ import annotations

from functools import partial

from ..material import Report, Section
from . import (
    check,
    examples,
    flow,
    limits,
    opening,
    population,
    reproduce,
    results,
    stress,
    training,
    trust,
)


def sections_of(report: Report) -> list[Section]:
    """Those after the verdict."""
    measured = [
        Section(name, results.title(name, report), partial(results.render, name))
        for name in report.splits
    ]
    return [
        Section("population", "Who the model learnt from", population.render),
        *measured,
        Section("check", "Shortcuts and leaks", check.render),
        Section("stress", "Other images", stress.render),
        Section("examples", "Single images", examples.render),
        Section("trust", "When it does not answer", trust.render),
        Section("flow", "Where the images went", flow.render),
        Section("training", "How it was trained", training.render),
        Section("limits", "Limits", limits.render),
        Section("reproduce", "How to reproduce", reproduce.render),
    ]


__all__ = ["opening", "sections_of"]
