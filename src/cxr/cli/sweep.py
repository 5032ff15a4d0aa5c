"""`cxr sweep DATA --out sweeps/a --size 96,128`: which settings are best, reported honestly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ..config import (
    Device,
    ManifestOptions,
    Precision,
    RunConfig,
    SkipQuarantined,
    SplitKind,
)
from ..errors import UsageError
from ._options import one_of, quarantine_of, with_manifest_options
from ._output import emit, stopped_in_words

YES = {"yes": True, "true": True, "no": False, "false": False}
Values = str | None


@with_manifest_options
def sweep(
    data: Annotated[Path, typer.Argument(help="Folder of images, or a CSV or Parquet table.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the sweep, new or unfinished.")],
    backbone: Annotated[Values, typer.Option(help="One or several, joined by commas.")] = None,
    weights: Annotated[Values, typer.Option(help="auto, none or local files.")] = None,
    size: Annotated[Values, typer.Option(help="Sides of the images in pixels.")] = None,
    frame: Annotated[Values, typer.Option(help="What is seen of an image: lungs, whole.")] = None,
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
        int,
        typer.Option(help="1: validate on a fifth of the patients. K: cross-validate."),
    ] = 1,
    engine: Annotated[str, typer.Option(help="local, or ray for trials side by side.")] = "local",
    workers: Annotated[int | None, typer.Option(min=1, help="Trials at once, with ray.")] = None,
    cpus_per_trial: Annotated[int, typer.Option(min=1, help="Threads of a trial.")] = 1,
    gpus_per_trial: Annotated[float, typer.Option(min=0, help="GPUs of a trial, with ray.")] = 0.0,
    split: Annotated[str, typer.Option(help=one_of(SplitKind, "Outer split"))] = RunConfig.split,
    valid: Annotated[
        float, typer.Option(help="Share of the outer validation side.")
    ] = RunConfig.valid_pct,
    seed: Annotated[int, typer.Option(help="Decides splits, search and training.")] = 42,
    threshold: Annotated[str, typer.Option(help="As in cxr train.")] = RunConfig.threshold,
    population: Annotated[str, typer.Option(help="In words: whose images these are.")] = "",
    *,
    options: ManifestOptions,
    quarantine: Annotated[
        Path | None, typer.Option(help="List of faulty files by cxr check, as in cxr train.")
    ] = None,
    skip_quarantined: Annotated[
        str, typer.Option(help=one_of(SkipQuarantined, "Files listed there to leave out"))
    ] = RunConfig.skip_quarantined,
    device: Annotated[str, typer.Option(help=one_of(Device))] = RunConfig.device,
    precision: Annotated[str, typer.Option(help=one_of(Precision))] = RunConfig.precision,
    json: Annotated[bool, typer.Option("--json", help="Print sweep.json.")] = False,
) -> None:
    """Try settings, choose on inner images, measure once on patients that no trial has seen.

    A sweep that was stopped goes on with the same command. Exit code 1 when all trials fail.
    """
    from ..scale.sweep import Sweep, TrialRunner, run_sweep

    settings = {
        "data": str(data),
        "split": split,
        "valid_pct": valid,
        "seed": seed,
        "threshold": threshold,
        "population": population,
        "quarantine": quarantine_of(quarantine),
        "skip_quarantined": skip_quarantined,
        "device": device,
        "precision": precision,
    }
    plan = Sweep(
        RunConfig.from_dict(settings | vars(options)),
        _values(
            backbone=(backbone, str),
            weights=(weights, lambda text: None if text == "none" else text),
            size=(size, int),
            frame=(frame, str),
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
        TrialRunner(engine, workers, gpus_per_trial),
    )
    with stopped_in_words():
        result = run_sweep(plan, out)
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
