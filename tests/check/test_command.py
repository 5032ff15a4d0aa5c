"""`cxr check`: what it writes, says and returns."""

from __future__ import annotations

import json
import shutil

import pytest

from cxr.cli.app import run


@pytest.fixture
def data(films):
    return films("A/1.png", "A/2.png", "B/3.png", "B/4.png")


def test_warnings_alone_are_a_success(data, tmp_path, capsys):
    assert run(["check", str(data), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "warning: no patient identity was found" in said and "warnings\n" in said
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("check.json", "check.html", "quarantine.csv")
    }


def test_an_error_is_exit_code_one(data, tmp_path, capsys):
    (data / "A/broken.png").write_bytes(b"broken")
    assert run(["check", str(data), "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().out.startswith("error: A/broken.png cannot be read")


def test_json_is_all_there_is_on_stdout(data, tmp_path, capsys):
    assert run(["check", str(data), "--out", str(tmp_path / "out"), "--json"]) == 0
    printed = capsys.readouterr().out
    written = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))
    assert json.loads(printed)["findings"] == written["findings"]


def test_many_copies_do_not_flood_the_screen(data, tmp_path, capsys):
    for i in range(30):
        shutil.copy(data / "A/1.png", data / f"A/copy{i:02}.png")
    run(["check", str(data), "--out", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert said.count("is a copy of") == 10 and "and 20 more (copy)" in said


def test_writes_into_the_working_directory(data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run(["check", "data"])
    assert (tmp_path / "check" / "check.html").is_file()


def test_no_data_is_wrong_usage(tmp_path, capsys):
    assert run(["check", str(tmp_path / "absent")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
