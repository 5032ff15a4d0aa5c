from __future__ import annotations

import pytest

from cxr.errors import UsageError
from cxr.prepare import Resize


def test_the_whole_image_is_shown_by_default():
    assert Resize(128) == Resize(128, "squish")


@pytest.mark.parametrize("size", [31, 2049, -1, 128.0, "128", None])
def test_refused_sizes(size):
    with pytest.raises(UsageError, match="is not a whole number from 32 to 2048"):
        Resize(size)


def test_refused_method():
    with pytest.raises(UsageError, match="'stretch' is not one of squish, pad, crop"):
        Resize(128, "stretch")
