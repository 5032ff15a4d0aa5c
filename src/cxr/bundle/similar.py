"""`similar.npz`: a few training images to be shown beside a new one. Optional, and off by default.

It holds small images of patients: pass such a file on only with the permission that this needs. No
names, no paths, no file names: features, labels and thumbnails in random order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..errors import BundleError
from .archive import npz_bytes, read_npz
from .format import SIMILAR

SIDE = 96  # pixels of a thumbnail
MAX_CASES, MAX_FEATURES = 20_000, 16_384


@dataclass(frozen=True, eq=False)
class Similar:
    """`features` float16 (n, F) as the network gives them before its head, `labels` uint8 (n, k),
    1 for each class that applies, `thumbnails` uint8 (n, 96, 96)."""

    features: npt.NDArray[np.float16]
    labels: npt.NDArray[np.uint8]
    thumbnails: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.features)

    def nearest(self, features: npt.NDArray[np.floating], k: int = 4) -> list[tuple[int, float]]:
        """Index and distance of the `k` cases most like `features` (F,), nearest first.

        Cosine distance, 0 for the same direction to 2, of features standardised by the cases held:
        as they come they share so large a part that even unlike images are all but parallel.
        Raises BundleError for another width.
        """
        if features.shape != self.features.shape[1:]:
            raise _wrong(f"for {self.features.shape[1]} features, the model gives {features.shape}")
        distances = 1 - self._directions @ _unit(self._standardised(features))
        near = np.argsort(distances, kind="stable")[:k]
        return [(int(index), float(distances[index])) for index in near]

    def label(self, index: int, classes: Sequence[str]) -> str:
        """The class of a case, or its labels joined by "; ", as they are shown."""
        flags = zip(classes, self.labels[index], strict=True)
        return "; ".join(name for name, there in flags if there)

    @cached_property
    def _directions(self) -> npt.NDArray[np.float32]:
        return _unit(self._standardised(self.features))

    def _standardised(self, features: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        centre, spread = self._mean_and_spread
        return (np.asarray(features, np.float32) - centre) / spread

    @cached_property
    def _mean_and_spread(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Mean and spread of each feature."""
        wide = np.asarray(self.features, np.float32)
        return wide.mean(axis=0), np.maximum(wide.std(axis=0), np.float32(1e-6))


def _unit(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    wide = np.asarray(vectors, np.float32)
    length = np.linalg.norm(wide, axis=-1, keepdims=True)
    unit: npt.NDArray[np.float32] = wide / np.maximum(length, np.float32(1e-12))
    return unit


def similar_bytes(similar: Similar) -> bytes:
    return npz_bytes(
        {
            "features": similar.features.astype(np.float16),
            "labels": similar.labels.astype(np.uint8),
            "thumbnails": similar.thumbnails.astype(np.uint8),
        }
    )


def read_similar(data: bytes, n_classes: int, multi_label: bool) -> Similar:
    """Raises BundleError for anything but finite features, labels and thumbnails of n cases."""
    arrays = read_npz(data, SIMILAR)
    if set(arrays) != {"features", "labels", "thumbnails"}:
        raise _wrong(f"it holds {', '.join(sorted(arrays))[:80]}")
    features, labels, thumbnails = (arrays[n] for n in ("features", "labels", "thumbnails"))
    n = len(features) if features.ndim == 2 else 0
    if not 1 <= n <= MAX_CASES or not 1 <= features.shape[1] <= MAX_FEATURES:
        raise _wrong(f"features are {features.shape}; at most {MAX_CASES:,} cases are allowed")
    for name, kind, shape in (
        ("features", np.float16, features.shape),
        ("labels", np.uint8, (n, n_classes)),
        ("thumbnails", np.uint8, (n, SIDE, SIDE)),
    ):
        array = arrays[name]
        if array.dtype != kind or array.shape != shape:
            raise _wrong(
                f"{name} are {array.dtype} {array.shape}, expected {kind.__name__} {shape}"
            )
    if not np.isfinite(features).all():
        raise _wrong("features hold values that are not finite")
    if labels.max() > 1 or (not multi_label and (labels.sum(axis=1) != 1).any()):
        raise _wrong("labels are not those of this model's classes")
    return Similar(features, labels, thumbnails)


def _wrong(what: str) -> BundleError:
    return BundleError(f"{SIMILAR} is not in order: {what}")
