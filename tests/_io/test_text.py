"""Numbers and names in sentences."""

from __future__ import annotations

from cxr._io.text import (
    counted,
    figure_text,
    images_of_patients,
    listed,
    percent,
    percent_text,
    sentence,
    shorten,
    signed_text,
)

FIGURE = {"value": 0.9635, "low": 0.9581, "high": 0.9688}


def test_long_names_are_cut_to_one_line() -> None:
    assert shorten("a\nb") == "a b"
    assert shorten("x" * 40, 10) == "x" * 9 + "…"


def test_percents_never_round_to_certainty() -> None:
    assert [percent(x) for x in (0, 0.00001, 0.004, 0.5, 0.996, 0.9997, 1)] == [
        "0%", "0.001%", "0.4%", "50%", "99.6%", "99.97%", "100%",
    ]  # fmt: skip


def test_names_are_listed_and_the_rest_is_counted() -> None:
    assert [listed("abc"[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert listed("abc", "or") == "a, b or c"
    assert listed("abcdef", most=2) == "a, b and 4 more"


def test_one_has_no_plural() -> None:
    assert [counted(n, "file") for n in (0, 1, 1234)] == ["0 files", "1 file", "1,234 files"]
    assert images_of_patients({"n": 1, "n_patients": 1}) == "1 image of 1 patient"
    assert images_of_patients({"n": 2000, "n_patients": 30}) == "2,000 images of 30 patients"
    for unknown in (None, 0, {"value": None, "reason": "not known"}):
        assert images_of_patients({"n": 3, "n_patients": unknown}) == "3 images"
    assert images_of_patients({"n": 3}) == "3 images"


def test_figures_stand_with_their_intervals() -> None:
    assert figure_text(FIGURE) == "0.964 (0.958 to 0.969)"
    assert figure_text(FIGURE, digits=1) == "1.0 (1.0 to 1.0)"
    assert figure_text({"value": 0.5}) == "0.500"
    assert percent_text(FIGURE) == "96% (96% to 97%)"
    assert percent_text({"value": 0.5}) == "50%"
    moved = {"value": -0.1, "low": -0.2, "high": 0.05}
    assert signed_text(moved) == "−0.100 (−0.200 to +0.050)"
    assert figure_text({"value": None}) == signed_text({"value": None}) == "undefined"


def test_a_sentence_begins_and_ends() -> None:
    assert [sentence(text) for text in ("a b ", "c?", "")] == ["A b.", "C?", ""]
