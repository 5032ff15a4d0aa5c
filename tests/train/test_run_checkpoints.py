from __future__ import annotations

import pandas as pd
import pytest
import torch

from cxr.errors import BundleError
from cxr.prepare import Augmentation
from cxr.train.recipe import Position, fine_tune_phases, robust_phases, run_phases
from cxr.train.run_checkpoints import KeepCheckpoints

PHASES = fine_tune_phases(2, base_lr=5e-3, freeze_epochs=2)
EPOCHS = [(0, 0), (0, 1), (1, 0), (1, 1)]


class PullThePlug:
    """Ends the process, as far as the run can tell, after so many epochs."""

    def __init__(self, after):
        self.left = after

    def after_epoch(self, learner, epoch):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        return False

    def after_fit(self, learner):
        pass


def go(make_learner, folder, resume=False, plug=None, phases=PHASES):
    """What `cxr train` does between making the learner and evaluating it."""
    learner, keep = make_learner(), KeepCheckpoints(folder)
    start = keep.resume(learner) if resume else Position()
    run_phases(learner, phases, [keep, *([PullThePlug(plug)] if plug else [])], start)
    return learner, keep


def history_of(folder):
    return pd.read_csv(folder / "history.csv").drop(columns=["train_loss", "seconds"])


def same_weights(left, right):
    pairs = zip(left.model.state_dict().values(), right.model.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture
def augmented(dls):
    dls.train.augmentation = Augmentation()


@pytest.mark.usefixtures("augmented")
@pytest.mark.parametrize("stopped_after", [1, 2, 3])
def test_the_robust_recipe_too(make_learner, tmp_path, stopped_after):
    """1: after the head, which has no step to go on from and is found anew."""
    phases = robust_phases(3, strategy="cached")
    whole, _ = go(make_learner, tmp_path / "whole", phases=phases)
    with pytest.raises(KeyboardInterrupt):
        go(make_learner, tmp_path / "cut", plug=stopped_after, phases=phases)
    again, _ = go(make_learner, tmp_path / "cut", resume=True, phases=phases)
    assert same_weights(whole, again)
    pd.testing.assert_frame_equal(history_of(tmp_path / "whole"), history_of(tmp_path / "cut"))


@pytest.mark.usefixtures("augmented")
def test_an_interrupted_run_ends_as_if_nothing_had_happened(make_learner, tmp_path):
    """Stopped after each of its first three epochs in turn: to the last bit the same model."""
    whole, keep = go(make_learner, tmp_path / "whole")
    cut = tmp_path / "cut"
    for resume in (False, True, True):
        with pytest.raises(KeyboardInterrupt):
            go(make_learner, cut, resume, plug=1)
    continued, kept = go(make_learner, cut, resume=True)
    assert same_weights(whole, continued)
    expected = history_of(tmp_path / "whole")
    pd.testing.assert_frame_equal(history_of(cut), expected)
    assert list(zip(expected["phase"], expected["epoch"], strict=True)) == EPOCHS
    assert kept.best_loss == keep.best_loss
    kept.load_best(continued)
    keep.load_best(whole)
    assert same_weights(whole, continued)
    assert continued.validate()[0] == pytest.approx(expected["valid_loss"].min(), abs=1e-5)


def test_history_has_a_column_for_each_figure(make_learner, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        go(make_learner, tmp_path, plug=1)
    columns = ["phase", "epoch", "train_loss", "valid_loss", "error_rate", "seconds"]
    assert list(pd.read_csv(tmp_path / "history.csv")) == columns
    files = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert files == ["best.safetensors", "last.safetensors"]


def test_without_a_checkpoint_a_run_starts_at_the_start(make_learner, tmp_path):
    assert KeepCheckpoints(tmp_path).resume(make_learner()) == Position(0, 0)


def test_the_checkpoint_of_another_network_is_refused(make_learner, three_class_dls, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        go(make_learner, tmp_path, plug=1)
    with pytest.raises(BundleError, match="is of another network"):
        KeepCheckpoints(tmp_path).resume(make_learner(three_class_dls))


def test_a_damaged_checkpoint_is_refused(make_learner, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        go(make_learner, tmp_path, plug=1)
    last = tmp_path / "checkpoints" / "last.safetensors"
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(BundleError, match=r"last\.safetensors is damaged"):
        KeepCheckpoints(tmp_path).resume(make_learner())
