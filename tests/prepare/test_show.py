from __future__ import annotations

import numpy as np
import pytest

from cxr.prepare.show import show_images


@pytest.mark.parametrize(
    ("n", "nrows", "grid"), [(4, 1, (1, 4)), (9, None, (3, 3)), (5, 2, (2, 3)), (1, None, (1, 1))]
)
def test_a_grid_of_images(n, nrows, grid):
    films = np.full((n, 8, 8), 0.5)
    figure = show_images(films, [f"image {i}" for i in range(n)], nrows)
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
