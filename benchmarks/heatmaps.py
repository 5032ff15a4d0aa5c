"""Do the heat maps show what they claim to? On phantom images, whose lesions are known.

    python benchmarks/heatmaps.py MODEL.cxr [--patients 300] [--seed 1000]

MODEL was trained on other phantom images (`cxr phantom`, another seed; `cxr train --size 128`).
Of one image a patient, those ill and called ill count:

1. peak: does the strongest place lie in the lesion? Target: in at least 80 %;
2. randomisation test (Adebayo et al. 2018): rank correlation with the maps of a fresh head and of
   a fresh network. Target: below 0.5 ("passed").

Beside it the share of heat in the lesion, the same of plain Grad-CAM, the lung estimate against
the drawn lungs (Dice), and the time of a map. Intervals are exact binomial ones (peak) or of the
mean by bootstrap, all 95 %.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from cxr.apply import Predictor, load_learner
from cxr.apply.explain.heat_map import grad_cam, smoothed
from cxr.apply.explain.lungs import lung_estimate
from cxr.apply.explain.sanity import randomisation_test
from cxr.evaluate.intervals import clopper_pearson
from cxr.find.phantom import PNEUMONIA, PhantomSpec, render_image
from cxr.find.phantom import image as drawn
from cxr.find.phantom.patients import Stream
from cxr.pixels import resize

RESULTS = Path(__file__).parent / "results"
TESTED = 32  # images of the randomisation test


class Case(NamedTuple):
    """All (S, S): the image uint8, where the disease and where the lungs are."""

    image: np.ndarray
    lesion: np.ndarray
    lungs: np.ndarray


def draw(patient: int, spec: PhantomSpec, size: int) -> Case | None:
    """None for an image without disease, or of which none shows."""
    image = render_image(patient, 0, spec)
    if image.label != PNEUMONIA or not image.mask.any():
        return None
    return Case(
        resize(image.pixels, size),
        squared(image.mask, size),
        squared(lungs_of(patient, spec), size),
    )


def lungs_of(patient: int, spec: PhantomSpec) -> np.ndarray:
    build, pose = drawn.draw_build(spec, patient), drawn.draw_pose(spec, patient, 0)
    shape = spec.size, round(spec.size * pose.aspect)
    streams = (
        drawn.stream(spec, Stream.VESSELS, patient),
        drawn.stream(spec, Stream.TEXTURE, patient, 0),
    )
    chest = drawn.draw_chest(drawn.canvas(*shape), build, pose, *streams)
    return drawn.place(chest.lungs.inside(chest.grid), chest.grid, pose, shape) > 0.5


def squared(mask: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST))


def plain(predictor: Predictor, image: np.ndarray) -> np.ndarray:
    """Grad-CAM on the last feature map."""
    index = predictor.vocab.index(PNEUMONIA)
    coarse = grad_cam(predictor.network, image, index, False)
    return smoothed(coarse[None, None], len(image)).numpy()


def at_peak(heat: np.ndarray, lesion: np.ndarray) -> bool:
    return bool(heat.any() and lesion[np.unravel_index(heat.argmax(), heat.shape)])


def share_in(heat: np.ndarray, mask: np.ndarray) -> float:
    return float(heat[mask].sum() / heat.sum()) if heat.any() else 0.0


def proportion(hits: list[bool]) -> dict[str, float]:
    low, high = clopper_pearson(sum(hits), len(hits))
    return {"value": sum(hits) / len(hits), "low": low, "high": high, "n": len(hits)}


def mean(values: list[float], seed: int = 0) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    drawn = rng.choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"value": float(np.mean(values)), "low": low, "high": high, "n": len(values)}


def measure(predictor: Predictor, patients: int, seed: int) -> dict[str, object]:
    spec, size = PhantomSpec(seed=seed), predictor.config.size
    cases = [case for i in range(patients) if (case := draw(i, spec, size)) is not None]
    images = np.stack([case.image for case in cases])
    chances = predictor.probabilities(predictor.logits(images), calibrated=True)
    called = chances[:, predictor.vocab.index(PNEUMONIA)].numpy() >= predictor.config.threshold
    found = [case for case, yes in zip(cases, called, strict=True) if yes]
    start = time.perf_counter()
    heats = [predictor.heat_map(case.image).values for case in found]
    seconds = (time.perf_counter() - start) / len(found)
    lesions = [case.lesion for case in found]
    coarse = [plain(predictor, case.image) for case in found]
    test = randomisation_test(predictor, np.stack([case.image for case in found[:TESTED]]), seed)
    return {
        "ill": len(cases),
        "called ill": len(found),
        "lesion, share of image": mean([float(lesion.mean()) for lesion in lesions]),
        "peak in the lesion": proportion(list(map(at_peak, heats, lesions))),
        "peak in the lesion, plain Grad-CAM": proportion(list(map(at_peak, coarse, lesions))),
        "heat in the lesion": mean(list(map(share_in, heats, lesions))),
        "heat in the lesion, plain Grad-CAM": mean(list(map(share_in, coarse, lesions))),
        "randomisation test": test,
        "lung estimate, Dice": mean([dice(case) for case in found]),
        "seconds a map": seconds,
    }


def dice(case: Case) -> float:
    estimate = lung_estimate(case.image)
    return float(2 * (estimate & case.lungs).sum() / (estimate.sum() + case.lungs.sum()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--patients", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1000, help="of the phantom")
    parser.add_argument("--no-store", dest="store", action="store_false", help="no result file")
    given = parser.parse_args()
    result = measure(load_learner(given.model), given.patients, given.seed)
    for name, figure in result.items():
        if isinstance(figure, dict) and "low" in figure:
            figure = "{value:.3f} ({low:.3f} to {high:.3f}), n={n}".format(**figure)
        print(f"{name:36} {figure}")
    if given.store:
        (RESULTS / "heatmaps.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
