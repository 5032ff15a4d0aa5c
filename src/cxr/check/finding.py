"""What every check returns, and how it is put for people: titles, counts, a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from .._io.text import counted

Severity = Literal["error", "warning", "info"]
SEVERITIES = {"error": "Errors", "warning": "Warnings", "info": "Good to know"}
NOT_TRAINABLE = "not-trainable"
TITLES = {
    "unreadable": "Files that cannot be read",
    "copy": "Copies of one image",
    "copy-across-labels": "One image, different labels",
    "copy-across-splits": "One image on both sides of the split",
    "near-copy": "The same image twice, changed a little",
    "near-copy-across-labels": "The same image, changed a little, under different labels",
    "near-copy-across-splits": "The same image, changed a little, on both sides of the split",
    "patients": "Whose images these are",
    "no-patients": "No patient is known",
    "without-patient": "Images without a patient",
    "patients-across-splits": "Patients on both sides of the split",
    "patients-across-labels": "Patients with images of several classes",
    "classes": "Classes",
    NOT_TRAINABLE: "These data cannot be trained on",
    "imbalance": "Classes of very different size",
    "class-too-small": "Too few to measure with",
    "random-split-leaks": "What a random split would leak",
    "doubtful-labels": "Likely label errors",
    "shortcut-framing": "Does the framing alone tell the class?",
    "framing-not-judged": "Framing: not judged",
    "shortcuts-not-judged": "Shortcuts: not judged",
    "shortcut-statistics": "Do brightness and contrast alone tell the class?",
    "shortcut-file": "Do facts of the files alone tell the class?",
    "shortcut-borders": "Do borders and corners alone tell the class?",
    "shortcut-thumbnail": "Does a tiny thumbnail tell the class?",
    "shortcut-surroundings": "Does the image without its middle tell the class?",
    "splits-differ": "Do the splits differ?",
    "groups-differ": "Do groups of images differ?",
    "small-subgroup": "Groups too small to measure",
    "column-tells-label": "Does a column tell the label?",
    "blank": "Blank images",
    "colour-image": "Colour photos or screenshots",
    "strip": "Images cut down to a strip",
    "small": "Images too small to judge",
    "too-few-to-compare": "Too few images to compare",
    "faint": "Images with next to nothing in them",
    "on-its-side": "Images lying on their side",
    "upside-down": "Images upside down",
    "inverted": "Inverted images",
    "part-of-an-image": "Parts of images",
    "unlike-the-others": "Images unlike the others",
    "burnt-in-text": "Text burnt into images",
    "dicom-without-image": "DICOM: files without an image",
    "dicom-lateral": "DICOM: lateral views",
    "dicom-frames": "DICOM: several frames in a file",
    "dicom-no-decoder": "DICOM: a missing decoder",
    "dicom-for-processing": "DICOM: raw images, not for presentation",
}
KINDS = {"private-": "Private data", "name-": "Private data in file names", "dicom-": "DICOM"}


class Figure(NamedTuple):
    """An image as a data URI, with its size in pixels, and what it shows."""

    caption: str
    source: str
    width: int
    height: int


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing, about the data.

    `code` names the check ("unreadable"); `message` says what was found; `path` is the file, or
    `group` the class, patient or set, that it is about; `evidence` holds the figures behind it, in
    JSON types; `action` says what to do next; `figures`, for the page alone, show it.
    """

    code: str
    severity: Severity
    message: str
    path: Path | None = None
    group: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    action: str = ""
    figures: Sequence[Figure] = ()

    def to_dict(self) -> dict[str, Any]:
        """In JSON types without the figures, the path with forward slashes on every platform."""
        path = None if self.path is None else self.path.as_posix()
        facts = {**vars(self), "path": path, "evidence": dict(self.evidence)}
        del facts["figures"]
        return facts


def title(code: str) -> str:
    """Of a group of findings, for people: a code that is not known here is put in plain words."""
    if code in TITLES:
        return TITLES[code]
    for start, kind in KINDS.items():
        if code.startswith(start):
            return f"{kind}: {_plain(code.removeprefix(start))}"
    return _plain(code).capitalize()


def _plain(code: str) -> str:
    return code.replace("-", " ").replace("_", " ").strip()


def by_code(findings: Sequence[Finding], severity: str) -> dict[str, list[Finding]]:
    """The findings of a severity under their codes, in the order in which they come."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.severity == severity:
            groups.setdefault(finding.code, []).append(finding)
    return groups


def counts(findings: Sequence[Finding]) -> dict[str, int]:
    return {name: sum(finding.severity == name for finding in findings) for name in SEVERITIES}


def summary(findings: Sequence[Finding]) -> str:
    """`2 errors, 1 warning`, or that there is neither."""
    n = counts(findings)
    parts = [counted(n[name], name) for name in ("error", "warning") if n[name]]
    return ", ".join(parts) or "no errors and no warnings"


def verdict(findings: Sequence[Finding]) -> str:
    """One sentence: how much was found, and what to do about it first."""
    if (refused := why_not_trainable(findings)) is not None:
        return refused
    n = counts(findings)
    total = f"{_many(n['error'], 'error')} and {_many(n['warning'], 'warning')}"
    if n["error"]:
        then = "mend what the errors name before you train"
    elif n["warning"]:
        then = "training can start; weigh the warnings before you believe its figures"
    else:
        then = "training can start"
    return f"{total}: {then}.".capitalize()


def why_not_trainable(findings: Sequence[Finding]) -> str | None:
    """Why `cxr train` refuses the data, and what to do; None where it does not."""
    why = (one.message for one in findings if one.code == NOT_TRAINABLE)
    return next((f"cxr train refuses these data: {message}." for message in why), None)


def _many(n: int, what: str) -> str:
    return counted(n, what) if n else f"no {what}s"
