"""A part: the rows of so many files that follow each other, as a Parquet file that says whose."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...apply.batch.formats import schema_of
from ...apply.batch.image_list import batches
from ...apply.batch.rows import CHUNK, Row

SIZE = 8 * CHUNK
"""Files in a part. A multiple of CHUNK, so that batches, and the last digits with them, are those
of the local engine; small enough that little is done again when a worker dies."""

Task = tuple[int, bytes]
"""The number of a part and, packed, the names of its files."""

NAME = re.compile(r"part-(\d{8})\.parquet")
FACTS = b"cxr"  # the key in the footer of the file


@dataclass(frozen=True)
class Facts:
    """Written into a part. `job` is the digest of what results depend on, `node` where the part
    was made."""

    job: str
    number: int
    rows: int
    unreadable: int
    node: str = ""


def name_of(number: int) -> str:
    return f"part-{number:08}.parquet"


def number_of(name: str) -> int | None:
    """None for a file that is no part."""
    found = NAME.fullmatch(name)
    return int(found[1]) if found else None


def count(files: int) -> int:
    """How many parts so many files make."""
    return -(-files // SIZE)


def rows_in(number: int, files: int) -> int:
    return min(SIZE, files - number * SIZE)


def tasks(names: Iterable[str]) -> Iterator[Task]:
    return enumerate(map(packed, batches(names, SIZE)))


def packed(names: Sequence[str]) -> bytes:
    return zlib.compress("\0".join(names).encode(), 1)


def unpacked(names: bytes) -> list[str]:
    return zlib.decompress(names).decode().split("\0")


def encoded(rows: Sequence[Row], facts: Facts) -> bytes:
    """With checksums, so that a flipped bit on a disk is found when the part is read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = schema_of(rows[0]).with_metadata({FACTS: json.dumps(asdict(facts)).encode()})
    table = pa.Table.from_pylist([_in_utf8(row) for row in rows], schema)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, write_page_checksum=True)
    return sink.getvalue().to_pybytes()


def _in_utf8(row: Row) -> Row:
    """A reason may quote anything."""
    if row["error"] is None:
        return row
    return {**row, "error": row["error"].encode(errors="replace").decode()}


def read_facts(file: Any) -> Facts | None:
    """Of a file that was written to its end; None for any other. Raises OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        footer = pq.read_metadata(file)
        facts = Facts(**json.loads((footer.metadata or {})[FACTS]))
    except (pa.ArrowInvalid, KeyError, TypeError, ValueError):
        return None
    return facts if facts.rows == footer.num_rows else None


def read_rows(file: Any) -> list[Row]:
    """Raises OSError or pyarrow.ArrowInvalid when it is damaged."""
    import pyarrow.parquet as pq

    return pq.read_table(file, page_checksum_verification=True).to_pylist()
