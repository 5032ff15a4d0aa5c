"""From cxr imported to the first training step done, with an empty pixel cache and with a warm one.

The steps of `cxr train` with its default settings: the manifest is read, images are decoded or
found in the cache, the network is built and takes one batch forward, backward and into its weights.
Each in a fresh process; the images' files stay in the system's own cache.

    python benchmarks/second_run.py --repeats 3
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _bench import add_trial_options, arguments, medians_of, report, run_contender, sample

CACHES = ("cold", "warm")


class FirstStep(Exception):
    """Ends the fit."""


def start_training(data: Path) -> dict[str, float]:
    begin = time.perf_counter()
    from cxr.config import RunConfig
    from cxr.train.recipe import fine_tune_phases
    from cxr.train.recorder import Recorder
    from cxr.workflows.train import load_data, make_learner, read_run_manifest

    def stop(recorder: Recorder, *values: float) -> float:
        raise FirstStep

    Recorder.step = stop
    start = time.perf_counter()
    config = RunConfig(data=str(data))
    manifest = read_run_manifest(config)
    read = time.perf_counter()
    dls = load_data(config, manifest)
    loaded = time.perf_counter()
    learner = make_learner(config, dls)
    built = time.perf_counter()
    phases = fine_tune_phases(
        config.epochs, config.base_lr, config.freeze_epochs, strategy=learner.strategy
    )
    try:
        learner.fit_phases(phases)
    except FirstStep:
        end = time.perf_counter()
    return {
        "job_s": end - start,
        "manifest_s": read - start,
        "pixels_s": loaded - read,
        "network_s": built - loaded,
        "step_s": end - built,
        "import_s": start - begin,
    }


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--as", dest="contender", choices=CACHES)
    parser.add_argument("--cache", help="folder of the pixel cache")
    add_trial_options(parser)
    options = parser.parse_args()
    if options.contender:
        os.environ["CXR_CACHE_DIR"] = options.cache
        print(json.dumps(start_training(options.data)))
        return
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        data = sample(options.data, options.images, Path(folder))
        for _ in range(options.repeats):
            with TemporaryDirectory() as cache:
                given = ["--data", str(data), "--cache", cache]
                rows += [run_contender(sys.executable, Path(__file__), n, given) for n in CACHES]
    medians = medians_of(rows)
    cold, warm = (medians[name]["job_s"] for name in CACHES)
    note = f"first step after {warm:.2f} s with a warm cache, {cold:.2f} s with an empty one"
    report("second_run", rows, notes=[note], store=options.store)


if __name__ == "__main__":
    main()
