"""Does a data set's own test folder show what validation promised? With cxr and with its peers.

DATA has the form of Kaggle's `chest_xray`: train/, val/ and test/, each with NORMAL/ and
PNEUMONIA/. All train on train + val, split for themselves, and are measured on test once: cxr with
its defaults (split by patient, its own threshold), fastai as the second post has it, and a plain
timm loop, both with the same packaged weights, a random split and threshold 0.5. Each trial is a
process of its own; its seconds are those of the whole process, with an empty pixel cache. A peer
that is not installed is left out, and a line says so.

    python benchmarks/official_test.py DATA --fastai-python PYTHON_WITH_FASTAI
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _bench import machine, run_contender
from _peers import (
    BATCH,
    CLASSES,
    Images,
    empty_cache,
    fastai_learner,
    image_files,
    timm_epochs,
    timm_loaders,
    timm_network,
    timm_phases,
    timm_predict,
)

NEEDS = {"cxr": ("cxr",), "fastai": ("fastai", "timm"), "timm_loop": ("timm", "torchvision")}
DEVELOPMENT = ("train", "val")
COLUMNS = ("auroc", "accuracy", "sensitivity", "specificity", "ece")
Scores = dict[str, float]  # file, relative to DATA -> probability of PNEUMONIA


def development(data: Path, folder: Path) -> Path:
    """Links to the images of train and val, so that no peer can come upon those of test."""
    for path in image_files(data):
        name = path.relative_to(data)
        if name.parts[0] in DEVELOPMENT:
            (folder / name.parent).mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(path.resolve())
    return folder


def named(files: Sequence[Path], root: Path, chances: Any) -> Scores:
    names = (file.relative_to(root).as_posix() for file in files)
    return dict(zip(names, map(float, chances), strict=True))


def run_cxr(data: Path, seed: int) -> dict[str, Any]:
    from cxr.config import RunConfig
    from cxr.workflows import train_run

    with empty_cache(), tempfile.TemporaryDirectory() as folder:
        result = train_run(RunConfig(data=str(data), seed=seed), Path(folder) / "run")
    return {split: result.metrics[split] for split in ("valid", "test")}


def run_fastai(data: Path, seed: int) -> dict[str, Any]:
    from fastai.vision.all import error_rate, set_seed

    with tempfile.TemporaryDirectory() as folder:
        root = development(data, Path(folder))
        set_seed(seed)
        learn = fastai_learner(root, [error_rate])
        learn.fine_tune(2)
        files = image_files(data / "test")
        positive = list(learn.dls.vocab).index(CLASSES[1])
        valid, _ = learn.get_preds()
        test, _ = learn.get_preds(dl=learn.dls.test_dl(files))
        return {
            "valid": named(list(learn.dls.valid_ds.items), root, valid[:, positive]),
            "test": named(files, data, test[:, positive]),
        }


def run_timm(data: Path, seed: int) -> dict[str, Any]:
    import torch
    from torch.utils.data import DataLoader

    with tempfile.TemporaryDirectory() as folder:
        root = development(data, Path(folder))
        torch.manual_seed(seed)
        train, valid = timm_loaders(root)
        network = timm_network()
        for epochs, rate in timm_phases(network):
            for _ in timm_epochs(network, train, epochs, rate):
                pass
        files = image_files(data / "test")
        test = timm_predict(network, DataLoader(Images(files), BATCH))
        return {
            "valid": named(valid.dataset.files, root, timm_predict(network, valid)[:, 1]),
            "test": named(files, data, test[:, 1]),
        }


def measured(scores: Scores, patients: dict[str, str | None]) -> dict[str, Any]:
    from cxr.evaluate import make_predictions, measure

    names = list(scores)
    targets = [CLASSES.index(Path(name).parent.name) for name in names]
    chances = [[1 - chance, chance] for chance in scores.values()]
    owners = [patients[name] for name in names]
    return measure(make_predictions(names, chances, targets, CLASSES, patients=owners))


def installed(python: str, name: str) -> bool:
    code = ";".join(f"import {package}" for package in NEEDS[name])
    done = subprocess.run([python, "-c", code], check=False, capture_output=True)
    return done.returncode == 0


def contenders(options: argparse.Namespace) -> dict[str, str]:
    """Name -> its Python; a line for each that is left out."""
    pythons = {"cxr": sys.executable, "fastai": options.fastai_python, "timm_loop": sys.executable}
    wanted = {name: python for name, python in pythons.items() if options.only in (None, name)}
    missing = [name for name, python in wanted.items() if not installed(python, name)]
    for name in missing:
        print(f"{name} left out: {wanted[name]} lacks {' or '.join(NEEDS[name])}")
    return {name: python for name, python in wanted.items() if name not in missing}


def trials(options: argparse.Namespace) -> list[dict[str, Any]]:
    from cxr.find import read_manifest

    table = read_manifest(options.data).table
    patients = dict(zip(table["path"], table["patient"], strict=True))
    rows = []
    chosen = contenders(options)
    print(f"| trial | validation AUROC | test {' | test '.join(COLUMNS)} | seconds |")
    print("| --- " * (len(COLUMNS) + 3) + "|", flush=True)
    for name, python in chosen.items():
        for seed in options.seeds:
            given = [str(options.data), "--seed", str(seed)]
            row = run_contender(python, Path(__file__), name, given)
            if name != "cxr":
                row |= {split: measured(row[split], patients) for split in ("valid", "test")}
            rows.append(row | {"seed": seed})
            print(line_of(row, f"{name}, seed {seed}"), flush=True)
    return rows


def line_of(row: dict[str, Any], title: str) -> str:
    test = [figure(row["test"][name]) for name in COLUMNS]
    cells = [title, figure(row["valid"]["auroc"]), *test, f"{row['process_s']:.0f}"]
    return f"| {' | '.join(cells)} |"


def figure(found: dict[str, Any]) -> str:
    if found.get("value") is None:
        return "undefined"
    span = f" ({found['low']:.3f} to {found['high']:.3f})" if "low" in found else ""
    return f"{found['value']:.3f}{span}"


def mean_of(rows: list[dict[str, Any]], split: str, name: str) -> str:
    values = [row[split][name]["value"] for row in rows]
    return "undefined" if None in values else f"{statistics.mean(values):.4f}"


def means(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        f"\n| mean over seeds | validation AUROC | test {' | test '.join(COLUMNS)} | seconds |"
    ]
    lines.append("| --- " * (len(COLUMNS) + 3) + "|")
    for name in dict.fromkeys(row["contender"] for row in rows):
        own = [row for row in rows if row["contender"] == name]
        cells = [mean_of(own, "valid", "auroc"), *(mean_of(own, "test", one) for one in COLUMNS)]
        seconds = statistics.mean(row["process_s"] for row in own)
        lines.append(f"| {name} (n = {len(own)}) | {' | '.join(cells)} | {seconds:.0f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with train/, val/ and test/")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 1, 2])
    parser.add_argument("--fastai-python", default=sys.executable, help="python that has fastai")
    parser.add_argument("--only", choices=list(NEEDS), help="run this contender alone")
    parser.add_argument("--as", dest="contender", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=42, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.data = options.data.absolute()
    run = {"cxr": run_cxr, "fastai": run_fastai, "timm_loop": run_timm}
    if options.contender:
        print(json.dumps(run[options.contender](options.data, options.seed)))
        return
    if not (options.data / "test").is_dir():
        sys.exit(f"{options.data} has no folder test/ to measure on")
    n = len(image_files(options.data / "test"))
    print(f"{n:,} test images; {machine()['processor']}, {machine()['processors']} processors")
    print("\n".join(means(trials(options))))


if __name__ == "__main__":
    main()
