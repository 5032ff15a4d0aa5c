"""Knowing when not to answer: what it finds, what it costs, and whether it keeps its promise.

    python benchmarks/unlike.py --run runs/a             # a finished run of `cxr train` on --data
    python benchmarks/unlike.py --run runs/a --only time

kinds: the detector is fitted on the validation images of the run, five times without a fifth of the
patients; these, never seen by it, are judged as they are (`image`: the share of false alarms) and
damaged. Images that scikit-image and scikit-learn carry, in grey, whole and cropped, and images
and slices that pydicom carries, are judged by all five. `auroc` is against `image`; `found` is the
share beyond the limit, `distance` the median in units of it.
coverage: the abstention rule is fitted on half of the patients of validation and judged on the
other, 100 times: the share of each class that keeps its class, the share of images with exactly one
class, the errors among these and among all.
time: milliseconds of one file to its row (`ms_file`) and of an image of a batch of 128
(`ms_batch`), without and with both rules, taken in turns.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from _bench import add_trial_options, arguments, report
from check import SPOIL, other_dicom, photographs
from cxr.apply import Predictor, load_learner
from cxr.apply.decision.confidence import confidences
from cxr.backbones.infer import TorchOutputs, logits_and_features_of
from cxr.bundle.abstention import AbstentionRules, ConformalRule, OutOfDistributionDetector, layout
from cxr.bundle.abstention_file import abstention_bytes
from cxr.evaluate.abstention.conformal import fit_conformal
from cxr.evaluate.abstention.fit import ValidationOutputs, fit_abstention_rules
from cxr.evaluate.abstention.out_of_distribution import fit_out_of_distribution

EACH = 150  # images of each kind of damage
HALVES = 100
ROUNDS = 60
ADULT = "chest_cr_monochrome1_jpeg2000.dcm"
Measures = dict[str, np.ndarray]
Spoil = Callable[[Image.Image, np.random.Generator], Image.Image]


class Run:
    """The validation images of a finished run, and what its model makes of them."""

    def __init__(self, run: Path, data: Path, n: int | None) -> None:
        self.data, self.predictor = data, load_learner(run / "model.cxr")
        table = pd.read_csv(run / "manifest.csv", dtype=str)
        table = table[table["split"] == "valid"]
        table = table if n is None else table[:: max(1, len(table) // n)]
        self.paths = [data / name for name in table["path"]]
        self.patients = table["patient"].fillna(table["path"]).to_numpy(str)
        self.targets = np.array([self.predictor.vocab.index(label) for label in table["label"]])
        self.pixels = np.stack([self.predictor.pixels(path) for path in self.paths])
        self.seen = self.look(self.pixels)

    def look(self, pixels: np.ndarray) -> TorchOutputs:
        return logits_and_features_of(self.predictor.network, pixels)

    def measures(self, pixels: np.ndarray, seen: TorchOutputs | None = None) -> Measures:
        seen = seen or self.look(pixels)
        return {
            "features": seen.features.numpy(),
            "middle": seen.middle.numpy(),
            "layout": layout(pixels),
        }


def kinds(run: Run) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(0)
    usual = run.measures(run.pixels, run.seen)
    folds = list(GroupKFold(5).split(run.pixels, groups=run.patients))
    rules = [fitted(part(usual, learn), run.patients[learn]) for learn, _ in folds]
    fold_of = np.empty(len(run.pixels), int)
    for fold, (_, judge) in enumerate(folds):
        fold_of[judge] = fold
    images = judged(rules, usual, fold_of)
    yield row("image", images, images)
    rows = rng.permutation(len(run.paths))[:EACH]
    for name, spoil in {**SPOIL, **MORE}.items():
        spoilt = run.measures(np.stack([damaged(run, i, spoil, rng) for i in rows]))
        yield row(name, judged(rules, spoilt, fold_of[rows]), images)
    for name, pixels in others(run, rng):
        measures = run.measures(pixels)
        yield row(name, np.mean([rule.distances(measures) for rule in rules], axis=0), images)


def part(measures: Measures, rows: np.ndarray) -> Measures:
    return {name: x[rows] for name, x in measures.items()}


def fitted(measures: Measures, patients: np.ndarray) -> OutOfDistributionDetector:
    rule = fit_out_of_distribution(measures, patients.tolist())
    if not isinstance(rule, OutOfDistributionDetector):
        raise SystemExit(rule.reason)
    return rule


def judged(
    rules: list[OutOfDistributionDetector], measures: Measures, folds: np.ndarray
) -> np.ndarray:
    """Each image by the rule that has not seen its patient."""
    found = np.empty(len(folds))
    for fold, rule in enumerate(rules):
        found[folds == fold] = rule.distances(part(measures, folds == fold))
    return found


def row(kind: str, distances: np.ndarray, images: np.ndarray) -> dict[str, Any]:
    truth = np.repeat([0, 1], [len(images), len(distances)])
    return {
        "contender": kind,
        "n": len(distances),
        "auroc": round(float(roc_auc_score(truth, np.r_[images, distances])), 4),
        "found": round(float((distances > 1).mean()), 4),
        "distance": round(float(np.median(distances)), 2),
    }


def damaged(run: Run, i: int, spoil: Spoil, rng: np.random.Generator) -> np.ndarray:
    with Image.open(run.paths[i]) as image:
        return run.predictor.pixels(np.asarray(spoil(image.convert("L"), rng)))


def others(run: Run, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    whole, crops = [], []
    for path in photographs():
        with Image.open(path) as image:
            grey = image.convert("L")
        whole.append(run.predictor.pixels(np.asarray(grey)))
        crops += [run.predictor.pixels(np.asarray(cropped(grey, rng))) for _ in range(3)]
    yield "photograph", np.stack(whole)
    yield "part of a photograph", np.stack(crops)
    for path in other_dicom(run.data):
        yield path.name, run.predictor.pixels(path)[np.newaxis]
    yield "adult chest", run.predictor.pixels(run.data.parent / "dicom" / ADULT)[np.newaxis]


def cropped(image: Image.Image, rng: np.random.Generator, low: float = 0.4) -> Image.Image:
    share = rng.uniform(low, 2 * low)
    width, height = (max(8, int(share * side)) for side in image.size)
    left, top = rng.integers(0, image.width - width), rng.integers(0, image.height - height)
    return image.crop((int(left), int(top), int(left) + width, int(top) + height))


def noise(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    grey = np.asarray(image, float)
    return Image.fromarray(np.clip(grey + rng.normal(0, 64, grey.shape), 0, 255).astype(np.uint8))


def specks(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    grey, chance = np.array(image), rng.random((image.height, image.width))
    grey[chance < 0.2], grey[chance > 0.8] = 0, 255
    return Image.fromarray(grey)


def half_black(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    grey = np.rot90(np.array(image), turns := int(rng.integers(4))).copy()
    grey[: len(grey) // 2] = 0
    return Image.fromarray(np.rot90(grey, -turns).copy())


MORE: dict[str, Spoil] = {
    "upside down": lambda image, rng: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "heavy noise": noise,
    "specks": specks,
    "half black": half_black,
    "small part": lambda image, rng: cropped(image, rng, 0.2),
    "blurred": lambda image, rng: image.resize((12, 12), Image.Resampling.BOX).resize(
        image.size, Image.Resampling.BICUBIC
    ),
    "faint": lambda image, rng: image.point(lambda grey: int(110 + 0.1 * grey)),
    "mirrored": lambda image, rng: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


def coverage(run: Run) -> Iterator[dict[str, Any]]:
    patients, logits = np.unique(run.patients), run.seen.logits.numpy()
    kept, single, errors, all_errors = [], [], [], []
    for seed in range(HALVES):
        chosen = np.random.default_rng(seed).permutation(patients)[: len(patients) // 2]
        learn = np.isin(run.patients, chosen)
        rule = fit_conformal(
            logits[learn], run.targets[learn], run.patients[learn].tolist(), run.predictor.vocab
        )
        if not isinstance(rule, ConformalRule):
            raise SystemExit(rule.reason)
        sets, truth = rule.sets(logits[~learn]), run.targets[~learn]
        right, sure = sets[np.arange(len(truth)), truth], sets.sum(1) == 1
        kept.append([right[truth == k].mean() for k in range(len(run.predictor.vocab))])
        single.append(sure.mean())
        errors.append(1 - right[sure].mean())
        all_errors.append((logits[~learn].argmax(1) != truth).mean())
    for name, held in zip(run.predictor.vocab, np.transpose(kept), strict=True):
        yield {"contender": name, "coverage": float(held.mean()), "spread": float(held.std())}
    yield {
        "contender": "both",
        "one_class": float(np.mean(single)),
        "error_of_these": float(np.mean(errors)),
        "error_of_all": float(np.mean(all_errors)),
    }


def timing(run: Run) -> Iterator[dict[str, Any]]:
    outputs = (part.numpy() for part in run.seen)
    patients = run.patients.tolist()
    validation = ValidationOutputs(*outputs, run.targets, patients, run.predictor.vocab)
    abstention = fit_abstention_rules(validation, run.pixels)
    contenders = {
        "plain": with_abstention(run.predictor, None),
        "with the rules": with_abstention(run.predictor, abstention),
    }
    one: dict[str, list[float]] = {name: [] for name in contenders}
    many: dict[str, list[float]] = {name: [] for name in contenders}
    for i in range(ROUNDS):
        for name, predictor in contenders.items():
            file = run.paths[i % len(run.paths)]
            one[name].append(seconds(lambda p=predictor, f=file: rows_of(p, p.pixels(f)[None])))
            if i % 10 == 0:
                batch = run.pixels[:128]
                many[name].append(seconds(lambda p=predictor, b=batch: rows_of(p, b)) / len(batch))
    for name in contenders:
        yield {
            "contender": name,
            "ms_file": 1e3 * statistics.median(one[name][2:]),
            "ms_batch": 1e3 * statistics.median(many[name][1:]),
            "bytes": len(abstention_bytes(abstention)) if name != "plain" else 0,
        }


def with_abstention(predictor: Predictor, abstention: AbstentionRules | None) -> Predictor:
    return replace(predictor, rules=replace(predictor.rules, abstention=abstention))


def rows_of(predictor: Predictor, pixels: np.ndarray) -> None:
    logits, distances = predictor.logits_and_distances(pixels)
    calibrated = predictor.rules.probabilities(logits, calibrated=True).tolist()
    confidences(predictor.rules, logits, distances, calibrated)


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


PARTS: dict[str, Callable[[Run], Iterator[dict[str, Any]]]] = {
    "kinds": kinds,
    "coverage": coverage,
    "time": timing,
}


def main() -> None:
    parser = arguments(__doc__ or "")
    add_trial_options(parser)
    parser.add_argument("--run", type=Path, required=True, help="a finished run of cxr train")
    options = parser.parse_args()
    run = Run(options.run, options.data, options.images)
    rows = []
    for name, part_of in PARTS.items():
        if options.only in (None, name):
            for found in part_of(run):
                print(found, flush=True)
                rows.append(found)
    report("unlike", rows, store=options.store and options.only is None and not options.images)


if __name__ == "__main__":
    main()
