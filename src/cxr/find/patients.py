"""Whose image is it? The patient as file names tell it.

Several images of one person must not end up on both sides of a split: a model recognises the
person. Each public data set hides the patient in its names in another way; `PATTERNS` holds
these ways as data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from ..errors import UsageError

NEARLY_ALL = 0.95


@dataclass(frozen=True)
class PatientPattern:
    """How one data set writes the patient (and perhaps the study) into a path.

    `regexes` are searched in the path written with `/`; the first that fits gives the group
    `patient` (or else its first group) and, where there is one, the group `study`.
    """

    name: str
    regexes: tuple[re.Pattern[str], ...]

    def match(self, path: str) -> re.Match[str] | None:
        return next((match for regex in self.regexes if (match := regex.search(path))), None)

    def patient(self, path: str) -> str | None:
        match = self.match(path)
        if match is None:
            return None
        return (match["patient"] if "patient" in match.groupdict() else match[1]) or None

    def study(self, path: str) -> str | None:
        """`patient/study`, as study names such as `study1` repeat from patient to patient."""
        match = self.match(path)
        if match is None or not match.groupdict().get("study"):
            return None
        return f"{self.patient(path)}/{match['study']}"


def _pattern(name: str, *regexes: str) -> PatientPattern:
    return PatientPattern(name, tuple(re.compile(rf"(?:^|/){regex}") for regex in regexes))


PATTERNS: dict[str, PatientPattern] = {
    pattern.name: pattern
    for pattern in (
        # person63_bacteria_306.jpeg, IM-0115-0001.jpeg, NORMAL2-IM-0383-0001.jpeg and, in the
        # first release, BACTERIA-1083680-0001.jpeg; bacteria and virus are numbered separately.
        _pattern(
            "kermany",
            r"(?P<patient>person\d+_(?:bacteria|virus))_\d[^/]*$",
            r"(?P<patient>(?:NORMAL\d*-)?IM-\d+)-\d[^/]*$",
            r"(?P<patient>(?:BACTERIA|VIRUS|NORMAL)-\d+)-\d[^/]*$",
        ),
        _pattern("nih", r"(?P<patient>\d{8})_\d{3}\.\w+$"),  # 00000013_005.png
        # patient00001/study1/view1_frontal.jpg
        _pattern("chexpert", r"(?P<patient>patient\d{5,})/(?P<study>study\d+)/[^/]+$"),
        # p10/p10000032/s50414267/<uuid>.jpg
        _pattern("mimic", r"(?P<patient>p\d{8})/(?P<study>s\d{8})/[^/]+$"),
        _pattern("phantom", r"(?P<patient>phantom\d+)_\d+\.\w+$"),  # phantom0012_003.png
    )
}


def detect_pattern(paths: Iterable[PurePath | str]) -> PatientPattern | None:
    """The known pattern that at least 95 % of the paths follow, or None.

    Where no single one does, but several together do (data sets put into one folder), they are
    joined into one, named like `kermany+nih`.
    """
    names = [_posix(path) for path in paths]
    hits = {
        name: sum(pattern.match(path) is not None for path in names)
        for name, pattern in PATTERNS.items()
    }
    if not names:
        return None
    best = max(hits, key=lambda name: hits[name])
    if hits[best] >= NEARLY_ALL * len(names):
        return PATTERNS[best]
    parts = [PATTERNS[name] for name, count in hits.items() if count]
    joined = PatientPattern(
        "+".join(part.name for part in parts),
        tuple(regex for part in parts for regex in part.regexes),
    )
    covered = sum(joined.match(path) is not None for path in names)
    return joined if covered >= NEARLY_ALL * len(names) else None


def find_pattern(pattern: str | None, paths: Sequence[PurePath | str]) -> PatientPattern | None:
    """`"auto"`, a name in `PATTERNS`, a regular expression with a group, or None for no pattern.

    Raises UsageError when `pattern` is none of these, or fits none of the paths.
    """
    if pattern is None:
        return None
    if pattern == "auto":
        return detect_pattern(paths)
    chosen = PATTERNS.get(pattern) or _compile(pattern)
    if paths and not any(chosen.patient(_posix(path)) for path in paths):
        raise UsageError(
            f"the patient pattern {pattern!r} fits none of {len(paths)} paths "
            f"(the first: {PurePath(paths[0]).name})"
        )
    return chosen


def patients_of(paths: Sequence[PurePath | str], pattern: str | None = "auto") -> list[str | None]:
    """The patient of each path, None where it is not known.

    pattern: "auto" (see `detect_pattern`), a name in `PATTERNS`, or a regular expression, searched
    in the path written with `/`, whose group `patient` (or else first group) is the patient.
    Raises UsageError for a pattern that cannot be used.
    """
    known = find_pattern(pattern, paths)
    return [known.patient(_posix(path)) if known else None for path in paths]


def identity_note(patients: Sequence[str | None], source: str | None) -> str:
    """One sentence: what patient identity was found, and where (`source`), or that none was."""
    known = [patient for patient in patients if patient is not None]
    if not known or source is None:
        return (
            f"no patient identity was found for {len(patients):,} images: images of one person may "
            "end up on both sides of a split; give a patient column or a patient pattern"
        )
    missing = len(patients) - len(known)
    without = f"; {missing:,} images have no patient" if missing else ""
    return f"{len(set(known)):,} patients in {len(known):,} images, from {source}{without}"


def _compile(pattern: str) -> PatientPattern:
    try:
        regex = re.compile(pattern)
    except re.error as error:
        raise UsageError(
            f"the patient pattern {pattern!r} is not a regular expression ({error})"
        ) from error
    if not regex.groups:
        raise UsageError(
            f"the patient pattern {pattern!r} is neither a known name ({', '.join(PATTERNS)}) nor "
            "a regular expression with a group, such as '(?P<patient>P[0-9]+)_'"
        )
    return PatientPattern(pattern, (regex,))


def _posix(path: PurePath | str) -> str:
    return path.as_posix() if isinstance(path, PurePath) else path.replace("\\", "/")
