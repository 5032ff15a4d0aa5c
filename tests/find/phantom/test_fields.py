"""Building blocks against plain arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import BSpline

from cxr.find.phantom import fields


@pytest.fixture
def grid() -> fields.Grid:
    return fields.canvas(100, 80)


def test_canvas_measures_in_image_heights_from_the_middle_of_the_image(grid: fields.Grid) -> None:
    assert grid.shape == (110, 90)
    assert grid.y[5, 0] == pytest.approx(0.005)
    assert grid.x.sum() == pytest.approx(0.0, abs=1e-5)
    assert grid.x[0, 5] == pytest.approx(-0.395)


def test_window_is_the_canvas_inside_the_box(grid: fields.Grid) -> None:
    where, part = grid.window(-0.1, 0.1, 0.2, 0.4)
    assert part.shape == (20, 20)
    assert np.array_equal(part.x, grid.x[:, where[1]])
    assert part.y.min() > 0.2 and part.y.max() < 0.4


def test_edge_rises_from_0_to_1_about_zero() -> None:
    distance = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    assert fields.edge(distance, 1.0) == pytest.approx([0, 0, 0.5, 1, 1])
    assert distance[0] == -2.0  # the argument is left alone


def test_spline_basis_agrees_with_scipy() -> None:
    cells, n = 5, 37
    knots = np.arange(-3, cells + 4)
    position = (np.arange(n) + 0.5) * cells / n
    first, weights = fields._spline(n, cells)
    ours = np.zeros((n, cells + 3))
    for k in range(4):
        ours[np.arange(n), first + k] = weights[k]
    theirs = BSpline.design_matrix(position, knots, 3).toarray()
    assert ours == pytest.approx(theirs, abs=1e-6)


def test_smooth_noise_has_mean_0_and_spread_about_1() -> None:
    rng = np.random.default_rng(1)
    noise = np.stack([fields.smooth_noise(rng, (60, 90), 9) for _ in range(40)])
    assert noise.mean() == pytest.approx(0.0, abs=0.05)
    assert noise.std() == pytest.approx(1.0, abs=0.05)


def test_tube_is_1_on_its_axis_and_0_beyond_its_radius(grid: fields.Grid) -> None:
    y = np.arange(0.1, 0.9, grid.pitch)
    drawn = fields.tubes(grid, np.full(y.shape, 0.005), y, np.full(y.shape, 0.04))
    middle = drawn[55]
    assert middle[45] == pytest.approx(1.0, abs=0.05)
    assert np.all(middle[np.abs(grid.x[0] - 0.005) > 0.041] == 0.0)


def test_a_tube_thinner_than_a_pixel_is_fainter_not_gone(grid: fields.Grid) -> None:
    y = np.arange(0.1, 0.9, grid.pitch)
    x = np.full(y.shape, 0.005)
    thin = fields.tubes(grid, x, y, np.full(y.shape, 0.003)).sum()
    whole = fields.tubes(grid, x, y, np.full(y.shape, 0.010)).sum()
    assert thin == pytest.approx(0.3 * whole)


def test_tubes_may_leave_the_canvas(grid: fields.Grid) -> None:
    x = np.linspace(-3.0, 3.0, 50)
    drawn = fields.tubes(grid, x, np.full(50, 2.0), np.full(50, 0.02))
    assert drawn.shape == grid.shape and drawn.sum() == 0.0
