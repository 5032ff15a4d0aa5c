"""Makes the weights of the lung locator, `src/cxr/pixels/frame.npz`, again.

    python benchmarks/train_lung_frame.py FOLDER --out frame.npz

The weights in use had 4,000 steps at the default rate and two rounds from there (`--start`) of 500
and 450 steps at rates of 2e-3 and 1.5e-3, in which parts of chests and pairs were first shown.
FOLDER holds chest X-rays of any layout that `cxr train` reads. Two teachers: phantoms, whose lungs
are known, and those images of FOLDER on which a family of lung shapes fits with confidence. A
seventh of the patients and 100 phantoms are held out and measured at the end. 4,000 steps of 192
views take about 20 minutes on one core; the same seed gives nearly the same weights, not the same
bits, on another machine. Every view is another cut, tilt, exposure and frame of one image; some
are turned, inverted, or show no chest, and are labelled so.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from _lung_shapes import ShapeFamily, box_of, phantoms, small
from _lung_views import DETAIL, INVERTED, NONE, UPRIGHT, Views, normalised
from cxr.find import read_manifest
from cxr.pixels.frame import SIDE

CONFIDENT = 0.42  # correlation of a fit that teaches
N_PHANTOMS, HELD_OUT, PHANTOM_SHARE = 700, 100, 0.26
PRIOR = 0.5
"""Taken off the logit of "no lungs": in use such images are rarer than in training."""


class Locator(nn.Module):
    """The network that `cxr.pixels.frame` runs in NumPy: 5 numbers of the box, 6 logits."""

    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 12, 5, 2, 2)
        self.c2 = nn.Conv2d(12, 24, 3, 2, 1)
        self.c3 = nn.Conv2d(24, 32, 3, 2, 1)
        self.f1, self.f2 = nn.Linear(32 * 36, 96), nn.Linear(96, 11)

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.c1, self.c2, self.c3):
            x = F.relu(layer(x))
        return self.f2(F.relu(self.f1(x.flatten(1))))


def train(network: Locator, views: Views, steps: int, rate: float) -> None:
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps)
    start = time.monotonic()
    for step in range(1, steps + 1):
        view, target, kind = views.batch(192)
        output, has_box = network(view), (kind == UPRIGHT) | (kind == INVERTED)
        box_loss = F.smooth_l1_loss(output[has_box, :5], target[has_box], beta=0.02)
        class_loss = F.cross_entropy(output[:, 5:], kind)
        optimiser.zero_grad()
        (10 * box_loss + 0.2 * class_loss).backward()
        optimiser.step()
        schedule.step()
        if step % 250 == 0 or step == steps:
            losses = f"box {box_loss:.4f}  class {class_loss:.4f}"
            print(f"{step:5d}  {losses}  {time.monotonic() - start:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("frame.npz"))
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--rate", type=float, default=4e-3, help="highest learning rate")
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)

    manifest = read_manifest(args.folder)
    boxes, scores = ShapeFamily().fit(small(manifest.paths(), SIDE))
    held_out = np.array([crc32(str(p).encode()) % 7 == 0 for p in manifest.table["patient"]])
    teaching = (scores > CONFIDENT) & ~held_out
    pixels, masks = phantoms(N_PHANTOMS, seed=77)
    known = np.array([box_of(mask) for mask in masks])
    known[:, 3] += 0.03  # fits reach as far below the lungs as above
    detail = small(pixels[HELD_OUT:], DETAIL)
    paths = manifest.paths()
    real = small([paths[i] for i in np.flatnonzero(teaching)], DETAIL)
    weights = np.repeat(
        [1 / len(real), PHANTOM_SHARE / (1 - PHANTOM_SHARE) / len(detail)], [len(real), len(detail)]
    )
    all_boxes = np.concatenate([boxes[teaching], known[HELD_OUT:]])
    print(f"{len(real):,} real images and {len(detail)} phantoms teach", flush=True)
    network = Locator()
    if args.start:
        with np.load(args.start, allow_pickle=False) as stored:
            network.load_state_dict({k: torch.from_numpy(w).float() for k, w in stored.items()})
        network.f2.bias.data[5 + NONE] += PRIOR
    train(network, Views(np.concatenate([real, detail]), all_boxes, weights), args.steps, args.rate)
    network.f2.bias.data[5 + NONE] -= PRIOR
    weights = {name: w.numpy().astype(np.float16) for name, w in network.state_dict().items()}
    np.savez_compressed(args.out, **weights)
    with torch.no_grad():
        views = torch.from_numpy(small(pixels[:HELD_OUT], SIDE))
        error = (network(normalised(views[:, None].float() / 255))[:, :4]).numpy()
    x0, y0, x1, y1 = known[:HELD_OUT].T
    error = np.abs(error - np.stack([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0], 1))
    print(f"{HELD_OUT} phantoms held out: centre, width, height wrong by {error.mean(0).round(3)}")


if __name__ == "__main__":
    main()
