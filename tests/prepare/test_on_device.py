from __future__ import annotations

import numpy as np
import pytest
import torch

from cxr.prepare import batches as batches_module
from cxr.prepare import on_device as module
from cxr.prepare.batches import Batches
from cxr.prepare.on_device import on_device, stream

META = torch.device("meta")  # holds shapes and no data: a device that is not the CPU


@pytest.fixture
def free(monkeypatch):
    """Pretends that a device has so many bytes free."""
    return lambda n_bytes: monkeypatch.setattr(module, "free_bytes", lambda device: n_bytes)


def test_a_set_that_fits_is_copied_whole(image_set, free, monkeypatch):
    images = image_set(10)
    free(2 * 10 * 64 * 64)
    monkeypatch.setattr(module, "_CHUNK", 4)
    placed = on_device(images, torch.device("cpu"))
    assert torch.equal(placed, images.gather(np.arange(10)))


def test_a_set_that_does_not_fit_is_streamed(image_set, free):
    free(2 * 10 * 64 * 64 - 1)
    assert on_device(image_set(10), torch.device("cpu")) is None


def test_what_shares_memory_with_the_system_is_streamed():
    assert module.free_bytes(META) == module.free_bytes(torch.device("cpu")) == 0


def test_batches_take_from_the_device_what_lies_there(image_set, free, monkeypatch):
    free(10**9)
    copies = []
    monkeypatch.setattr(batches_module, "on_device", lambda *a: copies.append(a) or on_device(*a))
    batches = Batches(image_set(10), bs=4, shuffle=True, device=META)
    shapes = [(tuple(grey.shape), grey.device.type) for grey, _ in batches]
    assert shapes == [((4, 1, 64, 64), "meta")] * 2
    list(batches)
    assert len(copies) == 1


def test_batches_stream_what_does_not_fit(image_set, free, monkeypatch):
    free(0)
    streamed = []
    monkeypatch.setattr(batches_module, "stream", lambda *a: streamed.append(a) or stream(*a))
    assert len(list(Batches(image_set(10), bs=4, device=META))) == len(streamed) == 3
