"""Which settings a sweep tries."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from cxr.config import RunConfig
from cxr.errors import UsageError
from cxr.scale.sweep.plan import SWEPT, in_words, space_of, trials_of

CONFIG = RunConfig(data="images")
VALUES: dict[str, list[Any]] = {
    "base_lr": [1e-3, 2e-3],
    "size": [96, 128, 160],
    "backbone": ["resnet18", "efficientnet_lite0"],
}


def test_a_grid_is_every_setting_once() -> None:
    trials = trials_of(space_of(CONFIG, VALUES))
    found = [(t.config.backbone, t.config.size, t.config.base_lr) for t in trials]
    assert found == list(product(VALUES["backbone"], VALUES["size"], VALUES["base_lr"]))
    assert [trial.name for trial in trials] == [f"{i:02d}" for i in range(1, 13)]


def test_one_value_sets_it_for_all() -> None:
    space = space_of(CONFIG, {"size": [96], "epochs": [1, 2, 1]})
    assert space.varied == {"epochs": (1, 2)} and space.base.size == 96
    assert space.default() == {"epochs": RunConfig(data="images").epochs}
    (trial,) = trials_of(space_of(CONFIG, {}))
    assert trial.settings == {} and trial.config == CONFIG and in_words({}) == "as given"


def test_a_random_search_draws_from_the_grid_by_the_seed() -> None:
    space = space_of(CONFIG, VALUES)
    drawn = [t.settings for t in trials_of(space, "random", 5)]
    grid = [t.settings for t in trials_of(space)]
    assert drawn == [settings for settings in grid if settings in drawn] and len(drawn) == 5
    assert drawn == [t.settings for t in trials_of(space, "random", 5)]
    other = space_of(RunConfig(data="images", seed=1), VALUES)
    assert drawn != [t.settings for t in trials_of(other, "random", 5)]


@pytest.mark.parametrize(
    ("values", "search", "n", "words"),
    [
        ({"lr": [1e-3]}, "grid", None, r"setting of a sweep 'lr'; known: .*base_lr.*weights"),
        ({"size": []}, "grid", None, "no value for size"),
        ({"size": [96, 5]}, "grid", None, "size=5 is not a whole number from 32"),
        ({"backbone": ["resnet18", "resnet81"]}, "grid", None, "unknown backbone 'resnet81'"),
        ({"recipe": ["robust", "rough"]}, "grid", None, "is not one of robust, fine_tune"),
        ({"strategy": ["half"]}, "grid", None, "strategy 'half' is not one of auto, full, cached"),
        (VALUES, "bayes", None, "unknown search 'bayes'; known: grid, random"),
        (VALUES, "grid", 5, "5 trials, but the grid has 12 settings"),
        (VALUES, "random", None, "needs the number of trials"),
        (VALUES, "random", 13, "the grid has 1 to 12 settings to draw from"),
    ],
)
def test_what_no_run_takes_is_refused_before_any(
    values: dict[str, list[Any]], search: str, n: int | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        trials_of(space_of(CONFIG, values), search, n)


def test_all_that_is_swept_is_a_setting_of_a_run() -> None:
    assert set(SWEPT) <= set(vars(CONFIG))
