"""The model card: what a model is, for whom, how good, and what it is not.

The layout and the front matter follow the Hugging Face Hub (hub-docs, `modelcard.md`), after
Mitchell et al., Model Cards for Model Reporting (2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._io.markdown import bullets, code, plain, table
from .._io.text import images_of_patients
from .card_figures import (
    MOST_CLASSES,
    Metrics,
    class_table,
    defined,
    figures_table,
    front_matter,
    in_patients,
    with_interval,
)
from .config import BundleConfig

DISCLAIMER = (
    "Research tool, not a medical device: it must not be used to decide on a patient's care."
)
# Where the data lie and what they are called is no matter of training, and may be private.
NOT_TRAINING = (
    "data",
    "population",
    "layout",
    "image_root",
    "path_column",
    "label_column",
    "label_columns",
    "patient_column",
    "patient_pattern",
    "quarantine",
    "weights",
    "device",
)
NOT_PROVIDED = "**NOT PROVIDED**"


def model_card(
    config: BundleConfig,
    metrics: Metrics | None = None,
    *,
    split: str = "valid",
    settings: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    license: str | None = None,
) -> str:
    """Markdown with front matter; the same arguments give the same text.

    `metrics` is one split's part of `metrics.json`, `split` its name, `settings` what
    `config.yaml` holds and `environment` what `environment.json` holds; without them the card says
    that they are not in it. `license` is an identifier of the Hub's list (`other` is one). Text of
    the user (population, classes) is shown letter by letter.
    Raises UsageError for a licence that is no identifier.
    """
    name = {"valid": "validation"}.get(split, split)
    sections = [
        front_matter(metrics or {}, name, license),
        _opening(config, metrics or {}, name),
        _uses(config),
        _model(config),
        _data(config),
        _training(settings or {}),
        _evaluation(metrics or {}, name),
        _calibration(config, metrics or {}),
        _operating_point(config, metrics or {}),
        _limits(config, name),
        _how_to_use(config),
        _versions(environment or {}),
        _licence(license),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _opening(config: BundleConfig, metrics: Metrics, split: str) -> str:
    kind = "none, one or several may apply" if config.multi_label else "one of which applies"
    lines = [
        "# Chest X-ray classifier",
        f"**{DISCLAIMER}**",
        f"Gives a chest X-ray a probability for each of these classes, {kind}: {_classes(config)}.",
    ]
    if any(name == "auroc" for name, _ in defined(metrics)):
        lines.append(
            f"On {images_of_patients(metrics)} of the {split} part its AUROC is "
            f"{with_interval(metrics['auroc'])}."
        )
    return "\n\n".join(lines)


def _classes(config: BundleConfig) -> str:
    shown = ", ".join(plain(name) for name in config.classes[:MOST_CLASSES])
    more = len(config.classes) - MOST_CLASSES
    return f"{shown} and {more:,} more" if more > 0 else shown


def _uses(config: BundleConfig) -> str:
    meant = bullets(
        [
            "Research and teaching on images like those that it learnt from (see below).",
            "Comparison with other models on the same images, and as a start for further work.",
        ]
    )
    kept_out = bullets(
        [
            "Any decision about a patient: diagnosis, triage, treatment, or leaving one out.",
            "Other people than those it learnt from (another age group, country or ward), other "
            "views, other parts of the body, photographs of images or screens.",
            "Findings other than its classes: it cannot say that an image shows something else.",
            "Any use before its figures are measured on images of the place it is meant for.",
        ]
    )
    return f"## Intended use\n\n{meant}\n\n## Out of scope\n\n{kept_out}"


def _model(config: BundleConfig) -> str:
    rows = [
        ("network", f"{code(config.backbone)} and one linear layer on its pooled features"),
        ("input", f"one grey image, {config.size} x {config.size} pixels, {config.resize_method}"),
        ("output", f"{len(config.classes):,} probabilities, {_output(config)}"),
        ("initial weights", plain(config.weights_source) or NOT_PROVIDED),
        ("file", "`model.cxr`: weights as safetensors, no code; it tests itself when opened"),
    ]
    return "## Model\n\n" + table(("fact", "value"), rows)


def _output(config: BundleConfig) -> str:
    if config.multi_label:
        return "each on its own (sigmoid)"
    return "which sum to 1 (softmax)"


def _data(config: BundleConfig) -> str:
    data = config.training_data
    rows = [
        ("whom the images show", plain(config.population) or NOT_PROVIDED),
        ("images to train on", _count(data.get("n_train"))),
        ("images to validate on", _count(data.get("n_valid"))),
        ("patients in all", _count(data.get("n_patients"), "not known")),
        ("fingerprint of the data", code(data.get("fingerprint") or "not recorded")),
    ]
    return "## Data\n\n" + table(("fact", "value"), rows)


def _count(number: object, unknown: str = "not recorded") -> str:
    return f"{number:,}" if isinstance(number, int) else unknown


def _training(settings: Mapping[str, Any]) -> str:
    rows = [
        (plain(name.replace("_", " ")), code(_setting(value)))
        for name, value in settings.items()
        if name not in NOT_TRAINING and not _looks_like_path(value)
    ]
    if not rows:
        return "## Training\n\nSee `config.yaml` in the folder of the run that made this file."
    return "## Training\n\n" + table(("setting", "value"), rows)


def _looks_like_path(value: object) -> bool:
    return isinstance(value, str) and ("/" in value or "\\" in value)


def _setting(value: object) -> str:
    named = {None: "none", True: "yes", False: "no"}
    return named[value] if value is None or isinstance(value, bool) else str(value)


def _evaluation(metrics: Metrics, split: str) -> str:
    title = "## Evaluation"
    if not any(defined(metrics)):
        return (
            f"{title}\n\nNo figures are in this file: see `metrics.json` and the report in the "
            "folder of the run, and measure it on your own images with `cxr evaluate`."
        )
    parts = [title, f"On {images_of_patients(metrics)} of the {split} part of the run's data."]
    if split == "validation":
        parts.append(
            "These images chose the epoch, the temperature and, with two classes, the threshold: "
            "expect somewhat lower figures on new ones. They are of the same data set as the "
            "images that it was trained on."
        )
    method = metrics.get("intervals", {}).get("method")
    parts += [figures_table(metrics), class_table(metrics)]
    if method:
        parts.append(f"Intervals: {plain(method)}.")
    return "\n\n".join(part for part in parts if part)


def _calibration(config: BundleConfig, metrics: Metrics) -> str:
    if config.calibration is not None:
        scaled = "Scores get a factor and a bias for each class, set on validation images."
    elif config.temperature != 1:
        scaled = f"Scores are divided by {config.temperature:.4g}, set on validation images."
    else:
        scaled = "Scores are left as the network gives them (temperature 1)."
    lines = [f"{scaled} Probabilities hold where the classes are as frequent as in the data."]
    found = metrics.get("calibration")
    if isinstance(found, Mapping) and "before" in found and "after" in found:
        rows = [
            (label, *(with_interval(found[moment].get(name, {})) for moment in ("before", "after")))
            for label, name in (("expected calibration error", "ece"), ("Brier score", "brier"))
        ]
        lines.append(table(("figure", "before", "after, cross-fitted"), rows))
    return "## Calibration\n\n" + "\n\n".join(lines)


def _operating_point(config: BundleConfig, metrics: Metrics) -> str:
    if config.positive is None:
        rule = (
            "Each class counts as found from a probability of 0.5 on."
            if config.multi_label
            else "The most probable class is the answer."
        )
        return f"## Operating point\n\n{rule}"
    point = (
        f"{plain(config.positive)} is called from a calibrated probability of "
        f"{config.threshold:.4g} on."
    )
    stated = metrics.get("operating_point")
    stated = stated if isinstance(stated, Mapping) else {}
    meaning = plain(stated.get("sentence", "")) or in_patients(metrics)
    rule = (
        f"Chosen on validation images by the rule {code(stated['rule'])}."
        if stated.get("rule")
        else ""
    )
    return "## Operating point\n\n" + "\n\n".join(one for one in (point, rule, meaning) if one)


def _limits(config: BundleConfig, split: str) -> str:
    lines = [
        "Figures measured on one hospital's images do not hold elsewhere until they are measured "
        "there.",
        "An image unlike the training images (another age group, view or machine) can get a wrong "
        "answer with a high probability.",
        "Neither temperature nor threshold holds where the disease is more or less frequent.",
        "The labels were taken as true; where they are wrong, the model learnt it and the figures "
        "do not show it.",
        "It may use how an image was made (machine, markers, borders) instead of what it shows; "
        "`cxr check` and `cxr stress` look for that.",
    ]
    if not config.training_data.get("n_patients"):
        lines.append("Patients were not known: images of one patient may be on both sides.")
    return "## Limits\n\n" + bullets(lines)


def _how_to_use(config: BundleConfig) -> str:
    return """## How to use

```
cxr predict model.cxr IMAGES...
cxr evaluate model.cxr LABELLED_IMAGES --out FOLDER
```

```python
from cxr import load_learner

load_learner("model.cxr").predict("image.png")
```"""


def _versions(environment: Mapping[str, Any]) -> str:
    versions = environment.get("versions") or {}
    rows = [(code(name), code(version)) for name, version in versions.items() if version]
    if not rows:
        return ""
    about = [(name, environment.get(name)) for name in ("python", "system", "device")]
    rows += [(name, code(value)) for name, value in about if value]
    return "## Made with\n\n" + table(("part", "version"), rows)


def _licence(license: str | None) -> str:
    if license is not None:
        return f"## Licence\n\n`{license}`"
    return (
        f"## Licence\n\n{NOT_PROVIDED}: whoever passes this model on chooses it, after a look at "
        "the licences of the images and of the initial weights."
    )
