"""Rows as CSV, as JSON lines, and as Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

from ..._io import atomic_path
from ...errors import UsageError

FORMATS = (".csv", ".parquet", ".jsonl")
BLOCK = 1 << 12  # rows encoded at a time
ROW_GROUP = 1 << 16  # rows of a Parquet file that are in memory at once
BOOLEANS = ("confident", "out_of_distribution")


def check_format(out: Path) -> None:
    """Raises UsageError for a name that says no known format, or one that cannot be written."""
    if out.suffix not in FORMATS:
        raise UsageError(f"cannot write {out}: the name must end in {', '.join(FORMATS)}")
    if out.suffix == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise UsageError(
                f"cannot write {out}: pyarrow is not installed; run: pip install pyarrow, "
                "or name a .csv or .jsonl file"
            ) from error


def write_rows(rows: Sequence[dict[str, Any]], out: Path) -> Path:
    """CSV, Parquet or JSON lines by the suffix of `out`; whole or not at all."""
    check_format(out)
    with atomic_path(out) as temporary:
        write_table(iter(rows), list(rows[0]), temporary, out.suffix)
    return out


def write_table(
    rows: Iterator[dict[str, Any]], columns: Sequence[str], path: Path, suffix: str
) -> None:
    """Any number of rows in constant memory, in the format that `suffix` names."""
    if suffix == ".parquet":
        write_parquet(rows, columns, path)
        return
    with path.open("wb") as file:
        file.write(heading(columns, suffix))
        while block := list(islice(rows, BLOCK)):
            file.write(encoded(block, suffix))


def heading(columns: Sequence[str], suffix: str) -> bytes:
    """What stands before the first row."""
    return _csv([columns]) if suffix == ".csv" else b""


def encoded(rows: Iterable[dict[str, Any]], suffix: str) -> bytes:
    """Rows of a CSV file, or else as lines of JSON. Python's shortest exact form of numbers."""
    if suffix == ".csv":
        return _csv(row.values() for row in rows)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return "".join(lines).encode(errors="replace")  # a reason may quote anything


def _csv(rows: Iterable[Iterable[Any]]) -> bytes:
    text = StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode(errors="replace")


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="\n") as lines:
        yield from map(json.loads, lines)


def write_parquet(rows: Iterator[dict[str, Any]], columns: Sequence[str], out: Path) -> None:
    """In row groups, so that any number of rows needs the memory of one group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = schema_of(columns)
    with pq.ParquetWriter(out, schema) as writer:
        while group := list(islice(rows, ROW_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema))


def schema_of(columns: Iterable[str]) -> Any:
    """A `pyarrow.Schema` of rows with these columns."""
    import pyarrow as pa

    return pa.schema([(name, _kind(name)) for name in columns])


def _kind(column: str) -> str:
    """The type of a column, which its first rows may not show: there may be no figures in them."""
    if column in BOOLEANS:
        return "bool"
    probabilities = column == "probability" or column.startswith(
        ("prob_", "threshold_", "at_prevalence_", "frame_")
    )
    return "double" if probabilities else "string"
