"""The model card: what a model is, for whom, how good, and what it is not.

The figures of a measurement come from `cxr.report.card`.

The layout and the front matter follow the Hugging Face Hub (hub-docs, `modelcard.md`), after
Mitchell et al., Model Cards for Model Reporting (2019).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from .._io.markdown import bullets, code, plain, table
from ..errors import UsageError
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
NO_FIGURES = (
    "No figures are in this file: see `metrics.json` and the report in the folder of the run, and "
    "measure it on your own images with `cxr evaluate`."
)
TAGS = ["chest-x-ray", "radiology", "medical-imaging", "transfer-learning", "research-use-only"]
LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
MOST_CLASSES = 30


HOW_TO_USE = """## How to use

```
cxr predict model.cxr IMAGES...
cxr evaluate model.cxr LABELLED_IMAGES --out FOLDER
```

```python
from cxr import load_learner

load_learner("model.cxr").predict("image.png")
```"""


@dataclass(frozen=True)
class CardFigures:
    """What a measurement adds to the sections of a card, in Markdown.

    summary: a sentence for the opening. evaluation: that section's text. calibration: a table.
    operating_point: how it was chosen and what it means for patients. front_matter: `metrics` and
    `model-index`.
    """

    summary: str = ""
    evaluation: str = NO_FIGURES
    calibration: str = ""
    operating_point: str = ""
    front_matter: Mapping[str, Any] = field(default_factory=dict)


def model_card(
    config: BundleConfig,
    figures: CardFigures = CardFigures(),
    *,
    settings: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    license: str | None = None,
) -> str:
    """Markdown with front matter; the same arguments give the same text.

    `settings` is what `config.yaml` holds and `environment` what `environment.json` holds; without
    them the card says that they are not in it. `license` is an identifier of the Hub's list
    (`other` is one). Text of the user (population, classes) is shown letter by letter.
    Raises UsageError for a licence that is no identifier.
    """
    sections = [
        _front_matter(figures, license),
        _opening(config, figures),
        _uses(config),
        _model(config),
        _data(config),
        _training(settings or {}),
        f"## Evaluation\n\n{figures.evaluation}",
        _calibration(config, figures),
        _operating_point(config, figures),
        _limits(config),
        HOW_TO_USE,
        _versions(environment or {}),
        _licence(license),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _front_matter(figures: CardFigures, license: str | None) -> str:
    """YAML between two rulers. A licence that nobody stated is left out, as the Hub allows."""
    if license is not None and not LICENSE.fullmatch(license):
        raise UsageError(
            f"license {license!r} is no identifier; one such as apache-2.0, cc-by-4.0 or other is "
            "needed"
        )
    facts: dict[str, Any] = {} if license is None else {"license": license}
    facts |= {"library_name": "cxr", "pipeline_tag": "image-classification", "tags": TAGS}
    facts |= figures.front_matter
    text = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{text}---"


def _opening(config: BundleConfig, figures: CardFigures) -> str:
    kind = "none, one or several may apply" if config.multi_label else "one of which applies"
    names = ", ".join(plain(name) for name in config.classes[:MOST_CLASSES])
    more = len(config.classes) - MOST_CLASSES
    names += f" and {more:,} more" if more > 0 else ""
    lines = [
        "# Chest X-ray classifier",
        f"**{DISCLAIMER}**",
        f"Gives a chest X-ray a probability for each of these classes, {kind}: {names}.",
        figures.summary,
    ]
    return "\n\n".join(line for line in lines if line)


def _uses(config: BundleConfig) -> str:
    meant = bullets(
        [
            "Research and teaching on images like those that it was trained on (see below).",
            "Comparison with other models on the same images, and as a start for further work.",
        ]
    )
    kept_out = bullets(
        [
            "Any decision about a patient: diagnosis, triage, treatment, or leaving one out.",
            "Other people than those it was trained on (another age group, country or ward), other "
            "views, other parts of the body, photographs of images or screens.",
            "Findings other than its classes: it cannot say that an image shows something else.",
            "Any use before its figures are measured on images of the place it is meant for.",
        ]
    )
    return f"## Intended use\n\n{meant}\n\n## Out of scope\n\n{kept_out}"


def _model(config: BundleConfig) -> str:
    rows = [
        ("network", f"{code(config.backbone)} and one linear layer on its pooled features"),
        ("input", f"one grey image, {config.input}"),
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
        ("training images", _count(data.get("n_train"))),
        ("validation images", _count(data.get("n_valid"))),
        ("patients in all", _count(data.get("n_patients"), "not known")),
        ("fingerprint of the data", code(data.get("fingerprint") or "not recorded")),
    ]
    return "## Data\n\n" + table(("fact", "value"), rows)


def _count(number: object, unknown: str = "not recorded") -> str:
    return f"{number:,}" if isinstance(number, int) else unknown


def _training(settings: Mapping[str, Any]) -> str:
    rows = [(plain(name), code(text)) for name, text in training_settings(settings).items()]
    if not rows:
        return "## Training\n\nSee `config.yaml` in the folder of the run that made this file."
    return "## Training\n\n" + table(("setting", "value"), rows)


def training_settings(settings: Mapping[str, Any], *but: str) -> dict[str, str]:
    """Of a `config.yaml`, what may be published of the training; no path, and none of `but`."""
    return {
        name.replace("_", " "): _setting(value)
        for name, value in settings.items()
        if name not in (*NOT_TRAINING, *but) and not _looks_like_path(value)
    }


def _looks_like_path(value: object) -> bool:
    return isinstance(value, str) and ("/" in value or "\\" in value)


def _setting(value: object) -> str:
    named = {None: "none", True: "yes", False: "no"}
    return named[value] if value is None or isinstance(value, bool) else str(value)


def _calibration(config: BundleConfig, figures: CardFigures) -> str:
    if config.calibration is not None:
        scaled = "Scores get a factor and a bias for each class, set on validation images."
    elif config.temperature != 1:
        scaled = f"Scores are divided by {config.temperature:.4g}, set on validation images."
    else:
        scaled = "Scores are left as the network gives them (temperature 1)."
    text = f"{scaled} Probabilities hold where the classes are as frequent as in the data."
    return "## Calibration\n\n" + "\n\n".join(one for one in (text, figures.calibration) if one)


def _operating_point(config: BundleConfig, figures: CardFigures) -> str:
    if config.positive is None:
        rule = (
            f"Each class counts as found from {_thresholds(config)} on."
            if config.multi_label
            else "The most probable class is the answer."
        )
        return f"## Operating point\n\n{rule}"
    point = (
        f"{plain(config.positive)} is called from a calibrated probability of "
        f"{config.threshold:.4g} on."
    )
    return "## Operating point\n\n" + "\n\n".join(
        one for one in (point, figures.operating_point) if one
    )


def _thresholds(config: BundleConfig) -> str:
    each = list(config.task.operating_thresholds.items())
    if len({at for _, at in each}) == 1:
        return f"a probability of {each[0][1]:.4g}"
    named = ", ".join(f"{plain(name)} {at:.4g}" for name, at in each)
    return f"its own operating threshold ({named})"


def _limits(config: BundleConfig) -> str:
    lines = [
        "Figures measured on one hospital's images do not hold elsewhere until they are measured "
        "there.",
        "An image unlike the training images (another age group, view or machine) can get a wrong "
        "answer with a high probability.",
        "Neither temperature nor threshold holds where the disease is more or less frequent.",
        "The labels were taken as true; where they are wrong, the model learned them and the "
        "figures do not show it.",
        "It may use how an image was made (machine, markers, borders) instead of what it shows; "
        "`cxr check` and `cxr stress` look for that.",
    ]
    if not config.training_data.get("n_patients"):
        lines.append("Patients were not known: images of one patient may be on both sides.")
    return "## Limits\n\n" + bullets(lines)


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
