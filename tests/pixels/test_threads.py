from __future__ import annotations

import os
import time

import pytest

from cxr.pixels import available_cpus, map_in_order


def test_map_in_order_keeps_the_order_and_its_distance() -> None:
    started = []

    def slow_first(i: int) -> int:
        started.append(i)
        time.sleep(0.02 if i == 0 else 0)
        return i * i

    results = map_in_order(slow_first, range(100), 3)
    assert next(results) == 0
    assert max(started) <= 6  # at most two items a thread ahead
    assert list(results) == [i * i for i in range(1, 100)]


def test_map_in_order_stops_at_an_error() -> None:
    started = []

    def fails(i: int) -> int:
        started.append(i)
        if i == 3:
            raise KeyError(i)
        return i

    with pytest.raises(KeyError):
        list(map_in_order(fails, range(10_000), 2))
    assert len(started) < 20


def test_only_the_cpus_that_may_be_used_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    assert available_cpus() == 1
