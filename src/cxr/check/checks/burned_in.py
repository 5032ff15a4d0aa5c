"""Letters and digits in the pixels: a name or a date that no header shows."""

from __future__ import annotations

from pathlib import Path

from ..finding import Finding
from ..scan import Scan

EXAMPLES = 12  # on the page


def check_burnt_in(scan: Scan) -> list[Finding]:
    """One warning: how many images have text, and which; never what it says."""
    rows = [row for row, facts in enumerate(scan.files) if facts.text]
    if not rows:
        return []
    n_regions = sum(len(scan.files[row].text) for row in rows)
    return [
        Finding(
            code="burnt-in-text",
            severity="warning",
            message=f"letters or digits seem to be burnt into {len(rows):,} of "
            f"{len(scan.files):,} images: names, dates or times may be among them",
            evidence={
                "files": len(rows),
                "regions": n_regions,
                "examples": [_image(scan, row) for row in rows[:EXAMPLES]],
            },
            action="look at them before you pass the images on; cxr deidentify --pixels blank "
            "blanks such regions in DICOM files",
        )
    ]


def _image(scan: Scan, row: int) -> dict[str, str]:
    n = len(scan.files[row].text)
    return {
        "path": Path(scan.names[row]).as_posix(),
        "caption": f"{n} line{'s' * (n > 1)} of text",
    }
