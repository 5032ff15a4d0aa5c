"""Whether a run goes on with the very pixels that it began with."""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import Tensor

from ...errors import DataError
from ...prepare.image_set import ImageSet
from ...prepare.loaders import DataLoaders

MOST = 8192
"""Images of a split that are looked at, evenly spread: all of most sets, for less than 0.1 s."""


def image_checksums(dls: DataLoaders) -> dict[str, Tensor]:
    """CRC-32 of decoded images by split, int64 (min(n, MOST),)."""
    sets = (("train", dls.train.images), ("valid", dls.valid.images))
    return {name: torch.tensor(_sums(images), dtype=torch.int64) for name, images in sets}


def _sums(images: ImageSet) -> list[int]:
    rows = images.rows[_looked_at(images)]
    known = getattr(images.pixels, "sums", None)  # shards vouch for them: nothing need be fetched
    if known is not None:
        return list(known(rows).tolist())
    return [zlib.crc32(images.pixels[row]) for row in rows]


def refuse_other_images(
    before: dict[str, Tensor], now: dict[str, Tensor], dls: DataLoaders
) -> None:
    """Raises DataError that names the first image which is not what it was."""
    for name, images in (("train", dls.train.images), ("valid", dls.valid.images)):
        if name not in before:
            continue
        if len(before[name]) != len(now[name]):
            raise DataError(f"the {name} images are not those that the run began with")
        changed = np.flatnonzero((before[name] != now[name]).numpy())
        if len(changed):
            path = images.paths[_looked_at(images)[changed[0]]]
            more = f" and {len(changed) - 1:,} more" if len(changed) > 1 else ""
            raise DataError(
                f"{path}{more} changed since the run began; put the images back as they were, or "
                "train in a new folder"
            )


def _looked_at(images: ImageSet) -> np.ndarray:
    n = len(images)
    return np.arange(n) if n <= MOST else np.linspace(0, n - 1, MOST).astype(np.int64)
