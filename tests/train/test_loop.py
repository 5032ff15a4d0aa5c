from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from cxr.errors import TrainingError
from cxr.train.loop import (
    LossIsNaN,
    StepLog,
    Training,
    refuse_broken,
    train_step,
    validation_logits,
)
from cxr.train.losses import ClassLoss
from cxr.train.recorder import Recorder

BATCH = (torch.rand(4, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 0, 1]))


def linear():
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def test_a_step_goes_down_the_gradient_and_returns_the_loss_before_it():
    model, optimizer = linear()
    before = [parameter.detach().clone().requires_grad_() for parameter in model.parameters()]
    expected = nn.functional.cross_entropy(nn.functional.linear(BATCH[0], *before), BATCH[1])
    expected.backward()
    loss = train_step(Training(model, ClassLoss(), optimizer, torch.enable_grad), BATCH)
    assert loss == expected
    assert not loss.requires_grad
    for old, new in zip(before, model.parameters(), strict=True):
        torch.testing.assert_close(new, old - 0.1 * old.grad)


def test_gradients_of_an_interrupted_step_do_not_count():
    """Ctrl-C between the backward pass and the end of a step."""
    model, optimizer = linear()
    interrupted, other = linear()
    ClassLoss()(interrupted(BATCH[0] * 9), BATCH[1]).backward()
    for one, opt in ((model, optimizer), (interrupted, other)):
        train_step(Training(one, ClassLoss(), opt, torch.enable_grad), BATCH)
    assert torch.equal(model.weight, interrupted.weight)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_broken_loss_is_told_with_its_step_and_rate(broken):
    recorder = Recorder()
    log = StepLog(recorder, torch.device("cpu"))
    log.add(1e-3, 0.9, torch.tensor(0.5))
    with pytest.raises(LossIsNaN, match=rf"became {broken} at step 2 with learning rate 2\.50e-02"):
        log.add(2.5e-2, 0.9, torch.tensor(broken))
    assert issubclass(LossIsNaN, TrainingError)
    with pytest.raises(LossIsNaN, match=r"the validation loss became .* at step 2 "):
        refuse_broken(broken, recorder, "validation loss")


def test_a_gpu_is_asked_once_and_nothing_is_lost():
    recorder = Recorder()
    log = StepLog(recorder, torch.device("cuda"))
    for i in range(5):
        log.add(1e-3 * (i + 1), 0.9, torch.tensor(float(i)))
        assert recorder.losses == []
    log.flush()
    log.flush()
    assert recorder.raw_losses == [float(i) for i in range(5)]
    assert recorder.lrs == pytest.approx([1e-3 * (i + 1) for i in range(5)])


def test_validation_sees_every_image_in_order(make_learner):
    learner = make_learner()
    logits, targets = validation_logits(learner.model, learner.dls.valid, learner.cast)
    assert torch.equal(targets, torch.from_numpy(learner.dls.valid.images.targets))
    torch.testing.assert_close(logits, learner.logits("valid")[0])
    assert not logits.requires_grad
