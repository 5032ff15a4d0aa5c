"""The first post, its steps in order, with cxr; the post itself is the peer (0.0171, ResNet-50).

128 px, random 20 % with seed 42, `lr_find`, `fit_one_cycle(6)`, `save`, `unfreeze`, `lr_find`,
`fit_one_cycle(4, slice(1e-5, 3e-4))`, EfficientNet-Lite0 with the packaged weights.

    python benchmarks/post_one.py
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from _bench import arguments, report, run_contender


def run_cxr(data: Path, size: int) -> dict[str, float]:
    from cxr import ImageDataBunch, auroc, cnn_learner, error_rate, models

    start = time.perf_counter()
    bunch = ImageDataBunch.from_folder(data, valid_pct=0.2, seed=42, size=size)
    folder = tempfile.mkdtemp()
    learn = cnn_learner(bunch, models.efficientnet_lite0, metrics=[error_rate, auroc], path=folder)
    learn.lr_find()
    learn.fit_one_cycle(6)
    frozen_error = learn.validate()[1]
    learn.save("stage-1")
    learn.unfreeze()
    learn.lr_find()
    learn.fit_one_cycle(4, slice(1e-5, 3e-4))
    _, error, area = learn.validate()
    return {
        "job_s": time.perf_counter() - start,
        "frozen_error_rate": frozen_error,
        "error_rate": error,
        "auroc": area,
    }


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--as", dest="contender", choices=["cxr"])
    parser.add_argument("--size", type=int, default=128)
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(run_cxr(options.data, options.size)))
        return
    given = ["--data", str(options.data), "--size", str(options.size)]
    rows = [
        run_contender(sys.executable, Path(__file__), "cxr", given) for _ in range(options.repeats)
    ]
    report("post_one", rows)


if __name__ == "__main__":
    main()
