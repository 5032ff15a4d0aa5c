"""2,000 originals (about 1500 x 1100, JPEG) to an array of 224 px on disk: cxr and three peers.

The originals are X-rays of the data folder, enlarged. The peers get one process a worker, each of
which writes its rows straight into the array; cxr gets as many threads and fills its cache.

    python benchmarks/decode.py --peer-python PYTHON_WITH_OPENCV_AND_TORCHVISION
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from _bench import add_trial_options, arguments, available_cpus, report, run_contender

HEIGHT, WIDTH, SPREAD = 1100, 1500, 0.05
PEERS = ("pillow", "opencv", "torchvision")
Load = Callable[[Path, int], np.ndarray]
load: Load  # what a peer's process does with each file


def make_originals(source: Path, folder: Path, n: int, colour: bool) -> None:
    """`n` JPEG files in `folder`; the same for the same `n`."""
    paths, rng = sorted(source.rglob("*.jpeg")), np.random.default_rng(0)
    if not paths:
        sys.exit(f"no .jpeg files in {source}; name a folder with --data")
    for i, choice in enumerate(rng.integers(len(paths), size=n)):
        height, width = (HEIGHT, WIDTH) * rng.uniform(1 - SPREAD, 1 + SPREAD, 2)
        with Image.open(paths[choice]) as image:
            grey = image.convert("L").resize((int(width), int(height)), Image.Resampling.BICUBIC)
        grey.convert("RGB" if colour else "L").save(folder / f"{i:05}.jpeg", quality=90)


def pillow_loader() -> Load:
    def load(path: Path, size: int) -> np.ndarray:
        with Image.open(BytesIO(path.read_bytes())) as image:
            return np.asarray(image.convert("L").resize((size, size), Image.Resampling.BILINEAR))

    return load


def opencv_loader() -> Load:
    import cv2

    cv2.setNumThreads(1)

    def load(path: Path, size: int) -> np.ndarray:
        grey = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
        return cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA)

    return load


def torchvision_loader() -> Load:
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg, read_file
    from torchvision.transforms.v2.functional import resize

    torch.set_num_threads(1)

    def load(path: Path, size: int) -> np.ndarray:
        grey = decode_jpeg(read_file(str(path)), mode=ImageReadMode.GRAY)
        return resize(grey, [size, size], antialias=True)[0].numpy()

    return load


LOADERS: dict[str, Callable[[], Load]] = {
    "pillow": pillow_loader,
    "opencv": opencv_loader,
    "torchvision": torchvision_loader,
}


def become_ready(name: str, ready: Any) -> None:
    global load
    load = LOADERS[name]()
    ready.wait()


def fill(rows: range, paths: list[Path], size: int, out: Path) -> None:
    pixels = np.lib.format.open_memmap(out, mode="r+")
    for i in rows:
        pixels[i] = load(paths[i], size)


def run_peer(name: str, paths: list[Path], size: int, workers: int, out: Path) -> str:
    LOADERS[name]()  # a missing library is named here
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(workers + 1)  # neither imports nor new processes are part of the job
    with context.Pool(workers, become_ready, (name, ready)) as pool:
        ready.wait()
        start = time.perf_counter()
        np.lib.format.open_memmap(out, mode="w+", dtype=np.uint8, shape=(len(paths), size, size))
        parts = [range(len(paths))[i : i + 64] for i in range(0, len(paths), 64)]
        pool.map(partial(fill, paths=paths, size=size, out=out), parts, chunksize=1)
        return finished(start, np.load(out, mmap_mode="r"))


def run_cxr(paths: list[Path], size: int, workers: int, folder: Path) -> str:
    from cxr.pixels import decode_all

    start = time.perf_counter()
    decoded = decode_all(paths, size, workers=workers, cache_dir=folder, progress=False)
    if not decoded.ok.all():
        sys.exit(f"cxr could not read {len(decoded.errors)} images")
    return finished(start, decoded.pixels)


def finished(start: float, pixels: np.ndarray) -> str:
    seconds = time.perf_counter() - start
    # The means are near the same, or someone has not decoded what the others have.
    figures = {"images_per_s": len(pixels) / seconds, "mean_grey": float(pixels.mean())}
    return json.dumps({"job_s": seconds, **figures})


def run(name: str, folder: Path, size: int, workers: int) -> str:
    paths = sorted(folder.glob("*.jpeg"))
    with tempfile.TemporaryDirectory() as out:
        try:
            if name == "cxr":
                return run_cxr(paths, size, workers, Path(out))
            return run_peer(name, paths, size, workers, Path(out) / "pixels.npy")
        except ModuleNotFoundError as error:
            return json.dumps({"missing": error.name})


def main() -> None:
    parser = arguments(__doc__ or "")
    add_trial_options(parser)
    parser.set_defaults(images=2000)
    parser.add_argument("--as", dest="contender", choices=["cxr", *PEERS])
    parser.add_argument("--peer-python", default=sys.executable, help="python that has the peers")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--workers", type=int, default=available_cpus())
    parser.add_argument("--colour", action="store_true", help="originals stored in colour")
    options = parser.parse_args()
    if options.contender:
        print(run(options.contender, options.data, options.size, options.workers))
        return
    pythons = dict.fromkeys(PEERS, options.peer_python) | {"cxr": sys.executable}
    pythons = {name: p for name, p in pythons.items() if options.only in (None, name)}
    with tempfile.TemporaryDirectory() as folder:
        make_originals(options.data, Path(folder), options.images, options.colour)
        given = ["--data", folder, "--size", str(options.size), "--workers", str(options.workers)]
        rows = [
            run_contender(python, Path(__file__), name, given)
            for _ in range(options.repeats)
            for name, python in pythons.items()
        ]
    missing = {row["contender"]: row["missing"] for row in rows if "missing" in row}
    report(
        "decode_colour" if options.colour else "decode",
        [row for row in rows if "missing" not in row],
        against=PEERS,
        notes=[
            f"{options.images:,} images to {options.size} px, {options.workers} workers",
            *(
                f"{name} is left out: {pythons[name]} has no {what}"
                for name, what in missing.items()
            ),
        ],
        store=options.store,
    )


if __name__ == "__main__":
    main()
