"""Names, dates and identifiers: in DICOM headers, in image files, in file names, in the table.

Findings say what kind there is, in which fields and in how many files: never a value, and never
the name of a file that holds one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..._io import quiet_pydicom
from ..._io.text import listed
from ...pixels import available_cpus, map_in_order
from ..finding import Finding, Severity
from ..scan import Scan
from . import names, notes, profile
from .headers import HeaderFacts, header_facts
from .names import kind_of_column, kinds_in_name
from .notes import Note, notes_of

LISTED = 6  # fields
SIGNATURE = 10  # files with the very same text: a program wrote it, not a person about a patient
OWN_COLUMNS = ("path", "label", "patient", "study", "split", "view", "age", "sex", "site")
DEIDENTIFY = "write copies with cxr deidentify before you pass these files on"
SAVE_AGAIN = "save the images again without such fields before you pass them on"
RENAME = "give the files names without it before you pass them on"


@dataclass
class Tally:
    """Files that hold one kind: how many, by field, with how many different texts.

    `marked`: of these, the ones whose header says that the patient's identity was removed.
    """

    files: int = 0
    marked: int = 0
    fields: Counter[str] = field(default_factory=Counter)
    texts: set[bytes] = field(default_factory=set)

    def add(
        self, fields: Iterable[str], *, marked: bool = False, texts: Iterable[bytes] = ()
    ) -> None:
        self.files += 1
        self.marked += marked
        self.fields.update(fields)
        self.texts.update(texts)

    @property
    def listed_fields(self) -> str:
        return listed([f"{name} {n:,}" for name, n in self.fields.most_common()], most=LISTED)


class _PrivateData(NamedTuple):
    header: HeaderFacts | None
    notes: list[Note]
    in_name: set[str]


def check_private(scan: Scan) -> list[Finding]:
    """One finding for each kind of private data and each place where it stands."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    n_headers = 0
    jobs = zip(scan.manifest.paths(), scan.names, strict=True)
    quiet_pydicom()
    for one in map_in_order(_look, jobs, available_cpus()):
        n_headers += one.header is not None
        _count(one, tallies)
    n_files = len(scan.names)
    return [
        *(_in_headers(kind, tallies[kind], n_headers) for kind in profile.KINDS if kind in tallies),
        *(_in_images(kind, tallies[kind], n_files) for kind in notes.KINDS if kind in tallies),
        *(_in_names(kind, tallies[kind], n_files) for kind in names.KINDS if kind in tallies),
        *_in_columns(scan),
    ]


def _look(job: tuple[Path, str]) -> _PrivateData:
    path, name = job
    header = header_facts(path, name)
    return _PrivateData(header, notes_of(path) if header is None else [], kinds_in_name(name))


def _count(one: _PrivateData, tallies: dict[str, Tally]) -> None:
    in_name = set(one.in_name)
    if one.header is not None:
        for kind, attributes in one.header.attributes.items():
            tallies[kind].add(attributes, marked=one.header.marked)
        if one.header.in_name:
            in_name.add(names.PEOPLE)
    for kind in in_name:
        tallies[kind].add(())
    for kind in {note.kind for note in one.notes}:
        some = [note for note in one.notes if note.kind == kind]
        tallies[kind].add({note.field for note in some}, texts=[note.digest for note in some])


def _in_headers(kind: str, tally: Tally, n_headers: int) -> Finding:
    all_marked = tally.marked == tally.files
    severity: Severity = "info" if all_marked or kind in profile.MILD else "warning"
    marked = ", though each header says that the identity was removed" if all_marked else ""
    return Finding(
        code=kind,
        severity=severity,
        message=f"{tally.files:,} of {n_headers:,} DICOM headers hold {profile.KINDS[kind]} "
        f"({tally.listed_fields}){marked}",
        evidence={"files": tally.files, "marked": tally.marked, "attributes": dict(tally.fields)},
        action=DEIDENTIFY,
    )


def _in_images(kind: str, tally: Tally, n_files: int) -> Finding:
    same = kind == notes.TEXT and tally.files >= SIGNATURE and len(tally.texts) == 1
    harmless = same or kind == notes.SOFTWARE
    return Finding(
        code=kind,
        severity="info" if harmless else "warning",
        message=f"{tally.files:,} of {n_files:,} image files hold {notes.KINDS[kind]} "
        f"beside the image ({tally.listed_fields}){', the same in all of them' if same else ''}",
        evidence={"files": tally.files, "fields": dict(tally.fields)},
        action="" if harmless else SAVE_AGAIN,
    )


def _in_names(kind: str, tally: Tally, n_files: int) -> Finding:
    return Finding(
        code=kind,
        severity="warning",
        message=f"the names of {tally.files:,} of {n_files:,} files hold {names.KINDS[kind]}",
        evidence={"files": tally.files},
        action=RENAME,
    )


def _in_columns(scan: Scan) -> list[Finding]:
    table = scan.manifest.table
    known = {*OWN_COLUMNS, *scan.label_columns, *scan.manifest.classes}
    columns: dict[str, Counter[str]] = defaultdict(Counter)
    for name in table.columns:
        kind = None if name in known else kind_of_column(str(name))
        filled = int(table[name].notna().sum())
        if kind is not None and filled:
            columns[kind][str(name)] = filled
    return [
        Finding(
            code="private-columns",
            severity="warning",
            message=f"columns of the table seem to hold {kind}: {', '.join(rows)}",
            group=kind,
            evidence={"rows": dict(rows)},
            action="take these columns out of the table before you pass it on",
        )
        for kind, rows in columns.items()
    ]
