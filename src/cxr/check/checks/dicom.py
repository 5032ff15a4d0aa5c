"""What DICOM headers say of how the images were made and shown: is each a frontal chest X-ray?

Only headers are read. A set without DICOM gets no finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._io.text import listed
from ...errors import ImageError
from ...pixels import available_cpus, decoder_fault, is_dicom, map_in_order, read_dicom_facts
from ...pixels.doubt import RADIOGRAPHS, is_chest, is_lateral
from ..finding import Finding
from ..scan import Scan

SPREAD = 2.0  # times the finest pixel spacing: a heart is then drawn half as large
APART = 0.2  # of the share of files, between two classes
EXAMPLES = 12  # on the page
LISTED = 6


@dataclass(frozen=True, eq=False)
class Headers:
    """The DICOM files of a set: their rows in the manifest, and the facts of each header."""

    scan: Scan
    rows: npt.NDArray[np.int64]
    facts: Sequence[Mapping[str, Any]]

    def __len__(self) -> int:
        return len(self.facts)

    def known(self, name: str) -> list[Any]:
        """The values of a fact, where there is one."""
        return [fact[name] for fact in self.facts if fact[name] is not None]

    def where(self, name: str, test: Callable[[Any], bool]) -> list[int]:
        """Positions of the files whose fact is known and passes `test`."""
        return [
            i for i, fact in enumerate(self.facts) if fact[name] is not None and test(fact[name])
        ]


def check_dicom(scan: Scan) -> list[Finding]:
    """Findings on whole groups of files; `check_unreadable` names the single ones."""
    headers = _headers(scan)
    without = _without_image(scan)
    if not len(headers):
        return without
    return [
        *without,
        *_not_frontal(headers),
        *_decoders(headers),
        *_contrast(headers),
        *_photometric(headers),
        *_spacing(headers),
        *_manufacturers(headers),
    ]


def _without_image(scan: Scan) -> list[Finding]:
    """A damaged image can look like one of these, so that each is named."""
    without = scan.manifest.left_out
    if not without:
        return []
    kinds = Counter(without.values())
    counts = ", ".join(f"{n:,} {kind}" for kind, n in kinds.most_common(5))
    return [
        Finding(
            code="dicom-without-image",
            severity="info",
            message=f"{len(without):,} DICOM files hold no image and are left out: {counts}",
            evidence={"kinds": dict(kinds), "files": sorted(without)},
        )
    ]


def _headers(scan: Scan) -> Headers:
    """Those that cannot be read are left out: their files are unreadable as well."""
    read = map_in_order(_facts, scan.manifest.paths(), available_cpus())
    facts_of = {row: facts for row, facts in enumerate(read) if facts is not None}
    return Headers(scan, np.array(list(facts_of), dtype=np.int64), list(facts_of.values()))


def _facts(path: Path) -> Mapping[str, Any] | None:
    try:
        return read_dicom_facts(path) if is_dicom(path) else None
    except ImageError:
        return None


@dataclass(frozen=True)
class HeaderRule:
    """A warning for files whose `fact` of the header passes `test`."""

    fact: str
    test: Callable[[Any], bool]
    code: str
    what: str
    action: str


RULES = (
    HeaderRule(
        "modality",
        lambda value: value.upper() not in RADIOGRAPHS,
        "dicom-modality",
        "not radiographs by their modality",
        "leave them out",
    ),
    HeaderRule(
        "view_position",
        is_lateral,
        "dicom-lateral",
        "lateral views by their header",
        "leave them out, or train on frontal and lateral views apart",
    ),
    HeaderRule(
        "body_part",
        lambda value: not is_chest(value),
        "dicom-body-part",
        "of another part of the body by their header",
        "look at them, as this entry is often wrong; leave out what is no chest",
    ),
    HeaderRule(
        "presentation_intent",
        lambda value: value.upper() == "FOR PROCESSING",
        "dicom-for-processing",
        "raw values of the detector, not meant to be looked at",
        "export the images FOR PRESENTATION: raw values have another contrast",
    ),
    HeaderRule(
        "frames",
        lambda value: value > 1,
        "dicom-frames",
        "refused, as they hold several frames and nothing says which is the image",
        "export the one frame to use, or leave them out",
    ),
)


def _not_frontal(headers: Headers) -> list[Finding]:
    """One warning for each rule that some files break, with a few of their images."""
    findings = []
    for rule in RULES:
        rows = headers.where(rule.fact, rule.test)
        values = [str(headers.facts[i][rule.fact]) for i in rows]
        counts = Counter(values)
        examples = [
            {"path": headers.scan.names[headers.rows[i]], "caption": value}
            for i, value in zip(rows[:EXAMPLES], values, strict=False)
        ]
        if rows:
            message = f"{len(rows):,} of {len(headers):,} DICOM files are {rule.what}"
            findings.append(
                Finding(
                    rule.code,
                    "warning",
                    f"{message}: {_listed(counts)}",
                    evidence={"files": len(rows), "values": dict(counts), "examples": examples},
                    action=rule.action,
                )
            )
    return findings


def _decoders(headers: Headers) -> list[Finding]:
    """The transfer syntaxes, and an error for each that no installed plug-in decodes."""
    from pydicom.uid import UID

    counts = Counter(headers.known("transfer_syntax"))
    names = Counter({UID(syntax).name: n for syntax, n in counts.items()})
    message = f"DICOM files are stored as {_listed(names)}"
    faults = {syntax: decoder_fault(syntax) for syntax in counts}
    return [
        *([_info("dicom-transfer-syntax", message, names)] if names else []),
        *(
            Finding(
                code="dicom-no-decoder",
                severity="error",
                message=f"{counts[syntax]:,} DICOM files cannot be decoded here: {fault}",
                evidence={"transfer_syntax": syntax, "files": counts[syntax]},
                action="install such a plug-in, or save the files in another transfer syntax",
            )
            for syntax, fault in faults.items()
            if fault is not None
        ),
    ]


def _contrast(headers: Headers) -> list[Finding]:
    """How stored values become grey levels, and whether that differs between classes."""
    ways = [_way(fact) for fact in headers.facts]
    message = f"grey levels of DICOM files come from {_listed(Counter(ways))}"
    apart = _apart_by_class(headers, ways)
    if apart:
        message += f"; the classes differ ({apart}), which a model may learn instead of the lungs"
    return [_info("dicom-contrast", message, Counter(ways), classes_differ=bool(apart))]


def _way(fact: Mapping[str, Any]) -> str:
    before = {"lut": "a modality LUT, then ", "linear": "a rescale, then ", None: ""}
    after = {"voi lut": "a VOI LUT", "window": "a window", None: "the image's own range"}
    return before[fact["rescale"]] + after[fact["contrast"]]


def _apart_by_class(headers: Headers, ways: Sequence[str]) -> str:
    """Where two classes differ most in how often a way is used; nothing where they hardly do."""
    if not headers.scan.label_columns:
        return ""
    flags = headers.scan.flags[headers.rows] == 1
    has = flags.any(axis=0)
    names, flags = np.array(headers.scan.manifest.classes)[has], flags[:, has]
    most, words = APART, ""
    for way in dict.fromkeys(ways):
        uses = np.array([one == way for one in ways], dtype=float)
        shares = uses @ flags / flags.sum(axis=0)
        if has.any() and np.ptp(shares) > most:
            most, high, low = np.ptp(shares), shares.argmax(), shares.argmin()
            share_of = (f"{shares[i]:.0%} of {names[i]}" for i in (high, low))
            words = f"{way}: {', '.join(share_of)}"
    return words


def _photometric(headers: Headers) -> list[Finding]:
    counts = Counter(headers.known("photometric_interpretation"))
    if set(counts) <= {"MONOCHROME2"}:
        return []
    inverted = "; MONOCHROME1 is inverted when read" if "MONOCHROME1" in counts else ""
    message = f"the photometric interpretation is {_listed(counts)}{inverted}"
    return [_info("dicom-photometric", message, counts)]


def _spacing(headers: Headers) -> list[Finding]:
    known = headers.known("pixel_spacing")
    findings = []
    if missing := len(headers) - len(known):
        message = f"{missing:,} of {len(headers):,} DICOM files do not say how large a pixel is"
        findings.append(_info("dicom-spacing-absent", message, {"absent": missing}))
    low, high = np.quantile([max(one) for one in known], [0.01, 0.99]) if known else (1.0, 1.0)
    if high > SPREAD * low:
        findings.append(
            Finding(
                code="dicom-spacing",
                severity="warning",
                message=f"pixels measure from {low:.2g} to {high:.2g} mm: these images come from "
                "very different devices, or were resized before",
                evidence={"low_mm": float(low), "high_mm": float(high), "files": len(known)},
                action="look at the finest and the coarsest, and measure on each by itself",
            )
        )
    return findings


def _manufacturers(headers: Headers) -> list[Finding]:
    counts = Counter(maker.upper() for maker in headers.known("manufacturer"))
    if len(counts) < 2:
        return []
    message = f"the images come from {len(counts):,} manufacturers: {_listed(counts)}"
    return [_info("dicom-manufacturers", message, counts)]


def _info(code: str, message: str, files: dict[str, int], **evidence: Any) -> Finding:
    return Finding(code, "info", message, evidence={"files": dict(files), **evidence})


def _listed(counts: Counter[str]) -> str:
    return listed([f"{name} ({n:,})" for name, n in counts.most_common()], most=LISTED)
