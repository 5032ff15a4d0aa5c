"""Several processes compute what one computes, up to rounding."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from datetime import timedelta
from itertools import chain
from pathlib import Path

import pytest
import torch

import cxr.train.distributed.process_group as group_module
from cxr.errors import TrainingError, UsageError
from cxr.train.distributed.process_group import ALONE, ProcessGroup, joined
from cxr.train.micro_batches import MicroBatches
from cxr.train.resume.stop import Stop, Stopped

SCRIPT = Path(__file__).with_name("processes.py")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the loopback interface is named lo")


@LINUX
@pytest.mark.parametrize("size", [2, 3])
def test_a_step_of_several_is_the_step_of_one(tmp_path, size):
    """Loss, all gradients and BatchNorm's statistics, with unequal shares and unknown labels."""
    spec = importlib.util.spec_from_file_location("together_script", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    settings = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, SCRIPT, str(rank), str(size), tmp_path / "store", f"{tmp_path}/"],
            env=settings,
        )
        for rank in range(size)
    ]
    assert [process.wait(120) for process in processes] == [0] * size
    alone = script.steps(ALONE)
    for rank in range(size):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert found.keys() == alone.keys()
        for name, value in alone.items():
            torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6, msg=name)
    assert alone["plain gradient 0.weight"].abs().max() > 1e-2


def test_shares_are_everything_once_and_nearly_equal():
    for n in (0, 1, 5, 64, 1001):
        for size in (1, 2, 3, 7):
            cuts = [ProcessGroup(rank, size).own_part(list(range(n))) for rank in range(size)]
            assert list(chain.from_iterable(cuts)) == list(range(n))
            assert max(map(len, cuts)) - min(map(len, cuts)) <= 1


def test_alone_nothing_is_exchanged():
    with joined() as group:
        assert group == ALONE and group.leads and group.alone
    values = torch.arange(3.0)
    assert ALONE.all_reduce(values) is values and ALONE.maximum(7) == 7
    assert ALONE.broadcast(b"x") == b"x" and ALONE.own_part("abc") == "abc"
    network = torch.nn.Linear(1, 1)
    assert ALONE.parallel(network) is network


def test_a_group_that_does_not_come_together_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(group_module, "JOIN", timedelta(seconds=0.2))
    store = (tmp_path / "store").as_uri()
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", group_module.STORE: store}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="process 1 of 2 does not reach the others"), joined():
        pass


def test_among_several_memory_that_runs_out_ends_the_training():
    with pytest.raises(TrainingError, match=r"32 images in each process; .*--batch-size"):
        MicroBatches(divisible=False).double(32)


class Two(ProcessGroup):
    """As if another process had heard a signal."""

    def maximum(self, number):
        return max(number, 15)


def test_a_signal_that_one_hears_stops_all():
    stop = Stop(Two(0, 2))
    stop.defers = True
    assert stop.signal is None and stop.requested()
    with pytest.raises(Stopped) as stopped:
        stop.raise_if_requested()
    assert stopped.value.exit_code == 143


def test_among_several_a_signal_waits_until_all_know():
    import signal

    with Stop(Two(0, 2)).listening() as stop:
        stop.defers = True
        signal.raise_signal(signal.SIGINT)
        assert stop.signal is None
        signal.raise_signal(signal.SIGTERM)  # as torchrun passes it on besides
        assert stop.signal is None and stop.requested()
