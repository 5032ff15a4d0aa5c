from __future__ import annotations

import math

import pytest
from torch import nn

from cxr.errors import UsageError
from cxr.train import EarlyStopping, EarlyStoppingCallback, SaveBest, SaveModelCallback
from cxr.train.recorder import Recorder


class Fit:
    """A learner whose epochs have validation losses and AUROCs given here."""

    def __init__(self):
        self.model = nn.Linear(1, 1, bias=False)
        self.recorder = Recorder(("error_rate", "auroc"))
        self.saved = []

    def save(self, name):
        self.saved.append((name, self.model.weight.item()))

    def run(self, callback, losses, aurocs=None):
        """Epochs until the callback ends the fit; the weight is the number of the epoch."""
        for epoch, loss in enumerate(losses):
            self.model.weight.data.fill_(epoch)
            self.recorder.losses.append(1.0)
            self.recorder.epoch(loss, [loss, aurocs[epoch] if aurocs else 0.5], seconds=1.0)
            if callback.after_epoch(self, epoch):
                break
        callback.after_fit(self)
        return epoch + 1


@pytest.mark.parametrize(
    ("losses", "patience", "min_delta", "epochs"),
    [
        ([5, 4, 3, 2], 1, 0, 4),
        ([5, 4, 4, 3], 1, 0, 3),
        ([5, 6, 4, 5, 6, 1], 2, 0, 5),
        ([5, 4.99, 4.98, 4.97], 2, 0.1, 3),
        ([math.nan, 5, 4, 4], 2, 0, 4),
        ([5, math.nan, math.nan, 1], 2, 0, 3),
    ],
)
def test_early_stopping(losses, patience, min_delta, epochs):
    callback = EarlyStopping(min_delta=min_delta, patience=patience)
    assert Fit().run(callback, losses) == epochs


def test_a_larger_auroc_is_better_and_a_smaller_error():
    rising = [0.6, 0.7, 0.8]
    assert Fit().run(EarlyStopping("auroc"), [1, 1, 1], rising) == 3
    assert Fit().run(EarlyStopping("error_rate"), rising) == 2


def test_each_fit_counts_anew():
    """The two phases of fine_tune share their callbacks."""
    callback = EarlyStopping(patience=2)
    assert Fit().run(callback, [1, 2]) == 2
    assert Fit().run(callback, [5, 4, 5, 6, 7]) == 4


def test_the_best_epoch_is_saved_and_comes_back():
    fit = Fit()
    fit.run(SaveBest(name="good"), [3, 1, 2, 1, 4])
    assert fit.saved == [("good", 0), ("good", 1)]
    assert fit.model.weight.item() == 1


def test_the_best_epoch_of_several_fits():
    callback, fit = SaveBest(), Fit()
    fit.run(callback, [3, 1])
    fit.run(callback, [2, 2, 2])
    assert fit.model.weight.item() == 1
    fit.run(callback, [2, 2, 0.5])
    assert fit.model.weight.item() == 2


def test_a_figure_that_was_never_defined_still_keeps_weights():
    fit = Fit()
    fit.run(SaveBest("auroc"), [1, 1], [math.nan, 0.7])
    assert fit.model.weight.item() == 1


def test_an_unknown_figure_lists_what_there_is():
    with pytest.raises(
        UsageError, match="'accuracy' to monitor; use train_loss, valid_loss, error_rate"
    ):
        Fit().run(SaveBest("accuracy"), [1])


def test_fastais_names():
    assert EarlyStoppingCallback is EarlyStopping
    assert SaveModelCallback is SaveBest
