"""`cxr lr-find`: options in, rates out. The range test itself is tested with the learner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cxr.config import RunConfig
from cxr.workflows import train as pipeline

Call = Callable[..., Any]
RATES = {"valley": 1.5e-3, "steep": 2e-6, "minimum": 0.1, "slide": 3e-2}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[RunConfig, dict[str, Any]]]:
    calls = []

    def find_rates(config: RunConfig, **options: Any) -> dict[str, float]:
        calls.append((config, options))
        return RATES

    monkeypatch.setattr(pipeline, "find_rates", find_rates)
    return calls


def test_a_line_for_each_rate(asked: list[Any], films: Path, cxr: Call) -> None:
    outcome = cxr("lr-find", films)
    assert outcome.code == 0
    assert [line.split() for line in outcome.lines] == [
        *(["valley", "1.50e-03"], ["steep", "2.00e-06"]),
        *(["minimum", "1.00e-01"], ["slide", "3.00e-02"]),
    ]
    assert asked == [(RunConfig(data=str(films)), {"unfrozen": False, "plot": None})]


def test_json_and_options(asked: list[Any], films: Path, cxr: Call) -> None:
    outcome = cxr(
        "lr-find", films, "--backbone", "resnet34", "--weights", "none", "--size", "96",
        "--seed", "3", "--unfrozen", "--plot", "rates.png", "--device", "cpu", "--json",
    )  # fmt: skip
    assert outcome.json == RATES
    ((config, options),) = asked
    assert config == RunConfig(
        data=str(films), backbone="resnet34", weights=None, size=96, seed=3, device="cpu"
    )
    assert options == {"unfrozen": True, "plot": Path("rates.png")}


def test_no_data_is_wrong_usage(tmp_path: Path, cxr: Call) -> None:
    outcome = cxr("lr-find", tmp_path / "gone")
    assert outcome.code == 2 and outcome.error.startswith("there is no ")
