"""Prediction over many images on a Ray cluster, or on all processors of one machine."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from .._io import Progress
from ..apply.batch import CHUNK, Row, predict_rows
from ..apply.predictor import Predictor, load_learner
from ..bundle import read_bundle
from ..errors import CxrError
from .cluster import connected

AHEAD = 2  # chunks that a worker has before it: one under way, one waiting
RETRIES = 3  # of a chunk whose worker died


def predict_ray(
    model: Path | str,
    files: Sequence[Path],
    *,
    workers: int | None = None,
    address: str | None = None,
) -> list[Row]:
    """The rows of `predict_files`, computed through Ray: one a file, in the order given.

    `workers` processes (Ray actors) with one processor each, by default one for every processor
    of the cluster. `address` is a running cluster's (or RAY_ADDRESS); without one, Ray starts on
    this machine for the time of the call. The model travels to the workers; the files must be
    readable there under the same absolute paths, and cxr installed.
    Raises UsageError when Ray is not installed or does not answer, BundleError when the model is
    refused, CxrError when the workers keep dying.
    """
    read_bundle(model)  # refused here, before a cluster is started for it
    chunks = [files[start : start + CHUNK] for start in range(0, len(files), CHUNK)]
    if not chunks:
        return []
    rows: list[Row] = []
    with connected(address) as ray, Progress("predicting", len(files)) as progress:
        n = min(len(chunks), workers or _processors(ray))
        results = _in_order(ray, chunks, Path(model).read_bytes(), n)
        for chunk, found in zip(chunks, results, strict=True):
            # As they were given: workers were asked for absolute paths.
            rows += [{**row, "path": str(f)} for f, row in zip(chunk, found, strict=True)]
            progress.advance(len(chunk))
    return rows


class _Worker:
    """A process that loads the model once, when the first images come; after a restart, again."""

    def __init__(self) -> None:
        self.predictor: Predictor | None = None

    def rows(self, model: bytes, files: list[str]) -> list[Row]:
        if self.predictor is None:
            self.predictor = _load(model)
        return list(predict_rows(self.predictor, [Path(file) for file in files]))


def _load(model: bytes) -> Predictor:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.cxr"
        path.write_bytes(model)
        return load_learner(path)


def _processors(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _in_order(
    ray: Any, chunks: Sequence[Sequence[Path]], model: bytes, n: int
) -> Iterator[list[Row]]:
    """Rows of each chunk from `n` workers, each result in its turn, few chunks under way."""
    remote = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=RETRIES)(_Worker)
    workers, shared = [remote.remote() for _ in range(n)], ray.put(model)
    ahead: deque[Any] = deque()
    for worker, chunk in zip(cycle(workers), chunks, strict=False):
        ahead.append(worker.rows.remote(shared, [str(file.absolute()) for file in chunk]))
        if len(ahead) > AHEAD * n:
            yield _result(ray, ahead.popleft())
    while ahead:
        yield _result(ray, ahead.popleft())


def _result(ray: Any, reference: Any) -> list[Row]:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, CxrError):
            raise error.cause from None  # Ray's own text is a traceback of many lines
        raise
    except ray.exceptions.RayActorError as error:
        raise CxrError(
            f"prediction stopped: Ray workers died {RETRIES + 1} times at the same images, for "
            "lack of memory perhaps; run it again with fewer workers, or with --engine local"
        ) from error
