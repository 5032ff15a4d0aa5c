"""Time and peak memory of `cxr check` as the set grows, by default to 50,000 images.

Beyond the images at hand each further file is one of them turned by 3 to 12 degrees, with its own
brightness and contrast: another image to every check, of a patient of its own. The command as a
process of its own; memory is its peak as the system counts it (Linux and macOS).

    python benchmarks/check_growth.py --sizes 5000 20000 50000
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

import numpy as np
from PIL import Image

from _bench import add_trial_options, arguments, report, run_contender
from _peers import image_files

CHECK = "from cxr.cli import main; main()"


def make_folder(images: list[Path], n: int, folder: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(n):
        image = images[i * len(images) // n] if n < len(images) else images[i % len(images)]
        kind = image.parent.name
        name = f"IM-{10_000 + i}-0001" if kind == "NORMAL" else f"person{10_000 + i}_bacteria_1"
        target = folder / kind / f"{name}.jpeg"
        target.parent.mkdir(parents=True, exist_ok=True)
        if i < len(images):
            target.write_bytes(image.read_bytes())
        else:
            varied(image, rng).save(target, quality=85)


def varied(radiograph: Path, rng: np.random.Generator) -> Image.Image:
    angle = float(rng.choice([-1, 1]) * rng.uniform(3, 12))
    factor, offset = rng.uniform(0.7, 1.1), rng.uniform(0, 25)
    with Image.open(radiograph) as image:
        turned = image.convert("L").rotate(angle, Image.Resampling.BILINEAR)
    return turned.point(lambda grey: min(255, grey * factor + offset))


def check(folder: Path) -> dict[str, Any]:
    """Runs the command as this process's only child, so that its peak is the children's."""
    import resource

    with TemporaryDirectory() as work:
        given = ["check", str(folder), "--out", work, "--json"]
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", CHECK, *given], env=os.environ, stdout=subprocess.PIPE
        )
        seconds = time.perf_counter() - start
    if done.returncode > 1:
        sys.exit(f"cxr check ended with {done.returncode}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"job_s": seconds, "peak_mb": peak / (1e6 if sys.platform == "darwin" else 1e3)}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--as", dest="contender", help="the folder to check")
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 20_000, 50_000])
    add_trial_options(parser, images=False)
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(check(Path(options.contender))))
        return
    radiographs, rows = image_files(options.data), []
    for n in options.sizes:
        with TemporaryDirectory() as folder:
            make_folder(radiographs, n, Path(folder))
            row = run_contender(sys.executable, Path(__file__), folder, [])
        row |= {"contender": f"{n:,} images", "images": n, "images_per_s": n / row["job_s"]}
        print(row, flush=True)
        rows.append(row)
    report("check_growth", rows, store=options.store)


if __name__ == "__main__":
    main()
