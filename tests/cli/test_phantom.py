"""`cxr phantom`: what it writes and says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cxr._io import progress_disabled
from cxr.cli.phantom import phantom
from cxr.errors import UsageError


def test_writes_the_images_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with progress_disabled():
        phantom(tmp_path / "x", images=3, size=64, json=True)
    result = json.loads(capsys.readouterr().out)
    assert result["images"] == 3 and result["synthetic"] is True
    assert Path(result["manifest"]).is_file()
    assert len(list(Path(result["out"]).rglob("*.jpeg"))) == 3


def test_says_one_line_to_a_person(tmp_path: Path, cxr: Callable[..., Any]) -> None:
    outcome = cxr("phantom", tmp_path / "x", "--images", 2, "--size", 64)
    assert outcome.lines == [f"2 synthetic images in {tmp_path / 'x'}"]


def test_wrong_format_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="bmp"):
        phantom(tmp_path / "x", images=2, size=64, format="bmp")
