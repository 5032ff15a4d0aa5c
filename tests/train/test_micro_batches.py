"""Memory runs out, as a fake has it: the step stays the same step."""

from __future__ import annotations

import pytest
import torch

from cxr.errors import TrainingError, is_out_of_memory
from cxr.train import micro_batches as module
from cxr.train.loop import Training, train_step
from cxr.train.losses import ClassLoss, LabelsLoss
from cxr.train.micro_batches import MicroBatches, infer

ERRORS = [
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
    RuntimeError("MPS backend out of memory (MPS allocated: 5.00 GB)"),
    RuntimeError("could not create a primitive"),
    MemoryError(),
]


class Small(torch.nn.Linear):
    """Takes no more than `most` images at once."""

    most, error = 3, ERRORS[0]

    def forward(self, x):
        if len(x) > self.most:
            raise self.error
        return super().forward(x)


def small(seed=0):
    torch.manual_seed(seed)
    model = Small(5, 3)
    return model, torch.optim.SGD(model.parameters(), lr=0.5)


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(module, "say", lines.append)
    return lines


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: str(error)[:20])
def test_what_means_that_memory_ran_out(error):
    assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert not is_out_of_memory(KeyError("out of memory"))


CLASSES = torch.tensor([0, 1, 2, 1, 1, 0, 2, 2, 0, 0])
LABELS = torch.tensor([[1, 0, float("nan")], [0, 1, 1], [float("nan"), float("nan"), 0]]).repeat(
    4, 1
)[:10]


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (ClassLoss(), CLASSES),
        (ClassLoss(torch.tensor([1.0, 3.0, 0.2]), smoothing=0.1), CLASSES),
        (LabelsLoss(), LABELS),
        (LabelsLoss(torch.tensor([1.0, 3.0, 0.2]), smoothing=0.1), LABELS),
    ],
)
@pytest.mark.parametrize("n_parts", [2, 3, 4])
def test_parts_add_up_to_the_whole_step(loss, targets, n_parts):
    inputs = torch.rand(10, 5, generator=torch.Generator().manual_seed(1))
    (whole, optimizer), (parted, other) = small(), small()
    whole.most = parted.most = 10
    expected = train_step(Training(whole, loss, optimizer, torch.enable_grad), (inputs, targets))
    training = Training(parted, loss, other, torch.enable_grad)
    found = train_step(training, (inputs, targets), n_parts)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(parted.weight, whole.weight)
    torch.testing.assert_close(parted.bias, whole.bias)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: str(error)[:20])
def test_a_fit_goes_on_in_parts(error, make_learner, dls, said, monkeypatch):
    """The first batch of eight does not fit, nor do its halves; later ones begin in quarters."""
    learner, sizes = make_learner(), []
    learner.unfreeze()
    run = learner.model.forward

    def forward(grey):
        sizes.append(len(grey))
        if len(grey) > 2:
            raise error
        return run(grey)

    monkeypatch.setattr(learner.model, "forward", forward)
    recorder = learner.fit(1)
    assert sizes[:8] == [8, 4, 2, 2, 2, 2, 2, 2]
    assert len(recorder.lrs) == len(dls.train) == 7
    assert learner.micro_batches.count == 4
    assert said == [
        f"out of memory: batches of 8 images are now taken in {n} parts; each step is still over "
        "the whole batch"
        for n in (2, 4)
    ]


def test_two_images_must_fit(make_learner, monkeypatch, said):
    learner = make_learner()
    learner.unfreeze()
    monkeypatch.setattr(learner.model, "forward", Small(1, 1).forward)
    monkeypatch.setattr(Small, "most", 0)
    with pytest.raises(TrainingError, match="out of memory with 2 images at once; train on"):
        learner.fit(1)


def test_other_errors_are_not_tried_again(make_learner, monkeypatch):
    calls = []

    def forward(grey):
        calls.append(len(grey))
        raise RuntimeError("shapes do not match")

    learner = make_learner()
    learner.unfreeze()
    monkeypatch.setattr(learner.model, "forward", forward)
    with pytest.raises(RuntimeError, match="shapes"):
        learner.fit(1)
    assert calls == [8]


def test_inference_in_parts_is_the_same(said):
    model, _ = small()
    inputs = torch.rand(9, 5, generator=torch.Generator().manual_seed(1))
    parts = MicroBatches()
    with torch.no_grad():
        found = infer(model, inputs, parts)
        expected = torch.nn.functional.linear(inputs, model.weight, model.bias)
    torch.testing.assert_close(found, expected)
    assert parts.count == 4
