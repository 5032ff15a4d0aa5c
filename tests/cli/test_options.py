"""Options are declared once, as settings of a run."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from cxr.cli._options import SETTINGS, option_of, setting_of, typed_as
from cxr.config import RunConfig

Call = Callable[..., Any]
PANELS = ("Data", "Model", "Training", "Evaluation", "Hardware", "Tracking")


def test_every_setting_but_the_data_is_an_option_of_train(cxr: Call) -> None:
    shown = cxr("train", "--help").out
    for name in SETTINGS:
        option = option_of(name, typed_as(name), None).name.replace("_", "-")
        assert re.search(rf"^  --{option} ", shown, re.MULTILINE), name
    assert {*SETTINGS, "data"} == set(vars(RunConfig("images")))


def test_train_shows_its_options_in_panels_with_their_defaults(cxr: Call) -> None:
    shown = cxr("train", "--help").out
    headings = re.findall(r"^([A-Z][a-z]+):$", shown, re.MULTILINE)
    assert [one for one in headings if one in PANELS] == list(PANELS)
    assert {setting_of(name).panel.capitalize() for name in SETTINGS} < set(PANELS)
    entries = re.split(r"\n(?=  -)", shown.partition("Options:\n")[2])
    flags = {"--resume", "--json", "-h,"}
    for entry in entries:
        option = entry.split()[0]
        if option not in flags and "[required]" not in entry:
            assert "default:" in entry, option


@pytest.mark.parametrize("command", ["check", "evaluate", "stress", "shards"])
def test_reading_options_are_the_same_everywhere(command: str, cxr: Call) -> None:
    shown = cxr(command, "--help").out
    for option in ("--layout", "--label-column", "--patient-pattern", "--follow-links"):
        assert option in shown
