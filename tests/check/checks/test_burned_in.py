from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from cxr.check.checks.burned_in import check_burnt_in
from cxr.check.methods.text_detection import Box


def scan_with(*texts: list[Box]) -> Any:
    files = [SimpleNamespace(text=text) for text in texts]
    return SimpleNamespace(files=files, names=[f"a/{i}.png" for i in range(len(texts))])


def test_the_finding_counts_and_points() -> None:
    box = Box(1, 2, 8, 40)
    (finding,) = check_burnt_in(scan_with([], [box], [box, box]))
    assert (finding.code, finding.severity, finding.path) == ("burnt-in-text", "warning", None)
    assert "2 of 3 images" in finding.message
    assert finding.evidence == {
        "files": 2,
        "regions": 3,
        "examples": [
            {"path": "a/1.png", "caption": "1 line of text"},
            {"path": "a/2.png", "caption": "2 lines of text"},
        ],
    }
    assert check_burnt_in(scan_with([], [])) == []
