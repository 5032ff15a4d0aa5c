"""Trainings with several recipes and seeds, whose run folders are kept and used again."""

from __future__ import annotations

import argparse
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from cxr._io.run_files import METRICS, MODEL
from cxr.config import RunConfig
from cxr.workflows.train import train_run

Settings = dict[str, Any]
SEEDS = (42, 1, 2)
PLAIN = "recipe=fine_tune"  # as the posts do it: moves, brightness and contrast alone


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument(
        "--default", nargs="+", default=[], metavar="KEY=VALUE", help="changes to the default run"
    )
    parser.add_argument(
        *("--plain", "--set"),
        dest="plain",
        nargs="+",
        default=[PLAIN],
        metavar="KEY=VALUE",
        help=f"the run that it is compared with, as changes to the default one; {PLAIN}",
    )
    parser.add_argument(
        "--runs", type=Path, help="keep run folders here; those that are finished are used again"
    )


def parse(pairs: Sequence[str]) -> Settings:
    """`size=96 augment=false` -> settings of a run, refused where a run would refuse them."""
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise SystemExit(f"{wrong[0]!r} is not KEY=VALUE, such as size=160")
    found = {key: yaml.safe_load(value) for key, value in (pair.split("=", 1) for pair in pairs)}
    RunConfig.from_dict({**found, "data": "."})
    return found


def folder_of(runs: Path, name: str, settings: Settings, seed: int) -> Path:
    """`runs/default-seed42`, or with settings `runs/plain-augment_False-seed42`."""
    words = [name, *(f"{key}_{value}" for key, value in sorted(settings.items())), f"seed{seed}"]
    return runs / re.sub(r"[^\w.=-]", "", "-".join(words))


def trained(run: Path, data: Path, settings: Settings, seed: int, image_root: Path) -> Path:
    """The model of the run; an unfinished one goes on, a finished one is used."""
    if not (run / METRICS).is_file():
        root = {"image_root": str(image_root)} if data.is_file() else {}
        config = RunConfig.from_dict({"seed": seed, **root, **settings, "data": str(data)})
        train_run(config, run, resume=run.exists())
    return run / MODEL


def mean_and_spread(values: Sequence[float]) -> dict[str, float]:
    """`spread` is the standard deviation between seeds, 0 of a single one."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.fmean(values), "spread": spread, "seeds": len(values)}


def interval(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "-"
    between = f" ({figure['low']:.3f} to {figure['high']:.3f})" if "low" in figure else ""
    return f"{figure['value']:.4f}{between}"
