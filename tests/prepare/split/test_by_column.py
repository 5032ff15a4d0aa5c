from __future__ import annotations

import pytest

from cxr.errors import DataError, UsageError
from cxr.prepare.split import ManifestSplitter


def test_by_column():
    splits = ["valid", "train", "test", None, "Train"]
    assert ManifestSplitter()(range(5), splits=splits) == ([1, 4], [0])
    assert ManifestSplitter()(range(2), splits=["val", "train"]) == ([1], [0])


def test_refused():
    with pytest.raises(UsageError, match="no column 'fold' for ManifestSplitter"):
        ManifestSplitter("fold")(range(5))
    with pytest.raises(DataError, match=r"the column 'split' give.* 0 training"):
        ManifestSplitter()(range(2), splits=["valid", "test"])
