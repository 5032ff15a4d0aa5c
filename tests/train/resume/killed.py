"""A training run that ends itself with SIGKILL: `python killed.py FOLDER WEIGHTS POINT NUMBER`.

POINT is `step` (before step NUMBER of the process) or `swap` (in the NUMBERth write, between the
two renames of a checkpoint).
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import util
from pathlib import Path

import torch

from cxr.train import loop, vision_learner
from cxr.train.recipe import run_phases
from cxr.train.resume import run_checkpoints
from cxr.train.resume.run_checkpoints import KeepCheckpoints

spec = util.spec_from_file_location("images", Path(__file__).with_name("conftest.py"))
films = util.module_from_spec(spec)
spec.loader.exec_module(films)


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
    run_checkpoints.SHARE = float("inf")
    from test_kill import PHASES, augmented

    {"step": die_at_step, "swap": die_in_swap}[point](int(number))
    dls = augmented(films.loaders(("NORMAL", "PNEUMONIA"), lambda ill: ill))
    learner = vision_learner(
        dls, films.SMALL, weights=weights, device="cpu", precision="fp32", metrics=films.error_rate
    )
    with KeepCheckpoints(Path(folder), seconds=0) as keep:
        run_phases(learner, PHASES, [keep], keep.resume(learner))
