from __future__ import annotations

import csv
import errno
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from cxr._io import progress_disabled
from cxr.apply import Predictor, load_learner, predict_files, write_rows
from cxr.apply.batch import formats
from cxr.errors import StorageError, UsageError


@pytest.fixture
def predictor(tiny_model: Path) -> Predictor:
    return load_learner(tiny_model)


@pytest.fixture
def mixed(films: list[Path], tmp_path: Path) -> list[Path]:
    """Six images, and between them a text file, an empty one and one that is not there."""
    (tmp_path / "text.jpeg").write_text("Patient: Jane Doe")
    (tmp_path / "empty.png").touch()
    bad = [tmp_path / "text.jpeg", tmp_path / "empty.png", tmp_path / "gone.png"]
    return [films[0], bad[0], bad[1], *films[1:], bad[2]]


def test_csv_reads_back(predictor: Predictor, mixed: list[Path], tmp_path: Path) -> None:
    rows = predict_files(predictor, mixed)
    out = write_rows(rows, tmp_path / "new" / "rows.csv")
    with out.open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert list(read[0]) == list(rows[0])
    for row, found in zip(rows, read, strict=True):
        assert found["path"] == row["path"] and found["error"] == (row["error"] or "")
        if row["error"] is None:
            assert float(found["prob_NORMAL"]) == row["prob_NORMAL"]


@pytest.mark.parametrize("classes", [("10", "9"), ('a, "b"', "c\nd"), ("keine", "Entzündung")])
def test_odd_class_names_survive_every_format(
    classes: tuple[str, str],
    write_model: Callable[..., Path],
    films: list[Path],
    tmp_path: Path,
) -> None:
    (row,) = predict_files(load_learner(write_model(classes=classes)), films[:1])
    predictors: dict[str, Callable[[Path], dict[str, object]]] = {
        "csv": lambda p: next(csv.DictReader(io.StringIO(p.read_bytes().decode(), ""))),
        "jsonl": lambda p: json.loads(p.read_text(encoding="utf-8")),
        "parquet": lambda p: pd.read_parquet(p).iloc[0].to_dict(),
    }
    for suffix, read in predictors.items():
        found = read(write_rows([row], tmp_path / f"rows.{suffix}"))
        assert list(found) == list(row)
        assert found["most_probable"] == row["most_probable"]
        assert float(str(found[f"prob_{classes[1]}"])) == row[f"prob_{classes[1]}"]


def test_json_lines_say_null(predictor: Predictor, mixed: list[Path], tmp_path: Path) -> None:
    rows = predict_files(predictor, mixed)
    lines = write_rows(rows, tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == rows


@pytest.mark.parametrize("name", ["rows.xlsx", "rows", "rows.CSV.gz"])
def test_another_format_is_wrong_usage(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"must end in \.csv, \.parquet, \.jsonl"):
        write_rows([{"path": "a"}], tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_full_disk_leaves_nothing_half_written(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / f"rows.{suffix}"
    out.write_bytes(b"the one before")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(formats, "encoded", full)
    monkeypatch.setattr(formats, "write_parquet", full)
    with progress_disabled(), pytest.raises(StorageError, match="disk full"):
        write_rows([{"path": "a"}], out)
    assert out.read_bytes() == b"the one before" and list(tmp_path.iterdir()) == [out]
