"""How closely the lung frame holds the lungs: in numbers on phantoms, to the eye on real images.

    python benchmarks/lung_frame.py --sheets OUT ../shared/data/kermany224 ../shared/data/nih_adults
    python benchmarks/lung_frame.py --cue ../shared/data/kermany224
    python benchmarks/lung_frame.py --halves ../shared/data/kermany224

Phantoms are those of another seed than the locator learnt from. For each folder: processor time an
image on one thread (reading, locating and cutting to 128 px), the share found, and contact sheets
with the boxes drawn, green where lungs were found; the eye decides whether a box cuts lung away.
Then how many images without upright lungs are taken for some: parts, pairs and turns of these
images, and drawn images and photographs of another seed than the locator learnt from.

`--cue` asks how much the place and size of the box tell of the class: AUROC of boosted trees, out
of fold by patient, on the whole images and on the cut ones, whose box is found anew.

`--halves` asks whether a further test of a found box would tell half chests from whole ones: how
many of each remain, and of which class the whole ones are that are lost.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_image
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from _lung_shapes import box_of, phantoms
from _unlike_chests import KINDS, part_of
from cxr.find import get_image_files, read_manifest
from cxr.pixels import LungFrame, load_framed, load_grey, locate_lungs, locate_many

SIZE = 128
COLUMNS, CELL = 10, 128
COLOURS = {"lungs": "lime", "turned": "orange", "inverted": "orange", "none": "red"}


def inverted(image: np.ndarray) -> np.ndarray:
    return 255 - image


def gamma(power: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda image: ((image / 255) ** power * 255).astype(np.uint8)


def framed(image: np.ndarray) -> np.ndarray:
    """Black borders of a tenth on each side."""
    height, width = image.shape
    return np.pad(image, ((height // 10,) * 2, (width // 10,) * 2))


def rotated(angle: float) -> Callable[[np.ndarray], np.ndarray]:
    bilinear = Image.Resampling.BILINEAR
    return lambda image: np.asarray(Image.fromarray(image).rotate(angle, bilinear))


# What is done to the image, and what that does to its lungs.
CHANGES: dict[str, tuple[Callable, Callable]] = {
    "as it is": (np.array, np.array),
    "rotated by 10 degrees": (rotated(10), rotated(10)),
    "rotated by -10 degrees": (rotated(-10), rotated(-10)),
    "black borders": (framed, framed),
    "dark (gamma 2)": (gamma(2.0), np.array),
    "bright (gamma 0.5)": (gamma(0.5), np.array),
    "inverted": (inverted, np.array),
    "turned by 90 degrees": (np.rot90, np.rot90),
    "upside down": (lambda image: np.rot90(image, 2), lambda mask: np.rot90(mask, 2)),
}


def beside(image: np.ndarray, other: np.ndarray, axis: int) -> np.ndarray:
    shape = image.shape[::-1]
    return np.concatenate([image, np.asarray(Image.fromarray(other).resize(shape))], axis)


# What holds no two upright lungs, of an image and another one.
NEGATIVES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "left half": lambda image, _: image[:, : image.shape[1] // 2],
    "right half": lambda image, _: image[:, image.shape[1] // 2 :],
    "upper half": lambda image, _: image[: len(image) // 2],
    "lower half": lambda image, _: image[len(image) // 2 :],
    "two side by side": lambda image, other: beside(image, other, 1),
    "one above the other": lambda image, other: beside(image, other, 0),
    "turned left": lambda image, _: np.rot90(image),
    "turned right": lambda image, _: np.rot90(image, 3),
    "upside down": lambda image, _: np.rot90(image, 2),
    "inverted": lambda image, _: 255 - image,
}


def taken(images: Sequence[np.ndarray]) -> str:
    found = [frame.found for frame in locate_many([np.ascontiguousarray(i) for i in images])]
    return f"{np.mean(found):6.1%} of {len(found)}"


def negatives_of(images: Sequence[np.ndarray]) -> None:
    for name, change in NEGATIVES.items():
        changed = [change(*pair) for pair in zip(images, images[::-1], strict=True)]
        print(f"  taken for lungs: {name:20s} {taken(changed)}")


def drawn_negatives(n: int) -> None:
    rng = np.random.default_rng(999)
    photo = np.asarray(Image.fromarray(load_sample_image("flower.jpg")).convert("L"))
    makers = {**KINDS, "photograph of a flower": lambda draw: part_of(photo, draw)}
    print("drawn, or parts of a photograph")
    for name, make in makers.items():
        print(f"  taken for lungs: {name:20s} {taken([np.asarray(make(rng)) for _ in range(n)])}")


def framing_cue(folder: Path) -> None:
    manifest = read_manifest(folder)
    label, patient = manifest.table["label"], manifest.table["patient"].to_numpy()
    truth = (label == sorted(label.unique())[-1]).to_numpy()
    rows = []
    for path in manifest.paths():
        cut, whole = load_framed(path)
        anew = locate_lungs(cut)
        rows.append([*whole.box, whole.score, *anew.box, anew.score])
    values = np.array(rows)
    print(f"{folder.name}, {len(rows):,} images: AUROC of the class by the frame")
    for name, columns in (
        ("whole", slice(0, 4)),
        ("cut", slice(5, 9)),
        ("cut, score", slice(5, 10)),
    ):
        trees = HistGradientBoostingClassifier(max_iter=80, learning_rate=0.08, random_state=0)
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
        told = cross_val_predict(
            trees, values[:, columns], truth, groups=patient, cv=folds, method="predict_proba"
        )
        print(f"  {name:12s} {roc_auc_score(truth, told[:, 1]):.3f}")
    found = values[:, 5:9].std(0).round(3)
    print(f"  spread of the edges found anew on the cut images: {found}")


# What might say that a found box is of half a chest.
DOUBTS: dict[str, Callable[[LungFrame], bool]] = {
    "nothing more": lambda frame: False,
    **{f"score below {s}": lambda frame, s=s: frame.score < s for s in (0.6, 0.74, 0.9)},
    **{
        f"top and bottom touched, width below {w}": lambda frame, w=w: (
            frame.y0 == 0 and frame.y1 == 1 and frame.x1 - frame.x0 < w
        )
        for w in (1, 0.8, 0.7)
    },
    "centre below 0.57": lambda frame: frame.y0 + frame.y1 > 2 * 0.57,
}


def half_chests(folder: Path) -> None:
    manifest = read_manifest(folder)
    label = manifest.table["label"].to_numpy()
    images = [load_grey(path) for path in manifest.paths()]
    parts = [
        locate_many([np.ascontiguousarray(change(image, image)) for image in images])
        for change in (lambda image, _: image, NEGATIVES["upper half"], NEGATIVES["lower half"])
    ]
    print(f"{folder.name}, {len(images):,} images: taken for lungs, whole, upper half, lower half")
    found = [frame.found for frame in parts[0]]
    for name, doubted in DOUBTS.items():
        kept = [[frame.found and not doubted(frame) for frame in frames] for frames in parts]
        lost = Counter(label[np.array(found) & ~np.array(kept[0])].tolist())
        shares = "  ".join(f"{np.mean(some):6.1%}" for some in kept)
        print(f"  {name:40s} {shares}  lost: {dict(lost) or 0}")


def on_phantoms(n: int) -> None:
    images, masks = phantoms(n, seed=2024)
    negatives_of(images)
    print(f"{n} phantoms    found  box error  overlap  lungs inside: mean, 1st percentile, cut")
    for name, (change, follow) in CHANGES.items():
        rows = []
        for image, mask in zip(images, masks, strict=True):
            lungs = follow(mask.astype(np.uint8) * 255) > 127
            frame = locate_lungs(np.ascontiguousarray(change(image)))
            if frame.found:
                rows.append(measured(frame, lungs))
        share = len(rows) / n
        if not rows:
            print(f"{name:24s} {share:6.1%}")
            continue
        error, overlap, inside = np.array(rows).T
        print(
            f"{name:24s} {share:6.1%}  {error.mean():.3f}  {overlap.mean():.3f}  "
            f"{inside.mean():.4f}  {np.percentile(inside, 1):.3f}  {np.mean(inside < 0.98):.1%}"
        )


def measured(frame: LungFrame, lungs: np.ndarray) -> tuple[float, float, float]:
    """Mean error of the four edges (shares), overlap of the boxes (intersection over union), and
    the share of the true lungs inside."""
    box, true = np.array(frame.box), np.array(box_of(lungs))
    low, high = np.maximum(box[:2], true[:2]), np.minimum(box[2:], true[2:])
    common = float(np.prod(np.maximum(high - low, 0)))
    areas = sum(float(np.prod(one[2:] - one[:2])) for one in (box, true))
    height, width = lungs.shape
    rows, columns = slice_of(box[1::2], height), slice_of(box[::2], width)
    inside = lungs[rows, columns].sum() / lungs.sum()
    return float(np.abs(box - true).mean()), common / (areas - common), float(inside)


def slice_of(shares: np.ndarray, n: int) -> slice:
    return slice(round(float(shares[0]) * n), round(float(shares[1]) * n))


def on_folder(folder: Path, n: int, sheets: Path | None) -> None:
    paths = sorted(get_image_files(folder))
    chosen = np.random.default_rng(0).choice(len(paths), min(n, len(paths)), replace=False)
    some = [paths[i] for i in sorted(chosen)]
    load_framed(some[0], SIZE)  # reads the weights
    greys = [load_grey(path) for path in some]
    times = {
        "whole": timed(lambda: [load_grey(path, SIZE) for path in some], len(some)),
        "lungs": timed(lambda: [load_framed(path, SIZE) for path in some], len(some)),
        "locating, one by one": timed(lambda: [locate_lungs(grey) for grey in greys], len(some)),
        "locating, in batches of 16": timed(lambda: locate_many(greys), len(some)),
    }
    frames = [load_framed(path, SIZE)[1] for path in some]
    counts = Counter(frame.finding for frame in frames)
    listed = ", ".join(f"{count} {finding}" for finding, count in counts.most_common())
    print(f"{folder.name}, {len(some)} of {len(paths):,} images: {listed}")
    print("  processor ms an image: " + ", ".join(f"{name} {ms:.2f}" for name, ms in times.items()))
    edges = np.array([frame.box for frame in frames if frame.found])
    if len(edges):
        print(f"  mean box {edges.mean(0).round(3)}, spread {edges.std(0).round(3)}")
    negatives_of(greys)
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        for number, start in enumerate(range(0, len(some), 100), 1):
            part = slice(start, start + 100)
            out = sheets / f"{folder.name}_{number}.png"
            contact_sheet(greys[part], frames[part]).save(out)
            print(f"  {out}")


def timed(work: Callable[[], object], n: int) -> float:
    """Milliseconds of processor time an image, the best of three: others may use the machine."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return 1000 * best / n


def contact_sheet(greys: Sequence[np.ndarray], frames: Sequence[LungFrame]) -> Image.Image:
    rows = -(-len(greys) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * CELL, rows * CELL))
    for i, (grey, frame) in enumerate(zip(greys, frames, strict=True)):
        side = CELL - 2
        cell = Image.fromarray(grey).resize((side, side)).convert("RGB")
        draw = ImageDraw.Draw(cell)
        draw.rectangle([edge * (side - 1) for edge in frame.box], outline=COLOURS[frame.finding])
        draw.text((2, 0), f"{i} {frame.score:.2f}", fill="yellow")
        sheet.paste(cell, (i % COLUMNS * CELL, i // COLUMNS * CELL))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="*", type=Path, help="folders of chest X-rays")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
    parser.add_argument("--images", type=int, default=300, help="at most so many of each folder")
    parser.add_argument("--phantoms", type=int, default=200)
    parser.add_argument("--cue", type=Path, help="folder with labels: measure the framing cue only")
    parser.add_argument("--halves", type=Path, help="folder: try to tell half chests only")
    args = parser.parse_args()
    if args.halves is not None:
        return half_chests(args.halves)
    if args.cue is not None:
        return framing_cue(args.cue)
    on_phantoms(args.phantoms)
    drawn_negatives(args.phantoms)
    for folder in args.data:
        on_folder(folder, args.images, args.sheets)


if __name__ == "__main__":
    main()
