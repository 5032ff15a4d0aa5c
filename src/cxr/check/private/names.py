"""Private data in the names of files and in the columns of a table."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...find.patients import PATTERNS

DATES, NUMBERS, PEOPLE = "name-dates", "name-numbers", "name-people"
KINDS = {
    PEOPLE: "names or identifiers of patients (as their DICOM headers have them)",
    DATES: "dates",
    NUMBERS: "long numbers, as of patients, orders or an archive",
}
_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
_DATE = re.compile(
    rf"(?<!\d)(?:{_YEAR}(?P<a>[-_.]?){_MONTH}(?P=a){_DAY}|{_DAY}(?P<b>[-_.]){_MONTH}(?P=b){_YEAR}"
    rf"|{_MONTH}(?P<c>[-_.]){_DAY}(?P=c){_YEAR})(?!\d)"
)
_NUMBER = re.compile(r"(?<![0-9a-fA-F])0*[1-9]\d{6,}(?![0-9a-fA-F])")
_UID = re.compile(r"(?<![\d.])[0-2](?:\.\d+){5,}")
_PSEUDONYM = re.compile(r"2\.25\.\d{30,39}")
_CARET = re.compile(r"[^\W\d_]{2,}\^[^\W\d_]{2,}")

_COLUMNS = {  # words of a column's name, in lower case without what is between them
    "names": (
        *("patientname", "fullname", "firstname", "lastname", "surname", "givenname"),
        *("familyname", "forename", "nameofpatient", "physician", "doctor", "radiologist"),
        *("operator", "mothername", "vorname", "nachname", "nombre", "apellido", "prenom"),
    ),
    "birth dates": ("birth", "dob", "born", "geburt", "nacimiento", "naissance"),
    "identifiers": (
        *("mrn", "medicalrecord", "ssn", "socialsecurity", "nhsnumber", "accession"),
        *("insurance", "passport", "hospitalnumber"),
    ),
    "addresses": ("address", "street", "postcode", "zipcode", "phone", "telephone", "email"),
    "dates": ("studydate", "examdate", "acquisitiondate", "admissiondate", "scandate"),
}
_EXACT = {"name": "names", "zip": "addresses", "date": "dates", "nhs": "identifiers"}


def is_public(name: str) -> bool:
    """Named by a pattern of a public data set (`cxr.find.PATTERNS`): it holds pseudonyms only."""
    return any(pattern.match(name) for pattern in PATTERNS.values())


def kinds_in_name(name: str) -> set[str]:
    """Dates, long numbers and names in a path relative to the data set, written with `/`."""
    if is_public(name):
        return set()
    rest = _PSEUDONYM.sub("", name)
    kinds = set()
    if _DATE.search(rest):
        kinds.add(DATES)
    rest = _DATE.sub(" ", rest)
    if _UID.search(rest) or _NUMBER.search(rest):
        kinds.add(NUMBERS)
    if _CARET.search(rest):
        kinds.add(PEOPLE)
    return kinds


def kind_of_column(name: str) -> str | None:
    """`"birth dates"` for "Date_of_Birth"; None where a column's name tells of nothing private."""
    plain = re.sub(r"[^a-z]", "", name.lower())
    if plain in _EXACT:
        return _EXACT[plain]
    return next((kind for kind, words in _COLUMNS.items() if _any_in(words, plain)), None)


def _any_in(words: Iterable[str], text: str) -> bool:
    return any(word in text for word in words)
