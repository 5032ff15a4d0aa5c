"""Our schedules against fast.ai's own, see tests/reference/make_fastai_reference.py."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from cxr.errors import UsageError
from cxr.train import loop
from cxr.train.loop import Epoch, StepLog, Training, train_epoch
from cxr.train.optimizer import make_optimizer
from cxr.train.recipe import Phase, fine_tune_phases
from cxr.train.recorder import Recorder
from cxr.train.schedule import one_cycle, one_cycle_schedule, rates_of_groups
from cxr.train.state import MOMENTA

REFERENCE = Path(__file__).parents[1] / "reference" / "fastai_schedule.json"
FASTAI = json.loads(REFERENCE.read_text(encoding="utf-8"))
BATCHES, BS = FASTAI["batches"], FASTAI["bs"]


def arguments_of(case):
    return [
        slice(*argument["slice"]) if isinstance(argument, dict) else argument
        for argument in case["arguments"]
    ]


@pytest.fixture(params=FASTAI["cases"], ids=lambda case: f"{case['call']} {case['arguments']}")
def case(request):
    return request.param


class Spy:
    """Takes the steps as ever and writes down what the optimizer was told for each of them."""

    def __init__(self, monkeypatch):
        self.rates, self.betas = [], []
        take_step = loop.train_step

        def step(training, *given):
            groups = training.optimizer.param_groups
            self.rates.append({group["layer_group"]: group["lr"] for group in groups})
            self.betas.append({group["betas"] for group in groups})
            return take_step(training, *given)

        monkeypatch.setattr(loop, "train_step", step)


def test_rates_and_momentum_are_fastais_at_every_step_of_a_real_fit(
    case, make_learner, monkeypatch
):
    spy, learner = Spy(monkeypatch), make_learner(strategy="full")
    learner.unfreeze()
    getattr(learner, case["call"])(*arguments_of(case))
    assert len(spy.rates) == len(case["rates"]) > BATCHES
    for step, found in enumerate(spy.rates):
        frozen = case["call"] == "fine_tune" and step < BATCHES
        assert set(found) == ({2} if frozen else {0, 1, 2})
        for group, rate in found.items():
            assert rate == pytest.approx(case["rates"][step][group], rel=1e-9)
            shipped = case["rates_as_shipped"][step][group]
            assert rate == pytest.approx(shipped, rel=1e-5)  # its positions are float32
        ((momentum, beta2),) = spy.betas[step]  # the same for all groups
        assert momentum == pytest.approx(case["momenta"][step], rel=1e-9)
        assert beta2 == 0.99
    last_fit = len(learner.recorder.lrs)
    assert learner.recorder.lrs == [rates[2] for rates in spy.rates][-last_fit:]
    assert learner.recorder.moms == pytest.approx(case["momenta"][-last_fit:], rel=1e-9)


# The same three affine maps as in the reference, through our own loop and optimizer.


def numbers(*shape):
    return torch.arange(1, math.prod(shape) + 1, dtype=torch.float64).sin().view(shape)


class ThreeLayers(nn.Sequential):
    pretrained = False

    def __init__(self):
        super().__init__(nn.Linear(4, 3), nn.Linear(3, 3), nn.Linear(3, 2))
        self.double()
        for layer in self:
            layer.weight.data = numbers(*layer.weight.shape)
            layer.bias.data = numbers(*layer.bias.shape)

    @property
    def body(self):
        return nn.Sequential(*list(self)[:2])


class FixedBatches:
    device = torch.device("cpu")

    def epoch(self, first, share):
        return zip(
            numbers(BATCHES * BS, 4).split(BS), numbers(BATCHES * BS, 2).split(BS), strict=True
        )

    def __len__(self):
        return BATCHES


def phases_of(call, arguments):
    if call == "fine_tune":
        return fine_tune_phases(*arguments)
    return [Phase(0, *arguments, pct_start=0.25)]


def test_the_weights_after_it_are_fastais(case):
    model = ThreeLayers()
    groups = [list(layer.parameters()) for layer in model]
    for phase in phases_of(case["call"], arguments_of(case)):
        for i, layer in enumerate(model):
            layer.requires_grad_(i >= phase.first_group % 3)
        optimizer = make_optimizer(groups, weight_decay=0.01)
        schedule = one_cycle_schedule(
            rates_of_groups(phase.rates, 3),
            pct_start=phase.pct_start,
            div=phase.div,
            div_final=1e5,
            momenta=MOMENTA,
        )
        for epoch in range(phase.epochs):
            train_epoch(
                Training(model, functional.mse_loss, optimizer, torch.enable_grad),
                FixedBatches(),
                schedule,
                Epoch(epoch, phase.epochs),
                StepLog(Recorder(), torch.device("cpu")),
            )
    for name, value in model.state_dict().items():
        expected = torch.tensor(case["weights_after"][name], dtype=torch.float64)
        torch.testing.assert_close(value, expected, rtol=1e-9, atol=1e-12)


# Rates for layer groups ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        (1e-3, (1e-3, 1e-3, 1e-3)),
        (slice(1e-3), (1e-4, 1e-4, 1e-3)),
        (slice(1e-6, 1e-4), (1e-6, 1e-5, 1e-4)),
        ([1e-5, 2e-5, 3e-5], (1e-5, 2e-5, 3e-5)),
    ],
)
def test_one_rate_for_each_group(rates, expected):
    assert rates_of_groups(rates, 3) == pytest.approx(expected)


def test_a_single_group_takes_the_end_of_a_slice():
    assert rates_of_groups(slice(1e-6, 1e-4), 1) == (1e-4,)
    assert rates_of_groups(slice(1e-4), 1) == (1e-4,)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (0.0, "learning rate 0.0 is not a positive number"),
        (-1e-3, "learning rate -0.001"),
        (math.nan, "learning rate nan"),
        (math.inf, "learning rate inf"),
        ([1e-3, 1e-3], "2 learning rates for 3 layer groups"),
        (slice(None), "needs an end"),
        (slice(-1e-5, 1e-3), "learning rate"),
    ],
)
def test_refused_rates(rates, message):
    with pytest.raises(UsageError, match=message):
        rates_of_groups(rates, 3)


def test_a_cycle_ends_at_its_end_and_not_beyond():
    curve = one_cycle(0.25, 1.0, 2.0, 0.5)
    assert [curve(done) for done in (0, 0.25, 1, 1.1)] == pytest.approx([1, 2, 0.5, 0.5])


@pytest.mark.parametrize("pct_start", [0, 1, -0.1])
def test_refused_pct_start(pct_start):
    with pytest.raises(UsageError, match="is not between 0 and 1"):
        one_cycle_schedule([1.0], pct_start=pct_start, div=25, div_final=1e5, momenta=MOMENTA)
