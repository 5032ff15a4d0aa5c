"""The second post, its steps in order, with cxr and with its peers, on the same images and split.

128 px, random 20 % with seed 42, `fine_tune(2)`, EfficientNet-Lite0 with the packaged weights.
`timm_loop` is a plain loop over Pillow and torchvision with the same phases; `cxr_full` trains the
whole body where `cxr` trains its upper half. Time begins after the imports, before the files are
listed, with an empty pixel cache. The error after each epoch gives the time until a peer's final
error is reached.

    python benchmarks/post_two.py --fastai-python PYTHON_WITH_FASTAI
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _bench import add_trial_options, arguments, report, run_contender, sample
from _peers import (
    BATCH,
    SEED,
    SIZE,
    VALID,
    empty_cache,
    fastai_learner,
    timm_epochs,
    timm_loaders,
    timm_network,
    timm_phases,
    timm_predict,
)

PEERS = ("fastai", "timm_loop")
CXR = ("cxr_full", "cxr")
Curve = list[tuple[float, float]]  # seconds since the start, validation error


def result(start: float, curve: Curve, error: float, area: float) -> dict[str, Any]:
    import torch

    return {
        "job_s": time.perf_counter() - start,
        "train_s": curve[-1][0],
        "error_rate": float(error),
        "auroc": float(area),
        "threads": torch.get_num_threads(),
        "curve": curve,
    }


def run_cxr(data: Path, strategy: str) -> dict[str, Any]:
    from cxr import (
        CategoryBlock,
        ClassificationInterpretation,
        DataBlock,
        ImageBlock,
        RandomSplitter,
        Resize,
        auroc,
        efficientnet_lite0,
        error_rate,
        get_image_files,
        parent_label,
        vision_learner,
    )

    class Clock:
        def after_epoch(self, learner: Any, epoch: int) -> bool:
            curve.append((time.perf_counter() - start, learner.recorder.values[-1][2]))
            return False

        def after_fit(self, learner: Any) -> None: ...

    curve: Curve = []
    start = time.perf_counter()
    xrays = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_items=get_image_files,
        splitter=RandomSplitter(valid_pct=VALID, seed=SEED),
        get_y=parent_label,
        item_tfms=Resize(SIZE),
    )
    dls = xrays.dataloaders(data, bs=BATCH)
    metrics = [error_rate, auroc]
    learn = vision_learner(dls, efficientnet_lite0, metrics=metrics, strategy=strategy)
    learn.fine_tune(2, cbs=[Clock()])
    _, error, area = learn.validate()
    ClassificationInterpretation.from_learner(learn).confusion_matrix()
    with tempfile.TemporaryDirectory() as folder:
        learn.export(Path(folder) / "post_two.cxr")
        return result(start, curve, error, area)


def run_fastai(data: Path) -> dict[str, Any]:
    from fastai.vision.all import Callback, ClassificationInterpretation, RocAucBinary, error_rate

    class Clock(Callback):
        order = 60  # after the recorder

        def after_epoch(self) -> None:
            curve.append((time.perf_counter() - start, self.learn.recorder.values[-1][2]))

    curve: Curve = []
    start = time.perf_counter()
    learn = fastai_learner(data, [error_rate, RocAucBinary()])
    learn.fine_tune(2, cbs=[Clock()])
    _, error, area = learn.validate()
    ClassificationInterpretation.from_learner(learn)
    with tempfile.TemporaryDirectory() as folder:
        learn.export(Path(folder) / "post_two.pkl")
        return result(start, curve, error, area)


def run_timm(data: Path) -> dict[str, Any]:
    import timm  # noqa: F401
    import torch
    from sklearn.metrics import roc_auc_score
    from torchvision import transforms  # noqa: F401

    curve: Curve = []
    start = time.perf_counter()
    train, valid = timm_loaders(data)
    targets = torch.tensor([valid.dataset.target(i) for i in range(len(valid.dataset))])
    network = timm_network()
    for epochs, rate in timm_phases(network):
        for _ in timm_epochs(network, train, epochs, rate):
            chances = timm_predict(network, valid)
            error = (chances.argmax(dim=1) != targets).float().mean().item()
            curve.append((time.perf_counter() - start, error))
    with tempfile.TemporaryDirectory() as folder:
        torch.save(network.state_dict(), Path(folder) / "post_two.pth")
        return result(start, curve, error, roc_auc_score(targets, chances[:, 1]))


def run(name: str, data: Path) -> dict[str, Any]:
    if name in CXR:
        with empty_cache():
            return run_cxr(data, "full" if name == "cxr_full" else "auto")
    return run_fastai(data) if name == "fastai" else run_timm(data)


def time_to(curve: Curve, error: float) -> float | None:
    return next((seconds for seconds, reached in curve if reached <= error), None)


def add_times_to_error(rows: list[dict[str, Any]]) -> None:
    """To the rows of one repeat: when each contender was first as good as each peer at its end."""
    for peer in (row for row in rows if row["contender"] in PEERS):
        for row in rows:
            seconds = time_to(row["curve"], peer["curve"][-1][1])
            if seconds is not None:
                row[f"to_{peer['contender']}_s"] = seconds


def notes(rows: list[dict[str, Any]]) -> list[str]:
    found = []
    for peer in PEERS:
        theirs = {row["repeat"]: row for row in rows if row["contender"] == peer}
        for name in CXR:
            key = f"to_{peer}_s"
            ours = {row["repeat"]: row for row in rows if row["contender"] == name}
            done = [repeat for repeat, row in ours.items() if key in row]
            if done:
                error = statistics.median(theirs[r]["curve"][-1][1] for r in done)
                ratio = statistics.median(theirs[r][key] / ours[r][key] for r in done)
                found.append(
                    f"{name} reaches {peer}'s final error {error:.4f} after "
                    f"{statistics.median(ours[r][key] for r in done):.1f} s, {peer} after "
                    f"{statistics.median(theirs[r][key] for r in done):.1f} s: {ratio:.1f} times "
                    f"as fast ({len(done)} of {len(ours)} runs)"
                )
            elif ours and theirs:
                found.append(f"{name} does not reach {peer}'s final error")
    return found


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--as", dest="contender", choices=[*PEERS, *CXR])
    add_trial_options(parser)
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(run(options.contender, options.data)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        given = ["--data", str(sample(options.data, options.images, Path(folder)))]
        for repeat in range(options.repeats):
            names = [name for name in (*PEERS, *CXR) if options.only in (None, name)]
            python = dict.fromkeys(PEERS, options.fastai_python) | dict.fromkeys(
                CXR, sys.executable
            )
            these = [run_contender(python[n], Path(__file__), n, given) for n in names]
            add_times_to_error(these)
            rows += [row | {"repeat": repeat} for row in these]
    report("post_two", rows, against=PEERS, notes=notes(rows), store=options.store)


if __name__ == "__main__":
    main()
