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
from ..apply.predictor import load_learner
from ..bundle import read_bundle
from ..errors import CxrError
from .cluster import connected

AHEAD = 2  # chunks an actor has before it: one at work, one waiting
RETRIES = 3  # of a chunk whose worker died


def predict_ray(
    model: Path | str,
    files: Sequence[Path],
    *,
    workers: int | None = None,
    address: str | None = None,
) -> list[Row]:
    """The rows of `predict_files`, computed through Ray: one a file, in the order given.

    `workers` actors with one processor each, by default one for every processor of the cluster.
    `address` is a running cluster's (or RAY_ADDRESS); without one, Ray starts on this machine for
    the time of the call. The model travels to the workers; the files must be readable there under
    the same absolute paths, and cxr installed.
    Raises UsageError when Ray is not installed or does not answer, BundleError when the model is
    refused, CxrError when the workers keep dying.
    """
    read_bundle(model)  # refused here, before a cluster is started for it
    chunks = [files[start : start + CHUNK] for start in range(0, len(files), CHUNK)]
    if not chunks:
        return []
    rows: list[Row] = []
    with connected(address) as ray, Progress("predicting", len(files)) as progress:
        actors = _actors(ray, Path(model), min(len(chunks), workers or _processors(ray)))
        for chunk, found in zip(chunks, _in_order(ray, actors, chunks), strict=True):
            # As they were given: workers were asked for absolute paths.
            rows += [{**row, "path": str(f)} for f, row in zip(chunk, found, strict=True)]
            progress.advance(len(chunk))
    return rows


class _Worker:
    """The model, loaded once in a process of its own."""

    def __init__(self, model: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.cxr"
            path.write_bytes(model)
            self.predictor = load_learner(path)

    def rows(self, files: list[str]) -> list[Row]:
        return list(predict_rows(self.predictor, [Path(file) for file in files]))


def _processors(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _actors(ray: Any, model: Path, n: int) -> list[Any]:
    remote = ray.remote(num_cpus=1, max_restarts=RETRIES, max_task_retries=RETRIES)(_Worker)
    shared = ray.put(model.read_bytes())
    return [remote.remote(shared) for _ in range(n)]


def _in_order(
    ray: Any, actors: Sequence[Any], chunks: Sequence[Sequence[Path]]
) -> Iterator[list[Row]]:
    """Rows of each chunk; results wait for their turn, and only a few chunks are under way."""
    ahead: deque[Any] = deque()
    for actor, chunk in zip(cycle(actors), chunks, strict=False):
        ahead.append(actor.rows.remote([str(file.absolute()) for file in chunk]))
        if len(ahead) > AHEAD * len(actors):
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
            f"prediction stopped: a Ray worker died {RETRIES + 1} times, for lack of memory "
            "perhaps; run it again with fewer workers, or with --engine local"
        ) from error
