"""Writes fastai_schedule.json and fastai_lr_find.json: what fast.ai does for the same calls.

Run with a Python that has fastai: `python tests/reference/make_fastai_reference.py`.

fast.ai rounds the position in a cycle to float32, which shows in the seventh digit of a rate. Each
schedule is therefore written twice: as it ships, and with its own formula in float64.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fastai
import numpy as np
import torch
from fastai.callback import schedule
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Callback, Learner
from fastai.torch_core import params
from torch import Tensor, nn
from torch.nn import functional

BATCHES, BS = 7, 4
NUM_IT = 100
SUGGESTIONS = (schedule.valley, schedule.steep, schedule.minimum, schedule.slide)

Calls = list[tuple[str, list[Any]]]
CALLS: Calls = [
    ("fit_one_cycle", [3, 1e-3]),
    ("fit_one_cycle", [2, slice(1e-5, 3e-4)]),
    ("fit_one_cycle", [2, slice(1e-3)]),
    ("fine_tune", [2]),
]


class KeepHypers(Callback):
    """Rates of all layer groups and the momentum, as they were when the step was taken."""

    def before_fit(self) -> None:
        if not hasattr(self.learn, "rates"):
            self.learn.rates, self.learn.momenta = [], []

    def before_step(self) -> None:
        self.learn.rates.append([float(hyper["lr"]) for hyper in self.opt.hypers])
        self.learn.momenta.append(float(self.opt.hypers[-1]["mom"]))


def numbers(*shape: int) -> Tensor:
    """Numbers that need no random generator: sines of 1, 2, 3, ..."""
    return torch.arange(1, math.prod(shape) + 1, dtype=torch.float64).sin().view(shape)


def three_layers() -> nn.Sequential:
    """A chain of three affine maps in float64, one layer group each."""
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3), nn.Linear(3, 2)).double()
    for layer in model:
        layer.weight.data, layer.bias.data = (
            numbers(*layer.weight.shape),
            numbers(*layer.bias.shape),
        )
    return model


def one_by_one(model: nn.Sequential) -> list[list[nn.Parameter]]:
    return [params(layer) for layer in model]


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """In float32, which fast.ai's smoothed loss needs; the gradients stay in float64."""
    return functional.mse_loss(outputs, targets).float()


def three_layer_learner() -> Learner:
    x, y = numbers(BATCHES * BS, 4), numbers(BATCHES * BS, 2)
    items = list(zip(x, y, strict=True))
    dls = DataLoaders(*(DataLoader(items, bs=BS, num_workers=0) for _ in range(2)))
    return Learner(dls, three_layers(), squared_error, splitter=one_by_one, cbs=KeepHypers)


@contextmanager
def float64_positions() -> Iterator[None]:
    before = schedule.tensor
    schedule.tensor = lambda values: torch.tensor(list(values), dtype=torch.float64)
    try:
        yield
    finally:
        schedule.tensor = before


def quietly(learn: Learner, call: str, *arguments: Any, **options: Any) -> Any:
    with learn.no_bar(), learn.no_logging():
        return getattr(learn, call)(*arguments, **options)


def plain(argument: Any) -> Any:
    return {"slice": [argument.start, argument.stop]} if isinstance(argument, slice) else argument


def schedule_case(call: str, arguments: list[Any]) -> dict[str, Any]:
    shipped, exact = three_layer_learner(), three_layer_learner()
    quietly(shipped, call, *arguments)
    with float64_positions():
        quietly(exact, call, *arguments)
    return {
        "call": call,
        "arguments": [plain(argument) for argument in arguments],
        "rates": exact.rates,
        "momenta": exact.momenta,
        "rates_as_shipped": shipped.rates,
        "weights_after": {name: value.tolist() for name, value in exact.model.state_dict().items()},
    }


def rates() -> np.ndarray:
    return 1e-7 * (10 / 1e-7) ** (np.arange(NUM_IT) / NUM_IT)


def shapes() -> dict[str, np.ndarray]:
    """Curves of 100 losses, by shape; NaN ends one of them."""
    x = np.linspace(0, 1, NUM_IT)
    noise = np.random.default_rng(0).normal(size=NUM_IT)
    valley = 0.7 - 0.5 / (1 + np.exp(-20 * (x - 0.55))) + np.exp(14 * (x - 0.92))
    broken = valley.copy()
    broken[80:] = np.nan
    return {
        "falling": 2 - x - x**2,
        "rising": 0.5 + x**3,
        "plateau": np.full(NUM_IT, 0.693),
        "valley": valley,
        "noisy valley": valley + 0.03 * noise,
        "noise": 0.7 + 0.1 * noise,
        "two valleys": 0.7 + 0.2 * np.cos(12 * x) - 0.2 * x,
        "diverging": np.exp(8 * x**4),
        "valley, then NaN": broken,
    }


def suggestions(losses: np.ndarray) -> dict[str, float]:
    """As fast.ai's `lr_find` reads a curve (its lines between training and plotting)."""
    lrs = torch.tensor(rates()[NUM_IT // 10 : -5], dtype=torch.float32)
    cut = torch.tensor(losses[NUM_IT // 10 : -5], dtype=torch.float32)
    broken = torch.nonzero(torch.isnan(cut))
    end = int(broken.min()) if len(broken) else len(cut)
    return {f.__name__: f(lrs[:end], cut[:end], NUM_IT)[0] for f in SUGGESTIONS}


def noisy_classes() -> list[tuple[Tensor, Tensor]]:
    torch.manual_seed(0)
    x = torch.randn(320, 10)
    y = (x[:, :2].sum(1) + 0.5 * torch.randn(320) > 0).long()
    return list(zip(x, y, strict=True))


def real_curve(model: Callable[[], nn.Module], folder: str) -> tuple[list[float], dict[str, float]]:
    """Smoothed losses of a real range test, and what fast.ai suggests after it."""
    items = noisy_classes()
    torch.manual_seed(0)
    dls = DataLoaders(*(DataLoader(items, bs=16, num_workers=0) for _ in range(2)))
    learn = Learner(dls, model(), nn.CrossEntropyLoss(), path=folder)
    options = {"suggest_funcs": SUGGESTIONS, "show_plot": False, "num_it": NUM_IT}
    found = quietly(learn, "lr_find", **options)
    return [float(loss) for loss in learn.recorder.losses], dict(found._asdict())


MODELS: dict[str, Callable[[], nn.Module]] = {
    "trained: linear": lambda: nn.Linear(10, 2),
    "trained: two layers": lambda: nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2)),
    "trained: batch norm": lambda: nn.Sequential(
        nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 2)
    ),
}


def shortest(losses: list[float]) -> list[float | None]:
    """The fewest digits that give the same float32 again; NaN becomes null."""
    return [None if math.isnan(loss) else float(str(np.float32(loss))) for loss in losses]


def curve_cases() -> Iterator[dict[str, Any]]:
    for name, losses in shapes().items():
        yield {"curve": name, "losses": shortest(losses.tolist())} | suggestions(losses)
    with tempfile.TemporaryDirectory() as folder:
        for name, model in MODELS.items():
            smoothed, found = real_curve(model, folder)
            yield {"curve": name, "losses": shortest(smoothed)} | found


def write(name: str, cases: Iterable[dict[str, Any]], **facts: Any) -> None:
    """One case a line."""
    head = json.dumps({"fastai": fastai.__version__, **facts})[:-1]
    lines = ",\n".join(json.dumps(case, allow_nan=False) for case in cases)
    out = Path(__file__).with_name(name)
    out.write_text(f'{head}, "cases": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    write("fastai_schedule.json", (schedule_case(*call) for call in CALLS), batches=BATCHES, bs=BS)
    write("fastai_lr_find.json", curve_cases(), num_it=NUM_IT)
