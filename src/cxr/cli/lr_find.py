"""`cxr lr-find DATA`: a learning-rate range test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..config import Device, FrameMode, RunConfig
from ._options import Json, one_of
from ._output import emit


def lr_find(
    data: Annotated[Path, typer.Argument(help="Folder of images, or a CSV or Parquet table.")],
    backbone: Annotated[str, typer.Option(help="As in cxr train.")] = RunConfig.backbone,
    weights: Annotated[str, typer.Option(help="auto, none, or a local file.")] = "auto",
    size: Annotated[int, typer.Option(help="Side of the images in pixels.")] = RunConfig.size,
    frame: Annotated[
        str, typer.Option(help=one_of(FrameMode, "What the network sees of an image"))
    ] = RunConfig.frame,
    seed: Annotated[int, typer.Option(help="Decides split, order and head.")] = 42,
    unfrozen: Annotated[
        bool, typer.Option("--unfrozen", help="For the whole network, not the head alone.")
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="Write the curve to this PNG.")] = None,
    device: Annotated[str, typer.Option(help=one_of(Device))] = RunConfig.device,
    json: Json = False,
) -> None:
    """Try rising learning rates on a copy of the weights and suggest four rates."""
    from ..workflows.train import find_rates

    config = RunConfig.from_dict(
        {
            "data": str(data),
            "backbone": backbone,
            "weights": None if weights == "none" else weights,
            "seed": seed,
            "device": device,
            "size": size,
            "frame": frame,
        }
    )
    rates = find_rates(config, unfrozen=unfrozen, plot=plot)
    lines = [f"{name:8} {rate:.2e}" for name, rate in rates.items()]
    emit(dict(rates), json, "\n".join(lines))
