"""Training images a second at 128 px, batches of 64, with cxr and with its peers.

Counted are the images of the epochs after the first, over the time that these spend on training
(validation is left out); `job_s` is everything from listing the files on. No augmentation. cxr
trains the upper half of the network (its default), `cxr_full`, `timm_loop` and `fastai` the whole
EfficientNet-Lite0; Ultralytics trains its own yolo11n-cls from random weights, with its own
loader. cxr decodes once, before the first epoch; the peers decode in every epoch.

    python benchmarks/throughput.py --fastai-python PYTHON_WITH_FASTAI_TIMM_AND_ULTRALYTICS
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _bench import (
    add_trial_options,
    arguments,
    available_cpus,
    medians_of,
    report,
    run_contender,
    sample,
)
from _peers import (
    BATCH,
    SEED,
    SIZE,
    VALID,
    empty_cache,
    fastai_learner,
    split_images,
    timm_epochs,
    timm_loaders,
    timm_network,
)

PEERS = ("fastai", "timm_loop", "ultralytics")
CXR = ("cxr_full", "cxr")


class Clock:
    """Seconds that each epoch spends on training."""

    def __init__(self) -> None:
        self.job = self.began = time.perf_counter()
        self.epochs: list[float] = []

    def start(self, *_: object) -> None:
        self.began = time.perf_counter()

    def stop(self, *_: object) -> None:
        self.epochs.append(time.perf_counter() - self.began)

    def result(self, images: int) -> dict[str, Any]:
        """`images`: those that one epoch trains on."""
        import torch

        later = self.epochs[1:]
        return {
            "images_per_s": images * len(later) / sum(later),
            "job_s": time.perf_counter() - self.job,
            "images": images,
            "threads": torch.get_num_threads(),
            "epochs_s": self.epochs,
        }


def run_cxr(data: Path, epochs: int, strategy: str) -> dict[str, Any]:
    from cxr import (
        DataBlock,
        RandomSplitter,
        Resize,
        efficientnet_lite0,
        error_rate,
        vision_learner,
    )
    from cxr.train import fit
    from cxr.train.callbacks import Callback
    from cxr.train.recipe import fine_tune_phases

    clock = Clock()
    splitter = RandomSplitter(valid_pct=VALID, seed=SEED)
    dls = DataBlock(splitter=splitter, item_tfms=Resize(SIZE)).dataloaders(data, bs=BATCH)
    learn = vision_learner(dls, efficientnet_lite0, metrics=error_rate, strategy=strategy)

    class AfterEpoch(Callback):
        def after_epoch(self, *_: object) -> bool:
            clock.start()
            return False

    def validate_fast(*given: Any) -> list[float]:
        clock.stop()
        return validate(*given)

    validate, fit.validate_fast = fit.validate_fast, validate_fast
    clock.start()
    body = fine_tune_phases(epochs, freeze_epochs=0, strategy=learn.strategy)
    learn.fit_phases(body, [AfterEpoch()])
    return clock.result(len(dls.train) * BATCH)


def run_fastai(data: Path, epochs: int) -> dict[str, Any]:
    from fastai.vision.all import Callback, error_rate

    class Stopwatch(Callback):
        def before_train(self) -> None:
            clock.start()

        def after_train(self) -> None:
            clock.stop()

    clock = Clock()
    learn = fastai_learner(data, [error_rate])
    learn.unfreeze()
    with learn.no_bar():
        learn.fit_one_cycle(epochs, 1e-3, cbs=[Stopwatch()])
    return clock.result(learn.dls.train.n // BATCH * BATCH)


def run_timm(data: Path, epochs: int) -> dict[str, Any]:
    import timm  # noqa: F401
    from torchvision import transforms  # noqa: F401

    clock = Clock()
    train, _ = timm_loaders(data)
    network = timm_network()
    clock.start()
    for _ in timm_epochs(network, train, epochs, 1e-3):
        clock.stop()
        clock.start()
    return clock.result(len(train) * BATCH)


def run_ultralytics(data: Path, epochs: int) -> dict[str, Any]:
    os.environ |= {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}  # and no usage reports
    with TemporaryDirectory() as folder:
        os.environ["YOLO_CONFIG_DIR"] = folder
        import torch
        from ultralytics import YOLO

        images = Path(folder) / "images"
        sides = dict(zip(("train", "val"), split_images(data), strict=True))
        for side, some in sides.items():
            for i, file in enumerate(some.files):
                copy = images / side / file.parent.name / f"{i:05}{file.suffix}"
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, copy)
        clock = Clock()
        model = YOLO("yolo11n-cls.yaml")
        # On a CPU it leaves one core idle by default; here it gets as many threads as the others.
        model.add_callback("on_train_start", lambda _: torch.set_num_threads(threads))
        model.add_callback("on_train_epoch_start", clock.start)
        model.add_callback("on_train_epoch_end", clock.stop)
        threads = torch.get_num_threads()
        plain = {"erasing": 0.0, "auto_augment": None, "fliplr": 0.0, "hsv_s": 0.0, "hsv_v": 0.0}
        model.train(
            data=str(images),
            epochs=epochs,
            imgsz=SIZE,
            batch=BATCH,
            workers=available_cpus(),
            pretrained=False,
            amp=False,
            val=False,
            plots=False,
            project=folder,
            **plain,
        )
        return clock.result(len(sides["train"]))


RUN: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "fastai": run_fastai,
    "timm_loop": run_timm,
    "ultralytics": run_ultralytics,
}


def run(name: str, data: Path, epochs: int) -> dict[str, Any]:
    try:
        if name in PEERS:
            return RUN[name](data, epochs)
        with empty_cache():
            return run_cxr(data, epochs, "full" if name == "cxr_full" else "auto")
    except ModuleNotFoundError as error:
        return {"missing": error.name}


def notes(rows: list[dict[str, Any]]) -> list[str]:
    medians = medians_of(rows)
    return [
        f"{name} trains {medians[name]['images_per_s'] / medians[peer]['images_per_s']:.1f} times "
        f"as many images a second as {peer}"
        for name in CXR
        for peer in PEERS
        if name in medians and peer in medians
    ]


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--as", dest="contender", choices=[*PEERS, *CXR])
    parser.add_argument("--epochs", type=int, default=2, help="the first warms up, at least 2")
    add_trial_options(parser)
    options = parser.parse_args()
    if options.epochs < 2:
        parser.error("--epochs must be at least 2: the first is not counted")
    if options.contender:
        print("\n" + json.dumps(run(options.contender, options.data, options.epochs)))
        return
    rows = []
    with TemporaryDirectory() as folder:
        data = sample(options.data, options.images, Path(folder))
        given = ["--data", str(data), "--epochs", str(options.epochs)]
        for _ in range(options.repeats):
            for name in (n for n in (*PEERS, *CXR) if options.only in (None, n)):
                python = options.fastai_python if name in PEERS else sys.executable
                row = run_contender(python, Path(__file__), name, given)
                if "missing" in row:
                    print(f"{name} is left out: {python} has no {row['missing']}")
                else:
                    rows.append(row)
    report("throughput", rows, notes=notes(rows), store=options.store)


if __name__ == "__main__":
    main()
