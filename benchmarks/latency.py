"""One image at a time after loading: JPEG bytes to a prediction record, on one thread.

`onnxruntime` and `torch` are cxr's two engines for one model file (the second with folded layers);
`eager` is what a plain handler does: Pillow, torchvision's transforms, timm's network as it comes,
softmax. `lungs` is onnxruntime with the image cut to the lungs first; `bare` is onnxruntime with
nothing asked of the image: neither lungs nor colours. `decode` is cxr's decoding with these
questions alone, `network` onnxruntime without it. `cpu_ms` is processor time, the mean.
All are in one process and take turns, in another order each round, a few images each time.
EfficientNet-Lite0 with a random head, unless --model names a model file.

    python benchmarks/latency.py [--sizes 128,224] [--side 1280]
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded

import io
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from _bench import add_trial_options, arguments, report, versions
from _peers import CLASSES, image_files, load_packaged
from cxr.config import FrameMode

TURN = 5  # images in a row, before the next contender's turn
WARM = 3
Contender = Callable[[bytes], object]


def model_file(folder: Path, size: int, trained: Path | None, frame: FrameMode = "whole") -> Path:
    """A model file with its network as ONNX inside. `frame` is that of a random head."""
    from cxr.apply.onnx import export_onnx
    from cxr.backbones import Architecture, build_network
    from cxr.bundle import BundleConfig, write_bundle

    plain = trained
    if plain is None:
        network, source = build_network(Architecture("efficientnet_lite0", 2, size))
        config = BundleConfig(
            CLASSES, "efficientnet_lite0", size, frame=frame, weights_source=source
        )
        plain = write_bundle(folder / f"plain{size}{frame}.cxr", network, config)
    served = folder / f"served{size}{frame}.cxr"
    export_onnx(plain, served)
    return served


def eager(size: int) -> Contender:
    import timm
    import torch
    from PIL import Image
    from torchvision import transforms

    network = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    load_packaged(network)
    network.reset_classifier(len(CLASSES))
    network.eval()
    steps = [
        transforms.Resize((size, size)),
        transforms.ToTensor(),
        transforms.Normalize([0.5] * 3, [0.5] * 3),
    ]
    transform = transforms.Compose(steps)

    def predict(data: bytes) -> dict[str, float]:
        with Image.open(io.BytesIO(data)) as image:
            pixels = transform(image.convert("RGB"))
        with torch.inference_mode():
            chances = network(pixels.unsqueeze(0)).softmax(dim=1)[0].tolist()
        return dict(zip(CLASSES, chances, strict=True))

    return predict


def contenders(folder: Path, size: int, trained: Path | None) -> dict[str, Contender]:
    from cxr.apply.predictor import Predictor, load_predictor
    from cxr.pixels import load_grey

    file = model_file(folder, size, trained)
    size = (onnx := load_predictor(file, "onnx", threads=1)).config.size
    torch_predictor = load_predictor(file, "torch")
    same = np.zeros((1, size, size), np.uint8)

    def record(predictor: Predictor) -> Contender:
        return lambda data: predictor.predictions(predictor.pixels(data)[np.newaxis])[0]

    cut = {}
    if trained is None:
        lungs = model_file(folder, size, None, "lungs")
        cut["lungs"] = record(load_predictor(lungs, "onnx", threads=1))
    return {
        "onnxruntime": record(onnx),
        **cut,
        "bare": lambda data: onnx.predictions(load_grey(data, size)[np.newaxis])[0],
        "torch": record(torch_predictor),
        "eager": eager(size),
        "decode": onnx.pixels,
        "network": lambda data: onnx.run(same),
    }


def enlarged(data: bytes, side: int) -> bytes:
    """The image at `side` by `side` pixels, as grey JPEG of quality 90."""
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.convert("L").resize((side, side), Image.Resampling.BICUBIC).save(
            buffer, "JPEG", quality=90
        )
    return buffer.getvalue()


def measure(own: dict[str, Contender], images: list[bytes]) -> dict[str, np.ndarray]:
    """Milliseconds of each image by contender, (n, 2): by the clock, and of the processor."""
    for predict in own.values():
        for image in images[:WARM]:
            predict(image)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in own}
    order, rng = list(own), random.Random(0)
    for start in range(0, len(images), TURN):
        rng.shuffle(order)
        for name in order:
            for image in images[start : start + TURN]:
                begin, busy = time.perf_counter(), time.process_time()
                own[name](image)
                spent = time.perf_counter() - begin, time.process_time() - busy
                times[name].append((1e3 * spent[0], 1e3 * spent[1]))
    return {name: np.array(found) for name, found in times.items()}


def rows_of(size: int, times: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    return [
        {
            "contender": f"{name} {size}",
            "p50_ms": float(np.percentile(found[:, 0], 50)),
            "p95_ms": float(np.percentile(found[:, 0], 95)),
            "p99_ms": float(np.percentile(found[:, 0], 99)),
            "cpu_ms": float(found[:, 1].mean()),
            "versions": versions(sys.executable),
        }
        for name, found in times.items()
    ]


def main() -> None:
    import torch

    parser = arguments(__doc__ or "")
    add_trial_options(parser)
    parser.add_argument("--sizes", default="128,224", help="sides of the network's images")
    parser.add_argument("--side", type=int, help="enlarge the images to this side beforehand")
    parser.add_argument("--model", type=Path, help="a model file, in place of a random head")
    options = parser.parse_args()
    torch.set_num_threads(1)
    files = image_files(options.data)
    n = options.images or 400
    radiographs = [file.read_bytes() for file in files[:: max(1, len(files) // n)][:n]]
    if options.side:
        radiographs = [enlarged(radiograph, options.side) for radiograph in radiographs]
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for size in [int(text) for text in options.sizes.split(",")]:
            own = contenders(Path(folder), size, options.model)
            if options.only:
                own = {options.only: own[options.only]}
            for _ in range(options.repeats):
                rows += rows_of(size, measure(own, radiographs))
    mean = sum(map(len, radiographs)) // len(radiographs)
    name = "latency" + (f"_{options.side}" if options.side else "")
    report(
        name,
        rows,
        notes=[f"{len(radiographs)} images of {mean:,} bytes, one thread"],
        store=options.store,
    )


if __name__ == "__main__":
    main()
