"""Choosing training images to be shown beside new ones, and adding them to a model file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import DataError, ImageError, UsageError
from ..find import Manifest
from ..pixels import load_grey
from .config import BundleConfig
from .format import SIMILAR
from .read import read_bundle
from .similar import MAX_CASES, SIDE, Similar, similar_bytes
from .write import rewrite

LARGEST = float(np.finfo(np.float16).max)


def with_similar(
    model: Path | str, out: Path | str, manifest: Manifest, most: int = 2000, seed: int = 42
) -> Path:
    """Copies the model file to `out` with training images of `manifest` to be shown beside others.

    Taken are at most `most`, at random, of those that the manifest's `split` calls train (all
    where it says nothing of a split), that can be read and that have all their labels. `out` may
    be `model`. A signature is left out, as in `rewrite`.
    Raises UsageError for a wrong `most` or other classes than the model's, DataError when nothing
    is left to take, BundleError when the model is refused.
    """
    from ..backbones import logits_and_features_of

    if not 1 <= most <= MAX_CASES:
        raise UsageError(f"{most} similar cases asked for; 1 to {MAX_CASES:,} are allowed")
    bundle = read_bundle(model)
    config, flags = bundle.config, _flags(manifest, bundle.config)
    cases = list(islice(_cases(manifest, _candidates(manifest, flags, seed), config), most))
    if not cases:
        raise DataError(f"no readable training image with labels under {manifest.root}")
    rows, images, thumbnails = zip(*cases, strict=True)
    features = logits_and_features_of(bundle.network, np.stack(images)).features.numpy()
    compact = np.clip(features, -LARGEST, LARGEST).astype(np.float16)
    similar = Similar(compact, flags[list(rows)].astype(np.uint8), np.stack(thumbnails))
    return rewrite(model, out, add={SIMILAR: similar_bytes(similar)})


def _flags(manifest: Manifest, config: BundleConfig) -> npt.NDArray[np.floating]:
    """(n, k) 1, 0 or NaN, in the order of the model's classes."""
    known = {name: i for i, name in enumerate(manifest.classes)}
    if set(known) != set(config.classes) or manifest.multi_label != config.multi_label:
        raise UsageError(f"the images under {manifest.root} have other classes than the model")
    targets = manifest.targets()
    flags = targets if config.multi_label else np.eye(len(known))[targets]
    return flags[:, [known[name] for name in config.classes]]


def _candidates(manifest: Manifest, flags: npt.NDArray[np.floating], seed: int) -> list[int]:
    """Rows that may be taken, in random order."""
    split = manifest.splits()
    usable = ~np.isnan(flags).any(axis=1)
    if split is not None:
        usable &= np.array([part == "train" for part in split])
    return np.random.default_rng(seed).permutation(np.flatnonzero(usable)).tolist()


def _cases(
    manifest: Manifest, rows: Sequence[int], config: BundleConfig
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Row, image (S, S) and thumbnail of each image that can be read."""
    paths = manifest.paths()
    for row in rows:
        with suppress(ImageError):
            image = load_grey(paths[row], config.size, config.resize_method, frame=config.frame)
            yield row, image, load_grey(paths[row], SIDE, "pad")  # in proportion: to be looked at
