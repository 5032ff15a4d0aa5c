"""Images that show no frontal chest, drawn or cut from a photograph: for the lung locator.

CT slices, hands, lateral chests, textures, drawings, pages of text and parts of a photograph, each
in endless variety by its seed. They resemble the real thing at 48 x 48 pixels only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from sklearn.datasets import load_sample_image

from cxr.pixels.frame import SIDE

CANVAS = 192


def unlike_chests(n: int, seed: int, photograph: str = "china.jpg") -> np.ndarray:
    """uint8 (n, 48, 48), the kinds in turn. `photograph` is one of scikit-learn's."""
    rng = np.random.default_rng(seed)
    photo = np.asarray(Image.fromarray(load_sample_image(photograph)).convert("L"))
    makers = [*KINDS.values(), lambda draw: part_of(photo, draw)]
    images = [makers[i % len(makers)](rng) for i in range(n)]
    side = SIDE, SIDE
    return np.stack([np.asarray(one.resize(side, Image.Resampling.BOX)) for one in images])


def part_of(photo: np.ndarray, rng: np.random.Generator) -> Image.Image:
    height, width = photo.shape
    side = rng.uniform(0.15, 0.9, 2) * (width, height)
    x, y = rng.uniform(0, 1, 2) * ((width, height) - side)
    part = Image.fromarray(photo).resize((CANVAS, CANVAS), box=(x, y, x + side[0], y + side[1]))
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else part


def blank(level: float) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("L", (CANVAS, CANVAS), int(level))
    return image, ImageDraw.Draw(image)


def ellipse(
    draw: ImageDraw.ImageDraw, x: float, y: float, across: float, down: float, level: float
) -> None:
    """Centre and half axes as shares of the canvas."""
    edges = np.array([x - across, y - down, x + across, y + down]) * CANVAS
    draw.ellipse(edges.tolist(), fill=int(level))


def soft(image: Image.Image, rng: np.random.Generator, low: float, high: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(low, high)))


def ct_slice(rng: np.random.Generator) -> Image.Image:
    """An axial slice: a body in black air, two lungs, the heart in front, the spine behind."""
    image, draw = blank(rng.uniform(0, 20))
    x, y = rng.uniform(0.45, 0.55, 2)
    across, down = rng.uniform(0.36, 0.48), rng.uniform(0.26, 0.38)
    ellipse(draw, x, y, across, down, rng.uniform(120, 190))
    ellipse(draw, x, y, across * 0.92, down * 0.9, rng.uniform(90, 150))
    air = rng.uniform(5, 50)
    for side in (-1, 1):
        reach = rng.uniform(0.28, 0.4)
        lung = x + side * across * rng.uniform(0.42, 0.5), y - down * rng.uniform(-0.1, 0.1)
        ellipse(draw, *lung, across * reach, down * rng.uniform(0.6, 0.78), air)
    tissue = rng.uniform(110, 180)
    ellipse(draw, x + across * 0.12, y - down * 0.2, across * 0.3, down * 0.4, tissue)
    ellipse(draw, x, y + down * 0.6, across * 0.16, down * 0.22, 240)
    return soft(image, rng, 1, 3)


def hand(rng: np.random.Generator) -> Image.Image:
    """Five bright fingers, with brighter bones, on a dark ground."""
    image, draw = blank(rng.uniform(0, 40))
    skin, bone = rng.uniform(60, 130), rng.uniform(170, 250)
    x, y = rng.uniform(0.42, 0.58), rng.uniform(0.6, 0.72)
    palm = rng.uniform(0.15, 0.2)
    ellipse(draw, x, y, palm, palm * 1.2, skin)
    draw.rectangle([(x - 0.1) * CANVAS, y * CANVAS, (x + 0.1) * CANVAS, CANVAS], fill=int(skin))
    for finger, spread in enumerate(np.linspace(-0.75, 0.75, 5) + rng.normal(0, 0.06, 5)):
        long = rng.uniform(0.42, 0.52) - 0.09 * abs(finger - 2)
        tip = (x + np.sin(spread) * long) * CANVAS, (y - np.cos(spread) * long) * CANVAS
        line = [(x + np.sin(spread) * 0.1) * CANVAS, y * CANVAS, *tip]
        draw.line(line, fill=int(skin), width=int(CANVAS * 0.085))
        draw.line(line, fill=int(bone), width=int(CANVAS * 0.03))
    return soft(image, rng, 1, 3).rotate(rng.uniform(-40, 40))


def lateral(rng: np.random.Generator) -> Image.Image:
    """A chest from the side: one dark field before a slanting spine, the heart low in front."""
    image, draw = blank(rng.uniform(0, 60))
    x, y = rng.uniform(0.45, 0.55, 2)
    ellipse(draw, x, y, rng.uniform(0.34, 0.46), rng.uniform(0.46, 0.6), rng.uniform(120, 180))
    ellipse(draw, x, y - 0.04, rng.uniform(0.2, 0.3), rng.uniform(0.3, 0.4), rng.uniform(30, 80))
    ellipse(draw, x - 0.1, y + 0.14, rng.uniform(0.1, 0.16), rng.uniform(0.12, 0.18), 160)
    back = x + rng.uniform(0.16, 0.24)
    spine = [(back - 0.08) * CANVAS, 0, back * CANVAS, CANVAS * 0.5, (back - 0.04) * CANVAS, CANVAS]
    draw.line(spine, fill=int(rng.uniform(170, 240)), width=int(CANVAS * rng.uniform(0.06, 0.12)))
    ellipse(draw, x, y + 0.5, 0.5, rng.uniform(0.16, 0.26), rng.uniform(150, 210))
    image = soft(image, rng, 2, 6)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else image


def texture(rng: np.random.Generator) -> Image.Image:
    """Noise of many grains: clouds to grit."""
    total = np.zeros((CANVAS, CANVAS))
    slope = rng.uniform(0.3, 1.3)
    for octave in range(1, 7):
        grain = rng.standard_normal((2**octave, rng.choice([2, 2**octave, 2**octave])))
        layer = Image.fromarray(grain.astype(np.float32)).resize((CANVAS, CANVAS))
        total += np.asarray(layer) * 2.0 ** (-slope * octave)
    total = (total - total.mean()) / total.std() * rng.uniform(20, 60) + 128
    return Image.fromarray(np.clip(total, 0, 255).astype(np.uint8))


def drawing(rng: np.random.Generator) -> Image.Image:
    """Ellipses, bars and stripes, some in symmetric pairs."""
    image, draw = blank(rng.uniform(0, 255))
    for _ in range(rng.integers(1, 7)):
        x, y, across, down = rng.uniform(0, 1, 4) * (1, 1, 0.4, 0.4)
        level = rng.uniform(0, 255)
        for place in (x, 1 - x)[: rng.integers(1, 3)]:
            if rng.random() < 0.6:
                ellipse(draw, place, y, across, down, level)
            else:
                draw.rectangle(
                    [
                        (place - across) * CANVAS,
                        (y - down) * CANVAS,
                        (place + across) * CANVAS,
                        (y + down) * CANVAS,
                    ],
                    fill=int(level),
                )
    return soft(image, rng, 0.5, 5)


def page(rng: np.random.Generator) -> Image.Image:
    """Lines of text-like marks."""
    image, draw = blank(rng.uniform(200, 255))
    step = int(rng.integers(6, 20))
    for y in range(step, CANVAS - step, step):
        x = rng.uniform(0, 0.2) * CANVAS
        while x < CANVAS * rng.uniform(0.5, 0.95):
            word = rng.uniform(4, 24)
            draw.rectangle([x, y, x + word, y + step * 0.5], fill=int(rng.uniform(0, 90)))
            x += word + rng.uniform(3, 8)
    return image if rng.random() < 0.5 else Image.eval(image, lambda grey: 255 - grey)


KINDS: dict[str, Callable[[np.random.Generator], Image.Image]] = {
    "CT slice": ct_slice,
    "hand": hand,
    "lateral chest": lateral,
    "texture": texture,
    "drawing": drawing,
    "page": page,
}
