"""Makes the weights of the lung locator, `src/cxr/pixels/frame.npz`, again.

    python benchmarks/train_lung_frame.py FOLDER --out first.npz
    python benchmarks/train_lung_frame.py FOLDER --start first.npz --steps 1300 --rate 2e-3

FOLDER holds chest X-rays of any layout that `cxr train` reads. Two teachers: phantoms, whose lungs
are known, and the images of FOLDER. At first those on which a family of lung shapes fits with
confidence teach their fit. With `--start` all teach the mean of what that network finds in six
looks at each, three of them mirrored: one box an image, however it was cut. Views come in pairs of
one image, and what their boxes differ by is a part of the loss. The weights in use went on by the
second line from those of commit f2d9410 (4,950 steps of other views, no pairs), with labels from an
earlier form of `looked_at`, whose edges lie 0.008 of the image from today's.

A seventh of the patients and 100 phantoms are held out; the phantoms are measured at the end. 1,300
steps of 192 views take about 6 minutes of one idle core; the same seed gives nearly the same
weights, not the same bits, on another machine. Every view is another cut, tilt, exposure and frame
of one image; some are turned, inverted, or show no chest, and are labelled so.
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
from PIL import Image
from torch import Tensor

from _lung_shapes import ShapeFamily, box_of, phantoms, small
from _lung_views import DETAIL, INVERTED, NONE, UPRIGHT, Views, normalised
from cxr.find import read_manifest
from cxr.pixels.frame import SIDE

LOOK_DETAIL = 144
LOOKS = (0.1, 0.2)
"""How far beyond the last box, as a share of it, a further look at an image reaches."""

CONFIDENT = 0.42  # correlation of a fit that teaches
N_PHANTOMS, HELD_OUT, PHANTOM_SHARE = 1100, 100, 0.26
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
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps, pct_start=0.1)
    start = time.monotonic()
    for step in range(1, steps + 1):
        view, target, kind, size = views.batch(192)
        output, has_box = network(view), (kind == UPRIGHT) | (kind == INVERTED)
        box_loss = distance(output[has_box, :5], target[has_box])
        error = (output[:, :4] - target[:, :4]) * size.repeat(1, 2)  # shares of the image
        one, other = (half[has_box.chunk(2)[0]] for half in error.chunk(2))
        pair_loss = distance(one, other)
        class_loss = F.cross_entropy(output[:, 5:], kind)
        optimiser.zero_grad()
        (10 * box_loss + 10 * pair_loss + 0.3 * class_loss).backward()
        optimiser.step()
        schedule.step()
        if step % 100 == 0 or step == steps:
            losses = f"box {box_loss:.4f}  pair {pair_loss:.4f}  class {class_loss:.4f}"
            print(f"{step:5d}  {losses}  {time.monotonic() - start:.0f} s", flush=True)


def distance(boxes: Tensor, others: Tensor) -> Tensor:
    return F.smooth_l1_loss(boxes, others, beta=0.02)


def looked_at(network: Locator, images: np.ndarray) -> np.ndarray:
    """Boxes (n, 4), each the mean of six looks at uint8 (n, LOOK_DETAIL, LOOK_DETAIL)."""
    total = np.zeros((len(images), 4))
    for mirrored in (False, True):
        seen = np.ascontiguousarray(images[:, :, ::-1]) if mirrored else images
        whole = np.tile([0.0, 0.0, 1.0, 1.0], (len(images), 1))
        box = found_in(network, seen, whole)
        looks = [box]
        for beyond in LOOKS:
            reach = beyond * np.tile(box[:, 2:] - box[:, :2], 2) * (-1, -1, 1, 1)
            looks.append(found_in(network, seen, box + reach))
            box = (box + looks[-1]) / 2
        mean = np.mean(looks, 0)
        total += (1, 0, 1, 0) - mean[:, [2, 1, 0, 3]] * (1, -1, 1, -1) if mirrored else mean
    return total / 2


def found_in(network: Locator, images: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) in shares of the images, which are looked at through `windows` (n, 4)."""
    beyond = LOOK_DETAIL // 2
    views = []
    for image, window in zip(images, windows, strict=True):
        edges = np.clip(window * LOOK_DETAIL, -beyond, LOOK_DETAIL + beyond) + beyond
        padded = Image.fromarray(np.pad(image, beyond, mode="edge"))
        box = tuple(edges.tolist())
        views.append(np.asarray(padded.resize((SIDE, SIDE), Image.Resampling.BOX, box=box)))
    with torch.no_grad():
        output = network(normalised(torch.from_numpy(np.stack(views))[:, None].float() / 255))
    x, y, width, height = output[:, :4].double().numpy().T
    box = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], 1)
    return windows[:, [0, 1, 0, 1]] + box * np.tile(windows[:, 2:] - windows[:, :2], 2)


def loaded(path: Path) -> Locator:
    network = Locator()
    with np.load(path, allow_pickle=False) as stored:
        network.load_state_dict({k: torch.from_numpy(w).float() for k, w in stored.items()})
    return network


def lessons(folder: Path, start: Locator | None) -> tuple[list[Path], np.ndarray]:
    """Paths and boxes (n, 4) of the images that teach, without those of a seventh of patients."""
    manifest = read_manifest(folder)
    paths = manifest.paths()
    teaching = np.array([crc32(str(p).encode()) % 7 != 0 for p in manifest.table["patient"]])
    if start is None:
        boxes, scores = ShapeFamily().fit(small(paths, SIDE))
        teaching &= scores > CONFIDENT
    else:
        boxes = looked_at(start, small(paths, LOOK_DETAIL))
    return [paths[i] for i in np.flatnonzero(teaching)], boxes[teaching]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("frame.npz"))
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--rate", type=float, default=4e-3, help="highest learning rate")
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)

    network = loaded(args.start) if args.start else Locator()
    paths, boxes = lessons(args.folder, network if args.start else None)
    real = small(paths, DETAIL)
    pixels, masks = phantoms(N_PHANTOMS, seed=77)
    known = np.array([box_of(mask) for mask in masks])
    known[:, 3] += 0.03  # fits reach as far below the lungs as above
    detail = small(pixels[HELD_OUT:], DETAIL)
    print(f"{len(real):,} real images and {len(detail)} phantoms teach", flush=True)
    weights = np.repeat(
        [1 / len(real), PHANTOM_SHARE / (1 - PHANTOM_SHARE) / len(detail)], [len(real), len(detail)]
    )
    views = Views(
        np.concatenate([real, detail]), np.concatenate([boxes, known[HELD_OUT:]]), weights
    )
    network.f2.bias.data[5 + NONE] += PRIOR if args.start else 0
    train(network, views, args.steps, args.rate)
    network.f2.bias.data[5 + NONE] -= PRIOR
    state = {name: w.numpy().astype(np.float16) for name, w in network.state_dict().items()}
    np.savez_compressed(args.out, **state)
    with torch.no_grad():
        held_out = torch.from_numpy(small(pixels[:HELD_OUT], SIDE))
        found = network(normalised(held_out[:, None].float() / 255))[:, :4].numpy()
    x0, y0, x1, y1 = known[:HELD_OUT].T
    error = np.abs(found - np.stack([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0], 1))
    print(f"{HELD_OUT} phantoms held out: centre, width, height wrong by {error.mean(0).round(3)}")


if __name__ == "__main__":
    main()
