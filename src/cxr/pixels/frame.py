"""Where the lungs lie on a chest X-ray: a small convolutional network, and a check of its answer.

Three convolutions and two dense layers in NumPy read the whole image at 48 x 48. They were trained
by `benchmarks/train_lung_frame.py` on phantoms, whose lungs are known, and on children's images to
which a family of lung shapes was fitted. They say where the lungs lie, and whether this is an
upright frontal chest at all. An image without lungs keeps its whole frame and says why.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import numpy as np
from PIL import Image

from ..config import FrameMode
from ..errors import UnknownName

Finding = Literal["lungs", "turned", "inverted", "none"]
Box = tuple[float, float, float, float]

FRAME_MODES: tuple[FrameMode, ...] = get_args(FrameMode)
FINDINGS: tuple[Finding, ...] = get_args(Finding)

SIDE = 48
"""The network reads the whole image, averaged to so many pixels a side."""

MARGIN = 0.03
"""Added on each side, as a share of the box, so that no lung is cut."""

MIN_SCORE = 0.5
"""Below this probability of upright lungs there are none."""

MIN_SHARE = 0.2
"""A narrower or flatter box, as a share of the image, is not believed."""

MAX_ASPECT = 2.5
"""Of the box in shares of the image, either way round."""

MAX_OUTSIDE = 0.25
"""How much of the box's width or height may lie outside the image."""

MAX_IMAGE_ASPECT = 3.0
"""A longer strip holds no chest, whatever it looks like when squeezed into a square."""

_CLASSES: tuple[Finding, ...] = ("lungs", "turned", "turned", "turned", "inverted", "none")
_STEPS = 1024  # boxes and scores are rounded, so that two processors agree on them
_AT_A_TIME = 16
_REDUCING_GAP = 3.0

# The outline of the lungs in their own box, from -1 to 1: narrow above, wide below.
_OUTLINE = np.array([(0.40, -1.0), (0.69, -0.8), (0.86, -0.4), (0.95, 0.0), (1.0, 0.4), (1.0, 1.0)])
_OUTLINE = np.concatenate([_OUTLINE, _OUTLINE * (-1, 1)])


@dataclass(frozen=True)
class LungFrame:
    """The box of the lungs in shares of the whole image's width and height, 0 to 1.

    `score` is the probability of upright lungs. Where `finding` is not "lungs" the box is the
    whole image: "turned" by a quarter or half a turn, "inverted" (bones black), or "none".
    `doubt` says in words why the file can be no frontal chest radiograph (see `doubt_of`); empty
    where nothing does, or nobody asked.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    score: float
    finding: Finding
    doubt: str = ""

    @property
    def found(self) -> bool:
        return self.finding == "lungs"

    @property
    def box(self) -> Box:
        return self.x0, self.y0, self.x1, self.y1

    def row(self) -> list[float]:
        """x0, y0, x1, y1, score and the index of the finding in FINDINGS: six numbers."""
        return [*self.box, self.score, float(FINDINGS.index(self.finding))]

    @classmethod
    def of_row(cls, row: Sequence[float]) -> LungFrame:
        """The inverse of `row`. Raises ValueError for anything else."""
        x0, y0, x1, y1, score, finding = map(float, row)
        index = int(finding)
        inside = 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1 and 0 <= score <= 1
        if not inside or index != finding or not 0 <= index < len(FINDINGS):
            raise ValueError(f"{list(row)} is not a lung frame")
        return cls(x0, y0, x1, y1, score, FINDINGS[index])


WHOLE = LungFrame(0.0, 0.0, 1.0, 1.0, 0.0, "none")
"""Nobody looked for lungs, or there are none."""


def frame_rows(frames: Sequence[LungFrame]) -> np.ndarray:
    """float32 (n, 6): `LungFrame.row` of each; exact, because boxes are multiples of 1/1024."""
    return np.array([frame.row() for frame in frames], np.float32).reshape(len(frames), 6)


def frames_of(rows: np.ndarray) -> list[LungFrame]:
    """The inverse of `frame_rows`."""
    return [LungFrame.of_row(row) for row in rows.tolist()]


def check_frame(frame: str) -> None:
    if frame not in FRAME_MODES:
        raise UnknownName("frame", frame, FRAME_MODES)


def locate_lungs(grey: np.ndarray, extent: tuple[float, float] | None = None) -> LungFrame:
    """Where the lungs lie on `grey` (H, W) uint8, about 0.4 ms.

    `extent` (rows, columns) is how much of `grey` is image, where a reduced JPEG ends within its
    last row and column.
    """
    if _hopeless(grey):
        return WHOLE
    return _frames(thumbnail(grey, extent)[None])[0]


def locate_many(images: Sequence[np.ndarray] | np.ndarray) -> list[LungFrame]:
    """`locate_lungs` of each (H, W) uint8 image, in batches; the same answers.

    Thumbnails (n, 48, 48) as `thumbnail` makes them give what the whole images give, except that
    a strip cannot be recognised by its shape.
    """
    frames = [WHOLE] * len(images)
    rows = [i for i, grey in enumerate(images) if not _hopeless(grey)]
    for start in range(0, len(rows), _AT_A_TIME):
        some = rows[start : start + _AT_A_TIME]
        located = _frames(np.stack([thumbnail(images[i]) for i in some]))
        for i, frame in zip(some, located, strict=True):
            frames[i] = frame
    return frames


def thumbnail(grey: np.ndarray, extent: tuple[float, float] | None = None) -> np.ndarray:
    """What the network reads: uint8 (48, 48), averages over `grey` (H, W) uint8."""
    if grey.shape == (SIDE, SIDE):
        return grey
    height, width = extent or grey.shape
    small = Image.fromarray(grey).resize(
        (SIDE, SIDE),
        Image.Resampling.BOX,
        box=(0, 0, width, height),
        reducing_gap=_REDUCING_GAP,
    )
    return np.asarray(small)


@cache
def locator_version() -> str:
    """The start of the SHA-256 of the weights: other weights find other boxes."""
    return hashlib.sha256(_weights_file()).hexdigest()[:16]


def _hopeless(grey: np.ndarray) -> bool:
    height, width = grey.shape
    long = max(height, width) > MAX_IMAGE_ASPECT * min(height, width)
    return bool(long or grey.min() == grey.max())


def _frames(thumbnails: np.ndarray) -> list[LungFrame]:
    """Of (n, 48, 48) uint8."""
    outputs = _network(thumbnails)
    odds = np.exp(outputs[:, 5:] - outputs[:, 5:].max(1, keepdims=True))
    shares = odds / odds.sum(1, keepdims=True)
    boxes = [_enclosing(*row[:5]) for row in outputs]
    return [_judged(box, share) for box, share in zip(boxes, shares, strict=True)]


def _judged(box: Box, shares: np.ndarray) -> LungFrame:
    """`box` if it can be the lungs, else the whole image. `shares` (6,): probabilities."""
    score, best = _rounded(shares[0]), _CLASSES[int(shares.argmax())]
    if best == "lungs" and (score < MIN_SCORE or not _plausible(box)):
        best = "none"
    if best != "lungs":
        return LungFrame(*WHOLE.box, score, best)
    x0, y0, x1, y1 = (_rounded(min(max(edge, 0.0), 1.0)) for edge in box)
    return LungFrame(x0, y0, x1, y1, score, best)


def _plausible(box: Box) -> bool:
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    if not (min(width, height) >= MIN_SHARE and max(width, height) < MAX_ASPECT):
        return False
    aspect = max(width / height, height / width)
    across = max(-x0, x1 - 1, 0.0) / width
    down = max(-y0, y1 - 1, 0.0) / height
    return aspect <= MAX_ASPECT and max(across, down) <= MAX_OUTSIDE


def _enclosing(x: float, y: float, width: float, height: float, twice_tilt: float) -> Box:
    """The upright box, with its margin, around the lungs' outline in their own tilted box."""
    half = np.array([width, height]) / 2
    cos, sin = np.cos(twice_tilt / 2), np.sin(twice_tilt / 2)
    outline = _OUTLINE * half @ np.array([[cos, sin], [-sin, cos]])
    low, high = outline.min(0), outline.max(0)
    margin = MARGIN * (high - low)
    (x0, y0), (x1, y1) = low - margin, high + margin
    return float(x + x0), float(y + y0), float(x + x1), float(y + y1)


def _rounded(value: float) -> float:
    return round(float(value) * _STEPS) / _STEPS


def _network(thumbnails: np.ndarray) -> np.ndarray:
    """float64 (n, 11) of uint8 (n, 48, 48): x, y, width, height, twice the tilt, six logits.

    In float64: what a batch, a thread or another processor changes in the last digit then never
    reaches a rounded box.
    """
    weights = _weights()
    x = thumbnails.astype(np.float64)[..., None] / 255
    spread = x.std((1, 2), keepdims=True, ddof=1)
    x = (x - x.mean((1, 2), keepdims=True)) / (spread + 0.02)
    for name in ("c1", "c2", "c3"):
        x = _convolved(x, weights[f"{name}.weight"], weights[f"{name}.bias"])
    x = x.transpose(0, 3, 1, 2).reshape(len(x), -1)
    x = np.maximum(x @ weights["f1.weight"].T + weights["f1.bias"], 0)
    return np.asarray(x @ weights["f2.weight"].T + weights["f2.bias"])


def _convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """(n, H, W, in) to (n, H/2, W/2, out): every second pixel of a padded convolution, then ReLU.

    `weight` (out, in, k, k) as PyTorch has it.
    """
    n, height, _, channels = x.shape
    out, _, k, _ = weight.shape
    pad, half = k // 2, height // 2
    padded = np.zeros((n, height + 2 * pad, height + 2 * pad, channels))
    padded[:, pad : pad + height, pad : pad + height] = x
    columns = np.empty((n, half, half, k * k * channels))
    for place in range(k * k):
        row, column = divmod(place, k)
        patch = padded[:, row : row + height : 2, column : column + height : 2]
        columns[..., place * channels : (place + 1) * channels] = patch
    kernel = weight.transpose(2, 3, 1, 0).reshape(-1, out)
    y = columns.reshape(-1, k * k * channels) @ kernel + bias
    return np.maximum(y, 0, out=y).reshape(n, half, half, out)


def _weights_file() -> bytes:
    return files("cxr.pixels").joinpath("frame.npz").read_bytes()


@cache
def _weights() -> dict[str, np.ndarray]:
    """By PyTorch's names, float64; float16 on disk."""
    with np.load(io.BytesIO(_weights_file()), allow_pickle=False) as stored:
        return {name: stored[name].astype(np.float64) for name in stored.files}
