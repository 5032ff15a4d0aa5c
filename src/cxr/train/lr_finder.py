"""Learning-rate range test: raise the rate from step to step and watch the loss.

Source: L. N. Smith, "Cyclical Learning Rates for Training Neural Networks" (arXiv:1506.01186).
"""

from __future__ import annotations

import math

import numpy as np

from .._io import Progress
from ..backbones import set_training_mode
from ..errors import TrainingError, UsageError
from .callbacks import copy_of_weights
from .fit import epoch_seed
from .loop import Training, train_step
from .optimizer import apply_schedule, make_optimizer
from .recorder import Recorder
from .schedule import range_test_schedule
from .state import TrainingState
from .suggest import SuggestedRates, suggest

DIVERGED = 4.0  # times the best smoothed loss
SKIP_END = 5
FEWEST_POINTS = 16  # what `slide` looks at
FEWEST_STEPS = 23  # leaves so many once the first tenth and the last five are cut off


def range_test(
    state: TrainingState, start_lr: float, end_lr: float, num_it: int, stop_div: bool
) -> tuple[Recorder, SuggestedRates]:
    """Runs the test and puts weights and data order back as they were.

    Returns a recorder with the curve, and its four suggestions. Raises UsageError for a range or a
    number of steps that cannot be, TrainingError when the curve is too short to read.
    """
    if not 0 < start_lr < end_lr:
        raise UsageError(f"learning rates {start_lr} to {end_lr} are not a rising, positive range")
    if num_it < FEWEST_STEPS:
        raise UsageError(f"num_it={num_it} is too few steps to read; at least {FEWEST_STEPS}")
    weights = copy_of_weights(state.model)
    order = state.dls.train.generator.get_state()
    try:
        with epoch_seed(state, epoch=0):
            recorder = _rise(state, start_lr, end_lr, num_it, stop_div)
    finally:
        state.model.load_state_dict(weights)
        state.dls.train.generator.set_state(order)
    rates, losses = readable_part(recorder.lrs, recorder.losses, num_it)
    if len(rates) < FEWEST_POINTS:
        raise TrainingError(
            f"the loss diverged after {len(recorder.lrs)} of {num_it} steps, too early to suggest "
            f"a rate; start lower than {start_lr:.0e}"
        )
    recorder.suggestions = suggest(rates, losses)
    return recorder, recorder.suggestions


def _rise(
    state: TrainingState, start_lr: float, end_lr: float, num_it: int, stop_div: bool
) -> Recorder:
    recorder = Recorder()
    optimizer = make_optimizer(state.layer_groups, state.wd)
    training = Training(state.model, state.loss, optimizer, state.cast)
    schedule = range_test_schedule(start_lr, end_lr, len(state.layer_groups), state.moms[0])
    set_training_mode(state.model)
    best = math.inf
    with Progress("learning rates", num_it, unit="steps") as progress:
        while True:
            for batch in state.dls.train:
                lr, momentum = apply_schedule(optimizer, schedule, len(recorder.lrs) / num_it)
                loss = train_step(training, batch)
                smooth = recorder.step(lr, momentum, loss.item())
                best = min(best, smooth)
                progress.advance()
                diverged = smooth > DIVERGED * best or not math.isfinite(smooth)
                if len(recorder.lrs) >= num_it or (stop_div and diverged):
                    return recorder


def readable_part(
    lrs: list[float], losses: list[float], num_it: int
) -> tuple[np.ndarray, np.ndarray]:
    """Without the unsettled first tenth, the last five steps, and all from a NaN or infinity on."""
    rates = np.array(lrs[num_it // 10 : -SKIP_END])
    shown = np.array(losses[num_it // 10 : -SKIP_END])
    broken = np.flatnonzero(~np.isfinite(shown))
    end = broken[0] if len(broken) else len(shown)
    return rates[:end], shown[:end]
