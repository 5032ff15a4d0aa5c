"""Seconds that `cxr.evaluate.measure` takes: every figure of one finding with its interval.

Made-up predictions of 5,000 images of about 2,500 patients, all distinct scores, 2,000 resamples
of patients, one thread. What is timed is the whole call, from predictions to what `metrics.json`
holds, with the machine otherwise idle; the best of three runs is the figure.

    python benchmarks/bootstrap.py
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from _bench import arguments, report, versions
from cxr.evaluate import Predictions, make_predictions, measure

TARGET_S = 2.0


def simulated(images: int, seed: int = 0) -> Predictions:
    """Images of one patient share their class and part of their score."""
    rng = np.random.default_rng(seed)
    patient = rng.integers(images // 2, size=images)
    ill = rng.random(images // 2) < 0.4
    logits = 3 * ill[patient] - 1.5 + rng.normal(size=images // 2)[patient]
    p = 1 / (1 + np.exp(-logits - rng.normal(size=images)))
    names = [f"{i}.png" for i in range(images)]
    classes = ("NORMAL", "PNEUMONIA")
    return make_predictions(
        names, np.c_[1 - p, p], ill[patient].astype(int), classes, patients=patient
    )


def timed(images: int, resamples: int) -> dict[str, Any]:
    predictions = simulated(images)
    start, busy = time.perf_counter(), time.process_time()
    measure(predictions, resamples=resamples)
    return {
        "contender": "cxr",
        "seconds": time.perf_counter() - start,
        "processor_s": time.process_time() - busy,
        "images": images,
        "patients": int(predictions.patient_groups.max()) + 1,
        "resamples": resamples,
        "versions": versions(sys.executable),
    }


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--no-store", dest="store", action="store_false")
    parser.set_defaults(repeats=3)
    options = parser.parse_args()
    with threadpool_limits(1):
        rows = [timed(options.images, options.resamples) for _ in range(options.repeats)]
    best = min(row["seconds"] for row in rows)
    note = (
        f"best of {len(rows)}: {best:.2f} s for {options.images:,} images and "
        f"{options.resamples:,} resamples on one thread (target: under {TARGET_S:g} s)"
    )
    report("bootstrap", rows, notes=[note], store=options.store)


if __name__ == "__main__":
    main()
