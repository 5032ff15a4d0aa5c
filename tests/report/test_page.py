from __future__ import annotations

import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxr.evaluate import Predictions, make_predictions, measure
from cxr.report import page, page_of, sentences
from cxr.report.context import ReportContext
from cxr.report.results import MeasureSettings, evaluate_predictions
from helpers.figures import undrawn


class Reader(HTMLParser):
    """Collects tags and text, and refuses tags that are not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("img", "meta", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(autouse=True)
def quick_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five images a page are drawn in seconds; they have tests of their own."""
    monkeypatch.setattr(page, "render_figures", undrawn)


def report(tmp_path: Path, predictions: Predictions, split: str = "valid", **more: Any) -> str:
    settings = MeasureSettings(resamples=100, threshold=more.pop("threshold", None))
    evaluate_predictions({split: predictions}, tmp_path, settings, ReportContext(**more))
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_page_stands_alone_and_warns_first(tmp_path: Path, simulate_binary: Any) -> None:
    got = Reader(report(tmp_path, simulate_binary(), population="Children of 1 to 5 years."))
    assert got.text.index("not a medical device") < got.text.index("AUROC")
    assert "Children of 1 to 5 years." in got.text
    charts = [attributes for tag, attributes in got.tags if tag == "svg"]
    assert len(charts) == 5
    assert all(one["role"] == "img" and one["aria-label"] for one in charts)
    assert not {tag for tag, _ in got.tags} & {"script", "link", "iframe", "form", "img"}
    (policy,) = [one["content"] for _, one in got.tags if "http-equiv" in one]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert "url(" not in got.text and "@import" not in got.text


def test_every_word_given_is_escaped(tmp_path: Path, simulate_binary: Any) -> None:
    evil = '<script>alert("1")</script>'
    html = report(
        tmp_path,
        simulate_binary(classes=("normal", evil)),
        population=evil,
        model_facts={evil: evil, "caveats": [evil], "list": [evil]},
    )
    assert "<script" not in html
    assert Reader(html).text.count(evil) > 5


def test_no_patient_and_no_path_is_told(tmp_path: Path, simulate_binary: Any) -> None:
    predictions = simulate_binary()
    text = Reader(report(tmp_path, predictions)).text
    named = [*predictions.table["patient"], *predictions.table["path"]]
    assert not [name for name in named if re.search(rf"{re.escape(name)}\b", text)]


def test_caveats_stand_between_the_finding_and_the_figures(
    tmp_path: Path, simulate_binary: Any
) -> None:
    facts = {"backbone": "resnet18", "caveats": ["Patients overlap."]}
    text = Reader(report(tmp_path, simulate_binary(), model_facts=facts)).text
    places = [
        text.index(part) for part in ("the model distinguished", "Patients overlap.", "Sensitivity")
    ]
    assert places == sorted(places)
    assert "resnet18" in text and "caveats" not in text


@pytest.mark.parametrize("kind", ["simulate_classes", "simulate_labels"])
def test_several_classes_have_a_table_by_class(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    predictions = request.getfixturevalue(kind)()
    text = Reader(report(tmp_path, predictions)).text
    assert "Each class against the rest" in text
    assert all(name in text for name in predictions.classes)


def test_one_class_is_told_and_nothing_breaks(tmp_path: Path) -> None:
    p = np.array([0.2, 0.7, 0.9])
    predictions = make_predictions("abc", np.c_[1 - p, p], [1, 1, 1], ("normal", "sick"))
    text = Reader(report(tmp_path, predictions)).text
    assert "AUROC is undefined, as all images are of one class" in text
    assert "cannot be said" in text
    assert "Only 3 images with sick" in text
    assert "patients are not known".capitalize() in text


def test_the_page_gives_the_lines_that_give_the_same_figures(
    tmp_path: Path, simulate_binary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Reader(report(tmp_path, simulate_binary(), threshold=0.37)).text
    line = next(line for line in text.splitlines() if line.startswith("measure("))
    from cxr.evaluate import read_predictions

    monkeypatch.chdir(tmp_path)
    again = eval(
        line.split("Written by")[0], {"measure": measure, "read_predictions": read_predictions}
    )
    assert again == measure(simulate_binary(), 0.37, resamples=100)


def test_the_first_sentence_speaks_of_the_test_split() -> None:
    assert sentences.headline_split(["train", "valid", "test"]) == "test"
    assert sentences.headline_split(["train", "external"]) == "external"
    assert sentences.headline_split(["train"]) == "train"


def test_every_link_has_its_place_and_headings_are_nested(
    tmp_path: Path, simulate_binary: Any
) -> None:
    got = Reader(report(tmp_path, simulate_binary()))
    ids = [one["id"] for _, one in got.tags if "id" in one]
    assert len(ids) == len(set(ids))
    links = [one["href"] for tag, one in got.tags if tag == "a"]
    assert len(links) > 6 and {f"#{name}" for name in ids} >= set(links)
    levels = [int(tag[1]) for tag, _ in got.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_the_page_is_made_of_the_json_alone(tmp_path: Path, simulate_binary: Any) -> None:
    html = report(tmp_path, simulate_binary(), population="Children.")
    told = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert page_of(told, {}) == html
    assert told["splits"]["valid"]["metrics"]["auroc"]["value"] is not None
