"""The report's sentences: what was found, what speaks against it, what no figure can tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._io.text import images_of_patients, percent_text, signed_text
from .labels import label

Metrics = Mapping[str, Any]
FEW_PATIENTS = 30


def split_name(split: str) -> str:
    return {"valid": "validation", "train": "training"}.get(split, split)


def headline_split(splits: list[str]) -> str:
    """The split that the first sentence is about: `test`, else the first that is not `train`."""
    unseen = [name for name in splits if name != "train"]
    return "test" if "test" in splits else (unseen or splits)[0]


def area_of(figure: Metrics) -> str:
    """`0.959 (95% interval 0.945 to 0.971)`."""
    if "low" not in figure:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} (95% interval {figure['low']:.3f} to {figure['high']:.3f})"


def finding(split: str, metrics: Metrics) -> str:
    """What was found, in one sentence."""
    place = f"On {images_of_split(split, metrics)}, the model"
    area = metrics["auroc"]
    if metrics["multi_label"]:
        if area["value"] is None:
            return f"{place} could not be evaluated: AUROC is {area['reason']}."
        return (
            f"{place} ranked images with a finding above images without it with a mean AUROC of "
            f"{area_of(area)} over {area['classes']} of {len(metrics['classes'])} findings."
        )
    if metrics["positive"] is None:
        return (
            f"{place} put {percent_text(metrics['accuracy'])} into the right one of "
            f"{len(metrics['classes'])} classes."
        )
    return f"{place} {_two_classes(metrics)}."


def images_of_split(split: str, metrics: Metrics) -> str:
    """`1,047 validation images of 712 patients`; of test images also that they were set aside."""
    images = images_of_patients(metrics).replace(" image", f" {split_name(split)} image", 1)
    return f"{images}, set aside before training" if "set_aside" in metrics else images


def _two_classes(metrics: Metrics) -> str:
    positive = metrics["positive"]
    negative = next(name for name in metrics["classes"] if name != positive)
    area = metrics["auroc"]
    if area["value"] is None:
        accuracy = percent_text(metrics["accuracy"])
        return f"was right on {accuracy}; the AUROC is undefined, as {area['reason']}"
    sensitivity, specificity = metrics["sensitivity"], metrics["specificity"]
    return (
        f"distinguished {positive} from {negative} with an AUROC of {area_of(area)}; at a "
        f"threshold of {metrics['threshold']:.3g} its sensitivity was "
        f"{percent_text(sensitivity)}, "
        f"its specificity {percent_text(specificity)}"
    )


def automatic_caveats(
    split: str, metrics: Metrics, patients_by_class: Mapping[str, int]
) -> list[str]:
    """What the table itself says against the figures."""
    caveats = []
    if split == "valid":
        caveats.append(
            "Validation images also chose the model, and its threshold where one was chosen: "
            "expect somewhat lower figures on new ones."
        )
    if split == "train":
        caveats.append("The model was trained on these very images: the figures say little.")
    if "note" in metrics["intervals"]:
        note = metrics["intervals"]["note"]
        caveats.append(f"{note[0].upper()}{note[1:]}, so they may be too narrow.")
    noun = "patients" if isinstance(metrics["n_patients"], int) else "images"
    caveats += [
        f"Only {count} {noun} with {name}: go by the ends of the intervals."
        for name, count in patients_by_class.items()
        if count < FEW_PATIENTS
    ]
    return caveats


def worst_groups(column: str, subgroups: Metrics) -> list[str]:
    """One sentence on each figure whose interval is lower in its worst group than elsewhere."""
    sentences = []
    for metric, worst in (subgroups.get("worst") or {}).items():
        if (name := clearly_worst(subgroups, metric)) is not None:
            sentences.append(
                f"{label(metric)} is lowest where {column} is {name}: {signed_text(worst['gap'])} "
                "against all others."
            )
    return sentences


def clearly_worst(subgroups: Metrics, metric: str) -> str | None:
    """The group whose figure lies below that of all others, interval and all."""
    worst = (subgroups.get("worst") or {}).get(metric) or {}
    gap = worst.get("gap") or {"value": None}
    lower = gap["value"] is not None and gap.get("high", 0.0) < 0
    return worst["name"] if lower and worst.get("beyond_chance", True) else None
