from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from cxr.errors import DataError, UsageError
from cxr.find import Manifest, read_manifest
from cxr.find.quarantine import (
    COLUMNS,
    QuarantineRow,
    apply_quarantine,
    read_quarantine,
    write_quarantine,
)

HEADER = ",".join(COLUMNS) + "\n"
SHA = hashlib.sha256(b"image").hexdigest()
ROW = QuarantineRow("A/1.png", "unreadable", "error", 4, SHA, "A/1.png cannot be read")


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    for name in ("A/1.png", "A/2.png", "B/3.png"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"image")
    return read_manifest(tmp_path / "data")


def left(manifest: Manifest, *rows: QuarantineRow, skip: str = "errors") -> list[str]:
    return apply_quarantine(manifest, rows, skip).manifest.table["path"].tolist()


# What is skipped ------------------------------------------------------------------------------


def test_the_listed_file_is_left_out_and_nothing_else_changes(manifest: Manifest) -> None:
    done = apply_quarantine(manifest, [ROW, replace(ROW, code="copy-across-labels")])
    assert done.manifest.table["path"].tolist() == ["A/2.png", "B/3.png"]
    assert (done.n_files, len(done.skipped), done.stale) == (1, 2, ())
    assert done.manifest.classes == manifest.classes and len(manifest) == 3


def test_both_path_and_content_must_be_the_same(manifest: Manifest) -> None:
    (manifest.root / "A/2.png").write_bytes(b"mended")
    changed, gone = replace(ROW, path="A/2.png"), replace(ROW, path="A/9.png")
    done = apply_quarantine(manifest, [changed, gone])
    assert done.manifest is manifest and done.skipped == ()
    assert done.stale == (changed, gone)


@pytest.mark.parametrize(
    ("skip", "expected"),
    [("errors", ["A/2.png", "B/3.png"]), ("all", ["B/3.png"]), ("none", None)],
)
def test_what_is_skipped_is_chosen(manifest: Manifest, skip: str, expected: list[str]) -> None:
    warned = replace(ROW, path="A/2.png", severity="warning")
    everything = manifest.table["path"].tolist()
    assert left(manifest, ROW, warned, skip=skip) == (expected or everything)


def test_another_choice_is_refused(manifest: Manifest) -> None:
    with pytest.raises(UsageError, match=r"skip_quarantined='some' is not one of errors, all, no"):
        apply_quarantine(manifest, [], "some")


def test_a_file_that_could_not_be_read_counts_until_it_can(manifest: Manifest) -> None:
    row = replace(ROW, bytes=None, sha256=None)
    assert left(manifest, row) == ["A/1.png", "A/2.png", "B/3.png"]
    (manifest.root / "A/1.png").unlink()
    assert left(manifest, row) == ["A/2.png", "B/3.png"]


def test_a_path_outside_the_data_set_is_never_opened(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cxr.find.quarantine.sha256_file", lambda path: pytest.fail(str(path)))
    outside = [replace(ROW, path=path) for path in ("../secret", "/etc/passwd", "C:\\x")]
    assert apply_quarantine(manifest, outside).stale == tuple(outside)


def test_nothing_left_is_said_as_such(manifest: Manifest) -> None:
    rows = [replace(ROW, path=path) for path in manifest.table["path"]]
    with pytest.raises(DataError, match="all 3 images are quarantined: mend them"):
        apply_quarantine(manifest, rows)


# The file -------------------------------------------------------------------------------------


def test_what_is_written_is_read(tmp_path: Path) -> None:
    odd = 'Röntgen, "AP"\n=1+1.png'
    rows = [ROW, QuarantineRow(odd, "x", "warning", None, None, ""), replace(ROW, path="NA")]
    path = write_quarantine(rows, tmp_path / "q.csv")
    assert read_quarantine(path) == rows
    with path.open(newline="", encoding="utf-8") as file:
        assert next(csv.reader(file)) == ["path", "code", "severity", "bytes", "sha256", "message"]


def test_an_empty_list_is_a_list(tmp_path: Path) -> None:
    assert read_quarantine(write_quarantine([], tmp_path / "q.csv")) == []


def test_a_spreadsheet_may_have_saved_it(tmp_path: Path) -> None:
    """With a mark at the start, other line ends, another order, its own column, capitals."""
    path = tmp_path / "q.csv"
    text = "note,severity,path,code,bytes,message,sha256\r\nlook,error,A/1.png,c,4,m," + SHA.upper()
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_quarantine(path) == [QuarantineRow("A/1.png", "c", "error", 4, SHA, "m")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no column path, code, severity, bytes, sha256, message"),
        (b"path,code\nA/1.png,unreadable\n", "no column severity, bytes, sha256, message"),
        (HEADER.replace(",", ";").encode(), "no column path"),
        (b"\xff\xfe\x00\x01", "not UTF-8"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not UTF-8"),
        (HEADER.encode() + b"A/1.png,x,fatal,4,,m\n", "severity 'fatal' at 'A/1.png'"),
        (HEADER.encode() + b"A/1.png,x,error,-4,,m\n", "bytes '-4' at 'A/1.png'"),
        (HEADER.encode() + b"A/1.png,x,error,4,abc,m\n", "sha256 'abc' at 'A/1.png'"),
        (HEADER.encode() + b"A/1.png,x,error\n", "cells missing or too many at 'A/1.png'"),
        (HEADER.encode() + b"A/1.png,x,error,4,,m,more\n", "cells missing or too many"),
        (HEADER.encode() + b",x,error,4,,m\n", "no path"),
        (HEADER.encode() + b'"A/1.png,x,error,4,,m\n', "unexpected end of data"),
    ],
)
def test_a_file_that_is_something_else_is_refused(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "q.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is not a quarantine file of cxr check") as caught:
        read_quarantine(path)
    assert said in str(caught.value) and str(path) in str(caught.value)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 2


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "q.csv", tmp_path):
        with pytest.raises(UsageError, match="there is no quarantine file"):
            read_quarantine(path)
