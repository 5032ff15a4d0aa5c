from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from cxr.errors import UsageError
from cxr.train.losses import ClassLoss, LabelsLoss, make_loss

CLASSES = np.array([0, 0, 0, 1, 2, 2])
NAN = float("nan")
LABELS = np.array([[1, 0], [0, NAN], [NAN, NAN], [1, 1], [0, 0]], dtype=np.float32)


def logits(n, k):
    return torch.randn(n, k, generator=torch.Generator().manual_seed(0))


def test_one_class_is_scikit_learns_log_loss():
    values, targets = logits(6, 3), torch.from_numpy(CLASSES)
    loss = make_loss(CLASSES, 3)
    assert isinstance(loss, ClassLoss)
    expected = log_loss(CLASSES, values.double().softmax(1))
    assert loss(values, targets).item() == pytest.approx(expected, rel=1e-6)
    assert loss(values, targets, reduction="none").mean().item() == pytest.approx(
        expected, rel=1e-6
    )


def test_balanced_weights_are_scikit_learns():
    expected = compute_class_weight("balanced", classes=np.arange(3), y=CLASSES)
    loss = make_loss(CLASSES, 3, "balanced")
    assert loss.weight.tolist() == pytest.approx(expected)
    values, targets = logits(6, 3), torch.from_numpy(CLASSES)
    weighted = log_loss(CLASSES, values.double().softmax(1), sample_weight=expected[CLASSES])
    assert loss(values, targets).item() == pytest.approx(weighted, rel=1e-6)


def test_weights_as_given_and_a_class_that_is_missing():
    assert make_loss(CLASSES, 3, [1, 2, 0.5]).weight.tolist() == [1, 2, 0.5]
    assert make_loss(CLASSES, 4, "balanced").weight.isfinite().all()


def test_smoothing_mixes_in_the_other_classes():
    values, targets = logits(6, 3), torch.from_numpy(CLASSES)
    soft = functional.one_hot(targets, 3) * 0.9 + 0.1 / 3
    expected = -(soft * values.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(make_loss(CLASSES, 3, None, 0.1)(values, targets), expected)


def test_unknown_labels_count_nothing():
    values, targets = logits(5, 2), torch.from_numpy(LABELS)
    loss = make_loss(LABELS, 2)
    assert isinstance(loss, LabelsLoss)
    known = ~np.isnan(LABELS)
    expected = log_loss(LABELS[known].astype(int), values.double().sigmoid().numpy()[known])
    assert loss(values, targets).item() == pytest.approx(expected, rel=1e-6)
    values.requires_grad_()
    loss(values, targets).backward()
    assert (values.grad[~torch.from_numpy(known)] == 0).all()
    assert (values.grad[torch.from_numpy(known)] != 0).all()


def test_the_loss_of_each_image_is_the_mean_of_its_known_labels():
    values, targets = logits(5, 2), torch.from_numpy(LABELS)
    found = make_loss(LABELS, 2)(values, targets, reduction="none")
    full = functional.binary_cross_entropy_with_logits(
        values, torch.nan_to_num(targets), reduction="none"
    )
    expected = [full[0].mean(), full[1, 0], 0, full[3].mean(), full[4].mean()]
    assert found.tolist() == pytest.approx([float(value) for value in expected], rel=1e-6)


def test_a_batch_without_a_known_label_has_loss_zero():
    unknown = torch.full((3, 2), NAN)
    assert make_loss(LABELS, 2)(logits(3, 2), unknown) == 0


def test_balanced_labels_weigh_the_positives():
    """Known: two of four positive in the first, one of three in the second."""
    loss = make_loss(LABELS, 2, "balanced")
    assert loss.weight.tolist() == [1, 2]
    values = torch.zeros(1, 2)
    assert loss(values, torch.tensor([[0.0, 1.0]])).item() == pytest.approx(1.5 * np.log(2))


def test_smoothed_labels():
    values, targets = logits(5, 2), torch.from_numpy(LABELS)
    known = ~torch.isnan(targets)
    soft = torch.where(targets == 1, 0.95, 0.05)
    expected = functional.binary_cross_entropy_with_logits(values[known], soft[known])
    torch.testing.assert_close(make_loss(LABELS, 2, None, 0.1)(values, targets), expected)


@pytest.mark.parametrize("weights", ["equal", [1.0], [1.0, 0.0, 1.0], [1.0, -1.0, 1.0]])
def test_refused_weights(weights):
    with pytest.raises(UsageError, match='are not "balanced" or 3 positive numbers'):
        make_loss(CLASSES, 3, weights)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, NAN])
def test_refused_smoothing(smoothing):
    with pytest.raises(UsageError, match="is not from 0 to below 1"):
        make_loss(CLASSES, 3, None, smoothing)
