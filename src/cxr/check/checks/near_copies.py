"""The same image more than once, though not equal in every pixel.

Stored anew, resized, made brighter, shifted, cropped a little or mirrored. Candidates come from a
search by descriptor; the two of each pair are laid on each other, in ever finer detail, and must
agree there. Of the 5,206 different images of Kermany et al. (2018), on which the limits were
chosen, 18,109 pairs are compared: none agrees by more than 0.89 at 64 pixels or 0.78 at 128. Of
1,500 copies made brighter or darker by up to 40 % all but 2 agree by more than 0.90 and 0.88: what
fails is a bright image much of which became plain white. Images that were turned by more than
about a degree are not found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...pixels import available_cpus, map_in_order
from ...pixels.resources import release
from ..finding import Finding
from ..methods.look_alikes import IMAGES, SIDE, look_alikes
from ..methods.registration import (
    Bytes,
    Floats,
    Ints,
    detail,
    find_shift,
    refine,
    shrink,
    similarity,
    to_bytes,
)
from ..scan import Scan
from .copies import MOST_NAMED, differ

ROUGH = 0.55  # similarity at SIDE, when only shifted, below which no stretch makes copies of two
# side in pixels, steps of registration, similarity that copies have after them
LEVELS = ((SIDE, 3, 0.85), (64, 2, 0.9), (128, 0, 0.88))
BLANK = 3.0  # standard deviation in grey levels, below which there is no image to compare
BLOCK = 1024  # images
PAIRS = 64


@dataclass(frozen=True)
class NearCopy:
    """Two rows that show one image.

    similarity: correlation of the finest detail, 1 for a perfect copy. shift: of the second against
    the first, down and to the right, in shares of the side. mirrored: one of them, left to right.
    """

    first: int
    second: int
    similarity: float
    shift: tuple[float, float]
    mirrored: bool


def check_near_copies(scan: Scan) -> list[Finding]:
    """A warning for each image but the first of its kind; of exact copies the first stands for all.

    Where labels or splits differ between two that were compared, the code says so.
    """
    copies = find_near_copies(scan.squares, _different_images(scan))
    return [_finding(scan, *repeat) for repeat in _repeats(copies)]


def _different_images(scan: Scan) -> Ints:
    first: dict[str, int] = {}
    for row, facts in enumerate(scan.files):
        if facts.pixels is not None:
            first.setdefault(facts.pixels, row)
    return np.array(list(first.values()), dtype=np.int64)


def find_near_copies(squares: Bytes, rows: Ints) -> list[NearCopy]:
    """Near copies among `rows`, ascending, of `squares` (n, 128, 128); blank ones are left out.

    Time and memory grow with the number of images, not with that of their pairs: an image with
    many copies is compared with the few nearest of them, and these with others.
    """
    from threadpoolctl import threadpool_limits

    # Threads of the algebra library within our own threads only wait for each other.
    with threadpool_limits(1, "blas"):
        return _search(squares, rows)


def _search(squares: Bytes, rows: Ints) -> list[NearCopy]:
    rows, thumbs = _thumbs(squares, rows)
    if len(rows) < 2:
        return []
    some = np.sort(np.random.default_rng(0).permutation(len(rows))[:IMAGES])
    pairs, mirrored = look_alikes(thumbs, squares[rows[some]])

    def compare(start: int) -> list[NearCopy]:
        part = slice(start, start + PAIRS)
        return _compare(squares, rows, thumbs, pairs[part], mirrored[part])

    compared = map_in_order(compare, range(0, len(pairs), PAIRS), available_cpus())
    copies: list[NearCopy] = []
    for block, some_copies in enumerate(compared):
        copies += some_copies
        if block % 64 == 0:
            release(squares)
    return copies


def _thumbs(squares: Bytes, rows: Ints) -> tuple[Ints, Bytes]:
    """The rows that are not blank, and their thumbs."""
    thumbs = np.empty((len(rows), SIDE, SIDE), np.uint8)
    not_blank = np.empty(len(rows), bool)
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        thumbs[part] = to_bytes(shrink(squares[rows[part]], SIDE))
        not_blank[part] = thumbs[part].std(axis=(1, 2)) > BLANK
        release(squares)
    return rows[not_blank], thumbs[not_blank]


def _compare(
    squares: Bytes, rows: Ints, thumbs: Bytes, pairs: Ints, mirrored: npt.NDArray[np.bool_]
) -> list[NearCopy]:
    """Those of the pairs of thumbs that are copies; what fails at one level is done with."""
    fixed, moving = _details(thumbs, pairs, mirrored, SIDE)
    placement = find_shift(fixed, moving)
    alike = similarity(fixed, moving, placement)
    survivors = np.flatnonzero(alike >= ROUGH)
    placement = placement[survivors]
    for side, steps, least in LEVELS:
        if not len(survivors):
            return []
        named = pairs[survivors] if side == SIDE else rows[pairs[survivors]]
        fixed, moving = _details(
            thumbs if side == SIDE else squares, named, mirrored[survivors], side
        )
        placement = refine(fixed, moving, placement, steps)
        alike = similarity(fixed, moving, placement)
        good = alike >= least
        survivors, placement, alike = survivors[good], placement[good], alike[good]
    first, second = rows[pairs[survivors]].T.tolist()
    shift = [(down, right) for _, down, _, right in placement.tolist()]
    return list(map(NearCopy, first, second, alike.tolist(), shift, mirrored[survivors].tolist()))


def _details(
    images: Bytes, pairs: Ints, mirrored: npt.NDArray[np.bool_], side: int
) -> tuple[Floats, Floats]:
    fixed, moving = images[pairs[:, 0]], images[pairs[:, 1]]
    moving[mirrored] = moving[mirrored, :, ::-1]
    return detail(shrink(fixed, side)), detail(shrink(moving, side))


def _repeats(copies: list[NearCopy]) -> Iterator[tuple[int, NearCopy, list[int]]]:
    """Each row but the first of its image, how it was found, and all rows of the image."""
    links: dict[int, list[NearCopy]] = defaultdict(list)
    for link in copies:
        links[link.first].append(link)
        links[link.second].append(link)
    visited: set[int] = set()
    for root in sorted(links):
        if root in visited:
            continue
        visited.add(root)
        family, repeats = [root], []
        for row in family:  # grows as it is walked: a breadth-first search
            for link in links[row]:
                other = link.first + link.second - row
                if other not in visited:
                    visited.add(other)
                    family.append(other)
                    repeats.append((other, link))
        yield from ((row, link, family) for row, link in repeats)


def _finding(scan: Scan, row: int, link: NearCopy, family: list[int]) -> Finding:
    other = link.first + link.second - row
    pair = [other, row]
    labels, splits = differ(scan, pair, scan.label_columns), differ(scan, pair, ["split"])
    return Finding(
        code="near-copy" + ("-across-labels" if labels else "-across-splits" if splits else ""),
        severity="warning",
        message=f"{scan.names[row]} shows the same image as {scan.names[other]}"
        + ", mirrored" * link.mirrored
        + ", with another label" * labels
        + ", on the other side of the split" * splits
        + ", listed under another patient" * differ(scan, pair, ["patient"]),
        path=Path(scan.names[row]),
        evidence=_evidence(scan, row, other, link, family),
        action="find out which label is right, and keep one of them"
        if labels
        else "keep one of them",
    )


def _evidence(
    scan: Scan, row: int, other: int, link: NearCopy, family: list[int]
) -> dict[str, Any]:
    """`shift` down and to the side, in per cent of the side, without direction."""
    others = (one for one in family if one not in (row, other))
    return {
        "copies": [scan.names[one] for one in (other, *islice(others, MOST_NAMED - 1))],
        "n_copies": len(family) - 1,
        "similarity": round(link.similarity, 3),
        "shift": [round(100 * abs(share), 1) for share in link.shift],
        "mirrored": link.mirrored,
        "examples": [
            {"path": scan.names[other], "caption": "one"},
            {"path": scan.names[row], "caption": "the other"},
        ],
    }
