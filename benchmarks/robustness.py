"""How much accuracy other images and damage cost: the plain recipe against the default one.

    python benchmarks/robustness.py --runs /tmp/robustness
    python benchmarks/robustness.py --plain recipe=fine_tune augment=false --seeds 1

For each seed both recipes train on the whole set by patient, and `cxr stress` changes the images
of their validation patients, who were not trained on (they set the threshold). The figure is the
mean change of accuracy over the strongest setting of every change; below 0 is a loss. A model that
is hardly better than chance has little to lose: look at its accuracy on plain images too.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from _bench import add_trial_options, arguments, report, sample, versions
from _recipes import Settings, add_options, folder_of, interval, mean_and_spread, parse, trained
from cxr._io.run_files import MANIFEST
from cxr.apply.stress import PERTURBATIONS
from cxr.config import ManifestOptions
from cxr.workflows.stress import stress_model

STRONGEST = {(one.name, words) for one in PERTURBATIONS for words in one.strongest}


def measure(
    name: str, settings: Settings, seed: int, data: Path, runs: Path, images: int
) -> dict[str, Any]:
    run = folder_of(runs, name, settings, seed)
    model = trained(run, data, settings, seed, data)
    found = stress_model(
        model,
        run / MANIFEST,
        run.with_name(run.name + "-stressed"),
        split="valid",
        images=images,
        options=ManifestOptions(image_root=data),
    )
    strongest = found["strongest"]["difference"]
    return {
        "contender": name,
        "seed": seed,
        "settings": settings,
        "n": found["n"],
        "n_patients": found["n_patients"],
        "plain_images": found["plain"]["accuracy"]["value"],
        "changed_pictures": found["plain"]["accuracy"]["value"] + strongest["accuracy"]["value"],
        "accuracy_lost": -strongest["accuracy"]["value"],
        "auroc_lost": -strongest["auroc"]["value"],
        "intervals": {"plain_images": found["plain"]["accuracy"], "change": strongest},
        "by_change": {
            f"{change['name']}, {change['strength']}": change["difference"]["accuracy"]["value"]
            for change in found["changes"]
        },
        "versions": versions(sys.executable),
    }


def line(row: dict[str, Any]) -> str:
    figures = row["intervals"]
    return (
        f"{row['contender']}, seed {row['seed']}, n={row['n']:,}: accuracy of plain images "
        f"{interval(figures['plain_images'])}, mean change over the {len(STRONGEST)} strongest "
        f"settings {interval(figures['change']['accuracy'])}"
    )


def notes(rows: Sequence[dict[str, Any]]) -> list[str]:
    """By change and over all, means over the seeds; and how much of the loss is left."""
    own = {name: [row for row in rows if row["contender"] == name] for name in ("plain", "cxr")}
    lines = [f"{'change of accuracy, mean over seeds':40}{'plain':>10}{'cxr':>10}"]
    for name, words in sorted(STRONGEST):
        key = f"{name}, {words}"
        means = [fmean(row["by_change"][key] for row in some) for some in own.values() if some]
        lines.append(f"{key:40}" + "".join(f"{mean:>+10.4f}" for mean in means))
    lost = {
        n: mean_and_spread([r["accuracy_lost"] for r in some]) for n, some in own.items() if some
    }
    lines += [
        f"{name}: mean accuracy lost {one['mean']:.4f} ± {one['spread']:.4f} "
        f"(mean ± spread of {one['seeds']} seeds)"
        for name, one in lost.items()
    ]
    if len(lost) == 2 and lost["plain"]["mean"] > 0:
        lines.append(
            f"cxr loses {lost['cxr']['mean'] / lost['plain']['mean']:.2f} of what plain does"
        )
    return lines


def main() -> None:
    parser = arguments(__doc__ or "")
    add_trial_options(parser)
    add_options(parser)
    parser.add_argument(
        "--stressed", type=int, default=1_000, help="at most so many validation images"
    )
    options = parser.parse_args()
    settings = {"plain": parse(options.plain), "cxr": parse(options.default)}
    rows: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        copies = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        runs = options.runs or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        data = sample(options.data, options.images, copies).absolute()
        for seed in options.seeds:
            for name, own in settings.items():
                if options.only in (None, name):
                    rows.append(measure(name, own, seed, data, runs, options.stressed))
                    print(line(rows[-1]), flush=True)
    store = options.store and options.only is None
    report("robustness", rows, notes=notes(rows), store=store)


if __name__ == "__main__":
    main()
