"""`cxr sweep DATA --out sweeps/a --size 96,128`: which settings are best, told honestly."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UsageError
from ._columns import (
    ImageRoot,
    LabelColumn,
    LabelColumns,
    PathColumn,
    PatientColumn,
    PatientPattern,
    listed,
)
from ._common import emit
from .train import quarantine_of

YES = {"yes": True, "true": True, "no": False, "false": False}
Values = str | None


def sweep(
    data: Annotated[Path, typer.Argument(help="Folder of images, or a CSV or Parquet table.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the sweep, new or unfinished.")],
    backbone: Annotated[Values, typer.Option(help="One or several, joined by commas.")] = None,
    weights: Annotated[Values, typer.Option(help="auto, none or local files.")] = None,
    size: Annotated[Values, typer.Option(help="Sides of the images in pixels.")] = None,
    recipe: Annotated[Values, typer.Option(help="robust, fine_tune.")] = None,
    epochs: Annotated[Values, typer.Option(help="Epochs with everything unfrozen.")] = None,
    freeze_epochs: Annotated[Values, typer.Option(help="Epochs of the head alone.")] = None,
    strategy: Annotated[Values, typer.Option(help="auto, full, cached.")] = None,
    lr: Annotated[Values, typer.Option(help="Base learning rates.")] = None,
    batch_size: Annotated[Values, typer.Option(help="Images in a batch.")] = None,
    augment: Annotated[Values, typer.Option(help="yes, no.")] = None,
    balance: Annotated[
        Values, typer.Option(help="Classes count the same in the loss: no, yes.")
    ] = None,
    label_smoothing: Annotated[Values, typer.Option(help="0, 0.1, ...")] = None,
    search: Annotated[
        str, typer.Option(help="grid: all settings. random: --trials of them.")
    ] = "grid",
    trials: Annotated[int | None, typer.Option(help="How many settings to draw.")] = None,
    inner_folds: Annotated[
        int, typer.Option(help="1: a fifth of the patients judge. K: each judges once.")
    ] = 1,
    engine: Annotated[str, typer.Option(help="local, or ray for trials side by side.")] = "local",
    workers: Annotated[int | None, typer.Option(min=1, help="Trials at once, with ray.")] = None,
    cpus_per_trial: Annotated[int, typer.Option(min=1, help="Threads of a trial.")] = 1,
    gpus_per_trial: Annotated[float, typer.Option(min=0, help="GPUs of a trial, with ray.")] = 0.0,
    split: Annotated[
        str, typer.Option(help="Outer split: patient, random, folders or manifest.")
    ] = "patient",
    valid: Annotated[float | None, typer.Option(help="Share of the outer validation side.")] = None,
    seed: Annotated[int, typer.Option(help="Decides splits, search and training.")] = 42,
    threshold: Annotated[str | None, typer.Option(help="As in cxr train.")] = None,
    population: Annotated[str, typer.Option(help="In words: whose images these are.")] = "",
    label_column: LabelColumn = None,
    label_columns: LabelColumns = None,
    path_column: PathColumn = None,
    patient_column: PatientColumn = None,
    patient_pattern: PatientPattern = "auto",
    image_root: ImageRoot = None,
    quarantine: Annotated[
        Path | None, typer.Option(help="List of faulty files by cxr check, as in cxr train.")
    ] = None,
    skip_quarantined: Annotated[
        str, typer.Option(help="Files listed there to leave out: errors, all or none.")
    ] = "errors",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print sweep.json.")] = False,
) -> None:
    """Try settings, choose on inner images, measure once on patients that no trial has seen.

    A sweep that was stopped goes on with the same command. Exit code 1 when all trials fail.
    """
    from ..config import RunConfig
    from ..scale.sweep.engines import Engine
    from ..scale.sweep.run import Sweep
    from ..scale.sweep.run import sweep as run_sweep
    from ..train.resume.stop import Stopped

    chosen: dict[str, Any] = {"valid_pct": valid, "threshold": threshold}
    config = RunConfig(
        data=str(data),
        split=split,
        seed=seed,
        population=population,
        label_column=label_column,
        label_columns=listed(label_columns),
        path_column=path_column,
        patient_column=patient_column,
        patient_pattern=patient_pattern,
        image_root=str(image_root) if image_root else None,
        quarantine=quarantine_of(quarantine),
        skip_quarantined=skip_quarantined,
        device=device,
        precision=precision,
        **{name: value for name, value in chosen.items() if value is not None},
    )
    asked = Sweep(
        config,
        _values(
            backbone=(backbone, str),
            weights=(weights, lambda text: None if text == "none" else text),
            size=(size, int),
            recipe=(recipe, str),
            epochs=(epochs, int),
            freeze_epochs=(freeze_epochs, int),
            strategy=(strategy, str),
            base_lr=(lr, float),
            batch_size=(batch_size, int),
            augment=(augment, _yes),
            class_weights=(balance, lambda text: "balanced" if _yes(text) else None),
            label_smoothing=(label_smoothing, float),
        ),
        search,
        trials,
        inner_folds,
        cpus_per_trial,
        Engine(engine, workers, gpus_per_trial),
    )
    try:
        result = run_sweep(asked, out)
    except Stopped as stopped:
        if stopped.signal == signal.SIGINT:
            raise
        sys.stderr.write("cxr: stopped; the same command goes on from here\n")
        raise typer.Exit(stopped.exit_code) from stopped
    emit(result, json, "\n".join([*result["sentences"], *_written(out)]))


def _values(**given: tuple[str | None, Callable[[str], Any]]) -> dict[str, list[Any]]:
    """Setting -> its values, of what was given."""
    return {
        name: [_value(name, one.strip(), kind) for one in text.split(",")]
        for name, (text, kind) in given.items()
        if text is not None
    }


def _value(name: str, text: str, kind: Callable[[str], Any]) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise UsageError(
            f"{name}: {text!r} is not a value for it; give values joined by commas"
        ) from error


def _yes(text: str) -> bool:
    if text.lower() not in YES:
        raise ValueError(text)
    return YES[text.lower()]


def _written(out: Path) -> list[str]:
    return [
        f"table: {out / 'sweep.csv'}",
        f"page:  {out / 'sweep.html'}",
        f"model: {out / 'best' / 'model.cxr'}",
    ]
