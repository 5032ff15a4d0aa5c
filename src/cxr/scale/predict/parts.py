"""The rows of many files in numbered parts, Parquet files that outlive a kill: no row is lost or
there twice.

Each part is written whole under a name that follows from its number, by the one process that holds
the folder. Whoever goes on makes those that are not there.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from ..._io.journal import JobDescription, check_same
from ..._io.text import error_text
from ...apply.batch.formats import schema_of
from ...apply.batch.image_list import batches
from ...apply.batch.rows import CHUNK, Row
from ...errors import DataError, UsageError
from ...pixels import map_in_order
from .storage import LOCK, StorageFolder

JOURNAL = "_cxr.json"  # readers of Parquet pass over names that begin with _
AT_ONCE = 8  # requests to the storage
SIZE = 8 * CHUNK
"""Files in a part. A multiple of CHUNK, so that batches, and the last digits with them, are those
of the local engine; small enough that little is done again when a worker dies."""

PartTask = tuple[int, bytes]
"""The number of a part and, packed, the names of its files."""

NAME = re.compile(r"part-(\d{8})\.parquet")
FACTS = b"cxr"  # the key in the footer of the file


@dataclass(frozen=True)
class PartFacts:
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
    match = NAME.fullmatch(name)
    return int(match[1]) if match else None


def count(files: int) -> int:
    """How many parts so many files make."""
    return -(-files // SIZE)


def rows_in(number: int, files: int) -> int:
    return min(SIZE, files - number * SIZE)


def tasks(names: Iterable[str]) -> Iterator[PartTask]:
    return enumerate(map(packed, batches(names, SIZE)))


def packed(names: Sequence[str]) -> bytes:
    return zlib.compress("\0".join(names).encode(), 1)


def unpacked(names: bytes) -> list[str]:
    return zlib.decompress(names).decode().split("\0")


def encoded(rows: Sequence[Row], facts: PartFacts) -> bytes:
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


def read_facts(file: Any) -> PartFacts | None:
    """Of a file that was written to its end; None for any other. Raises OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        footer = pq.read_metadata(file)
        facts = PartFacts(**json.loads((footer.metadata or {})[FACTS]))
    except (pa.ArrowInvalid, KeyError, TypeError, ValueError):
        return None
    return facts if facts.rows == footer.num_rows else None


def read_rows(file: Any) -> list[Row]:
    """Raises OSError or pyarrow.ArrowInvalid when it is damaged."""
    import pyarrow.parquet as pq

    return pq.read_table(file, page_checksum_verification=True).to_pylist()


class Parts:
    """`with Parts(folder, job, files) as parts: parts.add(facts, data); ...`

    `job` says what rows depend on and must not change between the calls that fill one folder;
    `restart` drops what is there. Raises UsageError when the folder was begun for another job, is
    under way in another process or holds other files; StorageError when it cannot be written.
    """

    def __init__(
        self, folder: StorageFolder, job: JobDescription, files: int, *, restart: bool = False
    ) -> None:
        self.folder, self.job, self.files, self._restart = folder, job, files, restart
        self.digest = hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()
        self.done: dict[int, int] = {}  # number of a part -> unreadable files in it
        self._held = ExitStack()

    def __enter__(self) -> Parts:
        with ExitStack() as held:
            held.enter_context(self.folder.locked())
            self._begin()
            self._held = held.pop_all()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._held.close()

    @property
    def rows(self) -> int:
        """That are certain."""
        return sum(map(self.rows_in, self.done))

    @property
    def unreadable(self) -> int:
        return sum(self.done.values())

    def rows_in(self, number: int) -> int:
        return rows_in(number, self.files)

    def missing(self) -> Iterator[int]:
        return (number for number in range(count(self.files)) if number not in self.done)

    def add(self, facts: PartFacts, data: bytes) -> None:
        self.folder.write(name_of(facts.number), data)
        self.done[facts.number] = facts.unreadable

    def read(self) -> Iterator[list[Row]]:
        """The rows of each part, in order. Raises DataError for a part that was changed since."""
        yield from map_in_order(self._rows, range(count(self.files)), 2)

    def finish(self) -> None:
        """Says that all parts are there."""
        self._write_journal(whole=True)

    def remove(self) -> None:
        """When they are not needed any more; the journal last, since it says what parts are."""
        for number in sorted(self.done):
            self.folder.remove(name_of(number))
        self.folder.remove(JOURNAL)
        self._held.close()  # Windows removes no open file
        self.folder.remove_folder()

    def _begin(self) -> None:
        names = self.folder.names()
        parts = [name for name in names if number_of(name) is not None]
        self._refuse_others({n for n in names if not n.endswith(".new")}, parts)
        if self._restart:
            for name in parts:
                self.folder.remove(name)
        elif JOURNAL in names:
            check_same(self.folder.place, self._begun(), self.job)
        self._write_journal(whole=False)
        for facts in map_in_order(self._facts, [] if self._restart else parts, AT_ONCE):
            if facts is not None:
                self.done[facts.number] = facts.unreadable

    def _refuse_others(self, names: set[str], parts: list[str]) -> None:
        ours = {JOURNAL, LOCK} | (set(parts) if JOURNAL in names or self._restart else set())
        if names - ours:
            raise UsageError(
                f"{self.folder.place} holds other files ({min(names - ours)}); name a new or "
                "empty folder"
            )

    def _write_journal(self, *, whole: bool) -> None:
        text = json.dumps({"whole": whole, "job": self.job}, indent=2, ensure_ascii=False)
        self.folder.write(JOURNAL, text.encode())

    def _begun(self) -> JobDescription:
        try:
            journal = json.loads(self.folder.read(JOURNAL))
            if isinstance(journal, dict) and isinstance(journal.get("job"), dict):
                return journal["job"]
            why = "it does not say what the parts are"
        except (OSError, ValueError) as error:
            why = str(error)
        raise UsageError(
            f"{self.folder.place}: {JOURNAL} cannot be used ({why}); begin anew with --restart"
        )

    def _facts(self, name: str) -> PartFacts | None:
        """None for a part that is to be made again."""
        try:
            with self.folder.open(name) as file:
                facts = read_facts(file)
        except OSError:
            return None
        number = number_of(name)
        if facts is None or number is None or number >= count(self.files):
            return None
        right = (self.digest, number, self.rows_in(number))
        return facts if (facts.job, facts.number, facts.rows) == right else None

    def _rows(self, number: int) -> list[Row]:
        from pyarrow import ArrowInvalid

        name = name_of(number)
        try:
            with self.folder.open(name) as file:
                rows = read_rows(file)
            if len(rows) == self.rows_in(number):
                return rows
            why = f"{len(rows)} rows"
        except (OSError, ArrowInvalid) as error:
            why = error_text(error)
        raise DataError(
            f"{self.folder.place}/{name} was changed or damaged since it was written ({why}); "
            "remove it, then the same command makes it again"
        )
