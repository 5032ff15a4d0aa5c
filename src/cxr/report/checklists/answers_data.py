"""What a run knows of its data: whose, how split, what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._io.text import images_of_patients
from ..sentences import split_name
from .facts import Answer, RunFacts

UNDESCRIBED = ("not described further", "not stated")
RESIZED = {
    "squish": "the whole image stretched to a square",
    "pad": "the whole image with its proportions, black bars around it",
    "crop": "the centre of the image cut out as a square",
}


def population(facts: RunFacts) -> Answer | None:
    """What somebody said of it; what cxr writes where nobody did is no answer."""
    if not facts.population or any(words in facts.population for words in UNDESCRIBED):
        return None
    return Answer(facts.population, "model.cxr")


def left_out(facts: RunFacts) -> Answer | None:
    """Exclusions at the level of images; those of patients happened before the run."""
    if not facts.flow:
        return None
    counts = [f"{one['n']:,} {one['why']}" for one in facts.flow.get("left_out", ())]
    text = f"Of {facts.flow['found']:,} images found, left out: {', '.join(counts) or 'none'}."
    if facts.settings.get("quarantine"):
        level = facts.settings.get("skip_quarantined", "errors")
        text += f" Files that cxr check had listed were left out ({level})."
    return Answer(text, "manifest.csv, config.yaml")


def preprocessing(facts: RunFacts) -> Answer | None:
    size, method = facts.model.get("size"), facts.model.get("resize_method")
    if size is None or method not in RESIZED:
        return None
    text = (
        "Each file is decoded to one grey image of 8 bits (DICOM: by its own window), "
        f"{_seen(facts)}, {size} x {size} pixels, then scaled with the mean and standard "
        "deviation that the network was pretrained with. The same code does it in training and use."
    )
    return Answer(text, "model.cxr")


def subset_of_image(facts: RunFacts) -> Answer | None:
    method = facts.model.get("resize_method")
    if method not in RESIZED:
        return None
    return Answer(f"Of each image: {_seen(facts)}; no region is marked by hand.", "model.cxr")


def _seen(facts: RunFacts) -> str:
    resized = RESIZED[str(facts.model["resize_method"])]
    if facts.model.get("frame") != "lungs":
        return resized
    cut = "the image cut to the lungs by a small network that finds their box (cxr.pixels.frame)"
    return f"{cut}, then of that {resized.replace('image', 'cut')}"


def quality_check(facts: RunFacts) -> Answer | None:
    summary = facts.check.get("summary", {})
    if "verdict" not in summary:
        return None
    return Answer(f"cxr check looked at the files: {summary['verdict']}", "check.json")


def labels_as_given(facts: RunFacts) -> Answer | None:
    """Where the labels come from in the files; who gave them, the run cannot know."""
    settings = facts.settings
    if not settings:
        return None
    columns = settings.get("label_columns") or [settings.get("label_column")]
    named = ", ".join(str(name) for name in columns if name)
    place = f"the table's column {named}" if named else "the data set as it is laid out"
    return Answer(f"Labels were taken as they stand in {place}; none was changed.", "config.yaml")


def outcome(facts: RunFacts) -> Answer | None:
    classes = facts.model.get("classes")
    if not classes:
        return None
    positive = facts.model.get("positive")
    text = f"The label of an image, one of: {', '.join(classes)}"
    if facts.model.get("multi_label"):
        text = f"Each of these labels of an image, present or not: {', '.join(classes)}"
    text += f"; {positive} counts as the finding" if positive else ""
    return Answer(f"{text}. No time horizon: it is a diagnosis on the same image.", "model.cxr")


def missing_data(facts: RunFacts) -> Answer | None:
    if not facts.model:
        return None
    text = "The only input is the image; nothing is imputed. Unreadable files are left out."
    if facts.model.get("multi_label"):
        text += " A label that is not known counts neither in the loss nor in the figures."
    return Answer(text, "cxr")


def partition(facts: RunFacts) -> Answer | None:
    rule = facts.settings.get("split")
    if rule is None or not facts.flow:
        return None
    share, seed = facts.settings.get("valid_pct"), facts.settings.get("seed")
    how = {
        "patient": f"At random by patient, {share:.0%} to validation, each class in proportion"
        if share is not None
        else "At random by patient",
        "random": f"At random by image, {share:.0%} to validation"
        if share is not None
        else "At random by image",
        "folders": "By the folders of the data set",
        "manifest": "By a column of the data set's table",
    }.get(rule, str(rule))
    seeded = f", seed {seed}" if rule in ("patient", "random") else ""
    if "test" in facts.flow["splits"]:
        seeded += "; the data set's own test images were set aside before"
    return Answer(f"{how}{seeded}. {flow_text(facts.flow)}", "config.yaml, manifest.csv")


def disjoint(facts: RunFacts) -> Answer | None:
    """The level at which no two parts share anything, as the manifest shows it."""
    patients = facts.patients
    if not patients:
        return None
    if not patients["known"]:
        text = "Images. No patient is known: images of one patient may be in several parts."
    elif patients["shared"]:
        text = f"Images. {patients['shared']:,} patients have images in more than one part."
    else:
        text = "Patients: none has images in more than one part"
        text += f", as far as known ({patients['unknown']:,} images without a patient)."
        text = text if patients["unknown"] else "Patients: none has images in more than one part."
    return Answer(text, "manifest.csv")


def numbers(facts: RunFacts) -> Answer | None:
    return Answer(flow_text(facts.flow), "manifest.csv") if facts.flow else None


def sizes_as_given(facts: RunFacts) -> Answer | None:
    if not facts.flow:
        return None
    text = f"No sample size was calculated; all that was usable was used. {flow_text(facts.flow)}"
    return Answer(text, "manifest.csv")


def characteristics(facts: RunFacts) -> Answer | None:
    """Classes of each part, and age, sex, view and site where the table has them."""
    if not facts.flow:
        return None
    lines = []
    for name, one in facts.flow["splits"].items():
        classes = [f"{c}: {images_of_patients(some)}" for c, some in one.get("classes", {}).items()]
        known = [f"{column} {line}" for column, line in facts.described.get(name, {}).items()]
        lines.append(f"{_name(name)}: {'; '.join([*classes, *known])}")
    return Answer(f"{'. '.join(lines)}.", "manifest.csv")


def same_source(facts: RunFacts) -> Answer | None:
    rule = facts.settings.get("split")
    if rule not in ("patient", "random"):
        return None
    text = (
        "None by design: validation images were drawn at random from the same data set as the "
        "training images. That says nothing of other hospitals."
    )
    return Answer(text, "config.yaml")


def flow_text(flow: Mapping[str, Any]) -> str:
    """`Training: 4,185 images of 2,957 patients. Validation: ...`."""
    lines = [f"{_name(name)}: {images_of_patients(one)}" for name, one in flow["splits"].items()]
    return f"{'. '.join(lines)}."


def _name(split: str) -> str:
    return split_name(split).capitalize()
