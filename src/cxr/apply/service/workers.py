"""The worker pool: threads that decode and predict, and its scheduler.

Each worker does whatever is most useful next: decode an image that has arrived, or take all that
are decoded through the network. A single image is decoded and predicted by one thread and never
waits for a batch; under load batches form by themselves.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar

import numpy as np

from ...pixels import LungFrame, available_cpus
from .http import RequestRefused, try_later
from .limits import LargeImageLock, Limits
from .live import LiveModel, ServedModel

T = TypeVar("T")
WAITING_PER_BATCH_IMAGE = 8
"""A batch grows by one image for each of these that wait."""

Frames = Sequence[LungFrame] | None
Task = Callable[[ServedModel, np.ndarray, Frames], Sequence[Any]]
"""Of uint8 (n, S, S), and of what part of each image they are, one result for each. No frames for
images that came as pixels."""


class ImageJob:
    """An image on its way, or several that are pixels already: uint8 (n, S, S).

    `model` decodes and predicts it, whatever takes over meanwhile: another may want another size.
    `result` holds one result for each image, or why there is none.
    """

    __slots__ = ("batch", "frame", "image", "model", "pixels", "result", "task", "waiter")

    def __init__(
        self, model: ServedModel, task: Task, image: bytes | None, pixels: np.ndarray | None = None
    ) -> None:
        self.model, self.task, self.image, self.pixels = model, task, image, pixels
        self.waiter: asyncio.Future[ImageJob] = asyncio.get_running_loop().create_future()
        self.result: Sequence[Any] | Exception = ()
        self.batch = 0
        self.frame: LungFrame | None = None


class WorkerPool:
    """Takes images and returns, for each, the model's result."""

    def __init__(self, live: LiveModel, limits: Limits) -> None:
        self.live, self.limits = live, limits
        self.pending = 0  # images; like `in_background`, only touched in the event loop's thread
        self.in_background = 0
        self.batch_done: Callable[[int], None] = lambda n: None
        self._undecoded: deque[ImageJob] = deque()
        self._decoded: deque[ImageJob] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self.large_images = LargeImageLock()
        self._threads: list[threading.Thread] = []
        self._background = ThreadPoolExecutor(2, thread_name_prefix="cxr-background")

    def open(self) -> None:
        for n in range(self.limits.workers or available_cpus()):
            thread = threading.Thread(target=self._worker, name=f"cxr-worker-{n}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """What is in hand is finished; what waits is dropped."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._background.shutdown(cancel_futures=True)

    def check_capacity(self, images: int = 1) -> None:
        """Raises 429 when so many images more would be too many."""
        if self.pending + images > self.limits.pending:
            raise self._busy()

    def check_background(self) -> None:
        if self.in_background >= self.limits.background:
            raise self._busy()

    async def predict(self, images: Sequence[bytes], task: Task) -> list[ImageJob]:
        """Each decoded and predicted; a job's `result` is an ImageError where it could not be."""
        model = self.live.model
        return await self._run_all([ImageJob(model, task, image) for image in images], len(images))

    async def predict_pixels(self, model: ServedModel, pixels: np.ndarray, task: Task) -> ImageJob:
        """uint8 (n, S, S), as `model` wants them."""
        (job,) = await self._run_all([ImageJob(model, task, None, pixels)], len(pixels))
        return job

    async def run_in_background(self, task: Callable[..., T], *values: Any) -> T:
        """Longer work, which must not hold up predictions."""
        self.check_background()
        self.in_background += 1
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._background, task, *values)
        future.add_done_callback(self._background_done)
        return await self._within(asyncio.shield(future), self.limits.background_seconds)

    def _background_done(self, future: asyncio.Future[Any]) -> None:
        self.in_background -= 1
        if not future.cancelled():
            future.exception()  # nobody may be waiting for it any more

    async def _run_all(self, jobs: list[ImageJob], images: int) -> list[ImageJob]:
        self.check_capacity(images)
        self.pending += images
        try:
            with self._changed:
                for job in jobs:
                    (self._undecoded if job.pixels is None else self._decoded).append(job)
                self._changed.notify(len(jobs))
            waiting = jobs[0].waiter if len(jobs) == 1 else _wait_for_all(jobs)
            await self._within(waiting, self.limits.prediction_seconds)
            return jobs
        finally:
            self.pending -= images
            for job in jobs:
                job.waiter.cancel()  # a worker passes over who does not wait any more

    async def _within(self, waiting: Any, seconds: float) -> Any:
        try:
            async with asyncio.timeout(seconds):
                return await waiting
        except TimeoutError as error:
            raise try_later(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"no reply within {seconds:g} s",
                self.limits.retry_after,
            ) from error

    def _busy(self) -> RequestRefused:
        return try_later(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too many requests are waiting",
            self.limits.retry_after,
        )

    def _worker(self) -> None:
        while (jobs := self._next()) is not None:
            if jobs[0].pixels is None:
                self._decode(jobs[0])
            else:
                self._predict(jobs)

    def _next(self) -> list[ImageJob] | None:
        """One job to decode, or some to take through the network together; None: stop."""
        with self._changed:
            while not self._closed:
                ready, most = len(self._decoded), self._batch_limit()
                if ready and (ready >= most or not self._undecoded):
                    return self._take_batch(most)
                if self._undecoded:
                    return [self._undecoded.popleft()]
                self._changed.wait()
        return None

    def _batch_limit(self) -> int:
        """Images to take through the network together. A batch costs less for each, but the first
        waits for the last: so the more, the more are waiting."""
        waiting = len(self._decoded) + len(self._undecoded)
        return max(1, min(self.limits.batch, waiting // WAITING_PER_BATCH_IMAGE))

    def _take_batch(self, most: int) -> list[ImageJob]:
        """From the front, those of the same model and task."""
        jobs = [self._decoded.popleft()]
        first, n = jobs[0], _images(jobs[0])
        while self._decoded:
            job = self._decoded[0]
            n += _images(job)
            if n > most or job.model is not first.model or job.task is not first.task:
                break
            jobs.append(self._decoded.popleft())
        return jobs

    def _decode(self, job: ImageJob) -> None:
        if job.waiter.cancelled() or job.image is None:
            return
        try:
            with self.large_images.hold(job.image):
                grey, job.frame = job.model.predictor.framed(job.image)
                job.pixels = grey[np.newaxis]
        except Exception as error:  # its sender gets the reason
            self._finish([job], error)
            return
        job.image = None
        with self._changed:
            self._decoded.append(job)

    def _predict(self, jobs: list[ImageJob]) -> None:
        jobs = [job for job in jobs if not job.waiter.cancelled()]
        if not jobs:
            return
        pixels = [job.pixels for job in jobs if job.pixels is not None]
        stack = pixels[0] if len(pixels) == 1 else np.concatenate(pixels)
        try:
            frames = [job.frame for job in jobs if job.frame is not None]
            results = jobs[0].task(jobs[0].model, stack, frames or None)
        except Exception as error:
            self._finish(jobs, error)
            return
        start = 0
        for job, part in zip(jobs, pixels, strict=True):
            job.result, job.batch = results[start : start + len(part)], len(stack)
            start += len(part)
        self._finish(jobs)

    def _finish(self, jobs: list[ImageJob], error: Exception | None = None) -> None:
        """Wakes the event loop once for all of them."""
        for job in jobs:
            if error is not None:
                job.result = error
        try:
            jobs[0].waiter.get_loop().call_soon_threadsafe(self._done, jobs)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    def _done(self, jobs: list[ImageJob]) -> None:
        if jobs[0].batch:
            self.batch_done(jobs[0].batch)
        for job in jobs:
            if not job.waiter.done():
                job.waiter.set_result(job)


def _images(job: ImageJob) -> int:
    return 1 if job.pixels is None else len(job.pixels)


async def _wait_for_all(jobs: list[ImageJob]) -> None:
    for job in jobs:
        await job.waiter
