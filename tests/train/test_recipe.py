from __future__ import annotations

import pytest

from cxr.errors import UnknownName
from cxr.train.recipe import Phase, fine_tune_phases, resolve_strategy


def test_fastais_two_phases():
    head, whole = fine_tune_phases(3)
    assert head == Phase(-1, 1, slice(2e-3), pct_start=0.99)
    assert whole == Phase(0, 3, slice(1e-5, 1e-3), pct_start=0.3, div=5.0)
    assert fine_tune_phases(3, freeze_epochs=0) == [whole]
    assert fine_tune_phases(0) == [head]


def test_the_cached_strategy_leaves_the_first_group_frozen():
    head, upper = fine_tune_phases(3, strategy="cached")
    assert [head, Phase(0, *list(vars(upper).values())[1:])] == fine_tune_phases(3)
    assert upper.first_group == 1


def test_auto_is_cached_where_there_is_something_to_keep():
    assert resolve_strategy("auto", pretrained=True) == "cached"
    assert resolve_strategy("auto", pretrained=False) == "full"
    assert resolve_strategy("full", pretrained=True) == "full"
    with pytest.raises(UnknownName, match=r"strategy .*quick.*auto, cached, full"):
        resolve_strategy("quick", pretrained=True)
