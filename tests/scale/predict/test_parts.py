"""Parts in a folder: whole or not there, of one job, by one process; in memory and on disk."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from cxr.apply.batch import Row
from cxr.errors import DataError, StorageError, UsageError
from cxr.scale.predict import parts
from cxr.scale.predict.parts import JOURNAL, PartFacts, Parts, encoded, name_of, read_facts
from cxr.scale.predict.storage import StorageFolder

JOB: dict[str, Any] = {"model": "a" * 64, "list of files": "b" * 64}
COLUMNS = ("path", "decision", "probability", "confident", "error")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "SIZE", 4)


@pytest.fixture(params=["disk", "object storage"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> StorageFolder:
    if request.param == "disk":
        return StorageFolder(tmp_path / "parts")
    pytest.importorskip("fsspec", reason="needs fsspec, which comes with Ray")
    return StorageFolder(f"memory://bucket-{uuid.uuid4().hex}/parts")


def row(i: int, error: str | None = None) -> Row:
    found: list[Any] = [f"{i}.png", "NORMAL", i / 3, True] if error is None else [f"{i}.png"]
    return dict(zip(COLUMNS, [*found, *[None] * (4 - len(found)), error], strict=True))


def add(parts: Parts, number: int) -> None:
    rows = [row(4 * number + i) for i in range(parts.rows_in(number))]
    rows[0] = row(4 * number, "cut \udcff")
    facts = PartFacts(parts.digest, number, len(rows), 1)
    parts.add(facts, encoded(rows, facts))


def test_what_is_there_is_not_made_again(folder: StorageFolder) -> None:
    with Parts(folder, JOB, 10) as parts:
        assert list(parts.missing()) == [0, 1, 2]
        add(parts, 0)
        add(parts, 2)
        assert (parts.rows, parts.unreadable) == (6, 2)
    with Parts(folder, JOB, 10) as parts:
        assert (parts.rows, parts.unreadable, list(parts.missing())) == (6, 2, [1])
        add(parts, 1)
        rows = [row for block in parts.read() for row in block]
        assert [row["path"] for row in rows] == [f"{i}.png" for i in range(10)]
        assert [row["probability"] for row in rows[1:4]] == [1 / 3, 2 / 3, 1.0]
        assert rows[0]["error"] == "cut ?" and rows[1]["error"] is None
        parts.remove()
    assert folder.names() == []


def test_parts_that_are_not_whole_or_of_other_work_are_made_again(folder: StorageFolder) -> None:
    with Parts(folder, JOB, 10) as parts:
        add(parts, 0)
        add(parts, 1)
        whole = folder.read(name_of(1))
    folder.write(name_of(0), whole)  # another number
    folder.write(name_of(1), whole[:-5])
    folder.write(name_of(2), encoded([row(8), row(9)], PartFacts("another job", 2, 2, 0)))
    with Parts(folder, JOB, 10) as parts:
        assert list(parts.missing()) == [0, 1, 2] and not parts.done


def test_a_flipped_bit_is_found_when_the_table_is_made(folder: StorageFolder) -> None:
    with Parts(folder, JOB, 4) as parts:
        add(parts, 0)
        data = bytearray(folder.read(name_of(0)))
        data[data.index(b"NORMAL")] ^= 1
        folder.write(name_of(0), bytes(data))
        with pytest.raises(DataError, match=rf"{name_of(0)} was changed or damaged .* makes it ag"):
            list(parts.read())


def test_another_job_is_refused_with_the_difference(folder: StorageFolder) -> None:
    with Parts(folder, JOB, 10) as parts:
        add(parts, 0)
    other = {**JOB, "model": "c" * 64}
    with pytest.raises(UsageError, match=r"another model aaa.*, now ccc.*--restart$"):
        Parts(folder, other, 10).__enter__()
    with Parts(folder, other, 10, restart=True) as parts:
        assert not parts.done and folder.names().count(name_of(0)) == 0
    folder.write(JOURNAL, b"{")
    with pytest.raises(UsageError, match=r"cannot be used .*--restart$"):
        Parts(folder, other, 10).__enter__()


def test_a_folder_of_other_things_is_refused(folder: StorageFolder) -> None:
    with folder.locked():
        folder.write("notes.txt", b"mine")
    for restart in (False, True):
        with pytest.raises(UsageError, match=r"holds other files \(notes.txt\)"):
            Parts(folder, JOB, 10, restart=restart).__enter__()
    assert folder.read("notes.txt") == b"mine"


def test_parts_without_a_journal_are_only_written_over_when_asked(folder: StorageFolder) -> None:
    with Parts(folder, JOB, 10) as parts:
        add(parts, 0)
    folder.remove(JOURNAL)
    with pytest.raises(UsageError, match="holds other files"):
        Parts(folder, JOB, 10).__enter__()
    with Parts(folder, JOB, 10, restart=True) as parts:
        assert not parts.done


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        Parts(StorageFolder(tmp_path), JOB, 10),
        pytest.raises(UsageError, match="another process is writing"),
    ):
        Parts(StorageFolder(tmp_path), JOB, 10).__enter__()
    with Parts(StorageFolder(tmp_path), JOB, 10):
        pass


def test_a_place_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot"):
        Parts(StorageFolder(tmp_path / "file" / "parts"), JOB, 10).__enter__()


def test_any_other_file_is_no_part(tmp_path: Path) -> None:
    for content in (b"", b"PAR1", b"x" * 1000):
        (tmp_path / "a").write_bytes(content)
        with StorageFolder(tmp_path).open("a") as file:
            assert read_facts(file) is None
