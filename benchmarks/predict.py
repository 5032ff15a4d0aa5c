"""Image files on disk to probabilities, many at once and one by one: cxr and its peers.

`fastai_predict` is `learn.predict` in a loop (over 200 images), `fastai_get_preds` is `test_dl` and
`get_preds`, `torch` a DataLoader over Pillow and timm's network, `onnxruntime` the file that cxr
exports with cxr's pixels, `onnxruntime_int8` that file after static quantisation. All run on the
CPU, in batches of 128, EfficientNet-Lite0 at 128 px; cxr's model has one epoch of its head. Imports
and loading are not counted. `latency_ms` is one file to its probabilities, median of 200 files;
`differ` is how many decisions are not those of cxr.

    python benchmarks/predict.py --fastai-python PYTHON_WITH_FASTAI
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

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
    SEED,
    SIZE,
    VALID,
    Images,
    empty_cache,
    fastai_learner,
    image_files,
    timm_network,
    timm_predict,
)

SINGLES, CALIBRATION, CHUNK = 200, 128, 128
PREPARE = "prepare"
Many = Callable[[Sequence[Path]], np.ndarray]  # to probabilities (n, 2)
One = Callable[[Path], object]


def prepare(data: Path, work: Path) -> None:
    """model.cxr, model.onnx and int8.onnx in `work`; no contender's time counts it."""
    from cxr import DataBlock, RandomSplitter, Resize, efficientnet_lite0, vision_learner
    from cxr.apply.onnx import export_onnx

    splitter = RandomSplitter(valid_pct=VALID, seed=SEED)
    with empty_cache():
        dls = DataBlock(splitter=splitter, item_tfms=Resize(SIZE)).dataloaders(data)
        learn = vision_learner(dls, efficientnet_lite0)
        learn.fit_one_cycle(1, 2e-3)
        learn.export((work / "model.cxr").absolute())
    export_onnx(work / "model.cxr", work / "model.onnx")
    quantise(work / "model.onnx", work / "int8.onnx", image_files(data))


def quantise(model: Path, out: Path, files: Sequence[Path]) -> None:
    """Convolutions in 8-bit integers, by the ranges that CALIBRATION of the images show.

    The first one stays as it is: with it, half as many decisions again change.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    from cxr.pixels import load_grey

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(files[:: max(1, len(files) // CALIBRATION)][:CALIBRATION])

        def get_next(self) -> dict[str, np.ndarray] | None:
            path = next(self.left, None)
            return path and {"image": load_grey(path, SIZE)[np.newaxis, np.newaxis]}

    prepared = model.with_name("prepared.onnx")
    quant_pre_process(str(model), str(prepared))
    layers = [n.name for n in onnx.load(prepared).graph.node if n.op_type == "Conv"]
    quantize_static(
        str(prepared),
        str(out),
        Reader(),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=layers[:1],
    )


def with_cxr(data: Path, work: Path) -> tuple[Many, One]:
    from cxr import load_learner
    from cxr.apply import predict_files

    predictor = load_learner(work / "model.cxr")

    def many(files: Sequence[Path]) -> np.ndarray:
        rows = predict_files(predictor, files)
        return np.array([[row[f"prob_{name}"] for name in predictor.vocab] for row in rows])

    return many, predictor.predict


def with_onnxruntime(work: Path, name: str) -> tuple[Many, One]:
    import onnxruntime

    from cxr.pixels import load_grey, map_in_order

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", available_cpus()))
    session = onnxruntime.InferenceSession(work / name, options, ["CPUExecutionProvider"])

    def chances(pixels: Sequence[np.ndarray]) -> np.ndarray:
        logits = session.run(None, {"image": np.stack(pixels)[:, np.newaxis]})[0]
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def load(path: Path) -> np.ndarray:
        return load_grey(path, SIZE)

    def many(files: Sequence[Path]) -> np.ndarray:
        parts, chunk = [], []
        for pixels in map_in_order(load, files, available_cpus()):
            chunk.append(pixels)
            if len(chunk) == CHUNK:
                parts.append(chances(chunk))
                chunk.clear()
        return np.concatenate([*parts, chances(chunk)] if chunk else parts)

    return many, lambda path: chances([load(path)])


def with_fastai(data: Path, loop: bool) -> tuple[Many, One]:
    import fastai.vision.all  # noqa: F401

    learn = fastai_learner(data)
    learn.model.eval()

    def one(path: Path) -> np.ndarray:
        with learn.no_bar():
            return learn.predict(path)[2].numpy()

    def get_preds(files: Sequence[Path]) -> np.ndarray:
        batches = learn.dls.test_dl(files, bs=CHUNK, num_workers=available_cpus())
        with learn.no_bar():
            return learn.get_preds(dl=batches)[0].numpy()

    return (lambda files: np.stack([one(path) for path in files])) if loop else get_preds, one


def with_torch() -> tuple[Many, One]:
    import torch
    from torch.utils.data import DataLoader

    network = timm_network().eval()

    def many(files: Sequence[Path]) -> np.ndarray:
        images = Images(list(files))
        return timm_predict(
            network, DataLoader(images, CHUNK, num_workers=available_cpus())
        ).numpy()

    def one(path: Path) -> np.ndarray:
        with torch.inference_mode():
            return network(Images([path])[0][0].unsqueeze(0)).softmax(dim=1).numpy()

    return many, one


CONTENDERS: dict[str, Callable[[Path, Path], tuple[Many, One]]] = {
    "fastai_predict": lambda data, work: with_fastai(data, loop=True),
    "fastai_get_preds": lambda data, work: with_fastai(data, loop=False),
    "torch": lambda data, work: with_torch(),
    "cxr": with_cxr,
    "onnxruntime": lambda data, work: with_onnxruntime(work, "model.onnx"),
    "onnxruntime_int8": lambda data, work: with_onnxruntime(work, "int8.onnx"),
}
PEERS = ("fastai_predict", "fastai_get_preds", "torch")


def measure(name: str, data: Path, work: Path) -> dict[str, Any]:
    many, one = CONTENDERS[name](data, work)
    files = image_files(data / "train" if (data / "train").is_dir() else data)
    singles = files[:: max(1, len(files) // SINGLES)][:SINGLES]
    files = singles if name == "fastai_predict" else files
    many(files[:2])  # what only the first call does
    start = time.perf_counter()
    chances = many(files)
    seconds = time.perf_counter() - start
    result = {"job_s": seconds, "images": len(files), "images_per_s": len(files) / seconds}
    result |= {"latency_ms": 1000 * latency(one, singles)}
    if name not in PEERS:
        np.save(work / f"{name}.npy", chances)
        if (work / "cxr.npy").is_file():
            theirs = np.load(work / "cxr.npy").argmax(axis=1)
            result["differ"] = int((chances.argmax(axis=1) != theirs).sum())
    return result


def latency(one: One, files: Sequence[Path]) -> float:
    one(files[0])
    times = []
    for path in files:
        start = time.perf_counter()
        one(path)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def notes(rows: list[dict[str, Any]]) -> list[str]:
    found, medians = [], medians_of(rows)
    own = medians.pop("cxr", None)
    for name, theirs in medians.items() if own else ():
        rate = own["images_per_s"] / theirs["images_per_s"]
        wait = theirs["latency_ms"] / own["latency_ms"]
        found.append(f"cxr is {rate:.2f} times as fast as {name}; one image: {wait:.2f} times")
    return found


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--as", dest="contender", choices=[PREPARE, *CONTENDERS])
    parser.add_argument("--work", type=Path, help="folder of the models")
    add_trial_options(parser)
    options = parser.parse_args()
    if options.contender == PREPARE:
        prepare(options.data, options.work)
        print(json.dumps({}))
    elif options.contender:
        print("\n" + json.dumps(measure(options.contender, options.data, options.work)))
    else:
        report("predict", *compare(options), store=options.store)


def compare(options: Any) -> tuple[list[dict[str, Any]], tuple[()], list[str]]:
    rows = []
    with TemporaryDirectory() as folder, TemporaryDirectory() as work:
        given = ["--data", str(sample(options.data, options.images, Path(folder))), "--work", work]
        run_contender(sys.executable, Path(__file__), PREPARE, given)
        for _ in range(options.repeats):
            for name in (n for n in CONTENDERS if options.only in (None, n)):
                python = options.fastai_python if name in PEERS else sys.executable
                rows.append(run_contender(python, Path(__file__), name, given))
    return rows, (), notes(rows)


if __name__ == "__main__":
    main()
