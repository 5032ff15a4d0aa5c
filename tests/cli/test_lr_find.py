from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Call = Callable[..., Any]
TINY = ("--backbone", "test_efficientnet", "--weights", "none", "--size", "64")


def test_four_rates_and_their_curve(films: Path, tmp_path: Path, cxr: Call) -> None:
    plot = tmp_path / "rates.png"
    outcome = cxr("lr-find", films, *TINY, "--plot", plot)
    assert outcome.code == 0
    found = dict(line.split() for line in outcome.out.splitlines())
    assert list(found) == ["valley", "steep", "minimum", "slide"]
    assert plot.read_bytes().startswith(b"\x89PNG")
    as_json = cxr("lr-find", films, *TINY, "--json").json
    assert {name: f"{rate:.2e}" for name, rate in as_json.items()} == found


def test_no_data_is_wrong_usage(tmp_path: Path, cxr: Call) -> None:
    outcome = cxr("lr-find", tmp_path / "gone", *TINY)
    assert outcome.code == 2 and outcome.error.startswith("there is no ")
