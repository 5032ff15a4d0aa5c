"""The head alone, to its very optimum: a regularised regression on what the frozen body gives.

A head that is still learning when the body begins to train pulls good features out of shape, which
costs accuracy on images of another source (Kumar et al.: Fine-Tuning can Distort Pretrained
Features, ICLR 2022). The features are computed once a view, so this is cheaper than an epoch, too.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from .._io import Progress, say
from ..pixels import release
from .activation_cache import ImageSource
from .fit import epoch_seed, report_epoch
from .loop import refuse_broken
from .micro_batches import infer
from .recorder import Recorder

if TYPE_CHECKING:
    from .learner import Learner

PENALTY = 200.0
"""L2 on the weights of standardised features, of the summed loss: scikit-learn's C is 1 / it,
for weights of two classes at twice that. Chosen on the shifted set (`docs/log.md`)."""

STEPS = 200


def fit_head(learner: Learner, views: int = 1) -> Recorder:
    """Puts the best head for the features of the training images into the learner's network.

    Each of `views` passes over the images sees them changed anew. What minimises the learner's
    loss plus the penalty is unique, so neither a rate nor a number of epochs is to be chosen.
    """
    start = time.perf_counter()
    recorder = learner.recorder = Recorder(learner.metric_names)
    learner.optimizer = None  # there are no steps to go on from
    say("the head alone, by regression on the features of the frozen body")
    with epoch_seed(learner, 0):
        features, targets = _features(learner, views)
    norm, linear = learner.model.head.norm, learner.model.head.linear
    standardised = _standardise(norm, features)
    loss = _minimise(learner, linear, standardised, targets, PENALTY / (len(features) / views))
    recorder.step(0.0, 0.0, loss)
    refuse_broken(loss, recorder)
    valid_loss, *metrics = learner.validate_fast(ImageSource(learner))
    refuse_broken(valid_loss, recorder, "validation loss")
    report_epoch(recorder, 0, valid_loss, metrics, time.perf_counter() - start)
    return recorder


@torch.no_grad()
def _features(learner: Learner, views: int) -> tuple[Tensor, Tensor]:
    """(views * n, F) fp32 and the targets, on the learner's device."""
    batches = learner.dls.train
    learner.model.eval()
    features, targets = [], []
    with Progress("frozen layers", views * batches.n_images) as progress:
        for _ in range(views):
            changes = batches.changes(batches.generator)
            for which in np.array_split(np.arange(batches.n_images), len(batches)):
                mine = learner.group.cut(which)
                grey, _ = batches.batch(mine, changes)
                with learner.cast():
                    made = infer(learner.model.features, grey, learner.micro_batches).float()
                rows = made.new_zeros((len(which), made.shape[1]))
                rows[mine - which[0]] = made
                features.append(rows)
                targets.append(batches.to_device(batches.images.target(which)))
                progress.advance(len(which))
            release(batches.images.pixels)
    return learner.group.sum_(torch.cat(features)), torch.cat(targets)


def _standardise(norm: nn.BatchNorm1d, features: Tensor) -> Tensor:
    """As the head's BatchNorm will do it from now on."""
    variance, mean = torch.var_mean(features, dim=0, correction=0)
    norm.running_mean.copy_(mean)  # type: ignore[union-attr]
    norm.running_var.copy_(variance)  # type: ignore[union-attr]
    nn.init.ones_(norm.weight)
    nn.init.zeros_(norm.bias)
    return (features - mean) / torch.sqrt(variance + norm.eps)


def _minimise(
    learner: Learner, linear: nn.Linear, x: Tensor, targets: Tensor, penalty: float
) -> float:
    """Sets weight and bias of `linear`; returns the loss without the penalty."""
    weight = torch.zeros_like(linear.weight, requires_grad=True)
    bias = torch.zeros_like(linear.bias, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=STEPS, tolerance_grad=1e-6, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        optimizer.zero_grad()
        loss = learner.loss(x @ weight.T + bias, targets) + penalty / 2 * weight.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(objective)
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
        return float(learner.loss(x @ weight.T + bias, targets))
