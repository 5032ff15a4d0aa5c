from __future__ import annotations

import csv
import errno
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr._io import progress_disabled
from cxr.apply import Predictor, batch, expand_images, load_learner, predict_files, write_rows
from cxr.apply.batch import ImageList, columns_of, formats, image_list, list_images, predict_rows
from cxr.apply.batch import rows as rows_module
from cxr.apply.predictor import load_predictor
from cxr.errors import DataError, StorageError, UsageError
from cxr.find import get_image_files


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


@pytest.mark.parametrize("chunk", [1, 2, 4, 128])
def test_a_row_for_each_file_in_its_order(
    chunk: int, predictor: Predictor, mixed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "CHUNK", chunk)
    rows = predict_files(predictor, mixed)
    assert [row["path"] for row in rows] == [str(path) for path in mixed]
    assert {len(row) for row in rows} == {10}
    assert [row["error"] is None for row in rows] == [True, False, False, *[True] * 5, False]
    for path, row in zip(mixed, rows, strict=True):
        if row["error"] is None:
            logits = predictor.logits(predictor.pixels(path)[np.newaxis])
            chances = predictor.probabilities(logits, calibrated=True)[0].tolist()
            found = [row["prob_NORMAL"], row["prob_PNEUMONIA"]]
            assert found == pytest.approx(chances, abs=1e-5)
            assert row["prediction"] == predictor.predict(path)[0]
            assert row["decision"] == predictor.decision(found)


def test_a_bad_file_has_its_reason_and_no_figures(predictor: Predictor, mixed: list[Path]) -> None:
    rows = {Path(row["path"]).name: row for row in predict_files(predictor, mixed)}
    for name, reason in (
        ("text.jpeg", "no known signature"),
        ("empty.png", "empty"),
        ("gone.png", "no such file"),
    ):
        assert reason in rows[name]["error"] and "Jane" not in rows[name]["error"]
        for key in ("prediction", "decision", "prob_NORMAL", "prob_PNEUMONIA"):
            assert rows[name][key] is None


def test_nothing_is_held_back_for_the_end(predictor: Predictor, films: list[Path]) -> None:
    """Of a million files the first rows come at once: few are read ahead."""
    asked = []

    class Endless(list):  # type: ignore[type-arg]
        def __iter__(self):  # type: ignore[no-untyped-def]
            for i in range(10**6):
                asked.append(i)
                yield films[0]

    first = next(batch.predict_rows(predictor, Endless()))
    assert first["error"] is None and len(asked) < 1000


def test_several_labels(write_model: Callable[..., Path], films: list[Path]) -> None:
    model = write_model(classes=("Edema", "Mass", "Nodule"), multi_label=True)
    (row,) = predict_files(load_learner(model), films[:1])
    chances = {name: row[f"prob_{name}"] for name in ("Edema", "Mass", "Nodule")}
    assert row["decision"] == "; ".join(name for name, p in chances.items() if p >= 0.5)


def test_files_and_folders_are_expanded(films: list[Path]) -> None:
    folder = films[0].parents[1]
    assert expand_images([folder]) == films
    assert expand_images([films[3], folder, str(films[0])]) == [films[3], *films, films[0]]


def test_what_is_not_there_is_named(tmp_path: Path, films: list[Path]) -> None:
    with pytest.raises(UsageError, match=r"no file or folder .*gone\.png"):
        expand_images([films[0], tmp_path / "gone.png"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images under"):
        expand_images([tmp_path / "empty"])


def test_a_list_is_that_of_get_image_files_in_few_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_list, "RUN", 5)
    monkeypatch.setattr(image_list, "BLOCK", 3)
    names = [
        "b/1.png",
        "a/2.PNG",
        "a-b/3.jpg",
        "a.png",
        "a/c/4.png",
        "z.dcm",
        "a/note.txt",
        "é.png",
    ]
    names += [f"many/{i}.png" for i in range(40)]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    expected = get_image_files(tmp_path)
    found = list_images([tmp_path, tmp_path / "a.png"])
    assert list(found) == [*expected, tmp_path / "a.png"] and len(found) == len(expected) + 1
    assert [found[0], found[17], found[-1]] == [expected[0], expected[17], tmp_path / "a.png"]
    assert found[5:30] == expected[5:30] and found[::7] == list(found)[::7]
    assert [list(found.since(n)) for n in (0, 3, 4, 46)] == [list(found)[n:] for n in (0, 3, 4, 46)]
    with pytest.raises(IndexError):
        found[len(found)]


def test_a_folder_of_dicom_without_names_is_listed_too(films: list[Path], tmp_path: Path) -> None:
    content = next(film for film in films if film.suffix == ".dcm").read_bytes()
    for name in ("IM0002", "IM0001.dcm", "sub/IM0003"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "README").write_text("no image")
    assert list(list_images([tmp_path])) == get_image_files(tmp_path)
    (tmp_path / "one.png").touch()
    assert list(list_images([tmp_path])) == get_image_files(tmp_path)


def test_a_million_paths_take_a_few_bytes_each() -> None:
    names = (f"archive/patient{i // 3:06}/study{i % 3}/view1_frontal.jpg" for i in range(100_000))
    packed = ImageList(names)
    assert len(packed) == 100_000 and packed[99_999].parent.name == "study0"
    assert sum(map(len, packed._names._blocks)) < 100_000 * 8


def test_another_list_has_another_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    one = list_images([tmp_path]).fingerprint
    assert list_images([tmp_path]).fingerprint == one
    others = {list_images([tmp_path / "a.png"]).fingerprint}
    monkeypatch.chdir(tmp_path)
    others.add(list_images(["a.png"]).fingerprint)
    (tmp_path / "c.png").touch()
    others.add(list_images([tmp_path]).fingerprint)
    assert len(others) == 3 and one not in others


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    try:
        odd.touch()
    except OSError:
        pytest.skip("this file system has no such names")
    for given in (odd, tmp_path):
        with pytest.raises(DataError, match="is not UTF-8"):
            list_images([given])


def test_another_prevalence_has_its_own_columns(
    write_model: Callable[..., Path], films: list[Path], mixed: list[Path]
) -> None:
    predictor = load_predictor(write_model(training_data={"prevalence": 0.6}), "torch")
    plain, shifted = (
        list(predict_rows(predictor, mixed)),
        list(predict_rows(predictor, mixed, 0.05)),
    )
    names = ["at_prevalence_0.05_NORMAL", "at_prevalence_0.05_PNEUMONIA"]
    assert list(shifted[0]) == columns_of(predictor.config, 0.05)
    for row, own in zip(shifted, plain, strict=True):
        normal, ill = (row.pop(name) for name in names)
        assert row == own
        if own["error"] is None:
            odds = own["prob_PNEUMONIA"] / own["prob_NORMAL"] * (0.05 / 0.95) / (0.6 / 0.4)
            assert ill == pytest.approx(odds / (1 + odds), rel=1e-5)
            assert normal == pytest.approx(1 - ill, abs=1e-6)
        else:
            assert normal is None and ill is None


def test_a_reader_and_a_predictor_say_the_same(tiny_model: Path, mixed: list[Path]) -> None:
    rows = predict_files(load_predictor(tiny_model, "torch"), mixed)
    assert rows == predict_files(load_learner(tiny_model), mixed)


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
        assert found["prediction"] == row["prediction"]
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
