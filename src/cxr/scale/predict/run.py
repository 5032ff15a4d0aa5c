"""Prediction over millions of images on a Ray cluster, or on all processors of one machine."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ..._io import Progress, atomic_path, say
from ..._io.journal import JobDescription
from ...apply.batch import ImageList, Row, check_format, columns_of
from ...apply.batch.formats import write_table
from ...apply.batch.run import HEAT_MAP, describe_job, with_heat_map
from ...apply.decision.rules import prevalence_shift
from ...apply.predictor import Predictor, load_predictor
from ...errors import UsageError
from ...pixels import map_in_order
from ..cluster import connected, import_ray
from . import parts as parts_module
from .flow import FinishedPart, WorkerPool, finished_parts, isolate_deadly
from .parts import AT_ONCE, PartFacts, Parts, PartTask, count, tasks
from .stages import PredictionPlan, TryCounter
from .storage import StorageFolder, is_uri


@dataclass(frozen=True)
class RayOptions:
    """`workers` processes with one processor each, or with `gpus_per_worker` of a GPU (0.5: two
    share one); None: as many as the cluster has room for. `address`: that of a running cluster (or
    RAY_ADDRESS); without one, Ray starts on this machine for the time of the call. `runtime` and
    `prevalence` as in `load_predictor` and `predict_rows`."""

    workers: int | None = None
    gpus_per_worker: float = 0.0
    address: str | None = None
    runtime: str = "auto"
    prevalence: float | None = None


@dataclass(frozen=True)
class RayResult:
    """`resumed` of the `images` were there from an earlier call. `workers` processes were at work
    on the others; `nodes` says how many of them each machine looked at."""

    out: str
    images: int
    unreadable: int
    resumed: int
    workers: int
    nodes: dict[str, int]


def predict_ray(
    model: Path | str,
    files: ImageList,
    out: Path | str,
    options: RayOptions = RayOptions(),
    *,
    restart: bool = False,
    heat_maps: Callable[[], Iterator[str]] | None = None,
    then: Callable[[], None] = lambda: None,
) -> RayResult:
    """The table of `apply.batch.predict_table`, made by a cluster.

    `files` (see `list_anywhere`) must be readable from every machine under the same absolute paths
    or URIs, and cxr installed there; the model travels. `out` is a .csv, .jsonl or .parquet file,
    or a folder or URI that is filled with Parquet files of SIZE rows. The parts of a file wait in
    `<out>.parts`. After an error, or when any process was killed, the same call goes on.

    Raises UsageError when Ray is not installed or does not answer, or the work begun was another;
    BundleError when the model is refused; StorageError when `out` cannot be written; CxrError when
    workers cannot go on.
    """
    table = None if is_folder(out) else Path(out)
    if table is not None:
        check_format(table)
    work = _Work.of(model, files, options)
    place = StorageFolder(out if table is None else table.with_name(f"{table.name}.parts"))
    with Parts(place, work.job, len(files), restart=restart) as parts:
        resumed = parts.rows
        _say_how_far(parts, out)
        workers, nodes = work.fill(parts)
        parts.finish()
        if table is not None:
            _join(parts, columns_of(work.predictor.config, options.prevalence), table, heat_maps)
        then()
        unreadable = parts.unreadable
        if table is not None:
            parts.remove()
    return RayResult(str(out), len(files), unreadable, resumed, workers, nodes)


def rows_by_ray(
    model: Path | str,
    files: ImageList,
    options: RayOptions = RayOptions(),
) -> Iterator[Row]:
    """The rows in order, once all are there; until then they wait on disk. Errors as above."""
    work = _Work.of(model, files, options)
    with (
        tempfile.TemporaryDirectory() as folder,
        Parts(StorageFolder(folder), work.job, len(files)) as parts,
    ):
        work.fill(parts)
        yield from chain.from_iterable(parts.read())


def is_folder(out: Path | str) -> bool:
    """Whether a result is to be a folder of parts."""
    return is_uri(out) or str(out).endswith(("/", os.sep)) or Path(out).is_dir()


@dataclass(frozen=True)
class _Work:
    predictor: Predictor
    files: ImageList
    options: RayOptions
    job: JobDescription

    @classmethod
    def of(cls, model: Path | str, files: ImageList, options: RayOptions) -> _Work:
        """Refuses what can be refused before a cluster is started for it."""
        import_ray()
        predictor = load_predictor(model, "torch" if options.gpus_per_worker else options.runtime)
        job = {
            **describe_job(predictor, files),
            "prevalence": options.prevalence,
            "files in a part": parts_module.SIZE,
        }
        if options.prevalence is not None:
            prevalence_shift(predictor.config, options.prevalence)
        if options.gpus_per_worker:
            job["runtime"] = "torch on GPUs"
        return cls(predictor, files, options, job)

    def fill(self, parts: Parts) -> tuple[int, dict[str, int]]:
        """Makes the parts that are not there; returns by how many workers and on which nodes."""
        nodes: Counter[str] = Counter()
        left = count(len(self.files)) - len(parts.done)
        if not left:
            return 0, {}
        progress = Progress("predicting", len(self.files) - parts.rows)
        with connected(self.options.address) as ray, progress:
            workers = _workers(ray, self.options, left)
            plan = self._plan(ray, parts)

            def save(part: FinishedPart) -> FinishedPart:
                facts = PartFacts(plan.job, part.number, part.rows, part.unreadable, part.node)
                parts.add(facts, part.data)
                return part

            made = self._made(ray, plan, workers, self._tasks(parts))
            saved = map_in_order(save, made, AT_ONCE) if parts.folder.far else map(save, made)
            for part in saved:
                nodes[part.node] += part.rows
                progress.advance(part.rows)
        return workers.n, dict(nodes)

    def _tasks(self, parts: Parts) -> Iterator[PartTask]:
        return (task for task in tasks(self.files.names()) if task[0] not in parts.done)

    def _made(
        self, ray: Any, plan: PredictionPlan, workers: WorkerPool, tasks: Iterator[PartTask]
    ) -> Iterator[FinishedPart]:
        for part in finished_parts(ray, plan, workers, tasks):
            yield (
                part
                if isinstance(part, FinishedPart)
                else isolate_deadly(ray, self.predictor, plan, part)
            )

    def _plan(self, ray: Any, parts: Parts) -> PredictionPlan:
        model = self.predictor.path.read_bytes()
        if hashlib.sha256(model).hexdigest() != self.predictor.digest:
            raise UsageError(f"{self.predictor.path} was changed meanwhile; run the command again")
        config = self.predictor.config
        return PredictionPlan(
            model=ray.put(model),
            tries=ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(TryCounter).remote(),
            size=config.size,
            method=config.resize_method,
            frame=config.frame,
            here=str(Path.cwd()),
            job=parts.digest,
            runtime=self.options.runtime,
            prevalence=self.options.prevalence,
            gpu=self.options.gpus_per_worker > 0,
        )


def _workers(ray: Any, options: RayOptions, parts: int) -> WorkerPool:
    """No more than there are parts."""
    has, share = ray.cluster_resources(), options.gpus_per_worker
    gpus = has.get("GPU", 0)
    if gpus and not share:
        say(f"{gpus:g} GPUs of this cluster lie idle; --gpus-per-worker 1 uses them")
    if not has.get("GPU" if share else "CPU", 0) and options.workers is None:
        raise UsageError(
            f"this cluster has no {'GPU' if share else 'processor'} now; where it grows on "
            "demand, say how many --workers there shall be"
        )
    room = int(gpus / share) if share else int(has.get("CPU", 0))
    return WorkerPool(max(1, min(parts, options.workers or room)), share)


def _say_how_far(parts: Parts, out: Path | str) -> None:
    if parts.rows == parts.files > 0:
        say(f"all parts in {parts.folder.place} are there already")
    elif parts.rows:
        say(
            f"going on with {parts.folder.place}: {parts.rows:,} of {parts.files:,} images are done"
        )
    elif not is_folder(out) and Path(out).exists():
        say(f"{out} is there already; it stays until the new table is whole, then is replaced")


def _join(
    parts: Parts, columns: list[str], out: Path, heat_maps: Callable[[], Iterator[str]] | None
) -> None:
    """The table of all parts, to the last byte as the local engine writes it."""
    rows: Iterator[Row] = chain.from_iterable(parts.read())
    if heat_maps is not None:
        columns, rows = [*columns, HEAT_MAP], map(with_heat_map, rows, heat_maps())
    with atomic_path(out) as temporary:
        write_table(rows, columns, temporary, out.suffix)
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
