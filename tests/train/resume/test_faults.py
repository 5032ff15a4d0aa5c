"""Disks, clocks and damage; `benchmarks/faults.py` does the same to the whole command."""

from __future__ import annotations

import errno
import os
import random
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from cxr._io import write_text
from cxr.errors import BundleError, DataError, StorageError
from cxr.train.recipe import fine_tune_phases
from cxr.train.resume.checkpoint import load_training, load_weights, read_tensors
from cxr.train.resume.checkpoint_callback import CheckpointCallback
from cxr.train.resume.run_folder import check_same_images

PHASES = fine_tune_phases(2, base_lr=5e-3, freeze_epochs=1)


def go(make_learner, folder):
    """Trains on from what is there; returns what it comes to."""
    learner = make_learner()
    with CheckpointCallback(folder) as keep:
        learner.fit_phases(PHASES, [keep], keep.resume(learner))
        last = {name: value.clone() for name, value in learner.model.state_dict().items()}
        keep.load_best(learner)
    history = pd.read_csv(folder / "history.csv").drop(columns="seconds")
    return last, dict(learner.model.state_dict()), history


def assert_same(found, expected):
    for some, others in zip(found[:2], expected[:2], strict=True):
        assert all(torch.equal(some[name], others[name]) for name in others)
    pd.testing.assert_frame_equal(found[2], expected[2])


@pytest.fixture
def trained(make_learner, tmp_path):
    """A run that nobody disturbed."""
    return go(make_learner, tmp_path / "whole")


@pytest.fixture
def failing(monkeypatch):
    """`failing(NAME, ERROR)`: files get every name but that; None for nothing."""
    replace, chosen = os.replace, {}

    def faulty(source, target, **options):
        if Path(target).name == chosen.get("name"):
            raise OSError(chosen["error"], os.strerror(chosen["error"]), str(target))
        replace(source, target, **options)

    monkeypatch.setattr(os, "replace", faulty)
    return lambda name, error=0: chosen.update(name=name, error=error)


# Disks ----------------------------------------------------------------------------------------


def test_each_file_in_turn_cannot_be_written(make_learner, trained, failing, tmp_path):
    for name, error, message in (
        ("history.csv", errno.ENOSPC, "disk full while writing"),
        ("best.safetensors", errno.EDQUOT, "disk full while writing"),
        ("last.safetensors", errno.EROFS, "Read-only file system"),
        ("previous.safetensors", errno.ENOSPC, "disk full while writing"),
    ):
        failing(name, error)
        with pytest.raises(StorageError, match=message):
            go(make_learner, tmp_path / "a")
        assert not list(tmp_path.rglob("*.part"))
    failing(None)
    assert_same(go(make_learner, tmp_path / "a"), trained)


def test_what_was_good_outlives_a_failed_write(make_learner, trained, failing, tmp_path):
    """Whatever is full, the newest state on the disk is the newest that was kept."""
    folder = tmp_path / "a" / "checkpoints"
    go(make_learner, tmp_path / "a")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    failing("last.safetensors", errno.ENOSPC)
    (tmp_path / "a" / "history.csv").unlink()
    assert_same(go(make_learner, tmp_path / "a"), trained)  # it was done: nothing to be written
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


# Damage ---------------------------------------------------------------------------------------


@pytest.fixture
def states(make_learner, tmp_path):
    go(make_learner, tmp_path / "whole")
    return tmp_path / "whole" / "checkpoints"


def same_tensors(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in right)


def test_no_flipped_bit_goes_unseen(states):
    """Anywhere: in the length, the header, the hash, the tensors. Either refused, or harmless."""
    path, chance = states / "last.safetensors", random.Random(0)
    whole, (good, facts) = path.read_bytes(), load_training(path)
    header = 8 + int.from_bytes(whole[:8], "little")
    positions = [*range(16), *chance.sample(range(16, header), 80)]
    positions += [*chance.sample(range(header, len(whole)), 20), len(whole) - 1]
    refused = 0
    for position in positions:
        harmed = bytearray(whole)
        harmed[position] ^= 1 << chance.randrange(8)
        path.write_bytes(harmed)
        try:
            state, found = load_training(path)
        except BundleError:
            refused += 1
        else:  # the bit was in the name of the hash, which then counts for nothing
            assert (
                same_tensors(state.weights, good.weights) and found["history"] == facts["history"]
            )
    assert refused > 0.95 * len(positions)


@pytest.mark.parametrize("name", ["last", "previous", "best"])
def test_no_length_but_the_whole_is_read(states, name):
    path = states / f"{name}.safetensors"
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    for length in (0, 1, 7, 8, 9, header - 1, header, header + 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(BundleError, match="is damaged"):
            read_tensors(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(BundleError, match="is damaged"):
        read_tensors(path)


def test_weights_for_another_file_are_none_of_its_own(states, make_learner):
    """`best` in the place of `last`, as a wrong copy would leave it."""
    with pytest.raises(BundleError, match="is no state of a training run"):
        load_training(states / "best.safetensors")
    with pytest.raises(BundleError, match="holds the weights of another network"):
        load_weights(make_learner().model, states / "last.safetensors", {})


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\0", b"a,b\n1,2\n"])
def test_a_damaged_list_of_images_is_refused_in_a_line(tmp_path, content):
    split = SimpleNamespace(root=tmp_path, write=lambda path: write_text(path, "path,split\n"))
    path = tmp_path / "manifest.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"manifest\.csv is damaged, so that nobody can say"):
        check_same_images(split, path)
    assert path.read_bytes() == content


# Clocks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [-86400.0 * 365, 86400.0 * 365])
def test_a_clock_that_jumps_changes_nothing(make_learner, trained, tmp_path, monkeypatch, step):
    """By a year, each time that somebody looks."""
    now, looks = time.time(), iter(range(1, 1 << 30))
    monkeypatch.setattr(time, "time", lambda: now + step * next(looks))
    folder = tmp_path / "a"
    assert_same(go(make_learner, folder), trained)
    (folder / "checkpoints" / "last.safetensors").unlink()
    for path in folder.rglob("*"):
        os.utime(path, (now + step, now + step))
    assert_same(go(make_learner, folder), trained)
