"""How well models hold on a shifted set: a whole series of images and unseen patients held out.

    python benchmarks/shifted.py --runs /tmp/shifted            # three seeds, three recipes
    python benchmarks/shifted.py --plain recipe=fine_tune augment=false
    python benchmarks/shifted.py --acquisition 8                # clusters in place of the series

For each seed `cxr hold-out` divides the data, `cxr train` develops on the one part (with its own
validation patients there, which set the threshold) and `cxr evaluate` asks about the other:

probe: the head alone on the pretrained network, with no augmentation
plain: the settings given with --plain
cxr: the defaults of `cxr train`, with those given with --default

Each seed draws other pneumonias, another validation and another order of training. Intervals are by
patient within a seed; the spread is the standard deviation between seeds.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import Any

from _bench import add_trial_options, arguments, report, sample, versions
from _recipes import Settings, add_options, folder_of, interval, mean_and_spread, parse, trained
from cxr.find import read_manifest
from cxr.prepare.split.hold_out import hold_out_acquisition, hold_out_series
from cxr.workflows.evaluate import evaluate_model

PROBE = ("epochs=0", "freeze_epochs=1", "augment=false")
FIGURES = ("auroc", "accuracy", "sensitivity", "specificity")


def divide(options: Any, data: Path, seed: int, folder: Path) -> dict[str, Any]:
    """The two tables in `folder`; what `hold_out.json` says of them."""
    manifest = read_manifest(data)
    if options.acquisition:
        held = hold_out_acquisition(manifest, options.acquisition, seed=seed)
    else:
        held = hold_out_series(manifest, options.series, others=options.others, seed=seed)
    return held.write(folder)


def division(options: Any) -> str:
    """A folder's name, so that runs of another division are not taken for those of this one."""
    if options.acquisition:
        return f"acquisition-{options.acquisition}"
    series = "".join(letter for letter in options.series if letter.isalnum() or letter in "-_.")
    return f"{series}-and-{options.others}"


def measure(
    name: str, settings: Settings, seed: int, held: dict[str, Any], folder: Path, runs: Path
) -> dict[str, Any]:
    root = Path(held["image_root"])
    run = folder_of(runs, name, settings, seed)
    model = trained(run, folder / held["development"]["table"], settings, seed, root)
    table = folder / held["shifted"]["table"]
    found = evaluate_model(model, table, run.with_name(run.name + "-on-shifted"), image_root=root)
    figures = found["all"]
    return {
        "contender": name,
        "seed": seed,
        "settings": settings,
        "n": figures["n"],
        "n_patients": figures["n_patients"],
        "threshold": figures["threshold"],
        **{key: figures[key] for key in FIGURES},
    }


def summarise(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Mean and spread over the seeds of every figure, by recipe."""
    names = dict.fromkeys(row["contender"] for row in rows)
    return {
        name: {
            key: mean_and_spread([row[key]["value"] for row in rows if row["contender"] == name])
            for key in FIGURES
        }
        for name in names
    }


def flattened(row: dict[str, Any]) -> dict[str, Any]:
    """Figures as numbers, which are what medians are of, and their intervals beside them."""
    values = {key: row[key]["value"] for key in FIGURES}
    own = {"intervals": {key: row[key] for key in FIGURES}, "versions": versions(sys.executable)}
    return {**row, **values, **own}


def line(row: dict[str, Any]) -> str:
    figures = ", ".join(f"{key} {interval(row[key])}" for key in FIGURES)
    return f"{row['contender']}, seed {row['seed']}, n={row['n']:,}: {figures}"


def notes(rows: list[dict[str, Any]]) -> list[str]:
    return [
        f"{name}: "
        + ", ".join(f"{key} {own[key]['mean']:.4f} ± {own[key]['spread']:.4f}" for key in FIGURES)
        + f" (mean ± spread of {own['auroc']['seeds']} seeds)"
        for name, own in summarise(rows).items()
    ]


def main() -> None:
    parser = arguments(__doc__ or "")
    add_trial_options(parser)
    add_options(parser)
    parser.add_argument("--series", default="NORMAL2-*")
    parser.add_argument("--others", type=int, default=600)
    parser.add_argument("--acquisition", type=int, help="clusters in place of --series")
    parser.add_argument("--probe", nargs="+", default=list(PROBE), metavar="KEY=VALUE")
    options = parser.parse_args()
    recipes = {"probe": options.probe, "plain": options.plain, "cxr": options.default}
    settings = {name: parse(pairs) for name, pairs in recipes.items()}
    rows: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        copies = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kept = options.runs or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        runs = kept / division(options)
        data = sample(options.data, options.images, copies).absolute()
        for seed in options.seeds:
            folder = runs / f"held-out-seed{seed}"
            held = divide(options, data, seed, folder)
            for name, own in settings.items():
                if options.only in (None, name):
                    rows.append(measure(name, own, seed, held, folder, runs))
                    print(line(rows[-1]), flush=True)
    name = "shifted_acquisition" if options.acquisition else "shifted"
    flat = [flattened(row) for row in rows]
    report(name, flat, notes=notes(rows), store=options.store and options.only is None)


if __name__ == "__main__":
    main()
