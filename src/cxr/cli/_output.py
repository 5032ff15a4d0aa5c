"""How results are printed: JSON for machines, a few lines for people."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from .._io.markdown import one_line


def emit(
    result: dict[str, Any], as_json: bool, human: str, then: Sequence[Sequence[object]] = ()
) -> None:
    """The result on stdout: JSON for machines, or lines for people, with the commands to go on."""
    if as_json:
        human = json.dumps(result, indent=2, allow_nan=False, default=_plain)
    else:
        human = "\n".join([human, *following(*then)])
    sys.stdout.write(human + "\n")
    sys.stdout.flush()  # a closed pipe must show here, not after the end


def emit_next(as_json: bool, *commands: Sequence[object]) -> None:
    """For people, the commands to go on with, after results that were printed one by one."""
    if not as_json and commands:
        emit({}, False, "\n".join(following(*commands)))


def following(*commands: Sequence[object]) -> list[str]:
    """`next: cxr check images`, and `then: cxr ...` for those after it.

    What a user puts in the place of a word stands in capitals, as in their help.
    """
    first = ("next", *("then" for _ in commands[1:]))
    words = [one_line(shlex.join(map(str, command))) for command in commands]
    return [f"{when}: cxr {command}" for when, command in zip(first, words, strict=False)]


def _plain(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


@contextmanager
def stopped_in_words() -> Iterator[None]:
    """What is said where training was stopped by SIGTERM; Ctrl-C is answered for all commands."""
    from ..train.resume.stop import Stopped

    try:
        yield
    except Stopped as stopped:
        if stopped.signal == signal.SIGINT:
            raise
        sys.stderr.write("cxr: stopped; the same command goes on from here\n")
        raise typer.Exit(stopped.exit_code) from stopped


def metrics_line(metrics: dict[str, Any], split: str) -> str:
    """One line a person can quote: n, error rate and AUROC with their intervals."""
    figures = metrics[split]
    n_patients = figures["n_patients"]
    patients = f"{n_patients:,}" if isinstance(n_patients, int) else "not known"
    parts = [f"{split}: n={figures['n']:,}, patients {patients}"]
    for name in ("error_rate", "auroc", "sensitivity", "specificity"):
        figure = figures.get(name)
        if isinstance(figure, dict) and figure.get("value") is not None:
            low, high = figure.get("low"), figure.get("high")
            interval = f" ({low:.3f} to {high:.3f})" if low is not None else ""
            parts.append(f"{name} {figure['value']:.4f}{interval}")
    return ", ".join(parts)


def run_lines(metrics: dict[str, Any]) -> str:
    """Of a run: test images first where there are any, then validation, and how far these agree."""
    lines = [metrics_line(metrics, split) for split in ("test", "valid") if split in metrics]
    if "test" in metrics:
        from ..report.set_aside import against_validation, shared_patients

        test = metrics["test"]
        lines += filter(None, [shared_patients(test), against_validation(test, metrics["valid"])])
    return "\n".join(lines)


def prediction_line(row: dict[str, Any]) -> str:
    """`path: Not judged: ...`, or the decision with its probabilities and operating threshold and
    whether the model is confident; or the path and why it could not be read."""
    from ..apply.decision.words import Facts, in_words

    if row["error"] is not None:
        return f"{row['path']}: {row['error']}"
    shares = _shares(row, "prob_")
    there = next((k for k in row if k.startswith("at_prevalence_")), None)
    if there is not None:
        share = there.split("_")[2]
        shares += f"; at prevalence {share}: {_shares(row, f'at_prevalence_{share}_')}"
    said = {name: row[name] for name in ("status", "not_judged", "reason", "decision")}
    facts = Facts(**said, thresholds=_columns(row, "threshold_"), shares=shares)
    return f"{row['path']}: {in_words(facts)}"


def _shares(row: dict[str, Any], prefix: str) -> str:
    from ..apply.decision.words import shares_in_words

    return shares_in_words(_columns(row, prefix))


def _columns(row: dict[str, Any], prefix: str) -> dict[str, float]:
    return {k.removeprefix(prefix): v for k, v in row.items() if k.startswith(prefix)}
