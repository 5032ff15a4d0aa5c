"""Golden inputs: a few images with the outputs that the model gave when it was written.

They are drawn from a formula, never from training images: a model file must not carry a patient.
"""

from __future__ import annotations

import io
import zipfile

import numpy as np

from ..backbones import Network, logits_of
from ..errors import BundleError

N_IMAGES = 3
MAX_IMAGES = 16
TOLERANCE = 2e-3  # logits; the same network on another processor differs by about 1e-5


def golden_images(size: int, n: int = N_IMAGES) -> np.ndarray:
    """uint8 (n, size, size): waves of different length and direction."""
    y, x = np.mgrid[:size, :size] / size
    waves = [
        np.sin(2 * np.pi * (k + 1) * (x * (i + 1) + y * (2 * k + 1)))
        for i, k in enumerate(range(n))
    ]
    return np.round(127.5 + 100 * np.stack(waves)).astype(np.uint8)


def golden_bytes(network: Network) -> bytes:
    images = golden_images(network.architecture.size)
    logits = logits_of(network, images).numpy()
    buffer = io.BytesIO()
    np.savez(buffer, images=images, logits=logits)
    return buffer.getvalue()


def check_golden(network: Network, data: bytes) -> None:
    """Raises BundleError when the network here does not give what it gave there."""
    images, logits = _arrays(data)
    size, classes = network.architecture.size, network.architecture.n_classes
    if images.dtype != np.uint8 or images.shape[1:] != (size, size):
        raise BundleError("golden.npz does not hold images of this model's size")
    if not 1 <= len(images) <= MAX_IMAGES:
        raise BundleError(f"golden.npz holds {len(images)} images; 1 to {MAX_IMAGES} are allowed")
    if logits.shape != (len(images), classes) or logits.dtype != np.float32:
        raise BundleError("golden.npz does not hold this model's outputs")
    difference = np.abs(_outputs(network, images) - logits).max()
    if not difference <= TOLERANCE:
        raise BundleError(
            f"self-test failed: outputs differ by {difference:.2g} from those at export (at most "
            f"{TOLERANCE} allowed); the file is damaged or this machine computes otherwise"
        )


def _outputs(network: Network, images: np.ndarray) -> np.ndarray:
    try:
        return logits_of(network, images).numpy()
    except Exception as error:  # a backbone that takes no images of this size, or not enough memory
        raise BundleError(f"self-test failed: the network does not run ({error})") from error


def _arrays(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """`images` and `logits`. What is compressed is refused: a few bytes may unpack to any size."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
                raise ValueError("it is compressed")
        with np.load(io.BytesIO(data), allow_pickle=False) as golden:
            return golden["images"], golden["logits"]
    except Exception as error:  # zipfile and numpy raise errors of many kinds for damaged headers
        why = str(error) or type(error).__name__
        raise BundleError(f"golden.npz cannot be read ({why})") from error
