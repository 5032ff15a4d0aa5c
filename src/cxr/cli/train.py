"""`cxr train DATA --run runs/a`: from a folder of X-rays to a trained, evaluated model."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .._io.run_files import CONFIG, ENVIRONMENT
from ..config import EngineKind, RunConfig, read_settings, require_one_of
from ..errors import UsageError
from ._options import choice, found_quarantine, with_run_settings
from ._output import emit, run_lines, stopped_in_words

if TYPE_CHECKING:
    from ..workflows.finish import RunResult

Workers = int | tuple[int, int]


@with_run_settings()
def train(
    data: Annotated[
        str | None,
        typer.Argument(help="Folder of images, a CSV or Parquet table, or shards."),
    ] = None,
    *,
    run: Annotated[Path, typer.Option("--run", help="Folder for the results, new or empty.")],
    config: Annotated[
        Path | None,
        typer.Option(
            help="YAML file of settings, as a run's config.yaml; options given here win.",
            show_default="none",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="For scripts: go on, start or, where it is finished, do nothing."
        ),
    ] = False,
    settings: dict[str, Any],
    engine: Annotated[
        str, choice(EngineKind, "This machine, or a cluster", rich_help_panel="Hardware")
    ] = "local",
    workers: Annotated[
        str,
        typer.Option(
            help="Processes that train together, as one for each GPU; with ray also 1-4.",
            rich_help_panel="Hardware",
        ),
    ] = "1",
    checkpoint_seconds: Annotated[
        float,
        typer.Option(
            min=0,
            help="Keep the state at least so often inside epochs.",
            rich_help_panel="Tracking",
        ),
    ] = 30.0,
    track: Annotated[
        list[str] | None,
        typer.Option(
            help="Also followed in mlflow, mlflow:URI#EXPERIMENT or tensorboard; may be repeated.",
            rich_help_panel="Tracking",
            show_default="none",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Train, calibrate, evaluate and export; the run folder holds everything, with a report.

    Example: cxr train chest_xrays --run runs/a

    A run that was stopped goes on with the same command; cxr train --config runs/a/config.yaml
    --run runs/b repeats one.
    """
    require_one_of("engine", engine, EngineKind)
    with stopped_in_words():
        result = (_by_ray if engine == "ray" else _here)(
            run_config(data, run, config, settings),
            run,
            workers_of(workers),
            resume=resume,
            checkpoint_seconds=checkpoint_seconds,
            track=tuple(track or ()),
        )
    if result is not None:  # else another process leads, and says it
        _print(result, json)


def run_config(
    data: str | None, run: Path, config: Path | None, given: Mapping[str, Any]
) -> RunConfig:
    """What was `given`, else what the file `config` says, else what is usual here.

    That is the quarantine in this folder, and the frame of the run in `run`, which goes on.
    """
    usual: dict[str, Any] = found_quarantine()
    if (run / CONFIG).is_file():
        usual["frame"] = RunConfig.read(run / CONFIG).frame
    if config is not None:
        usual = _settings_in(config)
    if data is not None:
        usual["data"] = data
    if "data" not in usual:
        raise UsageError(
            "DATA is missing: give a folder of images or a table, or --config with a file that "
            "names it under data"
        )
    return RunConfig.from_dict(usual | dict(given))


def _settings_in(config: Path) -> dict[str, Any]:
    """A run's own file without `frame` is of a version that took whole images."""
    if not config.is_file():
        what = f"{config} is a folder" if config.is_dir() else f"there is no {config}"
        raise UsageError(f"{what}; give --config a YAML file, as runs/a/{CONFIG}")
    values = read_settings(config)
    of_a_run = config.with_name(ENVIRONMENT).is_file()
    return {"frame": "whole"} | values if of_a_run else values


def _print(result: RunResult, as_json: bool) -> None:
    emit(
        {"run": result.folder, "model": result.model, "metrics": result.metrics},
        as_json,
        f"{run_lines(result.metrics)}\nreport: {result.report}\nmodel:  {result.model}",
        [
            ("evaluate", result.model, "OTHER_IMAGES", "--out", result.folder / "other"),
            ("predict", result.model, "IMAGES"),
        ],
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
