"""`cxr train DATA --run runs/a`: from a folder of X-rays to a trained, evaluated model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .._io.run_files import CONFIG
from ..config import (
    Device,
    EngineKind,
    FrameMode,
    ManifestOptions,
    Precision,
    Recipe,
    RunConfig,
    SkipQuarantined,
    SplitKind,
    Strategy,
    require_one_of,
)
from ..errors import UsageError
from ._options import one_of, quarantine_of, with_manifest_options
from ._output import emit, metrics_line, stopped_in_words

if TYPE_CHECKING:
    from ..workflows.finish import RunResult

Workers = int | tuple[int, int]


@with_manifest_options
def train(
    data: Annotated[
        str, typer.Argument(help="Folder of images, a CSV or Parquet table, or shards.")
    ],
    run: Annotated[Path, typer.Option("--run", help="Folder for the results, new or empty.")],
    backbone: Annotated[
        str, typer.Option(help="efficientnet_lite0, resnet18, resnet34, resnet50 or a timm name.")
    ] = RunConfig.backbone,
    weights: Annotated[
        str, typer.Option(help="auto, none, or a local .safetensors or .pth file.")
    ] = "auto",
    size: Annotated[int, typer.Option(help="Side of the images in pixels.")] = RunConfig.size,
    frame: Annotated[
        str | None,
        typer.Option(
            help=one_of(FrameMode, "What the network sees of an image"),
            show_default=f"{RunConfig.frame}, or as the run began",
        ),
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(help=one_of(Recipe, "For images of other machines, or as fast.ai does it")),
    ] = RunConfig.recipe,
    epochs: Annotated[
        int, typer.Option(help="Epochs with everything unfrozen.")
    ] = RunConfig.epochs,
    freeze_epochs: Annotated[
        int, typer.Option(help="Epochs of the head alone.")
    ] = RunConfig.freeze_epochs,
    strategy: Annotated[
        str,
        typer.Option(help=one_of(Strategy, "What trains after the head; cached: the upper half")),
    ] = RunConfig.strategy,
    lr: Annotated[
        float, typer.Option(help="Base learning rate, as in fine_tune.")
    ] = RunConfig.base_lr,
    batch_size: Annotated[int, typer.Option(help="Images in a batch.")] = RunConfig.batch_size,
    split: Annotated[str, typer.Option(help=one_of(SplitKind))] = RunConfig.split,
    valid: Annotated[
        float, typer.Option(help="Share set aside for validation.")
    ] = RunConfig.valid_pct,
    seed: Annotated[
        int, typer.Option(help="Decides split, order, augmentation, head.")
    ] = RunConfig.seed,
    augment: Annotated[bool, typer.Option(help="Rotate, shift, zoom, change the light.")] = True,
    window: Annotated[
        int | None, typer.Option(min=0, help="Shards that are mixed at once; 0: all of them.")
    ] = None,
    balance: Annotated[bool, typer.Option(help="Each class counts the same in the loss.")] = False,
    threshold: Annotated[
        str,
        typer.Option(help="youden, sensitivity:0.95, specificity:0.9, cost:5 or cost:5@0.2."),
    ] = RunConfig.threshold,
    explain: Annotated[
        bool, typer.Option(help="Heat maps, telling examples and their neighbours in the report.")
    ] = True,
    population: Annotated[str, typer.Option(help="In words: whose images these are.")] = "",
    *,
    options: ManifestOptions,
    quarantine: Annotated[
        Path | None,
        typer.Option(
            help="List of faulty files by cxr check; check/quarantine.csv where there is one."
        ),
    ] = None,
    skip_quarantined: Annotated[
        str, typer.Option(help=one_of(SkipQuarantined, "Files listed there to leave out"))
    ] = RunConfig.skip_quarantined,
    device: Annotated[str, typer.Option(help=one_of(Device))] = RunConfig.device,
    precision: Annotated[str, typer.Option(help=one_of(Precision))] = RunConfig.precision,
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
        str, typer.Option(help=one_of(EngineKind, "This machine, or a cluster"))
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
    require_one_of("engine", engine, EngineKind)
    settings = {
        "data": data,
        "backbone": backbone,
        "weights": None if weights == "none" else weights,
        "size": size,
        "frame": frame_of(run, frame),
        "recipe": recipe,
        "epochs": epochs,
        "freeze_epochs": freeze_epochs,
        "strategy": strategy,
        "base_lr": lr,
        "batch_size": batch_size,
        "split": split,
        "valid_pct": valid,
        "seed": seed,
        "augment": augment,
        "window": window,
        "class_weights": "balanced" if balance else None,
        "threshold": threshold,
        "explain": explain,
        "population": population,
        "quarantine": quarantine_of(quarantine),
        "skip_quarantined": skip_quarantined,
        "device": device,
        "precision": precision,
    }
    with stopped_in_words():
        result = (_by_ray if engine == "ray" else _here)(
            RunConfig.from_dict(settings | vars(options)),
            run,
            workers_of(workers),
            resume=resume,
            checkpoint_seconds=checkpoint_seconds,
            track=tuple(track or ()),
        )
    if result is not None:  # else another process leads, and says it
        _print(result, json)


def frame_of(run: Path, given: str | None) -> str:
    """What was given, or that of the run in the folder `run`, which goes on, or the default."""
    if given is None and (run / CONFIG).is_file():
        return RunConfig.read(run / CONFIG).frame
    return given or RunConfig.frame


def _print(result: RunResult, as_json: bool) -> None:
    emit(
        {"run": result.folder, "model": result.model, "metrics": result.metrics},
        as_json,
        f"{metrics_line(result.metrics, 'valid')}\nreport: {result.report}\nmodel:  {result.model}",
    )


def _here(config: RunConfig, run: Path, workers: Workers, **how: Any) -> RunResult | None:
    """None where another process of the group leads."""
    from ..train.distributed.workers import workers as started
    from ..workflows.train import train_in_group

    with started(on_this_machine(workers), without(sys.argv[1:], "--workers")):
        return train_in_group(config, run, **how)


def _by_ray(config: RunConfig, run: Path, workers: Workers, **how: Any) -> RunResult:
    from ..scale.train.run import train_ray

    return train_ray(config, run, workers=workers, **how)


def workers_of(given: str) -> Workers:
    """`4`, or `1-4` for (least, most) as there is room. Raises UsageError for anything else."""
    least, dash, most = given.partition("-")
    numbers = [part.strip() for part in ((least, most) if dash else (least,))]
    if not all(number.isdecimal() for number in numbers):
        raise UsageError(f"--workers {given}: give a number, or with --engine ray a range as 1-4")
    size = [int(number) for number in numbers]
    if size[0] < 1 or size != sorted(size):
        raise UsageError(f"--workers {given}: give a number above 0, or the least and the most")
    return size[0] if size[0] == size[-1] else (size[0], size[-1])


def on_this_machine(workers: Workers) -> int:
    """Raises UsageError for a range: here nothing comes or goes."""
    if isinstance(workers, int):
        return workers
    least, most = workers
    raise UsageError(
        f"--workers {least}-{most}: a range goes with --engine ray; give a number, or add that"
    )


def without(arguments: list[str], option: str) -> list[str]:
    """The command line without `option VALUE` and `option=VALUE`."""
    left = [one for one in arguments if not one.startswith(f"{option}=")]
    if option in left:
        at = left.index(option)
        del left[at : at + 2]
    return left
