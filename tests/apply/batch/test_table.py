from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cxr.apply.batch import ResumableTable, write_rows
from cxr.apply.batch import table as table_module
from cxr.errors import StorageError, UsageError

JOB: dict[str, Any] = {"model": "abc", "number of files": 9}
COLUMNS = ["path", "prob_ILL", "confident", "reason", "error"]
SUFFIXES = ["csv", "jsonl", "parquet"]


@pytest.fixture(autouse=True)
def certain_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "COMMIT_EVERY_S", 0.0)


def row(i: int) -> dict[str, Any]:
    if i % 4 == 3:
        bad = dict.fromkeys(COLUMNS)
        return {**bad, "path": f"image {i}.png", "error": 'not an image, "really"\nnot'}
    return {
        "path": f"bébé, {i}.png",
        "prob_ILL": i / 7,
        "confident": i % 2 == 0,
        "reason": "",
        "error": None,
    }


ROWS = [row(i) for i in range(9)]


def begin(out: Path, n: int) -> None:
    """A table of which `n` rows are certain, left by an error; with all 9 it has its name."""
    with suppress(InterruptedError), ResumableTable(out, JOB, COLUMNS) as table:
        for i in range(table.rows, n):
            table.append(ROWS[i : i + 1])
        if n == len(ROWS):
            table.finish()
        raise InterruptedError


def finish(out: Path, **options: Any) -> int:
    """Returns how many rows were there."""
    with ResumableTable(out, JOB, COLUMNS, **options) as table:
        kept = table.rows
        table.append(ROWS[kept:])
        table.finish()
        assert table.journal.unreadable == 2 and table.rows == 9
    return kept


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_in_one_go_it_is_what_write_rows_writes(suffix: str, tmp_path: Path) -> None:
    out = tmp_path / "new" / f"rows.{suffix}"
    assert finish(out) == 0
    assert out.read_bytes() == write_rows(ROWS, tmp_path / f"other.{suffix}").read_bytes()
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("torn", [b"", b"half a ro", b'{"path": "x"}\n{', b"\0" * 500])
def test_what_follows_the_certain_rows_is_cut_off(suffix: str, torn: bytes, tmp_path: Path) -> None:
    out, other = tmp_path / f"rows.{suffix}", tmp_path / f"other.{suffix}"
    begin(out, 3)
    begin(out, 5)
    assert not out.exists()
    with Path(f"{out}.part").open("ab") as part:
        part.write(torn)
    assert finish(out) == 5
    assert finish(other) == 0
    assert out.read_bytes() == other.read_bytes()
    assert sorted(tmp_path.iterdir()) == sorted([out, other])


def test_parquet_has_its_types_whatever_the_rows_hold(tmp_path: Path) -> None:
    out = tmp_path / "rows.parquet"
    with ResumableTable(out, JOB, COLUMNS) as table:
        table.append([ROWS[3]])
        table.finish()
    kinds = {name: str(kind) for name, kind in pd.read_parquet(out).dtypes.items()}
    assert kinds["prob_ILL"] == "float64" and kinds["path"] == kinds["reason"]


def test_no_rows_are_a_table_with_columns(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        with ResumableTable(tmp_path / f"rows.{suffix}", JOB, COLUMNS) as table:
            table.finish()
    assert list(pd.read_csv(tmp_path / "rows.csv")) == COLUMNS
    assert list(pd.read_parquet(tmp_path / "rows.parquet")) == COLUMNS
    assert (tmp_path / "rows.jsonl").read_bytes() == b""


def test_an_older_table_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    out.write_text("the one before")
    begin(out, 5)
    assert out.read_text() == "the one before"
    assert finish(out) == 5 and out.read_text() != "the one before"


def test_other_work_is_refused_and_says_in_what_it_differs(tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    begin(out, 5)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(
        UsageError,
        match=r"rows\.csv\.part was begun with another model abc, now d{15}…; another number of "
        r"files 9, now 8; .* begin anew with --restart",
    ):
        ResumableTable(out, {"model": "d" * 64, "number of files": 8}, COLUMNS).__enter__()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert finish(out, restart=True) == 0
    assert list(tmp_path.iterdir()) == [out]


def test_restart_of_nothing_is_a_start(tmp_path: Path) -> None:
    assert finish(tmp_path / "rows.csv", restart=True) == 0


@pytest.mark.parametrize("change", ["a byte", "cut", "no journal", "a journal of something else"])
def test_what_was_tampered_with_is_refused(change: str, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    begin(out, 5)
    part, journal = Path(f"{out}.part"), Path(f"{out}.part.json")
    data = part.read_bytes()
    if change == "a byte":
        part.write_bytes(data[:20] + b"!" + data[21:])
    elif change == "cut":
        part.write_bytes(data[:-1])
    elif change == "no journal":
        journal.unlink()
    else:
        journal.write_text(json.dumps({"rows": 5}))
    with pytest.raises(UsageError, match="--restart"):
        ResumableTable(out, JOB, COLUMNS).__enter__()
    assert not out.exists() and part.exists()
    assert finish(out, restart=True) == 0 and list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_work_after_the_table_goes_on_without_predicting_again(suffix: str, tmp_path: Path) -> None:
    out = tmp_path / f"rows.{suffix}"
    begin(out, 9)
    whole = out.read_bytes()
    assert sorted(tmp_path.iterdir()) == [out, Path(f"{out}.part.json")]
    with ResumableTable(out, JOB, COLUMNS) as table:
        assert table.finished and table.rows == 9 and table.journal.unreadable == 2
        assert table.finish() == out
    assert list(tmp_path.iterdir()) == [out] and out.read_bytes() == whole


def test_a_whole_table_that_was_taken_away_is_made_again(tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    begin(out, 9)
    out.unlink()
    assert finish(out) == 0 and list(tmp_path.iterdir()) == [out]


@pytest.mark.skipif(os.name == "nt", reason="files are locked in another way there")
def test_two_at_once_are_one_too_many(tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    with ResumableTable(out, JOB, COLUMNS) as table:
        with pytest.raises(UsageError, match="another process is writing"):
            ResumableTable(out, JOB, COLUMNS).__enter__()
        table.append(ROWS)
        table.finish()
    assert len(pd.read_csv(out)) == 9


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_full_disk_is_one_line_and_the_same_call_goes_on(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "rows.csv"

    def full(_: int) -> None:
        raise OSError(number, os.strerror(number))

    begin(out, 4)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        StorageError, match=r"rows\.csv\.part \(.*first 4 rows are safe.* command goes on$"
    ) as found:
        finish(out)
    assert "\n" not in str(found.value)
    monkeypatch.undo()
    assert finish(out) == 4
    assert out.read_bytes() == write_rows(ROWS, tmp_path / "other.csv").read_bytes()


def test_a_file_that_may_grow_no_more_is_one_line_too(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no such limits")
    out = tmp_path / "rows.csv"
    begin(out, 4)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = Path(f"{out}.part").stat().st_size
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        with pytest.raises(StorageError, match="first 4 rows are safe"):
            finish(out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert finish(out) == 4
    assert out.read_bytes() == write_rows(ROWS, tmp_path / "other.csv").read_bytes()


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write"):
        ResumableTable(tmp_path / "file" / "rows.csv", JOB, COLUMNS).__enter__()
    with pytest.raises(UsageError, match=r"must end in \.csv"):
        ResumableTable(tmp_path / "rows.xlsx", JOB, COLUMNS)
