"""Images unlike the rest of the set: turned, inverted, cut to a strip, or no chest X-ray at all.

Nothing is known beforehand of how the images of a set look. Some of them are turned, inverted and
cut on purpose, and a linear model on a pretrained network's features learns to tell these from the
images as they are; it is then applied to every image. So it fits children and adults, portable and
standing images alike, as long as most of the set is in order. What is no image of this kind at all
lies far from the principal components of the rest.

On 5,232 images of children 0.4 % are named; of images turned, inverted or cut, 95 to 100 % are, and
of photographs 97 % (`benchmarks/check.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...pixels import release, resize
from ..finding import Finding
from ..scan import BLOCK, SIDE, Scan
from .unusable import check_image

ENOUGH = 40  # readable images; from fewer nothing is learnt
SAMPLE = 128  # images that each of two models learns from
LIKELY = 0.5  # chance of a fault
COMPONENTS = 32
FIT_ROWS = 5_000  # for the principal components
UNLIKE = 4.5  # times the median distance; the farthest of 5,232 real images lies at 3.8
DARK_LUNGS = 0.5  # polarity above which no image is inverted
STRENGTH = 0.03  # of the logistic regression: the inverse of its penalty
Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fault:
    """A way in which an image can be wrong, and how to make it so from images that are right."""

    code: str
    says: str
    action: str
    simulate: Callable[[np.ndarray], np.ndarray]


def _strip(pixels: np.ndarray) -> np.ndarray:
    """A band of each image, 15 to 40 % of a side: stretched over the whole, or amid black."""
    rng = np.random.default_rng(0)
    cut = np.zeros_like(pixels)
    for i, grey in enumerate(pixels):
        width = int(rng.uniform(0.15, 0.4) * SIDE)
        start = int(rng.integers(0, SIDE - width))
        lying = slice(start, start + width), slice(None)
        band = lying if i % 2 else lying[::-1]
        if i % 4 < 2:
            cut[i] = resize(np.ascontiguousarray(grey[band]), SIDE)
        else:
            cut[i][band] = grey[band]
    return cut


_SIDE = ("on-its-side", "seems to lie on its side", "turn it upright")
_DOWN = ("upside-down", "seems to be upside down", "turn it upright")
INVERTED = Fault(
    "inverted",
    "seems to be inverted: white lungs",
    "invert it, or export it again (in DICOM, PhotometricInterpretation tells which way round)",
    lambda pixels: 255 - pixels,
)
TURNED = ("on-its-side", "upside-down")
FAULTS = (
    Fault(*_SIDE, lambda pixels: np.rot90(pixels, 1, (1, 2))),
    Fault(*_SIDE, lambda pixels: np.rot90(pixels, 3, (1, 2))),
    Fault(*_DOWN, lambda pixels: np.rot90(pixels, 2, (1, 2))),
    Fault(*_DOWN, lambda pixels: pixels[:, ::-1]),
    INVERTED,
    Fault(
        "part-of-an-image",
        "seems to show only a part of an image",
        "use the whole image, or leave it out",
        _strip,
    ),
)


def check_unusual(scan: Scan) -> list[Finding]:
    """One finding for each image that `check_image` does not name already.

    Of fewer than ENOUGH readable images nothing is learnt, and one finding says so; white lungs
    are found among them all the same.
    """
    named = {finding.path for finding in check_image(scan)}
    plain = np.array([Path(name) not in named for name in scan.names], dtype=bool)
    rows = np.flatnonzero(scan.readable & plain)
    polarity = _polarity(scan, rows)
    if len(rows) < ENOUGH:
        few = [_too_few(len(rows))]
        return few + [_faulty(scan, row, INVERTED) for row in rows[polarity < 0].tolist()]
    distance = distances(scan.features[rows])
    chances = fault_chances(scan, rows, distance < UNLIKE)
    findings = []
    for i, row in enumerate(rows.tolist()):
        fault = _fault(chances[i], float(polarity[i]))
        if fault is not None and fault.code in TURNED and _upright(scan, row):
            fault = None
        if distance[i] > UNLIKE and fault is not INVERTED:
            findings.append(_unlike(scan, row, float(distance[i])))
        elif fault is not None:
            findings.append(_faulty(scan, row, fault))
    return findings


def _fault(chances: Floats, polarity: float) -> Fault | None:
    """What is wrong with an image. Pale images of older children seem inverted to the model, and
    turned images have any polarity: each decides what it is good at."""
    likeliest = FAULTS[int(chances[1:].argmax())]
    faulty = 1 - chances[0] > LIKELY
    if faulty and likeliest is not INVERTED:
        return likeliest
    return INVERTED if polarity < (DARK_LUNGS if faulty else 0) else None


def _upright(scan: Scan, row: int) -> bool:
    """Whether the lung frame sees upright lungs, as it does on no turned image of 2,000."""
    return bool(scan.frames) and scan.frames[row].found


def _polarity(scan: Scan, rows: Ints) -> Floats:
    parts: list[Floats] = [np.empty(0)]
    for start in range(0, len(rows), BLOCK):
        parts.append(lung_polarity(scan.squares[rows[start : start + BLOCK]]))
        release(scan.squares)
    return np.concatenate(parts)


def lung_polarity(squares: np.ndarray) -> npt.NDArray[np.float64]:
    """(m, SIDE, SIDE) -> (m,) how much brighter the spine is than the lungs, in units of contrast.

    At the height of the hila, the middle of an upright image is bone and heart, with lung to both
    sides. Of 5,232 images of children one was below 0, and all but one when inverted.
    """
    eighth = SIDE // 16
    middle = squares[:, round(0.3 * SIDE) : round(0.6 * SIDE)].astype(np.float32)
    spine = middle[:, :, 7 * eighth : 9 * eighth].mean((1, 2))
    left, right = middle[:, :, 3 * eighth : 6 * eighth], middle[:, :, 10 * eighth : 13 * eighth]
    lungs = (left.mean((1, 2)) + right.mean((1, 2))) / 2
    return (spine - lungs) / np.maximum(squares.std((1, 2), dtype=np.float32), 1)


def distances(features: Floats) -> Floats:
    """(n, d) -> (n,) squared distance from the principal components of the others; median 1.

    Each half of the rows is measured by components of the other, so that no row makes its own.
    These are of the 70 %, then twice the 80 %, of rows that lie closest: up to a fifth of a set
    may be something else without becoming what is usual.
    """
    centred = features - np.median(features, axis=0)
    half = np.random.default_rng(0).permutation(len(features)) % 2
    far = np.empty(len(features))
    for side in (0, 1):
        learn = np.flatnonzero(half != side)[:FIT_ROWS]
        far[half == side] = _residual(_usual(centred[learn]), centred[half == side])
    return far / max(np.median(far), 1e-12)


def _usual(rows: Floats) -> Any:
    """Components of most rows."""
    from sklearn.decomposition import PCA

    pca = PCA(max(1, min(COMPONENTS, len(rows) // 6)), random_state=0)
    far, share = (rows**2).sum(1), 0.7
    for _ in range(2):
        pca.fit(rows[far <= np.quantile(far, share)])
        far, share = _residual(pca, rows), 0.8
    return pca


def _residual(pca: Any, rows: Floats) -> Floats:
    """|x|^2 less its part in the components: no second (n, d) array is needed."""
    moved = rows - pca.mean_
    inside = moved @ pca.components_.T
    return np.einsum("ij,ij->i", moved, moved) - np.einsum("ij,ij->i", inside, inside)


def fault_chances(scan: Scan, rows: Ints, like_an_image: npt.NDArray[np.bool_]) -> Floats:
    """(m, 1 + len(FAULTS)) for `rows`: of being right, and of each fault.

    Two models, each from its own images: one that an image was not shown to judges it, and the
    mean of both the rest. Both learn twice, the second time without what the first names.
    """
    picked = np.random.default_rng(0).permutation(np.flatnonzero(like_an_image))[: 2 * SAMPLE]
    halves = (np.sort(picked[::2]), np.sort(picked[1::2]))
    simulated = [_simulated(scan, rows[half]) for half in halves]
    keep = [np.ones(len(half), bool) for half in halves]
    for _ in range(2):
        models = [_fit(*pair) for pair in zip(simulated, keep, strict=True)]
        predicted = [model.predict_proba(scan.features[rows]) for model in models]
        chances = (predicted[0] + predicted[1]) / 2
        for half, other in zip(halves, predicted[::-1], strict=True):
            chances[half] = other[half]
        keep = [1 - chances[half, 0] <= LIKELY for half in halves]
    return chances


def _simulated(scan: Scan, rows: Ints) -> list[Floats]:
    """Features of the rows as they are, and with each fault."""
    pixels = np.asarray(scan.squares[rows])
    return [scan.features[rows], *(scan.extractor(fault.simulate(pixels)) for fault in FAULTS)]


def _fit(simulated: list[Floats], keep: npt.NDArray[np.bool_]) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    used = keep if keep.sum() >= ENOUGH // 4 else np.ones_like(keep)
    x = np.concatenate([features[used] for features in simulated])
    which = np.repeat(np.arange(len(simulated)), int(used.sum()))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=200, tol=1e-3))
    return model.fit(x, which)


def _faulty(scan: Scan, row: int, fault: Fault) -> Finding:
    name = scan.names[row]
    return Finding(
        code=fault.code,
        severity="warning",
        message=f"{name} {fault.says}",
        path=Path(name),
        action=f"look at it; {fault.action}",
    )


def _unlike(scan: Scan, row: int, distance: float) -> Finding:
    name = scan.names[row]
    return Finding(
        code="unlike-the-others",
        severity="warning",
        message=f"{name} is unlike the other images: perhaps no frontal chest X-ray (a lateral "
        "view, other anatomy, a photograph, a screenshot)",
        path=Path(name),
        evidence={"distance": round(float(distance), 1), "usual": 1.0},
        action="look at it; leave it out if it is something else",
    )


def _too_few(n: int) -> Finding:
    return Finding(
        code="too-few-to-compare",
        severity="info",
        message=f"{n:,} images are too few to learn what is usual here: turned images and other "
        f"anatomy were not looked for (at least {ENOUGH} are needed)",
        evidence={"images": n, "needed": ENOUGH},
    )
