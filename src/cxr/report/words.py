"""Figures in words: what was found, at which operating point, within which limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .._io.text import images_of_patients, percent, percent_text, signed_text

Metrics = Mapping[str, Any]
PREVALENCES = (0.01, 0.05, 0.2)
FEW_PATIENTS = 30


def split_name(split: str) -> str:
    return {"valid": "validation", "train": "training"}.get(split, split)


def headline_split(splits: list[str]) -> str:
    """The split that the first sentence speaks of: `test`, else the first that is not `train`."""
    unseen = [name for name in splits if name != "train"]
    return "test" if "test" in splits else (unseen or splits)[0]


def area_of(figure: Metrics) -> str:
    """`0.959 (95% interval 0.945 to 0.971)`."""
    if "low" not in figure:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} (95% interval {figure['low']:.3f} to {figure['high']:.3f})"


def finding(split: str, metrics: Metrics) -> str:
    """What was found, in one sentence."""
    place = f"On {_sized(split, metrics)}, the model"
    area = metrics["auroc"]
    if metrics["multi_label"]:
        if area["value"] is None:
            return f"{place} could not be judged: AUROC is {area['reason']}."
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


def _sized(split: str, metrics: Metrics) -> str:
    return images_of_patients(metrics).replace(" image", f" {split_name(split)} image", 1)


def _two_classes(metrics: Metrics) -> str:
    positive = metrics["positive"]
    negative = next(name for name in metrics["classes"] if name != positive)
    area = metrics["auroc"]
    if area["value"] is None:
        accuracy = percent_text(metrics["accuracy"])
        return f"was right on {accuracy}; the AUROC is undefined, as {area['reason']}"
    return (
        f"told {positive} from {negative} with an AUROC of {area_of(area)}; at a threshold of "
        f"{metrics['threshold']:.3g} it found {percent_text(metrics['sensitivity'])} of the images "
        f"with {positive} and cleared {percent_text(metrics['specificity'])} of those without"
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
        f"Only {count} {noun} with {name}: judge by the ends of the intervals."
        for name, count in patients_by_class.items()
        if count < FEW_PATIENTS
    ]
    return caveats


def operating_rows(metrics: Metrics) -> list[tuple[str, ...]]:
    """Prevalence; with the finding, found, missed, false alarms in 1,000 patients; PPV, NPV."""
    shares = sorted({*PREVALENCES, metrics["prevalence"]["value"]})
    return [_operating_row(share, metrics) for share in shares]


def operating_sentence(metrics: Metrics, share: float = 0.2) -> str:
    """`Of 1,000 patients with one image each, 200 of them with PNEUMONIA: ...`."""
    _, ill, _, missed, alarms, ppv, _ = _operating_row(share, metrics)
    return (
        f"Of 1,000 patients with one image each, {ill} of them with {metrics['positive']}: "
        f"{missed} missed, and {alarms} false alarms among the {1000 - int(ill)} without; "
        f"a positive answer is right in {ppv} of cases."
    )


def _operating_row(share: float, metrics: Metrics) -> tuple[str, ...]:
    ill = round(1000 * share)
    sensitivity, specificity = metrics["sensitivity"], metrics["specificity"]
    return (
        percent(share),
        f"{ill}",
        f"{round(ill * sensitivity['value'])}",
        _lost(ill, sensitivity),
        _lost(1000 - ill, specificity),
        predictive_value(share, sensitivity, specificity),
        predictive_value(1 - share, specificity, sensitivity, "none is negative"),
    )


def predictive_value(
    share: float, found: Metrics, cleared: Metrics, none: str = "none is positive"
) -> str:
    """Bayes' rule. Both figures at the same end of their intervals give too wide a range."""

    def at(end: str) -> float:
        right, wrong = share * found[end], (1 - share) * (1 - cleared[end])
        return right / (right + wrong) if right + wrong else float("nan")

    value = at("value")
    if math.isnan(value):
        return none
    if "low" not in found or "low" not in cleared or math.isnan(at("low") + at("high")):
        return percent(value)
    return f"{percent(value)} ({percent(at('low'))} to {percent(at('high'))})"


def _lost(of: int, figure: Metrics) -> str:
    lost = f"{round(of * (1 - figure['value']))}"
    if "low" not in figure:
        return lost
    return f"{lost} ({round(of * (1 - figure['high']))} to {round(of * (1 - figure['low']))})"


def worst_groups(column: str, subgroups: Metrics) -> list[str]:
    """One sentence on each figure that is surely lower in its worst group than in the others."""
    sentences = []
    for metric, worst in (subgroups.get("worst") or {}).items():
        if (name := surely_worst(subgroups, metric)) is not None:
            label = {"auroc": "AUROC"}.get(metric, metric.capitalize())
            sentences.append(
                f"{label} is lowest where {column} is {name}: {signed_text(worst['gap'])} against "
                "all others."
            )
    return sentences


def surely_worst(subgroups: Metrics, metric: str) -> str | None:
    """The group whose figure lies below that of all others, by more than chance would do."""
    worst = (subgroups.get("worst") or {}).get(metric) or {}
    gap = worst.get("gap") or {"value": None}
    sure = gap["value"] is not None and gap.get("high", 0.0) < 0
    return worst["name"] if sure and worst.get("beyond_chance", True) else None


LIMITS = (
    "The figures hold for images like the ones measured. Another hospital, machine, age group or "
    "way of choosing patients can change them a great deal; measure there before relying on them.",
    "They count images, not patients; a patient with several images counts several times. The "
    "intervals allow for that.",
    "Predictive values depend on how common the finding is; those in the table of figures hold at "
    "the share in this data set only.",
    "The labels are taken as true. Where readers erred, so do these figures.",
    "A model can score well by how images were made and not by what they show. Look at the "
    "images with the largest losses, and run cxr check on the data.",
)
