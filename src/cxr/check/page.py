"""Findings as files: for machines, for people, and a list of what to leave out."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from .._io import atomic_path, write_json, write_text
from .finding import Finding

PAGE = Path(__file__).with_name("page.html")
TITLES = {"error": "Errors", "warning": "Warnings", "info": "Good to know"}
OPEN, SHOWN = 5, 200  # of one code; more are folded away, and the rest is in check.json


def write_findings(findings: Sequence[Finding], out: Path | str) -> Path:
    """Writes check.json, check.html and quarantine.csv into `out`; returns the page.

    quarantine.csv has a row (path, code) for each file with an error: what to leave out until it
    is mended. Raises StorageError when `out` cannot be written.
    """
    out = Path(out)
    write_json(out / "check.json", {"findings": [finding.to_dict() for finding in findings]})
    _write_quarantine(findings, out / "quarantine.csv")
    return write_text(out / "check.html", page(findings))


def _write_quarantine(findings: Sequence[Finding], path: Path) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "code"))
        for finding in findings:
            if finding.severity == "error" and finding.path is not None:
                writer.writerow((finding.path.as_posix(), finding.code))


def page(findings: Sequence[Finding]) -> str:
    """One HTML page that loads nothing from anywhere; every text in it is escaped."""
    sections = []
    for severity, title in TITLES.items():
        some = [finding for finding in findings if finding.severity == severity]
        if some:
            sections.append(f'<h2 class="{severity}">{title}</h2>\n{_groups(some)}')
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        lead=summary(findings), sections="\n".join(sections)
    )


def summary(findings: Sequence[Finding]) -> str:
    """`2 errors, 1 warning`, or that there is neither."""
    counts = {name: sum(f.severity == name for f in findings) for name in ("error", "warning")}
    told = [f"{n:,} {name}{'s' * (n != 1)}" for name, n in counts.items() if n]
    return ", ".join(told) or "no errors and no warnings"


def _groups(findings: Sequence[Finding]) -> str:
    codes = dict.fromkeys(finding.code for finding in findings)
    return "\n".join(_group([f for f in findings if f.code == code]) for code in codes)


def _group(findings: Sequence[Finding]) -> str:
    """Findings of one code: what each says, and once what to do."""
    title = findings[0].code.replace("-", " ").capitalize()
    todo = dict.fromkeys(finding.action for finding in findings if finding.action)
    parts = [
        f"<h3>{escape(title)} <small>{len(findings):,}</small></h3>",
        _list(findings[:OPEN]),
        *(f'<p class="todo">{escape(action)}</p>' for action in todo),
    ]
    if len(findings) > OPEN:
        hidden = len(findings) - SHOWN
        last = f"<p>{hidden:,} more are in check.json</p>" if hidden > 0 else ""
        folded = f"{_list(findings[OPEN:SHOWN])}{last}"
        parts.insert(
            2, f"<details><summary>{len(findings) - OPEN:,} more</summary>{folded}</details>"
        )
    return f"<section>{''.join(parts)}</section>"


def _list(findings: Sequence[Finding]) -> str:
    return f"<ul>{''.join(f'<li>{escape(finding.message)}</li>' for finding in findings)}</ul>"
