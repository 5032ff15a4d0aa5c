from __future__ import annotations

import gzip

import pandas as pd
import pytest

from cxr.errors import ManifestError, UsageError
from cxr.find.layouts.table_file import read_frame


def write(tmp_path, text, name="data.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("data.csv", "path,label\n00013.png,1\nb.png,\n"),
        ("data.csv", "path;label\n00013.png;1\nb.png;\n"),
        ("data.tsv", "path\tlabel\r\n00013.png\t1\r\nb.png\t\r\n"),
        ("data.csv", "\ufeffpath,label\n00013.png,1\nb.png,NA\n"),
    ],
)
def test_cells_are_text_and_blanks_are_missing(tmp_path, name, text):
    frame = read_frame(write(tmp_path, text, name))
    assert list(frame.columns) == ["path", "label"]
    assert frame["path"].tolist() == ["00013.png", "b.png"]
    assert frame["label"][0] == "1"
    assert pd.isna(frame["label"][1])


def test_none_may_be_a_class(tmp_path):
    assert read_frame(write(tmp_path, "path,label\na.png,None\n"))["label"].tolist() == ["None"]


def test_gzip(tmp_path):
    packed = gzip.compress(b"path;label\na.png;x\n")
    assert read_frame(write(tmp_path, packed, "data.csv.gz")).columns.tolist() == ["path", "label"]


def test_parquet_cells_read_as_csv_cells(tmp_path):
    frame = pd.DataFrame(
        {
            "path": ["a.png", "b.png"],
            "label": [1, 0],
            "flag": [1.0, None],
            "seen": [True, False],
            "age": [58.5, 3.0],
        }
    )
    frame.to_parquet(tmp_path / "data.parquet")
    read = read_frame(tmp_path / "data.parquet")
    assert read["label"].tolist() == ["1", "0"]
    assert read["flag"][0] == "1" and pd.isna(read["flag"][1])
    assert read["seen"].tolist() == ["1", "0"]
    assert read["age"].tolist() == ["58.5", "3.0"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        ("path,label\n", "header but no rows"),
        ("a.png,NORMAL\nb.png,NORMAL\n", r"has no header .*a\.png"),
        ("path,label\ncaf\u00e9.png,x\n".encode("latin-1"), "is not UTF-8"),
        ("path,label\na.png,x\n".encode("utf-16"), "is not UTF-8"),
        ("path,label\na.png,x\nb.png,x,y,z\n", "cannot be read as a table"),
        ("path,label\na.png,x,1\nb.png,x,2\n", "cannot be read as a table"),
        ('path,label\n"a.png,x\n', "cannot be read as a table"),
    ],
)
def test_unreadable_tables_are_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(ManifestError, match=message) as caught:
        read_frame(write(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert "data.csv" in str(caught.value)


def test_damaged_gzip_and_parquet(tmp_path):
    with pytest.raises(ManifestError, match="cannot be read"):
        read_frame(write(tmp_path, b"\x1f\x8bnonsense", "data.csv.gz"))
    with pytest.raises(ManifestError, match="cannot be read as Parquet"):
        read_frame(write(tmp_path, b"PAR1nonsense", "data.parquet"))


def test_a_file_that_is_no_table(tmp_path):
    with pytest.raises(UsageError, match=r"data\.xlsx is not a table"):
        read_frame(write(tmp_path, b"PK", "data.xlsx"))
