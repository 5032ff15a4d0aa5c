"""`cxr deidentify`: what it says. What it writes is tested with `cxr.check.deidentify`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cxr.find.phantom import write_phantom

Call = Callable[..., Any]


@pytest.fixture
def dicom(tmp_path: Path) -> Path:
    folder = write_phantom(tmp_path / "in", n_images=3, format="dicom", size=128)
    (folder / "README.txt").unlink()
    (folder / "manifest.csv").unlink()
    return folder


def test_copies_and_the_key(dicom: Path, tmp_path: Path, cxr: Call) -> None:
    out, key = tmp_path / "out", tmp_path / "key"
    outcome = cxr("deidentify", dicom, out, "--pixels", "blank", "--key-file", key)
    assert outcome.code == 0
    assert outcome.out.startswith("3 copies of ") and "3 with text painted over" in outcome.out
    assert len(list(out.rglob("*.dcm"))) == 3 and key.is_file()


def test_files_left_out_are_lines_and_one(dicom: Path, tmp_path: Path, cxr: Call) -> None:
    (dicom / "note.txt").write_text("hello")
    arguments = ("deidentify", dicom, tmp_path / "out", "--key-file", tmp_path / "key")
    outcome = cxr(*arguments)
    assert outcome.code == 1
    lines = outcome.out.splitlines()
    assert len(lines) == 5 and "note.txt: not a DICOM file" in outcome.out
    assert sum("--pixels blank or keep" in line for line in lines) == 3
    assert lines[-1].startswith("0 copies") and lines[-1].endswith("4 files left out")


def test_json(dicom: Path, tmp_path: Path, cxr: Call) -> None:
    (dicom / "note.txt").write_text("hello")
    key = ("--key-file", tmp_path / "key")
    outcome = cxr("deidentify", dicom, tmp_path / "out", "--pixels", "keep", "--json", *key)
    assert outcome.code == 1
    left_out = [{"path": str(dicom / "note.txt"), "reason": "not a DICOM file"}]
    patients = len(list((tmp_path / "out").iterdir()))
    assert outcome.json == {
        "out": str(tmp_path / "out"),
        "written": 3,
        "patients": patients,
        "blanked": 0,
        "left_out": left_out,
    }


@pytest.mark.parametrize(
    ("out", "options", "said"),
    [
        ("in/out", (), "lie in one another"),
        ("out", ("--pixels", "blur"), "'blur'"),
    ],
)
def test_wrong_usage(
    out: str, options: tuple[str, ...], said: str, dicom: Path, tmp_path: Path, cxr: Call
) -> None:
    key = ("--key-file", tmp_path / "key")
    outcome = cxr("deidentify", dicom, tmp_path / out, *options, *key)
    assert outcome.code == 2 and said in outcome.error
    assert not (tmp_path / out).exists()
