from __future__ import annotations

import errno
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cxr.track import log as module
from cxr.track.log import RunLog, read_log


def test_lines_are_objects_in_order_with_their_time(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "log.jsonl")
    before = datetime.now(UTC)
    log.write("begin", images={"train": 3})
    log.write("epoch", text="Größe\nzwei")
    lines = [json.loads(line) for line in log.path.read_text(encoding="utf-8").splitlines()]
    assert lines == read_log(log.path)
    assert [line["event"] for line in lines] == ["begin", "epoch"]
    assert lines[0]["images"] == {"train": 3} and lines[1]["text"] == "Größe\nzwei"
    times = [datetime.fromisoformat(line["time"]) for line in lines]
    assert abs((times[0] - before).total_seconds()) < 60 and times[0].utcoffset() is not None
    assert 0 <= lines[0]["seconds"] <= lines[1]["seconds"]


def test_a_clock_set_back_leaves_the_seconds_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RunLog(tmp_path / "log.jsonl")
    log.write("begin")

    class Yesterday(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime(2001, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(module, "datetime", Yesterday)
    log.write("end")
    first, last = read_log(log.path)
    assert last["time"] < first["time"] and last["seconds"] >= first["seconds"]


@pytest.mark.parametrize("cut", [1, 5, 40, 60])
def test_half_a_line_is_mended_when_the_run_goes_on(tmp_path: Path, cut: int) -> None:
    log = RunLog(tmp_path / "log.jsonl")
    for event in ("begin", "epoch", "checkpoint"):
        log.write(event, fact="x" * 20)
    os.truncate(log.path, log.path.stat().st_size - cut)
    assert [line["event"] for line in read_log(log.path)][:2] == ["begin", "epoch"]
    RunLog(log.path).write("resume")
    lines = log.path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["begin", "epoch", "resume"]


def test_a_log_that_is_half_a_line_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"event": "beg')
    assert read_log(path) == [] == read_log(tmp_path / "none")
    RunLog(path).write("begin")
    assert [line["event"] for line in read_log(path)] == ["begin"]


def test_what_is_no_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'\0\0\n[1]\n{"event": 3}\n{"a": 1}\n\xff\n{"event": "end"}\n' + b"[" * 10**5)
    assert read_log(path) == [{"event": "end"}]


def test_a_full_disk_is_said_once_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path, line: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    log = RunLog(tmp_path / "log.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr(module, "append_line", full)
        log.write("begin")
        assert log.write("epoch")["event"] == "epoch"
    log.write("end")
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "disk full" in said[0] and "log.jsonl" in said[0]
    assert [line["event"] for line in read_log(log.path)] == ["end"]


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "log.jsonl")

    def write(number: int) -> None:
        for i in range(50):
            log.write("checkpoint", number=number, i=i)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = {(line["number"], line["i"]) for line in read_log(log.path)}
    assert len(seen) == 200 == len(log.path.read_bytes().splitlines())


def test_nan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        RunLog(tmp_path / "log.jsonl").write("epoch", train_loss=float("nan"))
