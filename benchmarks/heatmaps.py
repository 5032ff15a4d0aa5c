"""Do the heat maps show what they claim to? On phantom images, whose lesions are known.

    python benchmarks/heatmaps.py MODEL.cxr [--patients 300] [--seed 1000]
    python benchmarks/heatmaps.py MODEL.cxr --run RUN --data DATA    # where it lies on real images

MODEL was trained on other phantom images (`cxr phantom`, another seed; `cxr train --size 128`).
Of one image a patient, those ill and called ill count:

1. peak: does the strongest place lie in the lesion? Target: in at least 80 %;
2. randomisation test (Adebayo et al. 2018): rank correlation with the maps of a fresh head and of
   a fresh network. Target: below 0.5 ("passed").

Beside it the share of heat in the lesion, the same of plain Grad-CAM, the lung estimate against
the drawn lungs (Dice), and the time of a map. Intervals are exact binomial ones (peak) or of the
mean by bootstrap, all 95 %.

With `--run` (the run that made MODEL) and `--data`: of its validation images called ill, one a
patient, the share of heat outside the estimated lungs, between them, and beyond both; beside each
what an even map over the same part of the image would put there. And what the network needs: the
AUROC of 500 validation images of which all but one of these places is blurred.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from cxr.apply import Predictor, load_learner
from cxr.apply.explain.heat_map import grad_cam, smoothed
from cxr.apply.explain.lungs import lung_estimate
from cxr.apply.explain.places import between as between_the
from cxr.apply.explain.places import heat_places
from cxr.apply.explain.sanity import randomisation_test
from cxr.evaluate.intervals import clopper_pearson
from cxr.find.phantom import PNEUMONIA, PhantomSpec, render_image
from cxr.find.phantom import image as drawn
from cxr.find.phantom.patients import Stream
from cxr.pixels import load_grey, resize
from cxr.pixels.resize import cut

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


def on_real_images(predictor: Predictor, run: Path, data: Path, most: int) -> dict[str, object]:
    table = pd.read_csv(run / "predictions_valid.csv", dtype={"patient": str})
    positive = predictor.config.positive
    called = table[table[f"prob_{positive}"] >= predictor.config.threshold]
    called = called.sample(frac=1, random_state=0).drop_duplicates("patient").head(most)
    shares: dict[str, list[float]] = {}
    for path in called["path"]:
        image = load_grey(data / path)
        pixels, frame = predictor.framed(image)
        heat, method = predictor.heat_map(pixels).values, predictor.config.resize_method
        for name, values in (("", heat), (", even map", np.ones_like(heat))):
            if heat.any():
                found = heat_places(image, values, method, frame.box)
                outside, between = found.outside_lungs, found.between_lungs
                shares.setdefault(f"heat outside the lungs{name}", []).append(outside)
                shares.setdefault(f"heat between the lungs{name}", []).append(between)
                shares.setdefault(f"heat beyond both{name}", []).append(outside - between)
    needed = needed_places(predictor, table.sample(500, random_state=1), data)
    return {**{name: mean(values) for name, values in shares.items()}, **needed}


def needed_places(predictor: Predictor, table: pd.DataFrame, data: Path) -> dict[str, float]:
    """AUROC where only one of these places is left as it is; the rest is blurred."""
    kept: dict[str, list[np.ndarray]] = {}
    for path in table["path"]:
        pixels, frame = predictor.framed(data / path)
        lungs = lung_estimate(load_grey(data / path, 256))
        chest = lungs | between_the(lungs)
        blurred = gaussian_filter(pixels.astype(np.float32), 0.09 * len(pixels))
        for name, mask in (
            ("everything", np.ones_like(lungs)),
            ("the lungs", lungs),
            ("the lungs and between", chest),
            ("all but the lungs", ~lungs),
            ("what lies beyond both", ~chest),
            ("nothing", np.zeros_like(lungs)),
        ):
            small = cut(mask.astype(np.uint8) * 255, frame.box, len(pixels))
            soft = gaussian_filter(small / np.float32(255), len(pixels) / 64)
            mixed = soft * pixels + (1 - soft) * blurred
            kept.setdefault(name, []).append(mixed.round().astype(np.uint8))
    truth, index = table["label"] == predictor.config.positive, predictor.rules.task.positive_index
    return {
        f"AUROC, {name} kept": float(
            roc_auc_score(
                truth, predictor.probabilities(predictor.logits(np.stack(images)))[:, index]
            )
        )
        for name, images in kept.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--patients", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1000, help="of the phantom")
    parser.add_argument("--run", type=Path, help="the run of MODEL: measure on its validation")
    parser.add_argument("--data", type=Path, help="the images of --run")
    parser.add_argument("--images", type=int, default=250, help="of --run, called ill")
    parser.add_argument("--no-store", dest="store", action="store_false", help="no result file")
    given = parser.parse_args()
    predictor = load_learner(given.model)
    real = given.run is not None
    result = (
        on_real_images(predictor, given.run, given.data, given.images)
        if real
        else measure(predictor, given.patients, given.seed)
    )
    for name, figure in result.items():
        if isinstance(figure, dict) and "low" in figure:
            figure = "{value:.3f} ({low:.3f} to {high:.3f}), n={n}".format(**figure)
        print(f"{name:36} {figure}")
    if given.store:
        (RESULTS / ("heat_places.json" if real else "heatmaps.json")).write_text(
            json.dumps(result, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
