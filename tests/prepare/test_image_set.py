"""Images of a split: on a device, and drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cxr.prepare import batches as batches_module
from cxr.prepare import image_set as module
from cxr.prepare.batches import Batches
from cxr.prepare.image_set import on_device, show_images, stream

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


@pytest.mark.parametrize(
    ("n", "nrows", "grid"), [(4, 1, (1, 4)), (9, None, (3, 3)), (5, 2, (2, 3)), (1, None, (1, 1))]
)
def test_a_grid_of_images(n, nrows, grid):
    images = np.full((n, 8, 8), 0.5)
    figure = show_images(images, [f"image {i}" for i in range(n)], nrows)
    shape = figure.axes[0].get_subplotspec().get_gridspec().get_geometry()
    assert shape == grid
    assert [axis.get_title() for axis in figure.axes[:n]] == [f"image {i}" for i in range(n)]
    assert sum(len(axis.images) for axis in figure.axes) == n
    assert not any(axis.axison for axis in figure.axes)


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.float32, 1)])
def test_black_and_white_are_those_of_the_type(dtype, white):
    """A dark image must not be stretched to white."""
    (axis,) = show_images([np.zeros((8, 8), dtype)], ["dark"]).axes
    assert axis.images[0].get_clim() == (0, white)
    assert axis.images[0].get_cmap().name == "gray"
