from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

Call = Callable[..., Any]


def test_a_series_in_words_and_commands(films: Path, tmp_path: Path, cxr: Call) -> None:
    out = tmp_path / "held"
    outcome = cxr("hold-out", films, "--series", "phantom000*", "--out", out)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    n = {name: len(pd.read_csv(out / f"{name}.csv")) for name in ("development", "shifted")}
    assert sum(n.values()) == 64
    for line, (name, count) in zip(lines, n.items(), strict=False):
        assert line.startswith(f"{name}:") and f" {count} images of " in line and "NORMAL" in line
    assert lines[-2].startswith(f"next: cxr train {out / 'development.csv'} --run runs/a")
    assert lines[-1].startswith(f"then: cxr evaluate runs/a/model.cxr {out / 'shifted.csv'} ")


def test_what_it_writes_can_be_trained_on_and_evaluated(
    films: Path, tmp_path: Path, cxr: Call, quick: tuple[str, ...]
) -> None:
    out, run = tmp_path / "held", tmp_path / "run"
    held = cxr("hold-out", films, "--series", "phantom00[01]*", "--out", out, "--json").json
    root = ("--image-root", held["image_root"])
    assert cxr("train", out / "development.csv", "--run", run, *root, *quick).code == 0
    outcome = cxr(
        *("evaluate", run / "model.cxr", out / "shifted.csv", *root),
        *("--out", tmp_path / "shifted", "--json"),
    )
    assert outcome.code == 0
    figures = outcome.json["all"]
    assert figures["n"] == held["shifted"]["n"]
    assert figures["n_patients"] == held["shifted"]["n_patients"]


def test_clusters_as_json(films: Path, tmp_path: Path, cxr: Call) -> None:
    outcome = cxr("hold-out", films, "--acquisition", 4, "--share", 0.3, "--out", tmp_path / "h")
    assert outcome.code == 0
    assert "shifted images differ most in: " in outcome.out
    held = cxr(
        *("hold-out", films, "--acquisition", 4, "--share", 0.3, "--out", tmp_path / "h"), "--json"
    ).json
    assert held["acquisition"] == 4 and held["share"] == 0.3
    assert all(n >= 2 for n in held["shifted"]["classes"].values())


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ((), 2, "--series 'GLOB', or --acquisition CLUSTERS"),
        (("--series", "a*", "--acquisition", "4"), 2, "say what to hold out"),
        (("--acquisition", "4", "--others", "9"), 2, "--others goes with --series"),
        (("--series", "a*", "--share", "0.2"), 2, "--share goes with --acquisition"),
        (("--series", "nobody*"), 2, "matches none of 64 file names"),
        (("--series", "*"), 2, "matches all 64 images"),
        (("--acquisition", "0"), 2, "0 clusters; a whole number from 2"),
        (("--series", "phantom000*", "--out", "{images}/held"), 2, "lies inside the data"),
        (("--series", "phantom0*", "--seed", "-1"), 2, "seed"),
    ],
)
def test_what_is_refused(
    options: tuple[str, ...], code: int, said: str, films: Path, tmp_path: Path, cxr: Call
) -> None:
    given = [option.format(images=films) for option in options]
    outcome = cxr("hold-out", films, "--out", tmp_path / "held", *given)
    assert outcome.code == code and said in outcome.error
    assert not (tmp_path / "held").exists() and not (films / "held").exists()
