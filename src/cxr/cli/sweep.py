"""`cxr sweep DATA --out sweeps/a --size 96,128`: which settings are best, reported honestly."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from ..config import EngineKind, RunConfig
from ..errors import UsageError
from ._options import (
    DEFAULTS,
    READ,
    SETTINGS,
    choice,
    found_quarantine,
    option_of,
    setting_of,
    typed_as,
    with_run_settings,
    with_settings,
)
from ._output import emit, stopped_in_words

YES = {"yes": True, "true": True, "no": False, "false": False}
SWEPT = tuple(
    name
    for name in SETTINGS
    if setting_of(name).panel in ("model", "training") and name not in ("resize", "seed")
)


def _several(name: str) -> inspect.Parameter:
    """An option for values joined by commas."""
    default = DEFAULTS[name] or 0
    usual = ("yes" if default else "no") if typed_as(name) is bool else default
    return option_of(name, str | None, None, str(usual))


def _all_values(given: dict[str, str]) -> dict[str, list[Any]]:
    return {
        name: [_value(name, one.strip()) for one in text.split(",")] for name, text in given.items()
    }


def _value(name: str, text: str) -> Any:
    kind = typed_as(name)
    read = _yes if kind is bool else kind if kind in (int, float) else str
    try:
        value = read(text)
    except ValueError as error:
        raise UsageError(
            f"{name}: {text!r} is not a value for it; give values joined by commas"
        ) from error
    return READ[name](value) if name in READ else value


def _yes(text: str) -> bool:
    if text.lower() not in YES:
        raise ValueError(text)
    return YES[text.lower()]


@with_run_settings([name for name in SETTINGS if name not in SWEPT])
@with_settings(SWEPT, "swept", _all_values, _several)
def sweep(
    data: Annotated[Path, typer.Argument(help="Folder of images, or a CSV or Parquet table.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the sweep, new or unfinished.")],
    *,
    swept: dict[str, Any],
    search: Annotated[
        str, typer.Option(help="grid: all settings. random: --trials of them.")
    ] = "grid",
    trials: Annotated[int | None, typer.Option(help="How many settings to draw.")] = None,
    inner_folds: Annotated[
        int,
        typer.Option(help="1: validate on a fifth of the patients. K: cross-validate."),
    ] = 1,
    engine: Annotated[
        str, choice(EngineKind, "Where trials run, one by one or side by side")
    ] = "local",
    workers: Annotated[int | None, typer.Option(min=1, help="Trials at once, with ray.")] = None,
    cpus_per_trial: Annotated[int, typer.Option(min=1, help="Threads of a trial.")] = 1,
    gpus_per_trial: Annotated[float, typer.Option(min=0, help="GPUs of a trial, with ray.")] = 0.0,
    settings: dict[str, Any],
    json: Annotated[bool, typer.Option("--json", help="Print sweep.json.")] = False,
) -> None:
    """Try settings, choose on inner images, measure once on patients that no trial has seen.

    Example: cxr sweep chest_xrays --out sweeps/a --size 96,128

    Model and training options take several values, joined by commas.

    A sweep that was stopped goes on with the same command. Exit code 1 when all trials fail.
    """
    from ..scale.sweep import Sweep, TrialRunner, run_sweep

    plan = Sweep(
        RunConfig.from_dict({"data": str(data)} | found_quarantine() | settings),
        swept,
        search,
        trials,
        inner_folds,
        cpus_per_trial,
        TrialRunner(engine, workers, gpus_per_trial),
    )
    with stopped_in_words():
        result = run_sweep(plan, out)
    best = out / "best"
    other = ("evaluate", best / "model.cxr", "OTHER_IMAGES", "--out", best / "other")
    emit(result, json, "\n".join([*result["sentences"], *_written(out)]), [other])


def _written(out: Path) -> list[str]:
    return [
        f"table: {out / 'sweep.csv'}",
        f"page:  {out / 'sweep.html'}",
        f"model: {out / 'best' / 'model.cxr'}",
    ]
