"""What runs in the processes of a cluster: files are decoded, images looked at, parts put together.

A batch that Ray hands over is a pyarrow.Table of one row: one part.
"""

from __future__ import annotations

import platform
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..._io.run_files import MODEL
from ...apply.batch.image_list import batches
from ...apply.batch.rows import CHUNK, FILES_PER_TASK, Framed, Loaded, Row, rows_of
from ...apply.engine import Pixels, TorchEngine
from ...apply.predictor import Predictor, load_predictor
from ...bundle.read import open_bundle
from ...config import FrameMode
from ...errors import CxrError, ImageError
from ...pixels import LungFrame, load_for_prediction, map_in_order
from .parts import PartFacts, encoded, unpacked
from .storage import Unreachable, is_uri, read_object

TRIES = 4
"""How often a part is begun. Ray begins it anew whenever its process died, for as long as it takes;
what it died of may be one of the files."""

DEADLY = "its processes died"
THREADS, THREADS_FAR = 2, 16  # that decode in a process; object storage lets one wait


@dataclass(frozen=True)
class PredictionPlan:
    """`model` is Ray's reference to the bytes of a model file, `tries` to a `TryCounter`; `here` is
    the folder that relative names start from; `job` is the digest of what rows depend on."""

    model: Any
    tries: Any
    size: int
    method: str
    frame: FrameMode
    here: str
    job: str
    runtime: str = "auto"
    prevalence: float | None = None
    gpu: bool = False


class TryCounter:
    """Counts, in a process of its own, how often each part was begun."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, number: int) -> int:
        self._begun[number] += 1
        return self._begun[number]


class PredictFiles:
    """From names to a part, on processors: the next files are decoded meanwhile."""

    def __init__(self, plan: PredictionPlan) -> None:
        self.model = WorkerModel(plan)

    def __call__(self, batch: Any) -> Any:
        (row,) = batch.to_pylist()
        names = unpacked(row["names"])
        images = images_of_part(self.model.plan, row["number"], names)
        return self.model.part(row["number"], len(names), images)


def decode(batch: Any, plan: PredictionPlan) -> Any:
    """From names to images, for `PredictPixels`."""
    import pyarrow as pa

    (row,) = batch.to_pylist()
    loaded: list[Framed | ImageError] = []
    failure = ""
    try:
        part = images_of_part(plan, row["number"], unpacked(row["names"]))
        loaded = [image for _, image in part]
    except CxrError as error:
        failure = str(error)
    images = [image for image in loaded if not isinstance(image, ImageError)]
    pixels = b"".join(grey.tobytes() for grey, _ in images)
    frames = [frame.row() for _, frame in images]
    reasons = [image.reason if isinstance(image, ImageError) else None for image in loaded]
    return pa.table(
        {
            "number": [row["number"]],
            "names": [row["names"]],
            "images": pa.array([pixels], pa.large_binary()),
            "frames": pa.array([frames], pa.list_(pa.list_(pa.float64()))),
            "reasons": pa.array([reasons], pa.list_(pa.string())),
            "failure": [failure],
        }
    )


class PredictPixels:
    """From images to a part, on a GPU."""

    def __init__(self, plan: PredictionPlan) -> None:
        self.model = WorkerModel(plan)

    def __call__(self, batch: Any) -> Any:
        row = batch.drop_columns(["images"]).to_pylist()[0]
        size = self.model.plan.size
        # Without a copy: these are many, and they lie in Ray's shared memory.
        images = np.frombuffer(batch["images"][0].as_buffer(), np.uint8).reshape(-1, size, size)
        names = unpacked(row["names"])
        return self.model.part(row["number"], len(names), _loaded(names, row, images))


def _loaded(names: Sequence[str], row: Row, pixels: Pixels) -> Iterator[Loaded]:
    if row["failure"]:
        raise CxrError(row["failure"])
    following = zip(pixels, map(LungFrame.of_row, row["frames"]), strict=True)
    for name, why in zip(names, row["reasons"], strict=True):
        yield name, next(following) if why is None else ImageError(name, why)


def images_of_part(plan: PredictionPlan, number: int, names: Sequence[str]) -> Iterator[Loaded]:
    """Raises CxrError(DEADLY) for a part that was begun too often, else as `load_images`."""
    import ray

    if ray.get(plan.tries.begin.remote(number)) > TRIES:
        raise CxrError(DEADLY)
    yield from load_images(plan, names)


def load_images(plan: PredictionPlan, names: Sequence[str]) -> Iterator[Loaded]:
    """Each name with its pixels, or with why there are none. Raises CxrError when not one file
    could be fetched: then it is the storage that fails, not the files."""
    load = partial(_load, plan)
    threads = THREADS_FAR if is_uri(names[0]) else THREADS
    lost = 0
    for name, image in chain.from_iterable(
        map_in_order(load, batches(names, FILES_PER_TASK), threads)
    ):
        lost += isinstance(image, Unreachable)
        if lost == len(names) > 1 and isinstance(image, Unreachable):
            raise CxrError(f"{image}, nor any of the {len(names) - 1:,} files before it")
        yield name, image


def _load(plan: PredictionPlan, names: Sequence[str]) -> list[Loaded]:
    return [(name, _image(plan, name)) for name in names]


def _image(plan: PredictionPlan, name: str) -> Framed | ImageError:
    try:
        source = read_object(name) if is_uri(name) else Path(plan.here, name)
        return load_for_prediction(source, plan.size, plan.method, plan.frame, name=name)
    except ImageError as error:
        return error


class WorkerModel:
    """A model file, opened when the first images come: an error then is one of a task."""

    def __init__(self, plan: PredictionPlan) -> None:
        self.plan = plan
        self._predictor: Predictor | None = None

    def part(self, number: int, n: int, images: Iterator[Loaded]) -> Any:
        """A table of one row, with the part, or with why there is none."""
        import pyarrow as pa

        data, failure, unreadable = b"", "", 0
        node = platform.node()
        try:
            rows = self.rows(images)
            unreadable = sum(row["error"] is not None for row in rows)
            data = encoded(rows, PartFacts(self.plan.job, number, n, unreadable, node))
        except CxrError as error:
            failure = str(error)
        except Exception as error:  # Ray would show many lines; the one that says what is enough
            failure = f"{type(error).__name__}: {' '.join(str(error).split())}"
        columns = {"number": number, "rows": n, "unreadable": unreadable, "node": node}
        columns |= {"data": data, "failure": failure}
        return pa.table({name: [value] for name, value in columns.items()})

    def rows(self, images: Iterator[Loaded]) -> list[Row]:
        predictor, prevalence = self._opened(), self.plan.prevalence
        chunks = (rows_of(predictor, chunk, prevalence) for chunk in batches(images, CHUNK))
        return list(chain.from_iterable(chunks))

    def _opened(self) -> Predictor:
        if self._predictor is None:
            self._predictor = _open(self.plan)
        return self._predictor


def _open(plan: PredictionPlan) -> Predictor:
    import ray

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL
        path.write_bytes(ray.get(plan.model))
        predictor = load_predictor(path, "torch" if plan.gpu else plan.runtime, threads=1)
        return _on_gpu(predictor) if plan.gpu else predictor


def _on_gpu(predictor: Predictor) -> Predictor:
    """The same, tested again: its golden images must give what they gave where it was trained."""
    import torch

    if not torch.cuda.is_available():
        raise CxrError(
            f"torch {torch.__version__} on {platform.node()} finds no GPU, though Ray has one "
            "there; install torch with CUDA, or leave out --gpus-per-worker"
        )
    if isinstance(predictor.engine, TorchEngine):
        torch.backends.cudnn.allow_tf32 = False  # ten bits of a number are too few
        predictor.engine.network.to("cuda")
        contents = open_bundle(predictor.path)
        contents.check(*predictor.run(contents.golden.images))
    return predictor
