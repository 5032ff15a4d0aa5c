"""What a fit does to weights, and to the rest of the world."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from cxr.errors import TrainingError
from cxr.prepare import Augmentation
from cxr.train import EarlyStopping, SaveBest, accuracy, auroc
from cxr.train.callbacks import Callback


class Until(nn.Module):
    """The learner's loss up to training step `step`, and then what `then` makes of it."""

    def __init__(self, loss, step, then):
        super().__init__()
        self.loss, self.step, self.then, self.count = loss, step, then, 0

    def forward(self, logits, targets):
        loss = self.loss(logits, targets)
        if not logits.requires_grad:  # validation
            return loss
        self.count += 1
        return self.then(loss, logits) if self.count == self.step else loss


class Remember(Callback):
    """The weights after each epoch."""

    def __init__(self):
        self.epochs = []

    def after_epoch(self, learner, epoch):
        self.epochs.append(weights_of(learner))
        return False


def weights_of(learner):
    return {name: tensor.clone() for name, tensor in learner.model.state_dict().items()}


def same(left, right):
    return all(torch.equal(left[name], right[name]) for name in left)


def broken(loss, logits):
    return loss * float("nan")


def broken_gradient(loss, logits):
    """A finite loss whose gradient is not: the square root of 0."""
    return loss + (logits - logits.detach()).square().sum().sqrt()


def interrupt(loss, logits):
    raise KeyboardInterrupt


def test_a_fit_learns(make_learner):
    learner = make_learner(weights=None, metrics=[accuracy, auroc])
    before = learner.validate()
    recorder = learner.fit_one_cycle(5, 1e-2)
    assert learner.recorder is recorder
    assert len(recorder.losses) == len(recorder.lrs) == len(recorder.moms) == 35
    assert [len(row) for row in recorder.values] == [4] * 5
    assert recorder.epoch_ends == [7, 14, 21, 28, 35]
    loss, share, area = learner.validate()
    assert recorder.values[-1][1:] == pytest.approx([loss, share, area], abs=1e-5)
    assert loss < before[0] / 2
    assert share == area == 1


def test_several_labels_are_learnt_where_they_are_known(make_learner, multi_label_dls):
    options = {"weights": None, "metrics": [accuracy, auroc], "class_weights": "balanced"}
    learner = make_learner(multi_label_dls, **options)
    learner.fit_one_cycle(5, 1e-2)
    chances, targets = learner.get_preds()
    assert np.isfinite(learner.recorder.losses).all()
    assert ((chances[:, 0] > 0.5) == (targets[:, 0] == 1)).all()


def test_three_classes(make_learner, three_class_dls):
    learner = make_learner(three_class_dls)
    assert learner.loss.weight is None
    learner.fine_tune(1)
    assert learner.get_preds()[0].shape == (16, 3)


def test_class_weights_and_smoothing_reach_the_loss(make_learner):
    learner = make_learner(class_weights=[1.0, 3.0], label_smoothing=0.1)
    logits, targets = learner.logits("valid")
    weight = torch.tensor([1.0, 3.0])
    expected = nn.functional.cross_entropy(logits, targets, weight, label_smoothing=0.1)
    assert learner.validate()[0] == pytest.approx(expected.item(), rel=1e-6)


def test_bf16_trains_and_predicts_in_full_precision(make_learner):
    learner = make_learner(precision="bf16")
    seen = []
    first = next(iter(learner.model.body.modules()))
    first.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    learner.unfreeze()
    learner.fit(1, 1e-3)
    assert set(seen) == {torch.bfloat16}
    seen.clear()
    learner.validate()
    assert set(seen) == {torch.float32}
    assert {parameter.dtype for parameter in learner.model.parameters()} == {torch.float32}


# Repeatable ------------------------------------------------------------------------------------


def one_run(make_learner, dls, seed, **options):
    learner = make_learner(dls, **options)
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    state = torch.random.get_rng_state()
    learner.fine_tune(1)
    assert torch.equal(torch.random.get_rng_state(), state)
    return weights_of(learner)


def test_one_seed_one_model_to_the_last_bit(make_learner, dls):
    """Whatever the caller's generators say, and however often batches were looked at before."""
    dls.train.augmentation = Augmentation()
    first = one_run(make_learner, dls, seed=1)
    dls.show_batch(max_n=4)
    dls.one_batch()
    assert same(one_run(make_learner, dls, seed=2), first)
    dls.seed = 43
    assert not same(one_run(make_learner, dls, seed=1), first)


def test_every_epoch_has_its_own_order(make_learner, dls, monkeypatch):
    orders = []
    order = dls.train.order
    monkeypatch.setattr(dls.train, "order", lambda: orders.append(order()) or orders[-1])
    make_learner().fine_tune(2)
    assert len(orders) == 3
    assert len({tuple(one.tolist()) for one in orders}) == 3
    assert all(sorted(one.tolist()) == list(range(56)) for one in orders)


# What trains -------------------------------------------------------------------------------------


def test_a_frozen_body_stays_to_the_last_bit_statistics_too(make_learner):
    learner = make_learner()
    before = weights_of(learner)
    learner.fit(1, 1e-2)
    after = weights_of(learner)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert {name.split(".")[0] for name in changed} == {"head"}


def test_an_unfrozen_pretrained_body_keeps_its_statistics(make_learner):
    learner = make_learner()
    learner.unfreeze()
    before = weights_of(learner)
    learner.fit(1, slice(1e-4, 1e-2))
    after = weights_of(learner)
    kept = {name for name in before if torch.equal(before[name], after[name])}
    body = {name for name in before if name.startswith("body.")}
    assert kept == {name for name in body if "running_" in name or "num_batches" in name}


def test_a_random_body_learns_its_statistics(make_learner):
    learner = make_learner(weights=None)
    before = weights_of(learner)
    learner.fit(1, 1e-3)
    after = weights_of(learner)
    assert all(not torch.equal(before[n], after[n]) for n in before if "running_mean" in n)


# What ends it early ------------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "good_epochs"), [(3, 0), (10, 1)])
def test_a_broken_loss_stops_the_fit_with_the_last_good_weights(step, good_epochs, make_learner):
    learner = make_learner()
    start, remember = weights_of(learner), Remember()
    learner.loss = Until(learner.loss, step, broken)
    with pytest.raises(TrainingError, match=rf"loss became nan at step {step} .* rate 1\.00e-03"):
        learner.fit(3, 1e-3, cbs=[remember])
    assert len(remember.epochs) == good_epochs
    assert same(weights_of(learner), [start, *remember.epochs][-1])


@pytest.mark.parametrize(("step", "seen_at"), [(7, "validation loss"), (9, "loss")])
def test_weights_that_break_unseen_are_not_kept_as_good(step, seen_at, make_learner):
    """The loss of the step that breaks them is fine; the next one, or validation, tells."""
    learner = make_learner()
    start, remember = weights_of(learner), Remember()
    learner.loss = Until(learner.loss, step, broken_gradient)
    with pytest.raises(TrainingError, match=rf"the {seen_at} became nan at step"):
        learner.fit(2, 1e-3, cbs=[remember])
    assert same(weights_of(learner), [start, *remember.epochs][-1])
    assert np.isfinite(learner.validate()[0])


def test_a_rate_far_too_high_is_caught(make_learner):
    learner = make_learner()
    learner.unfreeze()
    start = weights_of(learner)
    with pytest.raises(TrainingError, match=r"learning rate 1\.00e\+30.*ten times smaller"):
        learner.fit(1, 1e30)
    assert same(weights_of(learner), start)


def test_ctrl_c_leaves_a_learner_that_goes_on(make_learner):
    learner = make_learner()
    start, remember = weights_of(learner), Remember()
    loss = learner.loss
    learner.loss = Until(loss, 10, interrupt)
    before = torch.random.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        learner.fit(3, 1e-3, cbs=[remember])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert len(learner.recorder.losses) == 9
    assert len(remember.epochs) == 1
    stopped = weights_of(learner)
    assert not same(stopped, start)
    assert not same(stopped, remember.epochs[0])
    learner.loss = loss
    learner.save("interrupted")
    learner.fit(1, 1e-3)
    assert np.isfinite(learner.validate()[0])


def test_early_stopping_ends_a_real_fit(make_learner):
    learner = make_learner()
    learner.fit(5, 1e-3, cbs=[EarlyStopping(min_delta=10, patience=2)])
    assert len(learner.recorder.values) == 3


def test_the_best_epoch_is_loaded_and_on_disk(make_learner):
    learner, remember = make_learner(), Remember()
    learner.loss = Until(learner.loss, 20, lambda loss, logits: loss * 1e6)
    learner.fit(4, 0.05, cbs=[SaveBest(name="stage-1"), remember])
    losses = [row[1] for row in learner.recorder.values]
    best = remember.epochs[int(np.argmin(losses))]
    assert same(weights_of(learner), best)
    assert same(weights_of(make_learner().load("stage-1")), best)
