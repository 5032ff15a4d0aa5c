from __future__ import annotations

import pytest

from cxr.errors import UnknownName
from cxr.train.recipe import Phase, Position, fine_tune_phases, resolve_strategy


class Recording:
    """A learner that only writes down what it is asked to do."""

    recorder = None
    fits = 0

    def __init__(self):
        self.calls = []

    def freeze_to(self, n):
        self.calls.append(("freeze_to", n))

    def fit_one_cycle(self, epochs, rates, **options):
        self.fits += 1
        self.calls.append((epochs, rates, options["start_epoch"]))


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


PHASES = fine_tune_phases(3, freeze_epochs=2)
HEAD, WHOLE = PHASES[0].rates, PHASES[1].rates


def test_phases_run_one_after_another():
    learner = Recording()
    learner.fit_phases(PHASES)
    assert learner.calls == [("freeze_to", -1), (2, HEAD, 0), ("freeze_to", 0), (3, WHOLE, 0)]


def test_a_run_goes_on_in_the_middle_of_a_phase():
    learner = Recording()
    learner.fit_phases(PHASES, start=Position(phase=0, epoch=1))
    assert learner.calls == [("freeze_to", -1), (2, HEAD, 1), ("freeze_to", 0), (3, WHOLE, 0)]
    learner = Recording()
    learner.fit_phases(PHASES, start=Position(phase=1, epoch=2))
    assert learner.calls == [("freeze_to", 0), (3, WHOLE, 2)]


def test_a_finished_phase_still_counts_as_a_fit():
    """Seeds and the history number phases by the fits so far."""
    learner = Recording()
    learner.fit_phases(PHASES, start=Position(phase=0, epoch=2))
    assert learner.calls[-1] == (3, WHOLE, 0)
    assert learner.fits == 2


def test_a_finished_run_trains_nothing_more():
    learner = Recording()
    learner.fit_phases(PHASES, start=Position(phase=1, epoch=3))
    assert learner.calls == [("freeze_to", 0)]
