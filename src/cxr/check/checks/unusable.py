"""Images that simple physics shows to be no usable frontal chest X-ray.

Blank or nearly so, too small, a strip, a photograph in colour. What needs a learned eye (turned
images, other anatomy) is in `unusual`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...pixels import release
from ..finding import Finding
from ..scan import BLOCK, Scan

BLANK = 2.0  # grey levels of standard deviation: nothing to see
FAINT = 8.0
SMALL = 64  # pixels of the shorter side: lung markings are gone
STRIP = 2.5  # longer side to shorter: no chest has this shape
IN_COLOUR = 12.0  # see `cxr.pixels.overview.colourfulness`; grey stored as colour is below 2


def check_image(scan: Scan) -> list[Finding]:
    """One finding for each such image, for its worst fault only."""
    contrast = _contrast(scan)
    findings = (
        _fault(scan, int(row), float(contrast[row])) for row in np.flatnonzero(scan.readable)
    )
    return [finding for finding in findings if finding is not None]


def _fault(scan: Scan, row: int, contrast: float) -> Finding | None:
    facts = scan.files[row]
    height, width = facts.height or 1, facts.width or 1
    if contrast < FAINT:
        return _blank(scan, row, contrast)
    if facts.colour > IN_COLOUR:
        return _finding(
            scan,
            row,
            "colour-image",
            "is in colour: a photograph, a screenshot or an overlay, not a plain radiograph",
            {"colour": round(facts.colour, 1)},
            "use the radiograph itself, or leave the image out",
        )
    if max(height, width) > STRIP * min(height, width):
        return _finding(
            scan,
            row,
            "strip",
            f"is a strip of {width:,} x {height:,} pixels: no whole chest has this shape",
            {"width": width, "height": height},
            "use the whole image, or leave the image out",
        )
    if min(height, width) < SMALL:
        return _finding(
            scan,
            row,
            "small",
            f"has {width} x {height} pixels: too few to see the lungs",
            {"width": width, "height": height},
            "use the original, which is larger",
        )
    return None


def _blank(scan: Scan, row: int, contrast: float) -> Finding:
    blank = contrast < BLANK
    return Finding(
        code="blank" if blank else "faint",
        severity="error" if blank else "warning",
        message=f"{scan.names[row]} is {'blank' if blank else 'nearly blank'}: its grey levels "
        f"spread by {contrast:.1f} of 255",
        path=Path(scan.names[row]),
        evidence={"contrast": round(contrast, 2)},
        action="leave it out, or export it again with a proper window",
    )


def _finding(
    scan: Scan, row: int, code: str, says: str, evidence: dict[str, object], action: str
) -> Finding:
    name = scan.names[row]
    return Finding(code, "warning", f"{name} {says}", Path(name), None, evidence, action)


def _contrast(scan: Scan) -> npt.NDArray[np.float64]:
    """(n,) standard deviation of every image, in grey levels."""
    contrast = np.zeros(len(scan.files))
    for start in range(0, len(contrast), BLOCK):
        part = slice(start, start + BLOCK)
        contrast[part] = scan.squares[part].std((1, 2), dtype=np.float32)
        release(scan.squares)
    return contrast
