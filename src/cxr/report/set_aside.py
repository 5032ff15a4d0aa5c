"""Test images that were set aside, in words: what they say of validation's figures, and leaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._io.text import counted, figure_text, listed, signed_text
from .labels import label
from .sentences import images_of_split

Metrics = Mapping[str, Any]
HOLDS = 0.01  # of AUROC or a share: validation may be so much too good
# Those that do not depend on how common the finding is, which may differ between the two.
TESTED = ("auroc", "sensitivity", "specificity")


def shared_patients(metrics: Metrics) -> str:
    """A sentence where patients of test are in training, too; else nothing."""
    facts = metrics.get("set_aside") or {}
    return shared_in_words(facts, metrics["n"]) if facts.get("shared_images") else ""


def shared_in_words(facts: Mapping[str, int], n: int) -> str:
    """`facts`: `shared_patients` and `shared_images`; `n` test images."""
    patients, images = facts["shared_patients"], facts["shared_images"]
    return (
        f"{counted(patients, 'patient')} with {images:,} of {counted(n, 'test image')} "
        f"{'is' if patients == 1 else 'are'} among the training and validation images, too: the "
        "test is not independent, and its figures may be too good."
    )


def not_holding(metrics: Metrics) -> list[str]:
    """`AUROC +0.031 (+0.012 to +0.050)`: where validation is shown to be too good by over 0.01."""
    gaps = metrics.get("validation_minus_test") or {}
    return [
        f"{label(name)} {signed_text(gaps[name])}"
        for name in TESTED
        if gaps.get(name, {}).get("low", 0.0) > HOLDS
    ]


def against_validation(test: Metrics, valid: Metrics) -> str:
    """Validation's AUROC, how far it lies above that on test, and what follows."""
    gap = test["validation_minus_test"]["auroc"]
    place = f"On {images_of_split('valid', valid)}, which chose the model"
    if gap["value"] is None:
        return f"{place}, the AUROC cannot be compared: {gap['reason']}."
    return (
        f"{place}, the AUROC was {figure_text(valid['auroc'])}; validation minus test: "
        f"{signed_text(gap)}. {_conclusion(test, gap)}"
    )


def _conclusion(test: Metrics, gap: Metrics) -> str:
    if failing := not_holding(test):
        return f"The figures on validation do not hold on test: {listed(failing)} too good."
    if "high" not in gap:
        return f"How sure that is cannot be said ({gap['reason']})."
    if gap["high"] <= HOLDS:
        return f"So the AUROC on validation holds on test, to within {HOLDS}."
    return f"The images are too few to tell whether it holds on test to within {HOLDS}."
