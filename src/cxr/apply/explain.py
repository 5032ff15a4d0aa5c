"""Heat maps: which part of a film raises the score of a class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .._io import Progress, atomic_path, say
from ..backbones import Network, logits_of
from ..errors import ImageError, UsageError
from ..evaluate.figures.style import shorten
from ..pixels import load_grey, resize
from .overlay import draw_overlay, onto_film
from .predictor import Predictor

PATCHES = 8  # a side of the occlusion grid
MAX_SHOWN = 1024  # pixels a side of a drawn film
MAX_NAME = 120


def heat_map(
    predictor: Predictor, pixels: np.ndarray, class_index: int | None = None
) -> np.ndarray:
    """What raises the score of a class: float32 (S, S) in 0..1 for `pixels` uint8 (S, S).

    `class_index` is the class asked about, by default the finding that the model looks for
    (`positive`), or where it has none the likeliest class. The strongest place is 1 by definition,
    so two maps cannot be compared in strength; where nothing speaks for the class the map is zero.

    Grad-CAM (Selvaraju et al., ICCV 2017) on the body's last feature map, so as coarse as that
    map is: a cell is about 32 pixels. Bodies without such a map (transformers) get occlusion
    (Zeiler and Fergus, ECCV 2014) with 8 x 8 patches.
    Raises UsageError for pixels of another shape or a class that is not there.
    """
    network, config = predictor.bundle.network, predictor.config
    if pixels.shape != (config.size, config.size) or pixels.dtype != np.uint8:
        raise UsageError(
            f"{pixels.dtype} {pixels.shape} is not uint8 ({config.size}, {config.size}); "
            "use predictor.pixels(file)"
        )
    if class_index is None:
        class_index = asked(predictor, calibrated(predictor, pixels))
    if not 0 <= class_index < len(config.classes):
        raise UsageError(
            f"no class {class_index}; there are 0 to {len(config.classes) - 1}: "
            f"{', '.join(config.classes)}"
        )
    coarse = grad_cam(network, pixels, class_index, config.multi_label)
    if coarse is None:
        coarse = occlusion(network, pixels, class_index, config.multi_label)
    return _smooth(coarse, config.size)


def calibrated(predictor: Predictor, pixels: np.ndarray) -> list[float]:
    """Probabilities (k,) of one image."""
    logits = predictor.logits(pixels[np.newaxis])
    return predictor.probabilities(logits, calibrated=True)[0].tolist()


def asked(predictor: Predictor, chances: Sequence[float]) -> int:
    """The class to explain: the positive one where there is one, else the likeliest."""
    positive = predictor.config.positive
    return int(np.argmax(chances)) if positive is None else predictor.vocab.index(positive)


def score(logits: Tensor, index: int, multi_label: bool) -> Tensor:
    """(n,): the log-odds of one class against all others, which is what the decision turns on."""
    if multi_label or logits.shape[1] == 1:
        return logits[:, index]
    others = torch.cat([logits[:, :index], logits[:, index + 1 :]], dim=1)
    return logits[:, index] - others.logsumexp(dim=1)


def grad_cam(network: Network, pixels: np.ndarray, index: int, multi_label: bool) -> Tensor | None:
    """(h, w), not negative; None when the body ends in no feature map of more than one cell."""
    body = network.body
    with torch.no_grad():
        maps = body.forward_features(network.normalise(torch.from_numpy(pixels)[None, None]))
    if maps.ndim != 4 or maps.shape[1] != body.num_features or maps[0, 0].numel() == 1:
        return None
    with torch.enable_grad():
        maps.requires_grad_()
        logits = network.head(body.forward_head(maps))
        (slope,) = torch.autograd.grad(score(logits, index, multi_label).sum(), maps)
    weights = slope.mean(dim=(2, 3), keepdim=True)
    return (weights * maps.detach()).sum(dim=1)[0].relu()


def occlusion(network: Network, pixels: np.ndarray, index: int, multi_label: bool) -> Tensor:
    """(8, 8), not negative: how much the score falls when a patch is replaced by the mean grey."""
    edges = np.linspace(0, len(pixels), PATCHES + 1).round().astype(int)
    spans = [slice(start, end) for start, end in pairwise(edges)]
    patches = list(product(spans, spans))
    covered = np.stack([pixels] * (len(patches) + 1))
    for image, patch in zip(covered, patches, strict=False):  # the last image stays whole
        image[patch] = round(float(pixels.mean()))
    scores = score(logits_of(network, covered), index, multi_label)
    return (scores[-1] - scores[:-1]).relu().view(PATCHES, PATCHES)


def _smooth(coarse: Tensor, size: int) -> np.ndarray:
    heat = F.interpolate(coarse[None, None], (size, size), mode="bilinear")[0, 0]
    strongest = heat.max()
    return (heat / strongest if strongest > 0 else heat).numpy()


def explain_files(predictor: Predictor, files: Sequence[Path], folder: Path | str) -> list[Path]:
    """Writes a PNG for each readable file into `folder`, in order; returns what was written.

    Film and heat map side by side, with the decision and its calibrated probability. A file that
    cannot be read is skipped and its reason said. Raises UsageError when `folder` is not empty.
    """
    folder = Path(folder)
    require_empty(folder)
    written = []
    with Progress("explaining", len(files)) as progress:
        for file, name in zip(files, overlay_names(files), strict=True):
            try:
                picture = explain_file(predictor, file)
            except ImageError as error:
                say(f"no heat map: {error}")
            else:
                with atomic_path(folder / name) as temporary:
                    temporary.write_bytes(picture)
                written.append(folder / name)
            progress.advance()
    return written


def require_empty(folder: Path) -> None:
    """Nothing is ever written over: a folder of heat maps must be new or empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder; choose a new one for the heat maps")


def explain_file(predictor: Predictor, file: Path) -> bytes:
    """One picture, as PNG. Raises ImageError."""
    pixels, film = predictor.pixels(file), _shown(load_grey(file))
    chances = calibrated(predictor, pixels)
    index = asked(predictor, chances)
    heat = heat_map(predictor, pixels, index)
    heat = onto_film(heat, film.shape, predictor.config.resize_method)
    return draw_overlay(film, heat, _headline(predictor, chances, index), predictor.vocab[index])


def _headline(predictor: Predictor, chances: list[float], index: int) -> str:
    """`NORMAL: probability of PNEUMONIA 0.312, threshold 0.518`."""
    config = predictor.config
    decision = shorten(predictor.decision(chances) or "nothing found", 60)
    line = f"{decision}: probability of {shorten(config.classes[index])} {chances[index]:.3f}"
    binary = config.positive is not None and len(config.classes) == 2 and not config.multi_label
    return f"{line}, threshold {config.threshold:.3f}" if binary else line


def _shown(grey: np.ndarray) -> np.ndarray:
    shrink = max(*grey.shape, MAX_SHOWN) / MAX_SHOWN
    height, width = (max(1, round(side / shrink)) for side in grey.shape)
    return resize(grey, (height, width))


def overlay_names(files: Sequence[Path]) -> list[str]:
    """A file name for each, safe on every system and different from all others."""
    names: list[str] = []
    taken: set[str] = set()
    for file in files:
        stem = re.sub(r"[^\w.-]+", "_", file.name)[:MAX_NAME]
        name, n = f"{stem}.heat.png", 1
        while name.casefold() in taken:
            n += 1
            name = f"{stem}-{n}.heat.png"
        taken.add(name.casefold())
        names.append(name)
    return names
