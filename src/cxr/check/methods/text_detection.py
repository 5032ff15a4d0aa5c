"""Finds text in an image: letters and digits that were burnt into the pixels.

The detector of scene text in its simplest form, as burnt-in text is simple: strokes that are thin
and stand out (a top-hat transform), joined to marks of a letter's size, in a row. One or two
letters are a side marker, which nearly every radiograph carries, and are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

STROKE = 5  # pixels; a stroke is thinner
CONTRAST = 48  # grey levels between a stroke and what is around it
RISE = 32  # of which so many within two pixels
LOWEST, HIGHEST = 5, 22  # pixels of a letter's height; larger ones are found in smaller copies
SMALLEST = 100  # pixels a side of the smallest copy
LETTERS, STROKES = 4, 5  # at least, in a row: letters, and strokes that its middle crosses
MOST = 500  # marks that are joined at a time
Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Box:
    """Where a line of text is, in pixels of the image that was looked at."""

    top: int
    left: int
    height: int
    width: int

    @property
    def bottom(self) -> int:
        return self.top + self.height

    @property
    def right(self) -> int:
        return self.left + self.width


def text_regions(grey: npt.NDArray[np.uint8]) -> list[Box]:
    """Lines of four letters or more, bright or dark, upright, in an image (H, W) uint8.

    Letters from 5 pixels (capitals about 6) up to a fifth of the image are found: the image
    is looked at in its own size and, for larger letters, halved again and again.
    """
    boxes: list[Box] = []
    scale = 1
    while min(grey.shape) >= SMALLEST:
        for top, bottom in _bands(grey):
            for lines in map(_lines, _strokes(grey[top:bottom])):
                boxes += [_times(box, top, scale) for box in lines]
        grey, scale = _halved(grey), 2 * scale
    return _merged(boxes)


def _bands(grey: npt.NDArray[np.uint8]) -> list[tuple[int, int]]:
    """(top, bottom) of where text can be: around rows that rise as often as letters do.

    Most images have few such rows, and this test takes a tenth of the time of what follows.
    """
    wide = grey.astype(np.int16)
    rises = _crossed(wide[:, 2:] - wide[:, :-2] > RISE)
    near = np.convolve(rises >= STROKES, np.ones(2 * HIGHEST + 1), mode="same") > 0
    edges = np.flatnonzero(np.diff(near, prepend=False, append=False))
    return [(int(top), int(bottom)) for top, bottom in edges.reshape(-1, 2)]


def _strokes(grey: npt.NDArray[np.uint8]) -> Iterator[Mask]:
    """Where a bright stroke is, and where a dark one is: top-hat transforms by a square."""
    opened = _extreme(_extreme(grey, np.minimum), np.maximum)
    yield grey - opened > CONTRAST
    closed = _extreme(_extreme(grey, np.maximum), np.minimum)
    yield closed - grey > CONTRAST


def _extreme(grey: npt.NDArray[np.uint8], extreme: np.ufunc) -> npt.NDArray[np.uint8]:
    """Of STROKE x STROKE neighbours, by whole-array steps: ten times as fast as ndimage's."""
    rows, columns = (_with_margin(n) for n in grey.shape)
    lines = grey.take(rows, 0).take(columns, 1)  # np.pad takes as long as all the rest
    pairs = extreme(lines[:-1], lines[1:])
    fours = extreme(pairs[:-2], pairs[2:])
    lines = extreme(fours[:-1], lines[STROKE - 1 :])
    pairs = extreme(lines[:, :-1], lines[:, 1:])
    fours = extreme(pairs[:, :-2], pairs[:, 2:])
    return extreme(fours[:, :-1], lines[:, STROKE - 1 :])


@lru_cache(maxsize=1024)
def _with_margin(n: int) -> Ints:
    return np.clip(np.arange(-(STROKE // 2), n + STROKE // 2), 0, n - 1)


def _halved(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width = grey.shape[0] // 2 * 2, grey.shape[1] // 2 * 2
    rows = grey[:height:2, :width].astype(np.uint16) + grey[1:height:2, :width]
    return ((rows[:, ::2] + rows[:, 1::2] + 2) >> 2).astype(np.uint8)


def _lines(strokes: Mask) -> list[Box]:
    marks = _marks(strokes)
    lines = []
    for start in range(0, len(marks), MOST):  # whole pages of text come in bands
        some = marks[start : start + MOST]
        rows = _rows(some)
        enough = np.flatnonzero(np.bincount(rows, _letters(some)) >= LETTERS)
        candidates = [some[rows == row] for row in enough]
        lines += [_around(line) for line in candidates if _is_text(line, strokes)]
    return lines


def _letters(marks: Ints) -> npt.NDArray[np.float64]:
    """(n,) how many letters each mark may be."""
    heights, widths = marks[:, 2] - marks[:, 0], marks[:, 3] - marks[:, 1]
    return np.maximum(1, np.round(widths / (0.8 * heights)))


def _marks(strokes: Mask) -> Ints:
    """(n, 4) top, left, bottom, right of what may be a letter, or letters that touch."""
    from scipy import ndimage

    if _crossed(strokes).max() < STROKES:
        return np.empty((0, 4), dtype=np.int64)
    labels, _ = ndimage.label(strokes, np.ones((3, 3)))
    parts = [(*_ends(rows), *_ends(columns)) for rows, columns in ndimage.find_objects(labels)]
    top, bottom, left, right = np.array(parts, dtype=np.int64).T
    height, width = bottom - top, right - left
    fit = (height >= LOWEST) & (height <= HIGHEST) & (width <= 14 * height)
    marks = np.column_stack([top, left, bottom, right])[fit]
    return marks[np.argsort(marks[:, 0] + marks[:, 2], kind="stable")]


def _ends(one: slice) -> tuple[int, int]:
    return one.start, one.stop


def _rows(marks: Ints) -> Ints:
    """(n,) a number for each mark, the same for those that follow each other in a row."""
    top, left, bottom, right = (marks[:, i, None] for i in range(4))
    height = bottom - top
    tall, low = np.maximum(height, height.T), np.minimum(height, height.T)
    overlap = np.minimum(bottom, bottom.T) - np.maximum(top, top.T)
    gap = np.maximum(left, left.T) - np.minimum(right, right.T)
    linked = (overlap >= 0.6 * low) & (low >= 0.5 * tall) & (gap <= 1.2 * tall)
    number = np.arange(len(marks))
    while True:
        lowest = np.where(linked, number, len(marks)).min(axis=1)
        if (lowest == number).all():
            return number
        number = lowest


def _is_text(line: Ints, strokes: Mask) -> bool:
    """Level, and crossed by as many strokes as letters have: wires are not."""
    box = _around(line)
    height = float(np.median(line[:, 2] - line[:, 0]))
    if box.height > 1.8 * height or box.width < 2 * height:
        return False
    inside = strokes[box.top : box.bottom, box.left : box.right]
    crossed = _crossed(inside)
    middle = crossed[len(crossed) // 5 : len(crossed) - len(crossed) // 5]
    per_letter = middle.mean() * height / box.width
    return bool(middle.mean() >= STROKES and per_letter >= 0.9 and middle.min() >= 2)


def _crossed(strokes: Mask) -> Ints:
    """(height,) how many strokes each row of pixels crosses."""
    return np.count_nonzero(strokes[:, 1:] > strokes[:, :-1], axis=1) + strokes[:, 0]


def _around(marks: Ints) -> Box:
    top, left = marks[:, :2].min(axis=0).tolist()
    bottom, right = marks[:, 2:].max(axis=0).tolist()
    return Box(top, left, bottom - top, right - left)


def _times(box: Box, top: int, scale: int) -> Box:
    """A box of a band that begins at `top`, in pixels of the whole image."""
    return Box((top + box.top) * scale, box.left * scale, box.height * scale, box.width * scale)


def _merged(boxes: Sequence[Box]) -> list[Box]:
    """Each line once, though it was found in several sizes; from top to bottom."""
    merged: list[Box] = []
    for box in sorted(boxes, key=lambda box: box.height * box.width, reverse=True):
        same = [other for other in merged if _overlap(box, other) > 0.5]
        if not same:
            merged.append(box)
    return sorted(merged, key=lambda box: (box.top, box.left))


def _overlap(box: Box, other: Box) -> float:
    """The share of `box` that is in `other`."""
    height = min(box.bottom, other.bottom) - max(box.top, other.top)
    width = min(box.right, other.right) - max(box.left, other.left)
    return max(height, 0) * max(width, 0) / (box.height * box.width)
