"""What waits, what is refused, and what goes through the network together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cxr.apply.service import Limits
from cxr.apply.service.http import RequestRefused
from cxr.apply.service.workers import ImageJob, WorkerPool
from cxr.errors import ImageError
from cxr.pixels import LungFrame

LIMITS = Limits(workers=2, pending=8, batch=4, background=1, prediction_seconds=20)


class Model:
    """Reads a digit as a 1 x 1 image; `gate` holds up whoever predicts."""

    def __init__(self) -> None:
        self.predictor = self
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[int] = []

    def framed(self, image: bytes) -> tuple[np.ndarray, LungFrame]:
        """The digit's score is its tenth part."""
        if not image.isdigit():
            raise ImageError("bytes", "no digit")
        frame = LungFrame(0.0, 0.0, 1.0, 1.0, int(image) / 10, "lungs")
        return np.full((1, 1), int(image), np.uint8), frame


def double(model: Model, pixels: np.ndarray, frames: Sequence[LungFrame] | None) -> Sequence[int]:
    """Every image comes with its own frame, or all of them without."""
    if frames is not None:
        assert [10 * frame.score for frame in frames] == pixels[:, 0, 0].tolist()
    model.gate.wait(20)
    model.batches.append(len(pixels))
    return [2 * int(value) for value in pixels[:, 0, 0]]


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def workers(model: Model) -> Iterator[WorkerPool]:
    workers = opened(model, LIMITS)
    yield workers
    workers.close()


def opened(model: Model, limits: Limits) -> WorkerPool:
    workers = WorkerPool(SimpleNamespace(model=model), limits)  # type: ignore[arg-type]
    workers.open()
    return workers


def results(jobs: Sequence[ImageJob]) -> list[Any]:
    return [list(one.result) if not isinstance(one.result, Exception) else "" for one in jobs]


async def until(said: Any) -> None:
    async with asyncio.timeout(20):
        while not said():
            await asyncio.sleep(0.005)


def test_each_gets_its_own_answer(workers: WorkerPool) -> None:
    async def ask() -> list[Any]:
        both = await asyncio.gather(
            workers.predict([b"1", b"x", b"3"], double), workers.predict([b"4"], double)
        )
        return [results(jobs) for jobs in both]

    assert asyncio.run(ask()) == [[[2], "", [6]], [[8]]]
    assert workers.pending == 0


def test_batches_form_while_many_are_waiting(
    workers: WorkerPool, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cxr.apply.service.workers.WAITING_PER_BATCH_IMAGE", 2)
    sizes: list[int] = []
    workers.batch_done = sizes.append

    async def ask() -> list[Any]:
        model.gate.clear()
        asked = [asyncio.create_task(workers.predict([b"%d" % n], double)) for n in range(8)]
        await until(lambda: workers.pending == 8)
        await asyncio.sleep(0.05)
        model.gate.set()
        return [results(await one) for one in asked]

    assert asyncio.run(ask()) == [[[2 * n]] for n in range(8)]
    assert sum(sizes) == sum(model.batches) == 8 and 2 <= max(sizes) <= 4


def test_nobody_waits_for_company(workers: WorkerPool, model: Model) -> None:
    async def ask() -> None:
        for n in range(5):
            (job,) = await workers.predict([b"%d" % n], double)
            assert job.batch == 1

    asyncio.run(ask())
    assert model.batches == [1] * 5


def test_who_comes_when_it_is_full_is_sent_away(workers: WorkerPool, model: Model) -> None:
    async def ask() -> None:
        model.gate.clear()
        first = asyncio.create_task(workers.predict([b"1"] * 8, double))
        await until(lambda: workers.pending == 8)
        for more in (workers.predict([b"1"], double), workers.predict([b"1"] * 9, double)):
            with pytest.raises(RequestRefused) as caught:
                await more
            assert caught.value.status == 429
            assert caught.value.headers == ((b"retry-after", b"1"),)
        model.gate.set()
        await first
        assert len(await workers.predict([b"1"] * 8, double)) == 8

    asyncio.run(ask())


def test_who_waited_too_long_is_told_and_not_predicted(model: Model) -> None:
    workers = opened(model, replace(LIMITS, workers=1, prediction_seconds=0.05))

    async def ask() -> None:
        model.gate.clear()
        asked = [asyncio.create_task(workers.predict([b"0"], double))]
        await asyncio.sleep(0.02)
        asked += [asyncio.create_task(workers.predict([b"%d" % n], double)) for n in (1, 2)]
        for one in asked:
            with pytest.raises(RequestRefused) as caught:
                await one
            assert caught.value.status == 503
        assert workers.pending == 0
        model.gate.set()
        await workers.predict([b"5"], double)

    asyncio.run(ask())
    workers.close()
    assert sum(model.batches) == 2, "the one in hand and the last; those given up are passed over"


def test_what_fails_fails_for_its_own_batch(workers: WorkerPool) -> None:
    def fail(model: Model, pixels: np.ndarray, frames: Any) -> Sequence[int]:
        raise MemoryError

    async def ask() -> None:
        (job,) = await workers.predict([b"1"], fail)
        assert isinstance(job.result, MemoryError)
        assert results(await workers.predict([b"1"], double)) == [[2]]

    asyncio.run(ask())


def test_an_image_stays_with_the_model_that_decoded_it(workers: WorkerPool, model: Model) -> None:
    other = Model()

    async def ask() -> None:
        model.gate.clear()
        other.gate.clear()
        before = [asyncio.create_task(workers.predict([b"1"], double)) for _ in range(3)]
        await until(lambda: workers.pending == 3)
        workers.live.model = other  # type: ignore[assignment]
        after = [asyncio.create_task(workers.predict([b"1"], double)) for _ in range(3)]
        await until(lambda: workers.pending == 6)
        model.gate.set()
        other.gate.set()
        assert {(await one)[0].model for one in before} == {model}
        assert {(await one)[0].model for one in after} == {other}

    asyncio.run(ask())
    assert sum(model.batches) == sum(other.batches) == 3


def test_pixels_are_taken_as_they_are(workers: WorkerPool, model: Model) -> None:
    async def ask() -> list[int]:
        pixels = np.arange(6, dtype=np.uint8).reshape(6, 1, 1)
        job = await workers.predict_pixels(model, pixels, double)  # type: ignore[arg-type]
        return list(job.result)  # type: ignore[arg-type]

    assert asyncio.run(ask()) == [0, 2, 4, 6, 8, 10]


def test_background_work_is_bounded_too(workers: WorkerPool) -> None:
    async def ask() -> None:
        gate = threading.Event()
        first = asyncio.create_task(workers.run_in_background(gate.wait, 20))
        await until(lambda: workers.in_background == 1)
        with pytest.raises(RequestRefused) as caught:
            await workers.run_in_background(int)
        assert caught.value.status == 429
        gate.set()
        assert await first is True
        assert await workers.run_in_background(int) == 0

    asyncio.run(ask())
