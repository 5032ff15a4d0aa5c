"""The stress test: every image once plain and once under each perturbation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._stats.groups import patient_groups
from ...bundle.config import BundleConfig
from ...errors import UsageError
from ...evaluate import Predictions, make_predictions, measure
from ...evaluate.predictions import Threshold
from ...evaluate.schema import Figure, about
from ...find import Manifest
from ...pixels import report_unreadable
from ..predictor import Predictor
from .answers import ask
from .differences import FIGURES, LEVEL, RESAMPLES, PairedFigures, measure_differences
from .perturbations import PERTURBATIONS, Perturbation
from .views import LONGEST, Setting

IMAGES = 1000


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

    At most `images` images, whole patients at random by `seed`, are changed and then predicted as
    any file is: for a model that sees lungs the whole image is changed, before its lungs are
    looked for (see `views_of`). The model's own calibrated probability and threshold decide.
    Differences are changed less plain, each with a 95 % interval by a bootstrap of patients; the
    list is sorted by the accuracy lost. Beside them stand the shares of images in which no lungs
    are found, and of which the model is confident.
    Labels must be such as the model gives. Raises UsageError when `images` is too few for one
    patient or `perturbations` is empty, DataError when there are no labels or no image can be
    read.
    """
    if not perturbations:
        raise UsageError("no perturbation is given; leave them out to have all")
    chosen = choose_images(manifest, images, seed)
    targets = chosen.targets()  # before the work: labels may be missing
    settings = [Setting(each, words) for each in perturbations for words in each.strengths]
    paths = chosen.paths()
    answers = ask(predictor, paths, settings, seed)
    report_unreadable(paths, answers.errors)
    rows = np.setdiff1d(np.arange(len(paths)), list(answers.errors))
    readable = chosen.select(rows)
    plain, *changed = [
        _as_predictions(predictor, readable, targets[rows], probabilities, split)
        for probabilities in answers.probabilities
    ]
    point = predictor.config.operating_point
    whole = measure(plain, point, resamples=RESAMPLES, seed=seed)
    paired = measure_differences(plain, changed, point, seed=seed)
    of_plain, *of_changed = answers.shares(plain.patient_groups, seed)
    return {
        "about": about(),
        **_facts(predictor, plain, point, model_name, seed, len(answers.errors)),
        "caveats": list(caveats),
        "plain": {**{metric.name: whole[metric.name] for metric in FIGURES}, **of_plain},
        "strongest": _strongest(paired, settings),
        "changes": _sorted_changes(paired, of_changed, settings, len(plain)),
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
    threshold: Threshold,
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
        "changed_at": _changed_at(config),
        "intervals": {
            "level": LEVEL,
            "method": "paired patient bootstrap, percentiles",
            "resamples": RESAMPLES,
            "seed": seed,
        },
    }


def _changed_at(config: BundleConfig) -> str:
    if config.frame == "lungs":
        return f"whole images, at most {LONGEST} pixels a side, before their lungs are looked for"
    return f"{config.input}, after decoding"


def _strongest(paired: PairedFigures, settings: Sequence[Setting]) -> dict[str, Any]:
    """The mean over every perturbation's strongest setting: one figure to compare models by.

    A change that goes two ways has two such settings; each counts as one. Gains count against
    losses.
    """
    rows = [i for i, one in enumerate(settings) if one.words in one.perturbation.strongest]
    return {"settings": len(rows), "difference": paired.differences(rows)}


def _sorted_changes(
    paired: PairedFigures,
    shares: Sequence[dict[str, Figure]],
    settings: Sequence[Setting],
    n: int,
) -> list[dict[str, Any]]:
    changes = [
        {
            "name": setting.perturbation.name,
            "strength": setting.words,
            "n": n,
            **paired.figures(i),
            "difference": paired.differences([i]),
            "decisions_changed": paired.decisions_changed[i],
            **shares[i],
        }
        for i, setting in enumerate(settings)
    ]
    return sorted(changes, key=_loss)


def _loss(change: dict[str, Any]) -> tuple[float, float]:
    """By accuracy, then by AUROC; where there is none, last."""
    lost = [change["difference"][name]["value"] for name in ("accuracy", "auroc")]
    accuracy, auroc = (1.0 if value is None else value for value in lost)
    return accuracy, auroc
