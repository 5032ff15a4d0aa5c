from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from cxr.check import Finding, summary, write_findings
from cxr.check.page import OPEN, SHOWN, page

EVIL = '<script>alert("x")</script>'


def findings(n: int = 1) -> list[Finding]:
    return [
        Finding("unreadable", "error", f"{i} is broken", Path("a") / f"{i}.png", action="mend it")
        for i in range(n)
    ]


def test_writes_all_three_files(tmp_path):
    whole = Finding("patients-across-splits", "error", "m")
    copy = Finding("copy", "warning", "m", Path("b.png"))
    written = write_findings([*findings(2), whole, copy], tmp_path / "new" / "out")
    assert written == tmp_path / "new" / "out" / "check.html" and written.is_file()
    read = json.loads((written.parent / "check.json").read_text(encoding="utf-8"))["findings"]
    assert [one["code"] for one in read] == ["unreadable", "unreadable", whole.code, "copy"]
    with (written.parent / "quarantine.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [["path", "code"], ["a/0.png", "unreadable"], ["a/1.png", "unreadable"]]


def test_file_names_survive_the_table(tmp_path):
    name = 'Thorax, "AP"\nä.png'
    write_findings([Finding("unreadable", "error", "m", Path(name))], tmp_path)
    with (tmp_path / "quarantine.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file))[1] == [name, "unreadable"]


def test_everything_is_escaped():
    text = page([Finding(EVIL, "warning", EVIL, action=EVIL)])
    assert "<script" not in text and text.count("&lt;script&gt;") == 3
    assert "$" not in text  # every place of the template is filled


def test_a_dollar_in_a_message_stays():
    assert "cost $lead ${x} $$" in page([Finding("x", "info", "cost $lead ${x} $$")])


def test_loads_nothing_and_says_what_it_is():
    text = page(findings())
    assert not re.search(r"(src|href)=|url\(|@import|https?:", text)
    assert "default-src 'none'" in text
    assert "Research tool, not a medical device" in text


def test_many_findings_are_folded():
    text = page(findings(SHOWN + 7))
    assert text.count("<li>") == SHOWN and "7 more are in check.json" in text
    assert text.count("What to do") + text.count('class="todo"') == 2  # the style, and once below
    before, after = text.split("<details>")
    assert before.count("<li>") == OPEN and f"<summary>{SHOWN + 7 - OPEN} more" in after
    assert "<details>" not in page(findings(OPEN))


@pytest.mark.parametrize(
    ("severities", "expected"),
    [
        ([], "no errors and no warnings"),
        (["info"], "no errors and no warnings"),
        (["error"], "1 error"),
        (["warning", "error", "warning"], "1 error, 2 warnings"),
    ],
)
def test_summary(severities, expected):
    assert summary([Finding("x", severity, "m") for severity in severities]) == expected
    assert f'<p class="lead">{expected}</p>' in page([Finding("x", s, "m") for s in severities])
