"""The page's sections, from top to bottom, one a module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..._io.html import Html
from ..content import Report
from . import (
    abstention,
    check,
    closing,
    examples,
    flow,
    measured,
    opening,
    stress,
    training,
)


@dataclass(frozen=True)
class Section:
    """`render` gives None where there is nothing to say; then the section is left out."""

    anchor: str
    title: str
    render: Callable[[Report], Html | None]


def sections_of(report: Report) -> list[Section]:
    """Those after the verdict."""
    splits = [
        Section(name, measured.title(name, report), partial(measured.render, name))
        for name in report.splits
    ]
    return [
        Section("population", "Training population", opening.population),
        *splits,
        Section("check", "Shortcuts and leaks", check.render),
        Section("stress", "Other images", stress.render),
        Section("examples", "Single images", examples.render),
        Section("abstention", "When it abstains", abstention.render),
        Section("flow", "Data flow", flow.render),
        Section("training", "How it was trained", training.render),
        Section("limits", "Limits", closing.limits),
        Section("reproduce", "How to reproduce", closing.reproduce),
    ]


__all__ = ["Section", "opening", "sections_of"]
