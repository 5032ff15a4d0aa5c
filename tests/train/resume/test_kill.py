"""Processes killed with SIGKILL at chosen points; `benchmarks/kill_train.py` does it at random."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from cxr.prepare import Augmentation
from cxr.train.recipe import fine_tune_phases
from cxr.train.resume.checkpoint_callback import CheckpointCallback

PHASES = fine_tune_phases(2, base_lr=5e-3, freeze_epochs=1, strategy="full")


def augmented(dls):
    dls.train.augmentation = Augmentation()
    return dls


def go(make_learner, dls, folder):
    learner = make_learner(augmented(dls))
    with CheckpointCallback(folder) as keep:
        start = keep.resume(learner)
        learner.fit_phases(PHASES, [keep], start)
        weights = {name: value.clone() for name, value in learner.model.state_dict().items()}
        keep.load_best(learner)
    history = pd.read_csv(folder / "history.csv").drop(columns="seconds")
    return start, history, weights, learner.model.state_dict()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_twice_and_gone_on_with(make_learner, dls, weights, tmp_path):
    """While one checkpoint takes the place of another, then between two steps."""
    for point, number in (("swap", 3), ("step", 9)):
        done = subprocess.run(
            [sys.executable, Path(__file__).with_name("killed.py")]
            + [str(one) for one in (tmp_path / "cut", weights, point, number)],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
    start, *found = go(make_learner, dls, tmp_path / "cut")
    assert start.phase == 1
    _, *expected = go(make_learner, dls, tmp_path / "whole")
    pd.testing.assert_frame_equal(found[0], expected[0])
    for some, others in zip(found[1:], expected[1:], strict=True):
        assert all(torch.equal(some[name], others[name]) for name in others)
