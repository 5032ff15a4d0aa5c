from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from cxr.errors import TrainingError, UsageError
from cxr.train.lr_finder import FEWEST_POINTS, FEWEST_STEPS, readable_part
from cxr.train.suggest import SuggestedRates, suggest


def state_of(learner):
    """Weights, the order of images to come, and the caller's generator."""
    tensors = [tensor.clone() for tensor in learner.model.state_dict().values()]
    return [*tensors, learner.dls.train.generator.get_state(), torch.random.get_rng_state()]


def unchanged(before, after):
    return all(map(torch.equal, before, after))


@pytest.fixture
def learner(make_learner):
    """Random weights and nothing frozen, so that BatchNorm statistics move too."""
    return make_learner(weights=None)


def test_four_rates_are_read_from_a_rising_test(learner):
    found = learner.lr_find(num_it=60)
    recorder = learner.recorder
    assert isinstance(found, SuggestedRates)
    assert found == recorder.suggestions
    assert found == suggest(*readable_part(recorder.lrs, recorder.losses, 60))
    assert all(1e-8 <= rate <= 10 for rate in found)
    steps = np.arange(len(recorder.lrs))
    np.testing.assert_allclose(recorder.lrs, 1e-7 * (10 / 1e-7) ** (steps / 60))
    assert 7 < len(steps) <= 60  # more than one pass over the images


def test_nothing_is_different_afterwards(learner):
    before = state_of(learner)
    learner.lr_find(num_it=30)
    assert unchanged(before, state_of(learner))


def test_the_result_does_not_depend_on_the_callers_generator(learner):
    torch.manual_seed(1)
    first = learner.lr_find(num_it=30, show_plot=False)
    torch.manual_seed(2)
    learner.dls.one_batch()
    assert learner.lr_find(num_it=30, show_plot=False) == first


def test_interrupted_it_puts_the_weights_back(learner, monkeypatch):
    loss, steps = learner.loss, []

    def interrupt(logits, targets):
        steps.append(1)
        if len(steps) > 5:
            raise KeyboardInterrupt
        return loss(logits, targets)

    before = state_of(learner)
    learner.loss = interrupt
    with pytest.raises(KeyboardInterrupt):
        learner.lr_find()
    assert unchanged(before, state_of(learner))


def test_frozen_layers_stay_frozen(make_learner):
    learner = make_learner()
    before = [parameter.requires_grad for parameter in learner.model.parameters()]
    learner.lr_find(num_it=FEWEST_STEPS, show_plot=False)
    assert [parameter.requires_grad for parameter in learner.model.parameters()] == before


def test_the_curve_is_drawn_and_can_be_drawn_again(learner):
    import matplotlib.pyplot as plt

    learner.lr_find(num_it=30, show_plot=False)
    assert plt.get_fignums() == []
    learner.lr_find(num_it=30)
    assert len(plt.get_fignums()) == 1
    (axis,) = learner.recorder.plot().axes
    assert len(axis.lines) == 5


def test_a_loss_that_diverges_ends_the_test_early(learner):
    before = state_of(learner)
    learner.lr_find(start_lr=1e-6, end_lr=1e6, num_it=100, show_plot=False)
    assert len(learner.recorder.lrs) < 100
    assert learner.recorder.losses[-1] > 4 * min(learner.recorder.losses)
    assert unchanged(before, state_of(learner))


def test_too_short_a_curve_is_refused(learner):
    before = state_of(learner)
    with pytest.raises(TrainingError, match=r"diverged after \d+ of 100 steps.* lower than 1e\+20"):
        learner.lr_find(start_lr=1e20, end_lr=1e30, show_plot=False)
    assert unchanged(before, state_of(learner))


def test_the_fewest_steps_give_the_fewest_points():
    steps = list(map(float, range(1, FEWEST_STEPS + 1)))
    assert len(readable_part(steps, steps, FEWEST_STEPS)[0]) == FEWEST_POINTS
    assert len(readable_part(steps[:-1], steps[:-1], FEWEST_STEPS - 1)[0]) < FEWEST_POINTS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start_lr": 0}, "are not a rising, positive range"),
        ({"start_lr": 1, "end_lr": 0.1}, "1 to 0.1 are not a rising"),
        ({"start_lr": math.nan}, "nan to 10"),
        ({"num_it": FEWEST_STEPS - 1}, f"num_it={FEWEST_STEPS - 1} is too few steps"),
    ],
)
def test_refused_ranges(options, message, learner):
    with pytest.raises(UsageError, match=message):
        learner.lr_find(**options)
