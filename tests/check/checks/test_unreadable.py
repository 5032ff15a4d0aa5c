from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr.check import Finding, find_unreadable, verify_images


@pytest.fixture
def good(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(8)
    for i in range(30):
        image = Image.fromarray(rng.integers(0, 256, (80, 90), dtype=np.uint8))
        image.save(tmp_path / f"{i:02}.{('png', 'jpeg', 'tiff')[i % 3]}")
    return sorted(tmp_path.iterdir())


def test_nothing_to_find(good: list[Path]) -> None:
    assert find_unreadable(good) == [] and verify_images(good) == []
    assert find_unreadable([]) == []


def test_finds_every_bad_file_in_order(good: list[Path], tmp_path: Path) -> None:
    bad = [tmp_path / name for name in ("text.jpeg", "empty.png", "cut.jpeg", "absent.png")]
    bad[0].write_text("this is not an image")
    bad[1].write_bytes(b"")
    bad[2].write_bytes((tmp_path / "01.jpeg").read_bytes()[:-40])
    mixed = [bad[0], *good[:10], bad[1], *good[10:], bad[2], bad[3]]
    found = find_unreadable(mixed, workers=3)
    assert [finding.path for finding in found] == bad == verify_images(map(str, mixed))
    assert {(f.code, f.severity, f.group) for f in found} == {("unreadable", "error", None)}
    assert "no known signature" in found[0].message and found[0].action
    assert found[1].evidence == {
        "reason": "the file is empty; copy or download it again",
        "bytes": 0,
    }
    assert "libjpeg" in found[2].evidence["reason"]
    assert found[3].evidence["bytes"] is None


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff"])
def test_reads_to_the_end(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(9)
    path = tmp_path / f"large.{kind}"
    Image.fromarray(rng.integers(0, 256, (900, 900), dtype=np.uint8)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.99)])
    assert verify_images([path]) == [path]


def test_a_finding_is_json() -> None:
    finding = Finding("unreadable", "error", "m", Path("a") / "b.png", evidence={"bytes": 3})
    assert json.loads(json.dumps(finding.to_dict())) == {
        "code": "unreadable",
        "severity": "error",
        "message": "m",
        "path": "a/b.png",
        "group": None,
        "evidence": {"bytes": 3},
        "action": "",
    }
    assert Finding("x", "info", "m").to_dict()["path"] is None
