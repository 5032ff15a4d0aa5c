"""A training run that ends itself with SIGKILL: `python killed.py FOLDER WEIGHTS POINT NUMBER`.

POINT is `step` (before step NUMBER of the process) or `swap` (in the NUMBERth write, between the
two renames of a checkpoint).
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

from cxr.train import error_rate, loop, vision_learner
from cxr.train.resume import checkpoint_callback
from cxr.train.resume.checkpoint_callback import CheckpointCallback

sys.path.insert(0, str(Path(__file__).parents[2]))
from helpers.memory_data import SMALL, loaders


def die():
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def die_at_step(number):
    take_step, steps = loop.train_step, iter(range(1000))

    def step(*given):
        if next(steps) == number:
            die()
        return take_step(*given)

    loop.train_step = step


def die_in_swap(number):
    replace, swaps = Path.replace, iter(range(1000))

    def dying(path, target):
        replace(path, target)
        if Path(target).name.startswith("previous") and next(swaps) == number:
            die()

    Path.replace = dying


if __name__ == "__main__":
    folder, weights, point, number = sys.argv[1:]
    torch.set_num_threads(1)
    checkpoint_callback.SHARE = float("inf")
    from test_kill import PHASES, augmented

    {"step": die_at_step, "swap": die_in_swap}[point](int(number))
    dls = augmented(loaders(("NORMAL", "PNEUMONIA"), lambda positive: positive))
    learner = vision_learner(
        dls, SMALL, weights=weights, device="cpu", precision="fp32", metrics=error_rate
    )
    with CheckpointCallback(Path(folder), seconds=0) as keep:
        learner.fit_phases(PHASES, [keep], keep.resume(learner))
