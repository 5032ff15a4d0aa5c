from __future__ import annotations

import numpy as np

from cxr.check.checks.unusual import lung_polarity
from cxr.check.scan import SIDE


def test_polarity_of_the_phantom_and_of_its_negative(phantom_scan):
    assert (lung_polarity(phantom_scan.squares) > 0).mean() > 0.97
    assert (lung_polarity(255 - phantom_scan.squares) < 0).mean() > 0.97


def test_polarity_of_real_images(shared_data):
    from cxr.find import read_manifest
    from cxr.pixels import load_grey

    paths = read_manifest(shared_data / "kermany224").paths()[::13]
    squares = np.stack([load_grey(path, SIDE) for path in paths])
    assert (lung_polarity(squares) < 0).mean() < 0.01
    assert (lung_polarity(255 - squares) < 0).mean() > 0.99
