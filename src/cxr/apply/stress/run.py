"""The stress test: every image once plain and once under each perturbation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._io import Progress
from ..._stats.groups import patient_groups
from ...errors import UsageError
from ...evaluate import Predictions, make_predictions, measure
from ...evaluate.schema import about
from ...find import Manifest
from ...pixels import decode_all, report_unreadable
from ..predictor import Predictor
from .differences import FIGURES, LEVEL, RESAMPLES, PairedFigures, measure_differences
from .perturbations import PERTURBATIONS, Perturbation

IMAGES = 1000
CHUNK = 128  # images changed at a time; the noise drawn depends on it


@dataclass(frozen=True)
class Setting:
    """One perturbation at one strength; `words` say how strong."""

    perturbation: Perturbation
    words: str

    def changed(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self.perturbation.change(images, self.perturbation.strengths[self.words], rng)


def stress_test(
    predictor: Predictor,
    manifest: Manifest,
    *,
    images: int = IMAGES,
    seed: int = 0,
    perturbations: Sequence[Perturbation] = PERTURBATIONS,
    model_name: str = "",
    split: str = "all",
    caveats: Sequence[str] = (),
) -> dict[str, Any]:
    """What `report.stress.write_stress` writes, as plain JSON types.

    At most `images` images, whole patients at random by `seed`, are decoded as for a
    prediction, changed at the size that the network sees, and decided by the model's own
    calibrated probability and threshold. Differences are changed less plain, each with a 95 %
    interval by a bootstrap of patients; the list is sorted by the accuracy lost.
    Labels must be such as the model gives. Raises UsageError when `images` is too few for one
    patient or `perturbations` is empty, DataError when there are no labels or no image can be
    read.
    """
    if not perturbations:
        raise UsageError("no perturbation is given; leave them out to have all")
    chosen = choose_images(manifest, images, seed)
    targets = chosen.targets()  # before the work: labels may be missing
    config = predictor.config
    decoded = decode_all(chosen.paths(), config.size, config.resize_method, frame=config.frame)
    report_unreadable(chosen.paths(), decoded.errors)
    rows = np.flatnonzero(decoded.ok)
    readable = chosen.select(rows)
    settings = [Setting(each, words) for each in perturbations for words in each.strengths]
    plain, *changed = [
        _as_predictions(predictor, readable, targets[rows], probabilities, split)
        for probabilities in _probabilities(predictor, decoded.pixels, rows, settings, seed)
    ]
    point = predictor.config.threshold if plain.binary else 0.5
    whole = measure(plain, point, resamples=RESAMPLES, seed=seed)
    paired = measure_differences(plain, changed, point, seed=seed)
    return {
        "about": about(),
        **_facts(predictor, plain, point, model_name, seed, len(decoded.errors)),
        "caveats": list(caveats),
        "plain": {metric.name: whole[metric.name] for metric in FIGURES},
        "strongest": _strongest(paired, settings),
        "changes": _sorted_changes(paired, settings, len(plain)),
    }


def choose_images(manifest: Manifest, images: int, seed: int) -> Manifest:
    """At most `images` of them: whole patients in random order, while they fit.

    An image of an unknown patient is drawn by itself. Raises UsageError when not even one fits.
    """
    if images < 1:
        raise UsageError(f"images={images}; a whole number from 1 is needed")
    if len(manifest) <= images:
        return manifest
    groups = patient_groups(manifest.patients())
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    sizes = sizes[order]
    taken = order[np.cumsum(sizes) <= images]
    if not len(taken):
        raise UsageError(
            f"the first patient drawn has {sizes[0]:,} images, more than images={images:,} "
            "allows; ask for more"
        )
    return manifest.select(np.flatnonzero(np.isin(groups, taken)))


def _probabilities(
    predictor: Predictor,
    pixels: np.ndarray,
    rows: np.ndarray,
    settings: Sequence[Setting],
    seed: int,
) -> list[np.ndarray]:
    """(n, k) calibrated, of the plain images and then of each setting.

    The generator starts anew for each setting, so that stronger noise is the same noise, stronger.
    """
    parts: list[list[np.ndarray]] = [[] for _ in range(1 + len(settings))]
    total = len(rows) * len(parts)
    with Progress("predicting", total, "images") as progress:
        for start in range(0, len(rows), CHUNK):
            images = pixels[rows[start : start + CHUNK]]
            for part, setting in zip(parts, [None, *settings], strict=True):
                rng = np.random.default_rng((seed, start))
                changed = images if setting is None else setting.changed(images, rng)
                logits = predictor.logits(changed)
                part.append(predictor.probabilities(logits, calibrated=True).numpy())
                progress.advance(len(images))
    return [np.concatenate(part) for part in parts]


def _as_predictions(
    predictor: Predictor,
    manifest: Manifest,
    targets: np.ndarray,
    probabilities: np.ndarray,
    split: str,
) -> Predictions:
    return make_predictions(
        list(manifest.table["path"]),
        probabilities,
        targets,
        predictor.config.classes,
        patients=manifest.patients(),
        split=split,
        positive=predictor.config.positive,
    )


def _facts(
    predictor: Predictor,
    plain: Predictions,
    threshold: float,
    model_name: str,
    seed: int,
    unreadable: int,
) -> dict[str, Any]:
    config = predictor.config
    decided_at = plain.binary or plain.multi_label
    return {
        "model": model_name,
        "backbone": config.backbone,
        "trained_on": config.population,
        "classes": list(config.classes),
        "positive": config.positive,
        "threshold": threshold if decided_at else None,
        "n": len(plain),
        "n_patients": int(plain.patient_groups.max()) + 1 if (plain.patients != "").any() else None,
        "split": str(plain.table["split"].iloc[0]),
        "unreadable": unreadable,
        "seed": seed,
        "changed_at": f"{config.input}, after decoding",
        "intervals": {
            "level": LEVEL,
            "method": "paired patient bootstrap, percentiles",
            "resamples": RESAMPLES,
            "seed": seed,
        },
    }


def _strongest(paired: PairedFigures, settings: Sequence[Setting]) -> dict[str, Any]:
    """The mean over every perturbation's strongest setting: one figure to compare models by.

    A change that goes two ways has two such settings; each counts as one. Gains count against
    losses.
    """
    rows = [i for i, one in enumerate(settings) if one.words in one.perturbation.strongest]
    return {"settings": len(rows), "difference": paired.differences(rows)}


def _sorted_changes(
    paired: PairedFigures, settings: Sequence[Setting], n: int
) -> list[dict[str, Any]]:
    changes = [
        {
            "name": setting.perturbation.name,
            "strength": setting.words,
            "n": n,
            **paired.figures(i),
            "difference": paired.differences([i]),
            "decisions_changed": paired.decisions_changed(i),
        }
        for i, setting in enumerate(settings)
    ]
    return sorted(changes, key=_loss)


def _loss(change: dict[str, Any]) -> tuple[float, float]:
    """By accuracy, then by AUROC; where there is none, last."""
    lost = [change["difference"][name]["value"] for name in ("accuracy", "auroc")]
    accuracy, auroc = (1.0 if value is None else value for value in lost)
    return accuracy, auroc
