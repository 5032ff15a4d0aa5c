"""The stress test for people: its files, a table for the terminal, a sentence on the worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .._io import atomic_path, write_json
from .figures.stress import draw_stress

HEADS = (
    *("change", "strength", "accuracy (95 %)", "AUROC", "sens.", "spec."),
    *("decisions changed", "no lungs found", "confident"),
)
COLUMNS = ("auroc", "sensitivity", "specificity")
SHARES = ("decisions_changed", "no_lungs_found", "confident")
NONE = "-"


def write_stress(result: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """Writes `stress.json` and `stress.png` into `out`; returns what `stress.json` holds."""
    whole = {**result, "summary": worst_line(result)}
    with atomic_path(out / "stress.png") as temporary:
        temporary.write_bytes(draw_stress(whole))
    write_json(out / "stress.json", whole)
    return whole


def worst_line(result: Mapping[str, Any]) -> str:
    """One plain sentence on the change that costs most accuracy."""
    worst = result["changes"][0] if result["changes"] else None
    if worst is None or worst["difference"]["accuracy"]["value"] is None:
        return "No accuracy could be measured, so nothing can be said to be lost."
    moved = worst["difference"]["accuracy"]
    if moved["value"] >= 0:
        return f"No change lost accuracy on these {result['n']:,} images."
    before = result["plain"]["accuracy"]["value"]
    share = worst["decisions_changed"]["value"]
    return (
        f"Worst: {worst['name']} ({worst['strength']}): accuracy falls from {before:.3f} to "
        f"{worst['accuracy']['value']:.3f}, a difference of {_moved(moved)}{_between(moved)}; "
        f"{100 * share:.0f} % of the decisions change."
    )


def stress_table(result: Mapping[str, Any]) -> str:
    """Lines: whose model, what was looked at, the changes sorted by loss, the worst."""
    plain = {name: _value(figure) for name, figure in result["plain"].items()}
    shares = {name: _percent(figure) for name, figure in result["plain"].items()}
    patients = result["n_patients"]
    who = f"{patients:,} patients" if patients else "patients not known"
    start = [
        result["about"]["research_use_only"],
        f"trained on: {result['trained_on']}",
        f"plain images (n={result['n']:,}, {who}, split {result['split']}): "
        f"accuracy {plain['accuracy']}, AUROC {plain['auroc']}, "
        f"sensitivity {plain['sensitivity']}, specificity {plain['specificity']}; "
        f"no lungs found in {shares['no_lungs_found']}, confident of {shares['confident']}",
        f"changed: {result['changed_at']}",
        *result["caveats"],
        "",
        "differences from the plain images, the worst first:",
    ]
    return "\n".join([*start, *_aligned([HEADS, *map(_row, result["changes"])]), *_end(result)])


def _end(result: Mapping[str, Any]) -> list[str]:
    strongest = result["strongest"]
    mean = strongest["difference"]["accuracy"]
    if mean["value"] is None:
        return ["", result["summary"]]
    line = f"mean change of accuracy over the {strongest['settings']} strongest settings: "
    return ["", f"{line}{_moved(mean)}{_between(mean)}", result["summary"]]


def _row(change: Mapping[str, Any]) -> tuple[str, ...]:
    moved = change["difference"]
    accuracy = moved["accuracy"]
    return (
        change["name"],
        change["strength"],
        f"{_moved(accuracy)}{_between(accuracy)}",
        *(_moved(moved[name]) for name in COLUMNS),
        *(_percent(change[name]) for name in SHARES),
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _value(figure: Mapping[str, Any]) -> str:
    return NONE if figure["value"] is None else f"{figure['value']:.3f}{_between(figure, '')}"


def _percent(figure: Mapping[str, Any]) -> str:
    return NONE if figure["value"] is None else f"{100 * figure['value']:.1f} %"


def _moved(figure: Mapping[str, Any]) -> str:
    return NONE if figure["value"] is None else f"{figure['value']:+.3f}"


def _between(figure: Mapping[str, Any], sign: str = "+") -> str:
    if "low" not in figure:
        return ""
    return f" ({figure['low']:{sign}.3f} to {figure['high']:{sign}.3f})"
