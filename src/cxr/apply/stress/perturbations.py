"""What hospitals do differently to an image, each as one small function with stated strengths.

Every function takes `images` uint8 (n, H, W), a strength (0 changes nothing, further from 0
changes more) and a seeded generator, and gives new images of the same shape. Lengths are shares of
the side, so that a strength means the same for images of every size. Noise, compression and lost
resolution are harsher on what the network sees than on a large image, whose shrinking hides most
of them (see `views.views_of` for which is changed).

The kinds follow Hendrycks and Dietterich (ICLR 2019, arXiv:1903.12261), less what happens to no
radiograph (weather, glass), with what does: frames, markers, other aspect, inversion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log2

import numpy as np
from numpy.typing import NDArray

from ...pixels import resize

Images = NDArray[np.uint8]
Change = Callable[[Images, float, np.random.Generator], Images]

SHARPENING_RADIUS = 0.01  # of the side
MARKS = {  # 5 x 4 cells
    "L": ("1000", "1000", "1000", "1000", "1111"),
    "R": ("1110", "1001", "1110", "1010", "1001"),
}


@dataclass(frozen=True)
class Perturbation:
    """A change and its strengths: words for a reader -> the number that `change` takes."""

    name: str
    change: Change
    strengths: Mapping[str, float]

    @property
    def strongest(self) -> tuple[str, ...]:
        """The words of the strongest setting, of both where a change goes two ways."""
        values = self.strengths.values()
        ends = {min(values), max(values)}
        # Where all go one way, the end nearer to 0 is the weakest.
        two_ways = min(ends) < 0 < max(ends)
        strongest = ends if two_ways else {max(ends, key=abs)}
        return tuple(words for words, value in self.strengths.items() if value in strongest)


def brightness(images: Images, levels: float, rng: np.random.Generator) -> Images:
    """Adds grey levels of 255."""
    return _grey(np.arange(256) + levels)[images]


def contrast(images: Images, doublings: float, rng: np.random.Generator) -> Images:
    """Stretches (above 0) or flattens (below) around each image's own mean grey."""
    middle = images.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
    return _grey((images - middle) * np.float32(2**doublings) + middle)


def gamma(images: Images, doublings: float, rng: np.random.Generator) -> Images:
    """Power 2**doublings: above 0 darkens the middle greys, below 0 lightens them."""
    return _grey(255 * (np.arange(256) / 255) ** 2**doublings)[images]


def blur(images: Images, share: float, rng: np.random.Generator) -> Images:
    """Gaussian, `share` of the side as its standard deviation."""
    return _grey(_smooth(images, share))


def sharpening(images: Images, amount: float, rng: np.random.Generator) -> Images:
    """Unsharp mask: adds `amount` times what a slight blur takes away."""
    detail = images - _smooth(images, SHARPENING_RADIUS)
    return _grey(images + np.float32(amount) * detail)


def noise(images: Images, levels: float, rng: np.random.Generator) -> Images:
    """Gaussian, independent from pixel to pixel, `levels` grey levels of standard deviation."""
    grain = rng.standard_normal(images.shape, np.float32)
    return _grey(images + np.float32(levels) * grain)


def jpeg(images: Images, loss: float, rng: np.random.Generator) -> Images:
    """JPEG of quality 100 - `loss`, and back."""
    if not loss:
        return images.copy()
    from simplejpeg import decode_jpeg, encode_jpeg

    changed = np.empty_like(images)
    for image, target in zip(images, changed, strict=True):
        grey = np.ascontiguousarray(image)[..., None]
        data = encode_jpeg(grey, round(100 - loss), "GRAY", "Gray")
        target[:] = decode_jpeg(data, "GRAY")[..., 0]
    return changed


def rotation(images: Images, degrees: float, rng: np.random.Generator) -> Images:
    """To the left or to the right as drawn; the edges are mirrored, as wedges would be frames."""
    from scipy.ndimage import rotate

    changed = np.empty_like(images)
    right = rng.random(len(images)) < 0.5
    for which, angle in ((right, -degrees), (~right, degrees)):
        changed[which] = rotate(
            images[which], angle, axes=(2, 1), reshape=False, order=1, mode="mirror"
        )
    return changed


def resolution(images: Images, halvings: float, rng: np.random.Generator) -> Images:
    """Shrinks by 2**halvings and enlarges again."""
    height, width = images.shape[1:]
    small = max(1, round(height / 2**halvings)), max(1, round(width / 2**halvings))
    return _resized(_resized(images, small), (height, width))


def aspect(images: Images, share: float, rng: np.random.Generator) -> Images:
    """Widens the chest (above 0) or lengthens it by `share`, cutting what no longer fits."""
    cut = (1 - 1 / (1 + abs(share))) / 2
    return _cropped(images, *((0, cut) if share > 0 else (cut, 0)))


def cropped_edges(images: Images, share: float, rng: np.random.Generator) -> Images:
    """Cuts `share` of the side from each edge and enlarges the rest."""
    return _cropped(images, share, share)


def black_frame(images: Images, share: float, rng: np.random.Generator) -> Images:
    """Shrinks the image into a black frame, `share` of the side wide on each edge."""
    return _framed(images, share, 0)


def white_frame(images: Images, share: float, rng: np.random.Generator) -> Images:
    """As `black_frame`, in white."""
    return _framed(images, share, 255)


def shift(images: Images, share: float, rng: np.random.Generator) -> Images:
    """Moves the image by `share` of the side, up or down and left or right as drawn; what it
    leaves is black."""
    height, width = images.shape[1:]
    y, x = round(share * height), round(share * width)
    ways = rng.random((len(images), 2)) < 0.5
    changed = np.zeros_like(images)
    for image, target, (up, left) in zip(images, changed, ways, strict=True):
        source, canvas = image[:: -1 if up else 1], target[:: -1 if up else 1]
        source, canvas = source[:, :: -1 if left else 1], canvas[:, :: -1 if left else 1]
        canvas[y:, x:] = source[: height - y, : width - x]
    return changed


def corner_marker(images: Images, share: float, rng: np.random.Generator) -> Images:
    """A white L or R, `share` of the side high, in one of the upper corners as drawn."""
    changed = images.copy()
    side, margin = round(share * images.shape[1]), round(0.04 * images.shape[1])
    marks = [_enlarged(mark, side) for mark in MARKS.values()]
    for image, mark, right in zip(
        changed, rng.integers(2, size=len(changed)), rng.random(len(changed)) < 0.5, strict=True
    ):
        view = image[:, ::-1] if right else image
        letter = marks[mark][:, ::-1] if right else marks[mark]  # to be read, not mirrored
        height, width = letter.shape
        view[margin : margin + height, margin : margin + width][letter] = 255
    return changed


def equalisation(images: Images, share: float, rng: np.random.Generator) -> Images:
    """Histogram equalisation of each image, mixed in by `share` (1: nothing else is left)."""
    tables = np.stack([_equalising(image) for image in images])
    mixed = _grey((1 - share) * np.arange(256) + share * tables)
    return np.stack([table[image] for table, image in zip(mixed, images, strict=True)])


def inversion(images: Images, share: float, rng: np.random.Generator) -> Images:
    """Black for white, mixed in by `share`; only the whole is met in practice."""
    levels = np.arange(256)
    return _grey((1 - share) * levels + share * (255 - levels))[images]


def _grey(values: NDArray[np.floating] | NDArray[np.integer]) -> Images:
    return np.rint(values).clip(0, 255).astype(np.uint8)


def _smooth(images: Images, share: float) -> NDArray[np.float32]:
    from scipy.ndimage import gaussian_filter

    sigma = share * images.shape[1]
    smooth: NDArray[np.float32] = gaussian_filter(
        images.astype(np.float32), (0, sigma, sigma), mode="nearest"
    )
    return smooth


def _resized(images: Images, shape: tuple[int, int]) -> Images:
    return np.stack([resize(np.ascontiguousarray(image), shape) for image in images])


def _cropped(images: Images, above: float, beside: float) -> Images:
    """Shares of height and width are cut from both ends, the rest is stretched to the whole."""
    height, width = images.shape[1:]
    y, x = round(above * height), round(beside * width)
    return _resized(images[:, y : height - y, x : width - x], (height, width))


def _framed(images: Images, share: float, level: int) -> Images:
    height, width = images.shape[1:]
    y, x = round(share * height), round(share * width)
    changed = np.full_like(images, level)
    inner = height - 2 * y, width - 2 * x
    changed[:, y : height - y, x : width - x] = _resized(images, inner)
    return changed


def _enlarged(mark: tuple[str, ...], height: int) -> NDArray[np.bool_]:
    cells = np.array([[cell == "1" for cell in row] for row in mark])
    rows = np.arange(height) * len(cells) // max(height, 1)
    width = round(height * cells.shape[1] / len(cells))
    columns = np.arange(width) * cells.shape[1] // max(width, 1)
    return cells[np.ix_(rows, columns)]


def _equalising(image: Images) -> NDArray[np.float64]:
    """(256,) new levels, so that equal shares of the pixels lie below equal steps of grey."""
    below = np.bincount(image.ravel(), minlength=256).cumsum()
    lowest, n = below[image.min()], image.size
    if lowest == n:  # one grey level: nothing to spread
        return np.arange(256, dtype=np.float64)
    return np.maximum(below - lowest, 0) * 255 / (n - lowest)


PERTURBATIONS: tuple[Perturbation, ...] = (
    Perturbation("brightness", brightness, {"-40 of 255": -40, "+40 of 255": 40}),
    Perturbation("contrast", contrast, {"x 0.6": log2(0.6), "x 1.7": log2(1.7)}),
    Perturbation("gamma", gamma, {"0.6 (lighter)": log2(0.6), "1.7 (darker)": log2(1.7)}),
    Perturbation("blur", blur, {"1 % of the side": 0.01, "2 % of the side": 0.02}),
    Perturbation("sharpening", sharpening, {"x 1": 1, "x 3": 3}),
    Perturbation("noise", noise, {"10 of 255": 10, "25 of 255": 25}),
    Perturbation("JPEG", jpeg, {"quality 30": 70, "quality 10": 90}),
    Perturbation("rotation", rotation, {"5 degrees": 5, "10 degrees": 10}),
    Perturbation("lower resolution", resolution, {"to a half": 1, "to a quarter": 2}),
    Perturbation("aspect", aspect, {"15 % longer": -0.15, "15 % wider": 0.15}),
    Perturbation("black frame", black_frame, {"5 % of the side": 0.05, "10 % of the side": 0.1}),
    Perturbation("white frame", white_frame, {"5 % of the side": 0.05, "10 % of the side": 0.1}),
    Perturbation("cropped edges", cropped_edges, {"5 % each": 0.05, "10 % each": 0.1}),
    Perturbation("shift", shift, {"5 % of the side": 0.05, "10 % of the side": 0.1}),
    Perturbation("corner marker", corner_marker, {"8 % high": 0.08, "15 % high": 0.15}),
    Perturbation("equalisation", equalisation, {"half": 0.5, "whole": 1}),
    Perturbation("inversion", inversion, {"whole": 1}),
)
"""To add one, write its function and name it here."""
