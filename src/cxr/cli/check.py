"""`cxr check DATA`: what is wrong with the data before it fools you."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..config import ManifestOptions, RunConfig, SplitKind
from ._options import CHECK_FOLDER, QUARANTINE, as_typed, one_of, with_manifest_options
from ._output import emit, following

if TYPE_CHECKING:
    from ..check import Finding
    from ..check.result import CheckResult, DataFacts

SHOWN = 3  # of one code on the screen; the page and check.json have more


@with_manifest_options
def check(
    data: Annotated[Path, typer.Argument(help="Folder of images, or a CSV or Parquet table.")],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for check.json, check.html, quarantine.csv.")
    ] = CHECK_FOLDER,
    split: Annotated[
        str | None,
        typer.Option(help=one_of(SplitKind, "Check this split of cxr train")),
    ] = None,
    valid: Annotated[float, typer.Option(help="Share that --split would set aside.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Seed of --split.")] = 42,
    *,
    options: ManifestOptions,
    json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """List what is wrong with the data. Exit code 1 when there is an error among the findings.

    Example: cxr check chest_xrays --out check
    """
    from .._io import progress_disabled
    from ..check.page import write_findings
    from ..check.record import check_record
    from ..check.run import inspect_data
    from ..prepare import named_splitter
    from ..workflows.set_aside import trainable_data

    splitter = named_splitter(split or RunConfig.split, valid, seed)
    with progress_disabled() if json else nullcontext():
        result = inspect_data(
            data,
            options,
            splitter=None if split is None else splitter,
            trainable=partial(trainable_data, splitter=splitter),
        )
        page = write_findings(result, out)
    if json:
        emit({**check_record(result), "page": page, "quarantine": out / QUARANTINE}, json, "")
    else:
        lines = [*_lines(result), f"page: {page}", *_next(result, data, options, out)]
        emit({}, json, "\n".join(lines))
    if any(finding.severity == "error" for finding in result.findings):
        raise typer.Exit(1)


def _lines(result: CheckResult) -> Iterator[str]:
    """The set, then what was found in it, the worst first."""
    from ..check.finding import SEVERITIES, by_code, summary, title, why_not_trainable

    if (refused := why_not_trainable(result.findings)) is not None:
        yield refused
    yield _set(result.facts)
    yield summary(result.findings)
    for severity, heading in SEVERITIES.items():
        groups = by_code(result.findings, severity)
        if groups:
            yield f"\n{heading}"
        for code, findings in groups.items():
            yield from _code(title(code), findings)
    yield ""


def _set(facts: DataFacts) -> str:
    """`images: 64 images of 20 patients; NORMAL 40, PNEUMONIA 24; 2.1 s, 30 images/s`."""
    from .._io.text import counted

    parts = [counted(facts.images, "image")]
    parts[0] += f" of {counted(facts.patients, 'patient')}" if facts.patients else ""
    for counts in (facts.classes, facts.splits):
        if counts:
            parts.append(", ".join(f"{name} {n:,}" for name, n in counts.items()))
    if facts.seconds and facts.images_per_second:
        parts.append(f"{facts.seconds:.1f} s, {facts.images_per_second:,.0f} images/s")
    return f"{facts.name}: {'; '.join(parts)}"


def _code(title: str, findings: list[Finding]) -> Iterator[str]:
    """A few findings of one code, and what to do about them."""
    yield f"  {title}" + (f" ({len(findings):,})" if len(findings) > 1 else "")
    for finding in findings[:SHOWN]:
        yield f"    {finding.message}"
    if len(findings) > SHOWN:
        yield f"    and {len(findings) - SHOWN:,} more"
    for action in list(dict.fromkeys(f.action for f in findings if f.action))[:SHOWN]:
        yield f"    -> {action}"


def _next(result: CheckResult, data: Path, options: ManifestOptions, out: Path) -> Iterator[str]:
    """How many files training will leave out, and the command that does, where it can."""
    from ..check.finding import why_not_trainable
    from ..check.record import listed_files

    n = len(listed_files(result.findings, "error"))
    files = "1 file with an error" if n == 1 else f"{n or 'no'} files with errors"
    yield f"quarantine: {files}{', which cxr train leaves out' if n else ''} ({out / QUARANTINE})"
    if why_not_trainable(result.findings) is not None:
        yield "next: mend this, then run cxr check again"
        return
    command = ["train", data, "--run", "runs/a", *as_typed(options)]
    if n and out != CHECK_FOLDER:
        command += ["--quarantine", out / QUARANTINE]
    yield from following(command)
