"""Runs that end in the middle and go on: to the last bit the same as one that did not."""

from __future__ import annotations

import errno
import math
import os
import signal
from pathlib import Path

import pandas as pd
import pytest
import torch

from cxr.errors import BundleError, DataError, StorageError
from cxr.prepare import Augmentation
from cxr.train.callbacks import Callback
from cxr.train.recipe import fine_tune_phases, robust_phases
from cxr.train.resume import checkpoint_callback
from cxr.train.resume.background_writer import BackgroundWriter
from cxr.train.resume.checkpoint_callback import CheckpointCallback
from cxr.train.resume.snapshot import Position
from cxr.train.resume.stop import Stop, Stopped

PHASES = fine_tune_phases(2, base_lr=5e-3, freeze_epochs=2)
EPOCHS = [(0, 0), (0, 1), (1, 0), (1, 1)]


class PullThePlug(Callback):
    """Ends the process, as far as the run can tell, after so many epochs."""

    def __init__(self, after):
        self.left = after

    def after_epoch(self, learner, epoch):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        return False


class PullThePlugInside(PullThePlug):
    """After so many steps, which the run keeps each."""

    def after_epoch(self, learner, epoch):
        return False

    def after_batch(self, learner, snapshot):
        super().after_epoch(None, 0)


def go(make_learner, folder, plug=None, phases=PHASES, steps=None, stop=None):
    """What `cxr train` does between making the learner and evaluating it."""
    learner = make_learner()
    plugs = [PullThePlug(plug)] if plug else []
    plugs += [PullThePlugInside(steps)] if steps else []
    with CheckpointCallback(folder, 0 if steps else 30, stop) as keep:
        start = keep.resume(learner)
        learner.fit_phases(phases, [keep, *plugs], start)
    return learner, keep


@pytest.fixture
def every_step(monkeypatch):
    """However long it takes."""
    monkeypatch.setattr(checkpoint_callback, "SHARE", math.inf)
    monkeypatch.setattr(BackgroundWriter, "busy", False)


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(checkpoint_callback, "say", lines.append)
    return lines


def history_of(folder):
    return pd.read_csv(folder / "history.csv").drop(columns=["seconds"])


def same_weights(left, right):
    pairs = zip(left.model.state_dict().values(), right.model.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture
def augmented(dls):
    dls.train.augmentation = Augmentation()


@pytest.mark.usefixtures("augmented")
@pytest.mark.parametrize("stopped_after", [1, 2, 3])
def test_the_robust_recipe_too(make_learner, tmp_path, stopped_after):
    """1: after the head, which is a phase of its own and has no steps."""
    phases = robust_phases(3, strategy="cached")
    whole, _ = go(make_learner, tmp_path / "whole", phases=phases)
    with pytest.raises(KeyboardInterrupt):
        go(make_learner, tmp_path / "cut", plug=stopped_after, phases=phases)
    again, _ = go(make_learner, tmp_path / "cut", phases=phases)
    assert same_weights(whole, again)
    pd.testing.assert_frame_equal(history_of(tmp_path / "whole"), history_of(tmp_path / "cut"))


@pytest.mark.usefixtures("augmented")
def test_an_interrupted_run_ends_as_if_nothing_had_happened(make_learner, tmp_path):
    """Stopped after each of its first three epochs in turn: to the last bit the same model."""
    whole, keep = go(make_learner, tmp_path / "whole")
    cut = tmp_path / "cut"
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            go(make_learner, cut, plug=1)
    continued, kept = go(make_learner, cut)
    assert same_weights(whole, continued)
    expected = history_of(tmp_path / "whole")
    pd.testing.assert_frame_equal(history_of(cut), expected)
    assert list(zip(expected["phase"], expected["epoch"], strict=True)) == EPOCHS
    assert kept._best == keep._best
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
    with pytest.raises(KeyboardInterrupt):
        go(make_learner, tmp_path, plug=1)
    assert (tmp_path / "checkpoints" / "previous.safetensors").is_file()


def test_without_a_checkpoint_a_run_starts_at_the_start(make_learner, tmp_path):
    assert CheckpointCallback(tmp_path).resume(make_learner()) == Position(0, 0)


def test_the_checkpoint_of_another_network_is_refused(make_learner, three_class_dls, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        go(make_learner, tmp_path, plug=1)
    with pytest.raises(BundleError, match="is of another network"):
        CheckpointCallback(tmp_path).resume(make_learner(three_class_dls))


# Inside epochs --------------------------------------------------------------------------------


@pytest.mark.usefixtures("augmented", "every_step")
@pytest.mark.parametrize("strategy", ["full", "cached"])
def test_stopped_every_third_step(make_learner, tmp_path, said, strategy):
    """With dropout and augmentation; a step that was not counted is taken again."""
    phases = fine_tune_phases(3, base_lr=5e-3, freeze_epochs=1, strategy=strategy)
    whole, keep = go(make_learner, tmp_path / "whole", phases=phases)
    for _ in range(9):
        with pytest.raises(KeyboardInterrupt):
            go(make_learner, tmp_path / "cut", steps=3, phases=phases)
    again, kept = go(make_learner, tmp_path / "cut", phases=phases)
    assert same_weights(whole, again)
    assert same_moments(whole, again)
    pd.testing.assert_frame_equal(history_of(tmp_path / "whole"), history_of(tmp_path / "cut"))
    kept.load_best(again)
    keep.load_best(whole)
    assert same_weights(whole, again)
    places = [line.split(" (")[0] for line in said if "going on" in line]
    assert places[:3] == [
        "going on at step 3 of epoch 1",
        "going on at step 6 of epoch 1",
        "going on at step 2 of epoch 2",  # of the next phase
    ]


def same_moments(left, right):
    pairs = [learner.optimizer.state_dict()["state"] for learner in (left, right)]
    return all(
        torch.equal(value, pairs[1][index][name])
        for index, values in pairs[0].items()
        for name, value in values.items()
    )


class AskAfter(PullThePlugInside):
    """A signal in the middle of a step."""

    def __init__(self, steps, stop):
        super().__init__(steps)
        self.stop = stop

    def after_batch(self, learner, snapshot):
        self.left -= 1
        if not self.left:
            self.stop._heard(signal.SIGTERM, None)


def test_a_signal_is_obeyed_once_the_step_is_kept(make_learner, tmp_path):
    whole, _ = go(make_learner, tmp_path / "whole")
    stop, learner = Stop(), make_learner()
    with CheckpointCallback(tmp_path / "cut", stop=stop) as keep:
        with pytest.raises(Stopped) as stopped:
            learner.fit_phases(PHASES, [AskAfter(3, stop), keep])
        assert stopped.value.exit_code == 143
        assert CheckpointCallback(tmp_path / "cut").resume(make_learner()) == Position(0, 0)
    again, _ = go(make_learner, tmp_path / "cut")
    assert same_weights(whole, again)
    assert len(again.recorder.lrs) == 14


def test_states_are_kept_no_more_often_than_they_cost(make_learner, tmp_path, monkeypatch):
    written = []

    class Slow(BackgroundWriter):
        def start(self, task):
            written.append(task.args[0].step)
            self.cost = 1e6
            task()

    monkeypatch.setattr(checkpoint_callback, "BackgroundWriter", Slow)
    with CheckpointCallback(tmp_path, seconds=0) as keep:
        make_learner().fit_phases(PHASES[:1], [keep])
    assert written == [1, 0, 0]  # the first step, then only ends of epochs


# What is damaged ------------------------------------------------------------------------------


@pytest.fixture
def cut(make_learner, tmp_path):
    """Stopped after its third epoch, with the state after the second beside."""
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            go(make_learner, tmp_path / "cut", plug=1)
    return tmp_path / "cut"


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def shorten(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("harm", [flip, shorten, Path.unlink])
@pytest.mark.parametrize(
    ("harmed", "place"),
    [
        (["last"], "going on at step 0 of epoch 3"),
        (["last", "previous"], None),
        (["best"], None),
        (["previous"], "going on at step 0 of epoch 4"),
    ],
)
def test_what_is_damaged_is_left_aside(make_learner, tmp_path, cut, said, harm, harmed, place):
    whole, _ = go(make_learner, tmp_path / "whole")
    for name in harmed:
        harm(cut / "checkpoints" / f"{name}.safetensors")
    said.clear()
    again, kept = go(make_learner, cut)
    assert same_weights(whole, again)
    pd.testing.assert_frame_equal(history_of(tmp_path / "whole"), history_of(cut))
    kept.load_best(again)
    if harm is not Path.unlink and harmed != ["previous"]:
        assert sum("is damaged" in line for line in said) == len(harmed) + (harmed == ["best"])
    starts = [line for line in said if "going on" in line]
    assert starts == (
        [f"{place} ({cut / 'checkpoints' / starts[0].split('/')[-1]}"] if place else []
    )


def test_a_damaged_state_never_takes_the_place_of_the_whole_one(make_learner, cut, monkeypatch):
    """The first write after it fails: what was whole must still be there."""
    flip(cut / "checkpoints" / "last.safetensors")
    with pytest.raises(KeyboardInterrupt):
        go(make_learner, cut, plug=1)
    with pytest.raises(KeyboardInterrupt):
        go(make_learner, cut, plug=1)
    flip(cut / "checkpoints" / "last.safetensors")
    assert CheckpointCallback(cut).resume(make_learner()) == Position(1, 1)


def test_a_disk_that_is_full_inside_an_epoch_is_said_and_no_more(
    make_learner, tmp_path, said, monkeypatch, every_step
):
    whole, _ = go(make_learner, tmp_path / "whole")
    write, count = checkpoint_callback.save_training, iter(range(100))

    def full(*given):
        if 3 <= next(count) < 5:
            raise StorageError("disk full while writing last.safetensors; free some space")
        write(*given)

    monkeypatch.setattr(checkpoint_callback, "save_training", full)
    learner = make_learner()
    with CheckpointCallback(tmp_path / "a", 0) as keep:
        learner.fit_phases(PHASES, [keep])
    assert same_weights(whole, learner)
    assert said == ["disk full while writing last.safetensors: the state before is kept, and "
                    "training goes on"] * 2  # fmt: skip


def test_a_disk_that_is_full_after_an_epoch_ends_the_run(make_learner, tmp_path, monkeypatch):
    whole, _ = go(make_learner, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        go(make_learner, tmp_path / "a", plug=1)

    def full(path, data):
        with path.open("wb") as file:
            file.write(data[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(StorageError, match="disk full while"):
            go(make_learner, tmp_path / "a")
    assert not list(tmp_path.rglob("*.part"))
    again, _ = go(make_learner, tmp_path / "a")
    assert same_weights(whole, again)


# What has changed -----------------------------------------------------------------------------


def test_changed_pixels_are_named(make_learner, dls, cut):
    images = dls.train.images
    images.pixels[images.rows[5], 0, 0] ^= 1
    with pytest.raises(DataError, match=r"^5\.png changed since the run began"):
        CheckpointCallback(cut).resume(make_learner())
    images.pixels[images.rows[7], 0, 0] ^= 1
    with pytest.raises(DataError, match=r"^5\.png and 1 more changed"):
        CheckpointCallback(cut).resume(make_learner())


def test_another_number_of_threads_is_said(make_learner, cut, said, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    CheckpointCallback(cut).resume(make_learner())
    assert said[-1] == "begun with threads 1 (now 3): the result may differ in its last digits"


def test_the_best_epoch_ranks_best_whatever_its_level():
    """A loss before calibration is no measure: the level may be shifted, the order right."""
    names = ("error_rate", "auroc")
    head, body = [0, 0, 0.16, 0.226, 0.09, 0.960, 6.5], [1, 1, 0.25, 1.867, 0.26, 0.984, 36.0]
    quality = checkpoint_callback._quality
    assert quality(body, names) > quality(head, names)
    assert quality([*head[:5], math.nan, 6.5], names) < quality(head, names)
    assert quality(head[:5], names[:1]) > quality(body[:5], names[:1])  # then the lower loss
    assert quality([0, 0, 0.1, 0.2, 0.0, 1.0, 1.0], names) > quality(
        [0, 1, 0.1, 0.3, 0.0, 1.0, 1.0], names
    )


def test_it_says_which_epoch_is_kept(make_learner, tmp_path, said):
    learner, keep = go(make_learner, tmp_path)
    keep.load_best(learner)
    losses = history_of(tmp_path)["valid_loss"]
    line = f"kept: epoch {losses.argmin() + 1} of {len(losses)}, the best by validation loss "
    assert said[-1].startswith(line)
