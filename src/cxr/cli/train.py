"""`cxr train DATA --run runs/a`: from a folder of X-rays to a trained, evaluated model."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._columns import (
    ImageRoot,
    LabelColumn,
    LabelColumns,
    PathColumn,
    PatientColumn,
    PatientPattern,
    listed,
)
from ._common import check_engine, emit
from ._group import Size, group_size, on_this_machine, without
from .check import FOLDER, QUARANTINE

if TYPE_CHECKING:
    from ..config import RunConfig
    from ..workflows.finish import RunResult


def train(
    data: Annotated[
        str, typer.Argument(help="Folder of images, a CSV or Parquet table, or shards.")
    ],
    run: Annotated[Path, typer.Option("--run", help="Folder for the results, new or empty.")],
    backbone: Annotated[
        str, typer.Option(help="efficientnet_lite0, resnet18, resnet34, resnet50 or a timm name.")
    ] = "efficientnet_lite0",
    weights: Annotated[
        str, typer.Option(help="auto, none, or a local .safetensors or .pth file.")
    ] = "auto",
    size: Annotated[int | None, typer.Option(help="Side of the images in pixels.")] = None,
    recipe: Annotated[
        str, typer.Option(help="robust to images of other machines, or fine_tune as fast.ai does.")
    ] = "robust",
    epochs: Annotated[int | None, typer.Option(help="Epochs with everything unfrozen.")] = None,
    freeze_epochs: Annotated[int | None, typer.Option(help="Epochs of the head alone.")] = None,
    strategy: Annotated[
        str, typer.Option(help="What trains after the head: full, cached (upper half) or auto.")
    ] = "auto",
    lr: Annotated[float | None, typer.Option(help="Base learning rate, as in fine_tune.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images in a batch.")] = None,
    split: Annotated[str, typer.Option(help="patient, random, folders or manifest.")] = "patient",
    valid: Annotated[float | None, typer.Option(help="Share set aside for validation.")] = None,
    seed: Annotated[int, typer.Option(help="Decides split, order, augmentation, head.")] = 42,
    augment: Annotated[bool, typer.Option(help="Rotate, shift, zoom, change the light.")] = True,
    window: Annotated[
        int | None, typer.Option(min=0, help="Shards that are mixed at once; 0: all of them.")
    ] = None,
    balance: Annotated[bool, typer.Option(help="Each class counts the same in the loss.")] = False,
    threshold: Annotated[
        str | None,
        typer.Option(help="youden, sensitivity:0.95, specificity:0.9, cost:5 or cost:5@0.2."),
    ] = None,
    explain: Annotated[
        bool, typer.Option(help="Heat maps, telling examples and their neighbours in the report.")
    ] = True,
    population: Annotated[str, typer.Option(help="In words: whose images these are.")] = "",
    label_column: LabelColumn = None,
    label_columns: LabelColumns = None,
    path_column: PathColumn = None,
    patient_column: PatientColumn = None,
    patient_pattern: PatientPattern = "auto",
    image_root: ImageRoot = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(
            help="List of faulty files by cxr check; check/quarantine.csv where there is one."
        ),
    ] = None,
    skip_quarantined: Annotated[
        str, typer.Option(help="Files listed there to leave out: errors, all or none.")
    ] = "errors",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="For scripts: go on, start or, where it is finished, do nothing."
        ),
    ] = False,
    checkpoint_seconds: Annotated[
        float, typer.Option(min=0, help="Keep the state at least so often inside epochs.")
    ] = 30.0,
    engine: Annotated[
        str, typer.Option(help="local for this machine, or ray for a cluster.")
    ] = "local",
    workers: Annotated[
        str,
        typer.Option(help="Processes that train together, as one for each GPU; with ray also 1-4."),
    ] = "1",
    track: Annotated[
        list[str] | None,
        typer.Option(
            help="Also followed in mlflow, mlflow:URI#EXPERIMENT or tensorboard; may be repeated."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Train, calibrate, evaluate and export; the run folder holds everything, with a report.

    A run that was stopped goes on with the same command.
    """
    from ..config import RunConfig
    from ..train.resume.stop import Stopped

    check_engine(engine)
    chosen: dict[str, Any] = {
        "size": size,
        "epochs": epochs,
        "freeze_epochs": freeze_epochs,
        "base_lr": lr,
        "batch_size": batch_size,
        "valid_pct": valid,
        "threshold": threshold,
    }
    config = RunConfig(
        data=data,
        backbone=backbone,
        weights=None if weights == "none" else weights,
        recipe=recipe,
        strategy=strategy,
        split=split,
        seed=seed,
        augment=augment,
        window=window,
        class_weights="balanced" if balance else None,
        explain=explain,
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
    try:
        result = (_by_ray if engine == "ray" else _here)(
            config,
            run,
            group_size(workers),
            resume=resume,
            checkpoint_seconds=checkpoint_seconds,
            track=tuple(track or ()),
        )
    except Stopped as stopped:
        if stopped.signal == signal.SIGINT:
            raise
        sys.stderr.write("cxr: stopped; the same command goes on from here\n")
        raise typer.Exit(stopped.exit_code) from stopped
    if result is None:  # another process leads, and says it
        return
    emit(
        {"run": result.folder, "model": result.model, "metrics": result.metrics},
        json,
        summary(result.metrics, "valid") + f"\nreport: {result.report}\nmodel:  {result.model}",
    )


def _here(config: RunConfig, run: Path, workers: Size, **how: Any) -> RunResult | None:
    """None where another process of the group leads."""
    from ..train.distributed.workers import workers as started
    from ..workflows.train import train_share

    with started(on_this_machine(workers), without(sys.argv[1:], "--workers")):
        return train_share(config, run, **how)


def _by_ray(config: RunConfig, run: Path, workers: Size, **how: Any) -> RunResult:
    from ..scale.train.run import train_ray

    return train_ray(config, run, workers=workers, **how)


def quarantine_of(given: Path | None) -> str | None:
    """What was given, or what `cxr check` wrote into this folder, if it did."""
    written = FOLDER / QUARANTINE
    if given is None and not written.is_file():
        return None
    return str(written if given is None else given)


def summary(metrics: dict[str, Any], split: str) -> str:
    """One line a person can quote: n, error rate and AUROC with their intervals."""
    found = metrics[split]
    n_patients = found["n_patients"]
    patients = f"{n_patients:,}" if isinstance(n_patients, int) else "not known"
    parts = [f"{split}: n={found['n']:,}, patients {patients}"]
    for name in ("error_rate", "auroc", "sensitivity", "specificity"):
        figure = found.get(name)
        if isinstance(figure, dict) and figure.get("value") is not None:
            low, high = figure.get("low"), figure.get("high")
            interval = f" ({low:.3f} to {high:.3f})" if low is not None else ""
            parts.append(f"{name} {figure['value']:.4f}{interval}")
    return ", ".join(parts)
