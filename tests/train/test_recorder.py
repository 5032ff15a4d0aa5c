from __future__ import annotations

import numpy as np
import pytest

from cxr.train.recorder import Recorder, SmoothLoss
from cxr.train.suggest import SuggestedRates


@pytest.fixture
def recorder():
    """Two epochs of ten steps."""
    record = Recorder(("error_rate",))
    for epoch in range(2):
        for i in range(10):
            record.step(1e-4 * 2**i, 0.95 - 0.01 * i, 1 / (1 + i + epoch))
        record.epoch(0.5 - 0.1 * epoch, [0.25], seconds=1.5)
    return record


def test_the_smoothed_loss_is_a_weighted_mean():
    smooth, losses = SmoothLoss(0.9), [3.0, 1.0, 2.0, 5.0]
    found = [smooth.add(loss) for loss in losses]
    for n in range(1, 5):
        weights = 0.9 ** np.arange(n)[::-1]
        assert found[n - 1] == pytest.approx(np.average(losses[:n], weights=weights))


def test_a_row_for_each_epoch(recorder):
    assert recorder.columns == ("epoch", "train_loss", "valid_loss", "error_rate", "time")
    assert recorder.values == [[recorder.losses[9], 0.5, 0.25], [recorder.losses[19], 0.4, 0.25]]
    assert recorder.epoch_ends == [10, 20]
    assert recorder.times == [1.5, 1.5]


def test_plot_draws_loss_over_rate_and_marks_the_suggestions(recorder):
    recorder.suggestions = SuggestedRates(1e-3, 2e-3, 3e-3, 4e-3)
    (axis,) = recorder.plot().axes
    curve, *marks = axis.lines
    assert axis.get_xscale() == "log"
    assert curve.get_xdata().tolist() == recorder.lrs[:-5]
    assert curve.get_ydata().tolist() == recorder.losses[:-5]
    assert [float(mark.get_xdata()[0]) for mark in marks] == [1e-3, 2e-3, 3e-3, 4e-3]
    names = [text.get_text().split()[0] for text in axis.get_legend().get_texts()]
    assert names == ["valley", "steep", "minimum", "slide"]


def test_plot_without_suggestions_and_whole(recorder):
    (axis,) = recorder.plot(skip_end=0).axes
    assert len(axis.lines) == 1
    assert len(axis.lines[0].get_xdata()) == 20


def test_plot_loss_draws_both_losses_over_the_same_steps(recorder):
    (axis,) = recorder.plot_loss().axes
    train, valid = axis.lines
    assert train.get_ydata().tolist() == recorder.losses[5:]
    assert train.get_xdata()[0] == 5
    assert valid.get_xdata().tolist() == [10, 20]
    assert valid.get_ydata().tolist() == [0.5, 0.4]
    assert len(recorder.plot_loss(skip_start=0, with_valid=False).axes[0].lines) == 1


def test_plot_sched_draws_rate_and_momentum(recorder):
    rate, momentum = recorder.plot_sched().axes
    assert rate.lines[0].get_ydata().tolist() == recorder.lrs
    assert momentum.lines[0].get_ydata().tolist() == recorder.moms
    assert [axis.get_ylabel() for axis in (rate, momentum)] == ["learning rate", "momentum"]
