"""Near copies planted among real images: how many are found, what is found without cause, how fast.

The originals are images of the data folder, exact copies removed. Of 200 of them for each kind a
changed copy is made as a file would be: stored as JPEG of quality 30 to 90; resized to 0.5 to 2
times its side; brighter, darker or of another gamma by 10 to 40 %; shifted by 3 % in any direction
(filled by black, by the border, or cut off); further kinds are harder than what is promised. Pairs
found among the originals themselves are named, to be looked at.

    python benchmarks/copies.py
    python benchmarks/copies.py --scale 5000 50000 100000

`--scale` times the search on enlarged sets, each in a process of its own: every image is the
average of two images, so that none is a copy, stored in a file as `cxr check` stores a large set.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from _bench import add_trial_options, arguments, available_cpus, report, run_contender
from cxr.check.checks.near_copies import find_near_copies
from cxr.pixels import load_grey, map_in_order

SIDE, PLANTED = 128, 200
Change = Callable[[Image.Image, np.random.Generator], bytes]


def stored(image: Image.Image, quality: int = 90) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def from_unit(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))


def reencoded(image: Image.Image, rng: np.random.Generator) -> bytes:
    return stored(image, int(rng.integers(30, 91)))


def resized(image: Image.Image, rng: np.random.Generator) -> bytes:
    factor = math.exp(rng.uniform(math.log(0.5), math.log(2)))
    method = rng.choice([Image.Resampling.BILINEAR, Image.Resampling.LANCZOS])
    return stored(image.resize([round(side * factor) for side in image.size], method))


def brightened(image: Image.Image, rng: np.random.Generator) -> bytes:
    pixels = np.asarray(image) / 255
    by = rng.choice([-1, 1]) * rng.uniform(0.1, 0.4)
    changed = (pixels * (1 + by), pixels + by / 2, pixels ** (1 + by))
    return stored(from_unit(changed[rng.integers(3)]))


def shifted(image: Image.Image, rng: np.random.Generator, share: float = 0.03) -> bytes:
    pixels, angle = np.asarray(image), rng.uniform(0, 2 * np.pi)
    height, width = pixels.shape
    down, right = round(share * height * math.sin(angle)), round(share * width * math.cos(angle))
    fill = rng.choice(["constant", "edge", "cut"])
    top, left = max(down, 0), max(right, 0)
    cut = pixels[top : height + min(down, 0), left : width + min(right, 0)]
    if fill != "cut":
        around = ((max(-down, 0), max(down, 0)), (max(-right, 0), max(right, 0)))
        cut = np.pad(cut, around, mode=fill)
    return stored(Image.fromarray(np.ascontiguousarray(cut)))


def shifted_farther(image: Image.Image, rng: np.random.Generator) -> bytes:
    return shifted(image, rng, 0.05)


def cropped(image: Image.Image, rng: np.random.Generator, share: float = 0.04) -> bytes:
    left, top, right, bottom = rng.uniform(0, share, 4)
    width, height = image.size
    box = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
    return stored(image.crop([round(edge) for edge in box]))


def mirrored(image: Image.Image, rng: np.random.Generator) -> bytes:
    return stored(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))


def all_at_once(image: Image.Image, rng: np.random.Generator) -> bytes:
    for change in (lambda image, rng: cropped(image, rng, 0.03), brightened, resized, reencoded):
        image = Image.open(BytesIO(change(image, rng)))
    return stored(image)


def turned(image: Image.Image, rng: np.random.Generator) -> bytes:
    return stored(image.rotate(rng.uniform(-2, 2), Image.Resampling.BILINEAR))


PROMISED: dict[str, Change] = {
    "re-encoded": reencoded,
    "resized": resized,
    "brightness": brightened,
    "shifted 3 %": shifted,
}
FURTHER: dict[str, Change] = {
    "shifted 5 %": shifted_farther,
    "cropped 0-4 %": cropped,
    "mirrored": mirrored,
    "all at once": all_at_once,
    "turned 0-2 degrees": turned,
}


def originals(data: Path, n: int | None, rng: np.random.Generator) -> tuple[list[Path], np.ndarray]:
    """Images that differ in their pixels, and their squares."""
    paths = sorted(path for path in data.rglob("*.jp*g") if path.is_file())
    if not paths:
        sys.exit(f"no .jpeg files in {data}; name a folder with --data")
    full = list(map_in_order(load_grey, paths, available_cpus()))
    first: dict[bytes, int] = {}
    for row, grey in enumerate(full):
        first.setdefault(grey.tobytes(), row)
    rows = sorted(rng.permutation(list(first.values()))[:n])
    return [paths[i] for i in rows], np.stack([load_grey(full[i], SIDE) for i in rows])


def plant(paths: list[Path], change: Change, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Rows of originals, and the squares of a changed copy of each."""
    rows = np.sort(rng.permutation(len(paths))[:PLANTED])
    copies = []
    for row in rows:
        with Image.open(paths[row]) as image:
            copies.append(load_grey(change(image.convert("L"), rng), SIDE))
    return rows, np.stack(copies)


def timed(squares: np.ndarray) -> tuple[set[tuple[int, int]], dict[str, float]]:
    import scipy.fft
    import scipy.linalg
    import scipy.spatial  # noqa: F401  imports are no part of the job

    start, cpu = time.perf_counter(), time.process_time()
    found = find_near_copies(squares, np.arange(len(squares)))
    seconds = {"job_s": time.perf_counter() - start, "cpu_s": time.process_time() - cpu}
    return {(copy.first, copy.second) for copy in found}, seconds


def recall(data: Path, n: int | None, seed: int) -> tuple[list[dict[str, Any]], list[str]]:
    """One row for the originals, one for each kind planted among them."""
    rng = np.random.default_rng(seed)
    paths, squares = originals(data, n, rng)
    pairs, seconds = timed(squares)
    notes = [f"among originals: {paths[i].name} and {paths[j].name}" for i, j in sorted(pairs)]
    figures = {
        "images": len(paths),
        "pairs": len(pairs),
        "per_1000": 1000 * len(pairs) / len(paths),
    }
    rows = [{"contender": "originals", **figures, **seconds}]
    for name, change in {**PROMISED, **FURTHER}.items():
        of, copies = plant(paths, change, rng)
        found, seconds = timed(np.concatenate([squares, copies]))
        wanted = {(row, len(paths) + k) for k, row in enumerate(of.tolist())}
        wrong = len(found - wanted - pairs)
        figures = {"images": len(paths) + len(of), "planted": len(of)}
        share = len(found & wanted) / len(of)
        rows.append({"contender": name, **figures, "found": share, "wrong": wrong, **seconds})
    return rows, notes


def enlarge(squares: np.ndarray, n: int, file: Path) -> None:
    """`n` averages of two images each, never the same two but by chance."""
    rng = np.random.default_rng(0)
    large = np.lib.format.open_memmap(file, "w+", np.uint8, (n, SIDE, SIDE))
    for start in range(0, n, 1024):
        one, other = rng.integers(len(squares), size=(2, min(1024, n - start)))
        large[start : start + 1024] = (squares[one].astype(np.uint16) + squares[other]) // 2


def peak_mb() -> float | None:
    """Of this process since it began; a parent's counts in what the resource module says."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1e3


def search(file: Path) -> dict[str, float]:
    """Time of one search, and how much more memory the process had than before it (Linux)."""
    timed(np.zeros((0, SIDE, SIDE), np.uint8))
    before = peak_mb()
    found, seconds = timed(np.load(file, mmap_mode="r"))
    after = peak_mb()
    memory = {} if before is None or after is None else {"extra_mb": after - before}
    return {**seconds, **memory, "pairs": len(found)}


def scale(data: Path, sizes: list[int]) -> list[dict[str, Any]]:
    _, squares = originals(data, None, np.random.default_rng(0))
    rows = []
    for n in sizes:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "squares.npy"
            enlarge(squares, n, file)
            row = run_contender(sys.executable, Path(__file__), str(file), [])
        per_s = {"images": n, "images_per_s": n / row["job_s"]}
        rows.append(row | per_s | {"contender": f"{n:,} images"})
    return rows


def main() -> None:
    parser = arguments(__doc__ or "")
    add_trial_options(parser)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=int, nargs="+", metavar="N", help="time sets of N images")
    parser.add_argument("--as", dest="contender", help="the file of squares to search")
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(search(Path(options.contender))))
    elif options.scale:
        report("copies_scale", scale(options.data, options.scale), store=options.store)
    else:
        rows, notes = recall(options.data, options.images, options.seed)
        report("copies", rows, notes=notes, store=options.store)


if __name__ == "__main__":
    main()
