"""The network in 8-bit integers, kept only where it decides as before, and faster.

Static quantisation by onnxruntime (Jacob et al., Quantization and Training of Neural Networks for
Efficient Integer-Arithmetic-Only Inference, 2018): weights by the range of each channel, maps by
the ranges that training images show. The first convolution stays as it is.
"""

from __future__ import annotations

import logging
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...bundle import BundleConfig, read_bundle
from ...errors import DataError, ImageError, UsageError
from ...find import Manifest, read_manifest
from ...pixels import available_cpus, load_grey, map_in_order
from ..decision.rules import DecisionRules
from ..engine import Pixels
from .audit import INPUT
from .engine import BATCH, OnnxEngine
from .export import ALONE, finished, onnx_bytes, write_onnx

CALIBRATION = 256  # images
TRAIN = "train"
ROUNDS_ONE, ROUNDS_MANY = 40, 7


@dataclass(frozen=True)
class Int8:
    """How the network in 8-bit integers compares with the one that it was made from.

    `moved` of `images` decisions differ; `largest_change` is that of any calibrated probability.
    `speed_one` and `speed_many`: how many times as fast for one image and for a batch, here, on
    one thread, decoding left out.
    """

    images: int
    unreadable: int
    moved: int
    largest_change: float
    speed_one: float
    speed_many: float

    @property
    def kept(self) -> bool:
        return self.moved == 0 and min(self.speed_one, self.speed_many) > 1

    def as_dict(self) -> dict[str, Any]:
        return {"kept": self.kept, **asdict(self)}

    def in_words(self) -> str:
        left_out = f" ({self.unreadable:,} could not be read)" if self.unreadable else ""
        return (
            f"in 8-bit integers {self.moved:,} of {self.images:,} decisions move{left_out}, a "
            f"calibrated probability changes by at most {self.largest_change:.3f}, and the network "
            f"runs {self.speed_one:.2f} times as fast for one image, {self.speed_many:.2f} times "
            f"in batches of {BATCH}"
        )


def export_int8(
    model: Path | str,
    out: Path | str,
    data: Path | str,
    split: str | None = None,
    image_root: Path | str | None = None,
) -> Int8:
    """Writes the network of `model` to `out` (.onnx) in 8-bit integers, if it is worth it.

    It must decide every image of `data` (of `split` alone, where one is named) as the model does,
    and be faster here, one by one and in batches; else nothing is written, and the result says what
    was measured. Ranges are taken from the `train` part of `data`, or without one from images
    spread over all of it; `image_root` as in `read_manifest`. It is no member of a model file, the
    outputs of which it does not give.
    Raises UsageError for another name or split, DataError where no image can be read, BundleError
    as `export_onnx`.
    """
    out = Path(out)
    if out.suffix != ALONE:
        raise UsageError(f"cannot write {out}: in 8-bit integers only as {ALONE}, not into a model")
    bundle = read_bundle(model)
    manifest = read_manifest(data, image_root=image_root)
    plain = onnx_bytes(bundle.network, bundle.config)
    ranges, _ = _pixels(_calibration_images(manifest), bundle.config)
    small = quantised(plain, ranges, bundle.config)
    images, unreadable = _pixels(_images_of(manifest, split), bundle.config)
    comparison = compared(plain, small, images, unreadable, bundle.config)
    if comparison.kept:
        write_onnx(model, out, small)
    return comparison


def quantised(data: bytes, images: Pixels, config: BundleConfig) -> bytes:
    """`data` in 8-bit integers, by the ranges that `images` uint8 (n, S, S) show."""
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    network = onnx.load_from_string(data)
    for i, node in enumerate(network.graph.node):  # by its name a node is left out
        node.name = f"{i}"
    first = next(node.name for node in network.graph.node if node.op_type in ("Conv", "MatMul"))
    with tempfile.TemporaryDirectory() as folder, _quiet():
        file = Path(folder) / "int8.onnx"
        quantize_static(
            network,
            file,
            _calibration_reader(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[first],
        )
        return finished(file.read_bytes(), config)


def _calibration_reader(images: Pixels) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self.left, None)
            return None if image is None else {INPUT: image[np.newaxis, np.newaxis]}

    return Reader()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without onnxruntime's advice on preparing a network, which is prepared already."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def compared(
    plain: bytes, small: bytes, images: Pixels, unreadable: int, config: BundleConfig
) -> Int8:
    """Of two ONNX files on `images`: decisions, probabilities and speed."""
    engines = OnnxEngine(plain, threads=1), OnnxEngine(small, threads=1)
    rules = DecisionRules(config)
    probabilities = [rules.probabilities(e.run(images).logits, calibrated=True) for e in engines]
    before, after = ([rules.decision(one) for one in each.tolist()] for each in probabilities)
    moved = sum(a != b for a, b in zip(before, after, strict=True))
    change = float(np.abs(probabilities[0] - probabilities[1]).max())
    speeds = _speed(*engines, images[:1], ROUNDS_ONE), _speed(*engines, images[:BATCH], ROUNDS_MANY)
    return Int8(len(images), unreadable, moved, change, *speeds)


def _speed(slow: OnnxEngine, fast: OnnxEngine, images: Pixels, rounds: int) -> float:
    """How many times as fast the second is: the median over rounds in which both take a turn."""
    pairs = [(_seconds(slow, images), _seconds(fast, images)) for _ in range(rounds)]
    return statistics.median(before / after for before, after in pairs)


def _seconds(engine: OnnxEngine, images: Pixels) -> float:
    start = time.perf_counter()
    engine.run(images)
    return time.perf_counter() - start


def _images_of(manifest: Manifest, split: str | None) -> list[Path]:
    if split is None:
        return manifest.paths()
    splits = manifest.splits() or []
    chosen = [path for path, own in zip(manifest.paths(), splits, strict=False) if own == split]
    if not chosen:
        names = ", ".join(sorted({name for name in splits if name})) or "none"
        raise UsageError(f"no split {split!r} in the data; there are: {names}")
    return chosen


def _calibration_images(manifest: Manifest) -> list[Path]:
    """CALIBRATION images at most, evenly spread over the training part or else over all."""
    paths, splits = manifest.paths(), manifest.splits() or []
    train = [path for path, own in zip(paths, splits, strict=False) if own == TRAIN] or paths
    rows = np.linspace(0, len(train) - 1, min(CALIBRATION, len(train))).round().astype(int)
    return [train[row] for row in rows]


def _pixels(paths: list[Path], config: BundleConfig) -> tuple[Pixels, int]:
    """uint8 (n, S, S) of those that can be read, and how many cannot."""

    def load(path: Path) -> Pixels | None:
        try:
            return load_grey(path, config.size, config.resize_method, frame=config.frame)
        except ImageError:
            return None

    loaded = map_in_order(load, paths, available_cpus())
    images = [image for image in loaded if image is not None]
    if not images:
        raise DataError(f"none of {len(paths):,} images can be read; cxr check says why")
    return np.stack(images), len(paths) - len(images)
