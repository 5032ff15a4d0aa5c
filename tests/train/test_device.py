from __future__ import annotations

import pytest
import torch

from cxr.errors import UsageError
from cxr.train import choose_device
from cxr.train import device as module
from cxr.train.device import autocast, describe_compute, has_bf16


@pytest.fixture
def machine(monkeypatch):
    """`machine(cuda=..., mps=...)`: what accelerators torch says are here."""

    def pretend(cuda=False, mps=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_the_fastest_that_is_here(cuda, mps, chosen, machine):
    machine(cuda, mps)
    assert choose_device() == choose_device("auto") == torch.device(chosen)


def test_a_device_by_name(machine):
    machine(cuda=True, mps=True)
    for name in ("cpu", "cuda", "cuda:1", "mps"):
        assert choose_device(name) == torch.device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_a_device_that_is_not_here(name, machine):
    machine()
    with pytest.raises(UsageError, match=f"'{name}' is not on this machine; use auto or cpu"):
        choose_device(name)


@pytest.mark.parametrize("name", ["gpu", "", "CPU", "tpu"])
def test_an_unknown_device(name):
    with pytest.raises(UsageError, match=f"device '{name}' is not one of auto, cpu, cuda, mps"):
        choose_device(name)


def product_dtype(precision):
    with autocast(torch.device("cpu"), precision):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def test_precision():
    assert product_dtype("fp32") == torch.float32
    assert product_dtype("bf16") == torch.bfloat16
    here = has_bf16(torch.device("cpu"))
    assert product_dtype("auto") == (torch.bfloat16 if here else torch.float32)
    assert not has_bf16(torch.device("mps"))
    with pytest.raises(UsageError, match="precision 'fp16' is not one of auto, fp32, bf16"):
        autocast(torch.device("cpu"), "fp16")


@pytest.mark.parametrize(
    ("precision", "bf16_here", "said"),
    [
        ("auto", True, "threads, bf16"),
        ("auto", False, "threads, fp32: no bf16 here, expect twice the time or more"),
        ("fp32", True, "threads, fp32"),
        ("bf16", False, "bf16 (which this processor has not in hardware: expect it to be slow)"),
    ],
)
def test_a_processor_without_bf16_is_told_of(precision, bf16_here, said, monkeypatch):
    monkeypatch.setattr(module, "has_bf16", lambda device: bf16_here)
    assert describe_compute(torch.device("cpu"), precision).endswith(said)


def test_where_it_trains():
    assert describe_compute(torch.device("cuda:1"), "fp32") == "cuda:1, fp32"
