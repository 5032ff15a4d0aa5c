"""Peak memory and time of `cxr train` as the data grow tenfold, by default 5,000 and 50,000 images.

The folders hold copies of the images, each the only one of its patient and, by a few bytes after
the end of its image, of a content of its own, so that nothing is decoded once for two of them. The
figures of such a model mean nothing. Default settings, an empty pixel cache, the command as a
process of its own; memory is its peak as the system counts it (Linux and macOS).

    python benchmarks/growth.py --sizes 5000 50000 --epochs 1
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _bench import add_trial_options, arguments, medians_of, report, run_contender
from _peers import image_files

TRAIN = "from cxr.cli import main; main()"


def make_folder(images: list[Path], n: int, folder: Path) -> None:
    """`n` files in class folders, in the share of classes that `images` have."""
    for i in range(n):
        image = images[i * len(images) // n] if n < len(images) else images[i % len(images)]
        kind = image.parent.name
        name = f"IM-{1000 + i}-0001" if kind == "NORMAL" else f"person{1000 + i}_bacteria_1"
        copy = folder / kind / f"{name}.jpeg"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(image.read_bytes() + f"copy {i}".encode())


def train(folder: Path, epochs: int | None) -> dict[str, Any]:
    """Runs the command as this process's only child, so that its peak is the children's."""
    import resource

    with TemporaryDirectory() as work:
        given = ["train", str(folder), "--run", str(Path(work) / "run")]
        given += [] if epochs is None else ["--epochs", str(epochs)]
        environment = os.environ | {"CXR_CACHE_DIR": str(Path(work) / "cache")}
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", TRAIN, *given],
            check=True,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"job_s": seconds, "peak_mb": peak / (1e6 if sys.platform == "darwin" else 1e3)}


def notes(rows: list[dict[str, Any]]) -> list[str]:
    medians = list(medians_of(rows).values())
    first, found = medians[0], []
    for own in medians:
        more = own["peak_mb"] / first["peak_mb"] - 1
        found.append(
            f"{own['images']:,.0f} images: {own['s_per_1000']:.1f} s per 1,000, peak "
            f"{own['peak_mb']:.0f} MB ({more:+.1%} against {first['images']:,.0f} images)"
        )
    return found


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--as", dest="contender", help="the folder to train on")
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 50_000])
    parser.add_argument("--epochs", type=int, help="after the head's; default that of cxr train")
    add_trial_options(parser, images=False)
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(train(Path(options.contender), options.epochs)))
        return
    given = [] if options.epochs is None else ["--epochs", str(options.epochs)]
    radiographs = image_files(options.data)
    rows = []
    for n in options.sizes:
        with TemporaryDirectory() as folder:
            make_folder(radiographs, n, Path(folder))
            for _ in range(options.repeats):
                row = run_contender(sys.executable, Path(__file__), folder, given)
                figures = {"images": n, "s_per_1000": 1000 * row["job_s"] / n}
                rows.append(row | figures | {"contender": f"{n:,} images"})
    report("growth", rows, notes=notes(rows), store=options.store)


if __name__ == "__main__":
    main()
