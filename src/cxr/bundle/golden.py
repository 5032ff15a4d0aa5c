"""Golden inputs: a few images with the outputs that the model gave when it was written.

They are drawn from a formula, never from training images: a model file must not carry a patient.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BundleError
from .archive import Arrays, npz_bytes, read_npz

if TYPE_CHECKING:
    from ..backbones import Network

N_IMAGES = 3
MAX_IMAGES = 16
TOLERANCE = 2e-3  # logits; the same network on another processor differs by about 1e-5


@dataclass(frozen=True)
class Golden:
    """`images` uint8 (n, S, S) and the `logits` float32 (n, k) that belong to them."""

    images: np.ndarray
    logits: np.ndarray

    def check(self, logits: np.ndarray) -> None:
        """Raises BundleError when the network here does not give what it gave there."""
        difference = self.difference(logits)
        if not difference <= TOLERANCE:
            raise BundleError(
                f"self-test failed: outputs differ by {difference:.2g} from those at export (at "
                f"most {TOLERANCE} allowed); the file is damaged or this machine computes otherwise"
            )

    def difference(self, logits: np.ndarray) -> float:
        """The largest of any logit; NaN when one is not a number."""
        return float(np.abs(logits - self.logits).max())


def golden_images(size: int, n: int = N_IMAGES) -> np.ndarray:
    """uint8 (n, size, size): waves of different length and direction."""
    y, x = np.mgrid[:size, :size] / size
    waves = [
        np.sin(2 * np.pi * (k + 1) * (x * (i + 1) + y * (2 * k + 1)))
        for i, k in enumerate(range(n))
    ]
    return np.round(127.5 + 100 * np.stack(waves)).astype(np.uint8)


def golden_bytes(network: Network, classes: Sequence[str] = ()) -> bytes:
    """`classes`, in the order of the outputs, stand here once more: see `read_golden`."""
    from ..backbones import logits_of

    images = golden_images(network.architecture.size)
    arrays = {"images": images, "logits": logits_of(network, images).numpy()}
    if classes:
        text = json.dumps(list(classes), ensure_ascii=False)
        arrays["classes"] = np.frombuffer(text.encode(), np.uint8)
    return npz_bytes(arrays)


def read_golden(data: bytes, size: int, classes: Sequence[str]) -> Golden:
    """Raises BundleError when `data` is not of a model with this size and these classes.

    Files of older versions name no classes.
    """
    arrays = _arrays(data)
    images, logits, names = arrays["images"], arrays["logits"], arrays.get("classes")
    if images.dtype != np.uint8 or images.shape[1:] != (size, size):
        raise BundleError("golden.npz does not hold images of this model's size")
    if not 1 <= len(images) <= MAX_IMAGES:
        raise BundleError(f"golden.npz holds {len(images)} images; 1 to {MAX_IMAGES} are allowed")
    if logits.shape != (len(images), len(classes)) or logits.dtype != np.float32:
        raise BundleError("golden.npz does not hold this model's outputs")
    if names is not None and _names(names) != list(classes):
        raise BundleError("the classes are not those that the outputs were named when it was made")
    return Golden(images, logits)


def check_golden(network: Network, data: bytes) -> None:
    """Raises BundleError when `data` is not in order, or `network` gives something else."""
    from ..backbones import logits_of

    architecture = network.architecture
    golden = read_golden(data, architecture.size, [""] * architecture.n_classes)
    golden.check(logits_of(network, golden.images).numpy())


def _names(text: np.ndarray) -> object:
    try:
        return json.loads(text.tobytes())
    except (ValueError, RecursionError) as error:
        raise BundleError("golden.npz does not name this model's classes") from error


def _arrays(data: bytes) -> Arrays:
    arrays = read_npz(data, "golden.npz")
    if not {"images", "logits"} <= set(arrays):
        raise BundleError("golden.npz cannot be read (images or logits are missing)")
    return arrays
