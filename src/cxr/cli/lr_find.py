"""`cxr lr-find DATA`: a learning-rate range test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..config import RunConfig
from ._options import Json, with_run_settings
from ._output import emit

TRIED = ("backbone", "weights", "size", "frame", "seed", "device")


@with_run_settings(TRIED)
def lr_find(
    data: Annotated[Path, typer.Argument(help="Folder of images, or a CSV or Parquet table.")],
    *,
    settings: dict[str, Any],
    unfrozen: Annotated[
        bool, typer.Option("--unfrozen", help="For the whole network, not the head alone.")
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="Write the curve to this PNG.")] = None,
    json: Json = False,
) -> None:
    """Try rising learning rates on a copy of the weights and suggest four rates.

    Example: cxr lr-find chest_xrays --plot rates.png
    """
    from ..workflows.train import find_rates

    config = RunConfig.from_dict({"data": str(data)} | settings)
    rates = find_rates(config, unfrozen=unfrozen, plot=plot)
    lines = [f"{name:8} {rate:.2e}" for name, rate in rates.items()]
    train = ["train", data, "--run", "runs/a", "--lr", f"{rates['valley']:.2e}"]
    for name, value in settings.items():
        train += [f"--{name}", "none" if value is None else value]
    emit(dict(rates), json, "\n".join(lines), [train])
