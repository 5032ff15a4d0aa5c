"""A check as files: for people, for machines, and a list of what training leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import __version__
from .._io import write_json, write_text
from ..find.quarantine import write_quarantine
from .finding import SEVERITIES, Figure, Finding, by_code, counts, title, verdict, why_not_trainable
from .record import check_record, listed_files, quarantine_rows
from .result import CheckResult
from .thumbnails import Wanted, thumbnails, wanted_images

IMAGES_A_FINDING, IMAGES_A_CODE, IMAGES_A_PAGE = 12, 48, 150
OPEN = {"cards": 12, "pairs": 6, "rows": 5}  # findings of a code before the rest is folded away
SHOWN = 100  # findings of a code; the rest is in check.json
BARS = 20
LONGEST, FOLDED = 600, 300  # characters of a text


@dataclass(frozen=True)
class AurocBar:
    """An AUROC on a scale from 0.5 to 1."""

    label: str
    value: float
    low: float | None
    high: float | None
    n: int | None


@dataclass(frozen=True)
class ShownFinding:
    """A finding as the page draws it."""

    message: str
    bars: Sequence[AurocBar]
    images: Sequence[Wanted]
    figures: Sequence[Figure]


@dataclass(frozen=True)
class FindingGroup:
    """The findings of a code: the first drawn, some folded away as text, the others counted.

    `form` is how they are laid out: cards with an image each, pairs, or rows.
    """

    code: str
    severity: str
    title: str
    n: int
    form: str
    shown: Sequence[ShownFinding]
    folded: Sequence[str]
    actions: Sequence[str]

    @property
    def hidden(self) -> int:
        return self.n - len(self.shown) - len(self.folded)


def write_findings(result: CheckResult, out: Path | str) -> Path:
    """Writes check.json, check.html and quarantine.csv into `out`; returns the page.

    check.json holds every finding. quarantine.csv has a row for each error and each warning about
    a file, as `cxr.find.quarantine` reads it: training leaves out the errors, until they are
    mended. Nothing written says where on a disk the data lie.
    Raises StorageError when `out` cannot be written.
    """
    out = Path(out)
    write_json(out / "check.json", check_record(result))
    rows = quarantine_rows(result.findings, result.facts.root)
    write_quarantine(rows, out / "quarantine.csv")
    return write_text(out / "check.html", page(result))


def page(result: CheckResult) -> str:
    """One HTML page that loads nothing from anywhere. The template escapes every text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    findings, facts = result.findings, result.facts
    groups = _within_the_page([_group(some) for some in _groups(findings)])
    names = [wanted.name for group in groups for one in group.shown for wanted in one.images]
    jinja = Environment(
        loader=PackageLoader("cxr", "check"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return jinja.get_template("page.html").render(
        facts=facts,
        verdict=verdict(findings),
        refused=why_not_trainable(findings) is not None,
        counts=counts(findings),
        faulty=listed_files(findings, "error"),
        doubtful=listed_files(findings, "warning"),
        sections=[
            (severity, heading, [group for group in groups if group.severity == severity])
            for severity, heading in SEVERITIES.items()
        ],
        thumbnails=thumbnails(facts.root, names),
        percent=_percent,
        version=__version__,
    )


def _groups(findings: Sequence[Finding]) -> Iterator[list[Finding]]:
    for severity in SEVERITIES:
        yield from by_code(findings, severity).values()


def _group(findings: Sequence[Finding]) -> FindingGroup:
    first, n = findings[0], len(findings)
    most = max(len(wanted_images(finding, 3)) for finding in findings)
    form = "cards" if most == 1 else "pairs" if most == 2 else "rows"
    return FindingGroup(
        code=first.code,
        severity=first.severity,
        title=title(first.code),
        n=n,
        form=form,
        shown=[_shown(finding) for finding in findings[: OPEN[form]]],
        folded=[_clip(finding.message, FOLDED) for finding in findings[OPEN[form] : SHOWN]],
        actions=list(dict.fromkeys(_clip(f.action) for f in findings if f.action))[:BARS],
    )


def _shown(finding: Finding) -> ShownFinding:
    return ShownFinding(
        message=_clip(finding.message),
        bars=list(_bars(finding)),
        images=[
            Wanted(one.name, _clip(one.caption)) for one in wanted_images(finding, IMAGES_A_FINDING)
        ],
        figures=finding.figures,
    )


def _bars(finding: Finding) -> Iterator[AurocBar]:
    after = finding.evidence.get("auroc_after_cut")
    if isinstance(auroc := finding.evidence.get("auroc"), dict):
        yield from _bar("" if after is None else "whole image", auroc)
    if after is not None:
        yield from _bar("cut to the lungs", after)
    for label, auroc in list(finding.evidence.get("auroc_by", {}).items())[:BARS]:
        yield from _bar(label, auroc)


def _bar(label: str, auroc: dict[str, Any]) -> Iterator[AurocBar]:
    """Nothing for a figure that is not defined."""
    value, low, high = (auroc.get(name) for name in ("value", "low", "high"))
    if value is not None and value == value:
        yield AurocBar(_clip(label), value, low, high, auroc.get("n"))


def _within_the_page(groups: Sequence[FindingGroup]) -> list[FindingGroup]:
    """Images are given out from the top, some to each code, until the page has enough."""
    left, limited = IMAGES_A_PAGE, []
    for group in groups:
        of_code, shown = IMAGES_A_CODE, []
        for one in group.shown:
            images = one.images[: min(left, of_code)]
            left, of_code = left - len(images), of_code - len(images)
            shown.append(replace(one, images=images))
        limited.append(replace(group, shown=shown))
    return limited


def _percent(auroc: float) -> float:
    """Where on the scale from 0.5 to 1 a value lies, in percent of its length."""
    return round(100 * (min(max(auroc, 0.5), 1.0) - 0.5) / 0.5, 2)


def _clip(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
