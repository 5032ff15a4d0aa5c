"""What a run measured: figures with intervals, calibration, subgroups, robustness, explanation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..._io.run_files import METRICS
from ..._io.text import figure_text
from ..sentences import images_of_split, split_name
from ..set_aside import against_validation
from .facts import Answer, RunFacts

LABELS = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "f1": "F1",
    "mcc": "Matthews correlation",
    "brier": "Brier score",
    "log_loss": "log loss",
    "ece": "expected calibration error",
    "calibration_slope": "calibration slope",
    "calibration_intercept": "calibration intercept",
}
AT_THE_POINT = ("sensitivity", "specificity", "ppv", "npv")
MOST_CLASSES = 15


def measured(facts: RunFacts) -> Iterator[str]:
    """The names of the figures that have a value."""
    for name in LABELS:
        figure = facts.figures.get(name)
        if isinstance(figure, Mapping) and figure.get("value") is not None:
            yield name


def figure_or_reason(figure: Mapping[str, Any]) -> str:
    """`0.967 (0.952 to 0.979)`, or why there is none."""
    if figure.get("value") is None:
        return f"undefined ({figure.get('reason', 'not measured')})"
    return figure_text(figure)


def place(facts: RunFacts) -> str:
    """`On 1,047 validation images of 712 patients`."""
    return f"On {images_of_split(facts.split, {'n': 0, **facts.figures})}"


def measures(facts: RunFacts) -> Answer | None:
    names = [LABELS[name] for name in measured(facts)]
    if not names:
        return None
    plots = "; curves and diagrams in figures/" if facts.split else ""
    return Answer(f"{', '.join(names)}{plots}.", METRICS)


def uncertainty(facts: RunFacts) -> Answer | None:
    how = facts.figures.get("intervals")
    if not how:
        return None
    text = (
        f"{how['level']:.0%} intervals: {how['method']}; {how['resamples']:,} resamples, seed "
        f"{how['seed']}."
    )
    note = how.get("note")
    return Answer(f"{text} {note[0].upper()}{note[1:]}." if note else text, METRICS)


def performance(facts: RunFacts) -> Answer | None:
    """All figures with their intervals; a line a class where the classes have their own."""
    names = list(measured(facts))
    if not names:
        return None
    lines = [f"{LABELS[name]} {figure_or_reason(facts.figures[name])}" for name in names]
    text = f"{place(facts)}: {', '.join(lines)}."
    by_class = list(facts.figures.get("per_class", {}).items())[:MOST_CLASSES]
    by_name = [f"{name} {figure_or_reason(some.get('auroc', {}))}" for name, some in by_class]
    return Answer(f"{text} AUROC by class: {', '.join(by_name)}." if by_name else text, METRICS)


def accuracy_in_brief(facts: RunFacts) -> Answer | None:
    if "auroc" not in measured(facts):
        return None
    return Answer(f"{place(facts)}: AUROC {figure_or_reason(facts.figures['auroc'])}.", METRICS)


def at_operating_point(facts: RunFacts) -> Answer | None:
    """Sensitivity and its like, with what they mean in patients where that was worked out."""
    names = [name for name in measured(facts) if name in AT_THE_POINT]
    if not names:
        return None
    lines = [
        f"{LABELS[name]} {figure_or_reason(facts.figures[name])}"
        + (f", n = {facts.figures[name]['n']:,}" if "n" in facts.figures[name] else "")
        for name in names
    ]
    sentence = facts.figures.get("operating_point", {}).get("sentence", "")
    return Answer(f"{place(facts)}: {'; '.join(lines)}. {sentence}".strip(), METRICS)


def cross_table(facts: RunFacts) -> Answer | None:
    """Counts by actual and predicted class."""
    counts, classes = facts.figures.get("confusion_matrix"), facts.figures.get("classes", ())
    if not counts or len(classes) > MOST_CLASSES:
        return None
    rows = [
        f"{actual}: " + ", ".join(f"{n:,} called {c}" for c, n in zip(classes, row, strict=True))
        for actual, row in zip(classes, counts, strict=True)
    ]
    return Answer(f"{place(facts)}, by actual class: {'; '.join(rows)}.", METRICS)


def failures(facts: RunFacts) -> Answer | None:
    table = cross_table(facts)
    shown = len(facts.explanation.get("examples", {}).get("top_losses", ()))
    if not shown:
        return table
    text = f"The {shown} images with the largest losses are in the report, with heat maps."
    return Answer(f"{table.text} {text}" if table else text, f"{METRICS}, report.html")


def internal_test(facts: RunFacts) -> Answer | None:
    if not facts.split:
        return None
    text = f"{place(facts)}; all are of the run's own data set."
    if facts.split == "valid":
        text += (
            " They also chose the epoch, the calibration and the threshold, so they are no "
            "untouched test."
        )
    elif "validation_minus_test" in facts.figures and "valid" in facts.metrics:
        text += f" {against_validation(facts.figures, facts.metrics['valid'])}"
    return Answer(text, METRICS)


def events(facts: RunFacts) -> Answer | None:
    """Images and patients of each class in each part."""
    if not facts.flow:
        return None
    parts = []
    for name, one in facts.flow["splits"].items():
        classes = [
            f"{label} {some['n']:,}" + (f" ({some['n_patients']:,})" if some["n_patients"] else "")
            for label, some in one.get("classes", {}).items()
        ]
        parts.append(f"{split_name(name)}: {', '.join(classes)}")
    return Answer(f"Images, and patients in brackets: {'; '.join(parts)}.", "manifest.csv")


def subgroups(facts: RunFacts) -> Answer | None:
    """The columns that were looked at, and the worst group of each; none, no answer."""
    columns = facts.figures.get("subgroups") or {}
    lines = [_subgroup(column, one) for column, one in columns.items()]
    if not lines:
        return None
    return Answer(f"{place(facts)}, by {'; '.join(lines)}.", METRICS)


def _subgroup(column: str, one: Mapping[str, Any]) -> str:
    groups = one.get("groups", ())
    refused = sum("refused" in group for group in groups)
    text = f"{column} ({len(groups) - refused} groups measured, {refused} too small)"
    worst = (one.get("worst") or {}).get("auroc")
    if not worst or worst.get("value") is None:
        return text
    return f"{text}, lowest AUROC {worst['value']:.3f} in {worst['name']}"


def by_site(facts: RunFacts) -> Answer | None:
    site = (facts.figures.get("subgroups") or {}).get("site")
    if not site:
        return None
    return Answer(f"{place(facts)}, by {_subgroup('site', site)}.", METRICS)


def calibration(facts: RunFacts) -> Answer | None:
    scaling = facts.figures.get("calibration")
    if not isinstance(scaling, Mapping) or "before" not in scaling:
        return None
    before, after = (figure_or_reason(scaling[moment]["ece"]) for moment in ("before", "after"))
    how = (
        "cross-fitted by patient"
        if scaling.get("crossfitted")
        else "fitted to the validation images alone"
    )
    kind = scaling.get("kind", "none")
    scaled = "what was chosen, no scaling," if kind == "none" else f"{kind} scaling"
    return Answer(
        f"Expected calibration error {before} before and {after} after {scaled} {how}.", METRICS
    )


def no_update(facts: RunFacts) -> Answer | None:
    if not facts.metrics:
        return None
    return Answer("None: the model was not changed after it was evaluated.", "cxr")


def robustness(facts: RunFacts) -> Answer | None:
    if not facts.stress.get("summary"):
        return None
    changes = len(facts.stress.get("changes", ()))
    text = f"{changes} changes of exposure, sharpness, noise, position and the like."
    return Answer(f"{text} {facts.stress['summary']}", "stress.json")


def explanation(facts: RunFacts) -> Answer | None:
    """The method and how it did in its own test; only where it was used."""
    method = facts.explanation.get("method")
    if not method:
        return None
    test = facts.explanation.get("sanity", {}).get("randomised", {})
    text = f"Heat maps by {method}."
    if "passed" in test:
        change = "changed as they should" if test["passed"] else "did NOT change as they should"
        text += f" With random weights they {change} (n = {test.get('n', 'unknown')})."
    outside = facts.explanation.get("outside_lungs") or {}
    if outside.get("value") is not None:
        text += f" Share of attention outside the lungs: {figure_or_reason(outside)}."
    return Answer(text, "report.json")


def limits(facts: RunFacts) -> Answer | None:
    """What the run itself knows against its figures."""
    known = []
    if facts.split == "valid":
        known.append("Validation images also chose the epoch, the calibration and the threshold.")
    if facts.patients.get("shared"):
        known.append(f"{facts.patients['shared']:,} patients are in more than one part.")
    if facts.patients and not facts.patients["known"]:
        known.append("No patient is known: images of one patient may be in several parts.")
    if not known:
        return None
    known.append("No images from elsewhere were measured.")
    return Answer(" ".join(known), f"{METRICS}, manifest.csv")
