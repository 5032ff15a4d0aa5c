"""Do 95 % intervals hold the truth in 95 % of data sets? Simulated patients, of whom it is known.

Each data set has patients with 1 to 5 images. A patient's images share their class, but for one in
ten, and part of their score. `cxr.evaluate.measure` gives every figure with its interval, as it
does for a real split; the truth is the same figure of 200,000 patients drawn alike. Three settings:
a good model of 200 patients (about 600 images), and one near perfection, where intervals are
hardest, of 400 and of 200. The probabilities of both are too extreme.

Intervals are drawn from 400 resamples a data set where the default is 2,000: most use their spread
alone, which is known to 4 % from 400, so the coverage seen is, if anything, a little too low.
One coverage of 95 % among 1,000 data sets is itself known to 1.4 percentage points.

    python benchmarks/coverage.py [--sets 1000]
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from _bench import RESULTS, add_trial_options, machine, versions
from cxr.evaluate import Predictions, make_predictions, measure
from cxr.evaluate.metrics import ONE_FINDING, OVERALL, binary

LOWEST, HIGHEST = 0.93, 0.97
FOR_TRUTH = 200_000  # patients
SHARE_ILL, SHARE_MIXED, MOST_IMAGES = 0.4, 0.1, 5
Figures = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """Scores are `middle` -/+ `apart` / 2, plus noise of variance 1 of the patient and 1 of the
    image; the probability stated has `stretch` times the score as its log-odds."""

    name: str
    patients: int
    apart: float
    middle: float
    stretch: float


SETTINGS = (
    Setting("good model", 200, apart=3.0, middle=-0.2, stretch=2.0),
    Setting("near perfect", 400, apart=4.8, middle=-0.1, stretch=3.0),
    Setting("near perfect", 200, apart=4.8, middle=-0.1, stretch=3.0),
)


def simulated(setting: Setting, patients: int, rng: np.random.Generator) -> Predictions:
    own = rng.integers(1, MOST_IMAGES + 1, size=patients)
    patient = np.repeat(np.arange(patients), own)
    n = len(patient)
    ill = (rng.random(patients) < SHARE_ILL)[patient]
    ill = np.where(rng.random(n) < SHARE_MIXED, rng.random(n) < SHARE_ILL, ill)
    score = setting.middle + setting.apart * (ill - 0.5) + rng.normal(size=patients)[patient]
    p = 1 / (1 + np.exp(-setting.stretch * (score + rng.normal(size=n))))
    classes = ("NORMAL", "PNEUMONIA")
    return make_predictions(
        ["image"] * n, np.c_[1 - p, p], ill.astype(int), classes, patients=patient
    )


def true_figures(setting: Setting) -> dict[str, float]:
    """Of so many patients that no interval is wanted."""
    population = simulated(setting, FOR_TRUTH, np.random.default_rng(12345))
    p = population.probabilities[:, 1]
    sample, once = binary(population.targets == 1, p, p >= 0.5), np.ones((1, len(p)))
    return {m.name: float(m.of(sample, once)[0]) for m in (*ONE_FINDING, *OVERALL)}


def coverage(setting: Setting, sets: int, resamples: int) -> list[dict[str, Any]]:
    truth = true_figures(setting)
    seen: dict[str, list[Figures]] = {name: [] for name in truth}
    for number in range(sets):
        rng = np.random.default_rng([number, SETTINGS.index(setting)])
        predictions = simulated(setting, setting.patients, rng)
        figures = measure(predictions, resamples=resamples, seed=number)
        for name, some in seen.items():
            some.append(figures[name])
    return [row(setting, name, truth[name], some) for name, some in seen.items()]


def row(setting: Setting, name: str, truth: float, figures: list[Figures]) -> dict[str, Any]:
    known = [one for one in figures if "low" in one]
    above = sum(one["low"] > truth for one in known) / len(known)
    below = sum(one["high"] < truth for one in known) / len(known)
    held = round(1 - above - below, 4)
    return {
        "setting": setting.name,
        "patients": setting.patients,
        "metric": name,
        "truth": truth,
        "held": held,
        "as_wanted": LOWEST <= held <= HIGHEST,
        "interval_above_truth": round(above, 4),
        "interval_below_truth": round(below, 4),
        "mean_width": float(np.mean([one["high"] - one["low"] for one in known])),
        "without_interval": len(figures) - len(known),
    }


def show(rows: list[dict[str, Any]]) -> None:
    head = ("metric", "truth", "held", "too high", "too low", "width")
    print("{:24}{:>10}{:>10}{:>10}{:>10}{:>10}".format(*head))
    for one in rows:
        ends = one["interval_above_truth"], one["interval_below_truth"]
        cells = (one["truth"], one["held"], *ends, one["mean_width"])
        mark = "" if one["as_wanted"] else "  <- outside 93 to 97 %"
        print(f"{one['metric']:24}" + "".join(f"{cell:10.4f}" for cell in cells) + mark, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=400)
    add_trial_options(parser, images=False)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for setting in SETTINGS:
        print(f"\n{setting.name}, {setting.patients} patients, {options.sets:,} data sets")
        found = coverage(setting, options.sets, options.resamples)
        show(found)
        rows += found
    inside = sum(one["as_wanted"] for one in rows)
    print(f"\n{inside} of {len(rows)} within {LOWEST:.0%} to {HIGHEST:.0%}")
    if options.store:
        kept = {
            "machine": machine(),
            "versions": versions(sys.executable),
            "sets": options.sets,
            "resamples": options.resamples,
            "level": 0.95,
            "settings": [asdict(setting) for setting in SETTINGS],
            "rows": rows,
        }
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "coverage.json").write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
