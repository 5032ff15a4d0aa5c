"""Run folders as a training leaves them, and learners that hold what the last epoch gave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cxr._io import write_json, write_text
from cxr.config import RunConfig
from cxr.evaluate import make_predictions
from cxr.report import page
from cxr.report.context import ReportContext
from cxr.report.results import MeasureSettings, evaluate_predictions
from helpers.figures import undrawn

EPOCHS = ((0, 0), (1, 0), (1, 1))  # phase and epoch
IMAGES = {"train": 40, "valid": 80}


@pytest.fixture
def learner_after() -> Callable[..., SimpleNamespace]:
    return after


def after(phase: int, epoch: int, **values: float) -> SimpleNamespace:
    """What a callback sees when `epoch` of `phase` has ended, after two seconds."""
    row = [0.5 - 0.1 * phase - 0.01 * epoch, 0.4, 0.25, 0.875 + 0.05 * epoch]
    recorder = SimpleNamespace(values=[row], times=[2.0], lrs=[0.0 if phase == 0 else 1e-3])
    for name, value in values.items():
        row[("train_loss", "valid_loss", "error_rate", "auroc").index(name)] = value
    return SimpleNamespace(
        fits=phase + 1,
        recorder=recorder,
        metric_names=("error_rate", "auroc"),
        dls=SimpleNamespace(train=SimpleNamespace(n_images=40)),
    )


@pytest.fixture
def config() -> RunConfig:
    return RunConfig(data="images", backbone="test_efficientnet", size=64, population="phantoms")


@pytest.fixture
def run(tmp_path: Path, config: RunConfig) -> Path:
    """A run folder when training begins."""
    return begun(tmp_path / "runs" / "a", config)


def begun(folder: Path, config: RunConfig) -> Path:
    write_text(folder / "config.yaml", config.to_yaml())
    write_json(folder / "environment.json", {"device": "cpu", "versions": {"cxr": "0.1.0"}})
    rows = [f"{split}{i}.png,{split}" for split, n in IMAGES.items() for i in range(n)]
    write_text(folder / "manifest.csv", "\n".join(["path,split", *rows, "left.png,"]) + "\n")
    return folder


Finish = Callable[..., SimpleNamespace]


@pytest.fixture
def finish(monkeypatch: pytest.MonkeyPatch) -> Iterator[Finish]:
    """`finish(folder, seed=0, n=80)` leaves there what a finished run does, but no model."""
    monkeypatch.setattr(page, "render_figures", undrawn)

    def finish(folder: Path, seed: int = 0, n: int = 80) -> SimpleNamespace:
        truth = np.arange(n) % 2
        p = 1 / (1 + np.exp(-2 * truth + 1 - np.random.default_rng(seed).normal(size=n)))
        paths, patients = [f"valid{i}.png" for i in range(n)], [f"secret{i // 4}" for i in range(n)]
        predictions = make_predictions(
            paths, np.c_[1 - p, p], truth, ("NORMAL", "SICK"), patients=patients, split="valid"
        )
        history = ["phase,epoch,train_loss,valid_loss,error_rate,auroc,seconds"]
        history += [f"{phase},{epoch},0.5,0.4,0.25,0.875,2.0" for phase, epoch in EPOCHS]
        write_text(folder / "history.csv", "\n".join(history) + "\n")
        write_text(folder / "README.md", "---\ntags: [x]\n---\n\n# Model card\n\nOf phantoms.\n")
        (folder / "model.cxr").write_bytes(bytes(range(256)))
        metrics = evaluate_predictions(
            {"valid": predictions},
            folder,
            MeasureSettings(threshold=0.4, resamples=100),
            ReportContext(population="80 phantoms"),
        )
        return SimpleNamespace(folder=folder, metrics=metrics)

    return finish
