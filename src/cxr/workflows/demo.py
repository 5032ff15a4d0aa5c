"""The five steps on synthetic images: what a run looks like, in a minute and offline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._io import say
from .._io.run_files import PREDICTIONS
from ..apply import load_learner, predict_files
from ..check import inspect_data, summary, write_findings
from ..config import RunConfig
from ..errors import UsageError
from ..evaluate import read_predictions
from ..find.phantom import write_phantom
from .train import RunResult, train_run


@dataclass(frozen=True)
class DemoResult:
    """`run`: the run folder; `row`: the prediction for one validation image."""

    run: RunResult
    row: dict[str, Any]


def run_demo(out: Path, *, images: int = 600, seed: int = 42) -> DemoResult:
    """Writes `out/data` and `out/run`. Raises UsageError when they are there already."""
    data, run = out / "data", out / "run"
    if run.exists():
        raise UsageError(f"{run} is there already; remove {out} or give another --out")
    say("1. find: synthetic images, plainly labelled SYNTHETIC")
    if not data.exists():
        write_phantom(data, n_images=images, seed=seed)
    say("2. check: unreadable and unusable files, copies, patients, labels, shortcuts, privacy")
    checked = inspect_data(data)
    say(f"   {summary(checked.findings)}: {write_findings(checked, out / 'check')}")
    say("3. prepare and 4. train: split by patient, transfer learning from ImageNet")
    config = RunConfig(
        data=str(data),
        seed=seed,
        population="SYNTHETIC images, no real patients",
        quarantine=str(out / "check" / "quarantine.csv"),
    )
    result = train_run(config, run)
    say("5. apply: the exported model on one validation image")
    image = data / read_predictions(run / PREDICTIONS.format(split="valid")).table["path"].iloc[-1]
    row = predict_files(load_learner(result.model), [image])[0]
    return DemoResult(result, row)
