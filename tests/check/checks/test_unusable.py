from __future__ import annotations

import numpy as np
import pytest

from cxr.check.checks.unusable import check_image
from cxr.check.scan import SIDE, FileFacts
from cxr.pixels import StoredFacts


def facts(height=300, width=300, colour=0.0):
    return FileFacts(1000, height, width, "x", stored=StoredFacts("png"), colour=colour)


@pytest.fixture
def square(phantom_scan):
    return phantom_scan.squares[0]


def codes(made_scan, square, **changes):
    scan = made_scan(["A"], squares=np.array(square)[None], files=[facts(**changes)])
    return [finding.code for finding in check_image(scan)]


def test_an_image_as_it_should_be(made_scan, square):
    assert codes(made_scan, square) == []


def test_blank_is_an_error_and_faint_a_warning(made_scan, square):
    blank = np.full((SIDE, SIDE), 90, np.uint8)
    scan = made_scan(["A"], squares=blank[None], files=[facts()])
    (found,) = check_image(scan)
    assert (found.code, found.severity, found.path.as_posix()) == ("blank", "error", "0.png")
    faint = (100 + square / 16).astype(np.uint8)
    assert codes(made_scan, faint) == ["faint"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"height": 60}, "small"),
        ({"height": 100}, "strip"),
        ({"width": 80}, "strip"),
        ({"colour": 40.0}, "colour-image"),
    ],
)
def test_size_shape_and_colour(made_scan, square, change, code):
    if code == "small":
        change["width"] = 60
    assert codes(made_scan, square, **change) == [code]


def test_unreadable_files_are_not_judged(made_scan):
    files = [FileFacts(3, error="damaged")]
    assert check_image(made_scan(["A"], files=files)) == []
