"""`cxr runs`: which runs there are, and how they differ."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .._io import say
from .._io.markdown import one_line
from .._io.run_files import MODEL
from ._output import emit
from .compare import MEASURE

if TYPE_CHECKING:
    from ..track import Run

HEAD = (
    *("run", "state", "backbone", "size", "images", "epochs"),
    *("AUROC (valid)", "error", "sens / spec", "seconds", "date"),
)


def runs(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Run folders, or folders of them; default: runs.")
    ] = None,
    sort: Annotated[
        str,
        typer.Option(
            help="date, name, state, backbone, size, images, epochs, seconds, auroc, error_rate, "
            "sensitivity or specificity."
        ),
    ] = "date",
    compare: Annotated[
        bool, typer.Option("--compare", help="Two or more run folders, side by side.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap of --compare.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the same as JSON.")] = False,
) -> None:
    """List runs with their state and figures, or compare some of them.

    Example: cxr runs --sort auroc
    """
    if compare:
        from ..track import compare_runs

        result = compare_runs(folders or [], seed=seed)
        emit(result, json, "\n".join(_side_by_side(result)), [MEASURE])
        return
    from ..track import find_runs, sort_runs

    known, left_out = find_runs(folders or [Path("runs")])
    known = sort_runs(known, sort)
    if not json:
        for folder, why in left_out.items():
            say(one_line(f"{folder}: {why}"))
    rows = [run.row() for run in known]
    table = aligned([HEAD, *map(_cells, known)]) if known else ["no runs"]
    emit({"runs": rows, "left_out": left_out}, json, "\n".join(table), [_next(known)])


def _next(known: Sequence[Run]) -> tuple[object, ...]:
    """Those that are finished are compared, or the one measured; else one is trained."""
    finished = [run.folder for run in known if run.state == "finished"]
    if len(finished) > 1:
        return ("runs", "--compare", *finished[:2])
    if finished:
        model = finished[0] / MODEL
        return ("evaluate", model, "OTHER_IMAGES", "--out", finished[0] / "other")
    return ("train", "IMAGES", "--run", "runs/a")


def _cells(run: Run) -> tuple[str, ...]:
    figures, settings = run.figures, run.settings
    both = [_short(figures.get(name)) for name in ("sensitivity", "specificity")]
    return (
        str(run.folder),
        run.state,
        str(settings.get("backbone", "")),
        str(settings.get("size", "")),
        "" if run.images is None else f"{run.images:,}",
        str(run.epochs),
        _whole(figures.get("auroc")),
        _short(figures.get("error_rate")),
        " / ".join(both) if any(both) else "",
        f"{run.seconds:,.0f}",
        _local(run.date),
    )


def _side_by_side(result: dict[str, Any]) -> list[str]:
    from ..report.comparison import comparison_sentences

    pairs = zip(result["runs"], result["states"], strict=True)
    names = [name if state == "finished" else f"{name} ({state})" for name, state in pairs]
    settings = [(name, *map(_plain, values)) for name, values in result["settings"].items()]
    figures = [(name, *map(_whole, values)) for name, values in result["figures"].items()]
    lines = aligned([("", *names), *settings, *figures])
    for pair in result["paired"]:
        lines.append("")
        if "reason" in pair:
            lines.append(f"{' and '.join(pair['runs'])} are not compared: {pair['reason']}")
        else:
            lines += comparison_sentences(pair)
    return lines


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as what is in them; nothing in them ends a line."""
    clean = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*clean, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in clean
    ]


def _plain(value: object) -> str:
    return "-" if value is None else str(value)


def _whole(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return ""
    if figure.get("low") is None or figure.get("high") is None:
        return _short(figure)
    return f"{_short(figure)} ({figure['low']:.3f} to {figure['high']:.3f})"


def _short(figure: dict[str, Any] | None) -> str:
    return "" if figure is None else f"{figure['value']:.4f}"


def _local(date: str) -> str:
    try:
        return datetime.fromisoformat(date).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return ""
