"""The head alone, to its very optimum: a regularised regression on what the frozen body gives.

A head that is still learning when the body begins to train pulls good features out of shape, which
costs accuracy on images of another source (Kumar et al.: Fine-Tuning can Distort Pretrained
Features, ICLR 2022). The features are computed once a view, so this is cheaper than an epoch, too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from .._io import Progress, say
from ..errors import UsageError
from .activation_cache import ImageSource, frozen_outputs
from .callbacks import Callback
from .fit import epoch_seed, report_epoch, row
from .inference import validate_fast
from .loop import refuse_broken
from .losses import Loss
from .recorder import Recorder
from .state import TrainingState

PENALTY = 200.0
"""L2 on the weights of standardised features, of the summed loss: scikit-learn's C is 1 / it,
for weights of two classes at twice that. Chosen on the shifted set (`docs/log.md`)."""

STEPS = 200


def fit_head(state: TrainingState, views: int = 1, callbacks: Sequence[Callback] = ()) -> Recorder:
    """Puts the best head for the features of the training images into the network.

    Each of `views` passes over the images sees them changed anew. What minimises the loss plus the
    penalty is unique, so neither a rate nor a number of epochs is to be chosen. Raises UsageError
    for no views, TrainingError for a loss that is not finite.
    """
    if views < 1:
        raise UsageError(f"views={views}: at least 1 pass over the images is needed")
    start = time.perf_counter()
    state.fits += 1
    recorder = state.recorder = Recorder(state.metric_names)
    state.optimizer = None  # there are no steps to go on from
    say("the head alone, by regression on the features of the frozen body")
    with epoch_seed(state, 0):
        features, targets = _features(state, views)
    norm, linear = state.model.head.norm, state.model.head.linear
    standardised = _standardise(norm, features)
    penalty = PENALTY / (len(features) / views)
    loss = _minimise(state.loss, linear, standardised, targets, penalty)
    recorder.step(0.0, 0.0, loss)
    refuse_broken(loss, recorder)
    figures = validate_fast(state, ImageSource(state))
    refuse_broken(figures[0], recorder, "validation loss")
    say(row(recorder.columns))
    report_epoch(state, 0, figures, time.perf_counter() - start)
    for callback in callbacks:
        callback.after_epoch(state, 0)
        callback.after_fit(state)
    return recorder


def _features(state: TrainingState, views: int) -> tuple[Tensor, Tensor]:
    """(views * n, F) fp32 and the targets, on the learner's device."""
    batches = state.dls.train
    state.model.eval()
    features = []
    with Progress("frozen layers", views * batches.n_images) as progress:
        for _ in range(views):
            changes = batches.changes(batches.generator)
            one_view = frozen_outputs(
                state, state.model.features, batches, changes, progress.advance
            )
            features.append(one_view.float())
    targets = batches.to_device(batches.images.target(np.arange(batches.n_images)))
    return torch.cat(features), torch.cat([targets] * views)


def _standardise(norm: nn.BatchNorm1d, features: Tensor) -> Tensor:
    """As the head's BatchNorm will do it from now on."""
    variance, mean = torch.var_mean(features, dim=0, correction=0)
    norm.running_mean.copy_(mean)  # type: ignore[union-attr]
    norm.running_var.copy_(variance)  # type: ignore[union-attr]
    nn.init.ones_(norm.weight)
    nn.init.zeros_(norm.bias)
    return (features - mean) / torch.sqrt(variance + norm.eps)


def _minimise(
    loss_function: Loss, linear: nn.Linear, x: Tensor, targets: Tensor, penalty: float
) -> float:
    """Sets weight and bias of `linear`; returns the loss without the penalty."""
    weight = torch.zeros_like(linear.weight, requires_grad=True)
    bias = torch.zeros_like(linear.bias, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=STEPS, tolerance_grad=1e-6, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        optimizer.zero_grad()
        loss = loss_function(x @ weight.T + bias, targets) + penalty / 2 * weight.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(objective)
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
        return float(loss_function(x @ weight.T + bias, targets))
