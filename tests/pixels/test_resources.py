from __future__ import annotations

import mmap
import os
import time
from pathlib import Path

import numpy as np
import pytest

from cxr.errors import DataError
from cxr.pixels import available_cpus, map_in_order, refuse_cut, release, resources

N_BYTES = 32 * 1024**2


@pytest.fixture
def mapped(tmp_path: Path) -> np.ndarray:
    path = tmp_path / "pixels.npy"
    np.save(path, np.ones((32, 1024, 1024), np.uint8))
    return np.load(path, mmap_mode="r")


def resident_bytes() -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc/self/status here")
@pytest.mark.parametrize("of", [lambda a: a, lambda a: a[3:5], lambda a: np.asarray(a)[1:][0]])
def test_touched_pages_are_given_back(of: object, mapped: np.ndarray) -> None:
    assert int(mapped.sum()) == N_BYTES
    held = resident_bytes()
    release(of(mapped))  # type: ignore[operator]
    assert held - resident_bytes() > 0.9 * N_BYTES
    assert (mapped[::7, 5] == 1).all()


def test_plain_arrays_and_other_systems_are_left_alone(
    mapped: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = np.arange(12, dtype=np.uint8)
    for array in (plain, plain[2:], mapped[[0, 2]]):
        release(array)
    assert (plain == np.arange(12)).all()
    monkeypatch.delattr(mmap, "MADV_DONTNEED", raising=False)
    release(mapped)
    assert (mapped[0] == 1).all()


def test_memory_is_what_the_machine_and_the_container_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(resources, "_CGROUP_ROOT", tmp_path)
    assert resources.available_memory() is None
    (tmp_path / "meminfo").write_text("MemTotal: 900 kB\nMemAvailable:   500 kB\n")
    assert resources.available_memory() == 500 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("90000\n")
    (tmp_path / "memory.stat").write_text("anon 40000\ninactive_file 50000\n")
    assert resources.available_memory() == 500 * 1024
    (tmp_path / "memory.max").write_text("100000\n")
    assert resources.available_memory() == 60_000


@pytest.mark.skipif(os.name == "nt", reason="Windows cuts no file that is mapped")
def test_a_file_that_was_cut_is_not_read_on(mapped: np.ndarray, tmp_path: Path) -> None:
    """Else the system would end the process."""
    path = tmp_path / "pixels.npy"
    for some in (mapped, mapped[3:5], mapped[[0, 2]], np.ones(3)):
        refuse_cut(some)
    os.truncate(path, N_BYTES // 2)
    with pytest.raises(DataError, match=r"pixels\.npy was cut while it was in use"):
        refuse_cut(mapped)
    path.unlink()
    refuse_cut(mapped)  # what another process removes stays mapped


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
