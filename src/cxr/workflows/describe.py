"""What a report says beside the figures: whose images, which model, and what to beware of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .._io import say
from ..apply import Predictor
from ..apply.decision.confidence import confidences, rules_in_words
from ..bundle.config import input_in_words
from ..config import RunConfig
from ..errors import UsageError
from ..evaluate import Predictions, measure_subgroups, summarise_abstention
from ..evaluate.calibration import Calibration, summarise_calibration
from ..evaluate.predictions import Threshold
from ..find import Manifest
from ..find.fetch import receipt
from ..pixels.frame import frames_of
from ..prepare import DataLoaders
from ..report import flow_facts
from ..train import Learner
from .set_aside import RunData

SUBGROUP_COLUMNS = ("age", "sex", "view", "site")  # measured without being asked for
TRAINED = {"full": "head and whole body", "cached": "head and upper half of the body"}


def describe_population(manifest: Manifest) -> str:
    """What is known of whom the images show; the user's own words are better."""
    known = (receipt(manifest.root) or {}).get("population")  # there when cxr fetched the data
    if known:
        return str(known)
    table = manifest.table
    parts = [f"{len(manifest):,} images from {manifest.root.absolute().name!r}"]
    patients = {patient for patient in manifest.patients() if patient is not None}
    if patients:
        parts.append(f"{len(patients):,} patients")
    if "age" in table and table["age"].notna().any():
        parts.append(f"ages {table['age'].min():g} to {table['age'].max():g}")
    if "sex" in table and table["sex"].notna().any():
        parts.append(f"sex {', '.join(sorted(set(table['sex'].dropna().astype(str))))}")
    return ", ".join(parts) + "; not described further"


def caveats(config: RunConfig, learner: Learner, data: RunData) -> list[str]:
    """What a reader must know before the figures."""
    sentences = []
    figures = "the figures" if data.test is None else "validation's figures"
    known = [patient for patient in learner.dls.items.patients if patient is not None]
    if config.split == "random":
        sentences.append(
            "The split is random by image: a patient may be in training and validation, and then "
            f"{figures} are too good."
        )
    elif not known:
        sentences.append(
            "No patient identity was found: images of one patient may be on both sides."
        )
    if not learner.model.pretrained:
        sentences.append("The network was trained from random numbers, without pretrained weights.")
    return sentences


def model_facts(
    config: RunConfig, learner: Learner, data: RunData, calibration: Calibration
) -> dict[str, Any]:
    dls, n_test = learner.dls, len(data.readable_test_rows)
    return {
        "backbone": config.backbone,
        "initial weights": learner.weights_source,
        "input": input_in_words(config.size, config.resize, config.frame),
        "recipe": config.recipe,
        "training": TRAINED[learner.strategy],
        "split": f"{config.split}, seed {config.seed}",
        "training images": len(dls.train.images),
        "validation images": len(dls.valid.images),
        **({"test images": n_test} if n_test else {}),
        "unreadable images left out": unreadable(learner, data),
        "calibration": calibration.kind,
        "temperature": round(calibration.temperature, 4),
        "caveats": caveats(config, learner, data),
    }


def run_flow(learner: Learner, data: RunData) -> dict[str, Any]:
    """How many images were found, left out, and used for what."""
    return flow_facts(
        data.whole,
        rows_of_splits(data, learner.dls),
        quarantined=len(data.everything) - len(data.whole),
        unreadable=unreadable(learner, data),
    )


def rows_of_splits(data: RunData, dls: DataLoaders) -> dict[str, Sequence[int]]:
    """Of `data.whole`: trained on, validated on, and set aside for testing."""
    rows = {
        "train": data.rows[dls.train.images.rows],
        "valid": data.rows[dls.valid.images.rows],
        "test": data.readable_test_rows,
    }
    return {name: which.tolist() for name, which in rows.items()}


def unreadable(learner: Learner, data: RunData) -> int:
    """How many images were left out, test images too."""
    return len(learner.dls.unreadable) + len(data.test_rows) - len(data.readable_test_rows)


def calibration_of(
    calibration: Calibration,
    logits: np.ndarray,
    targets: np.ndarray,
    predictions: Predictions,
    *,
    crossfit: bool,
    seed: int,
) -> dict[str, Any]:
    """Before and after `calibration`; `crossfit` where it was fitted to these very images.

    `logits` (n, k) not calibrated, `targets` as `summarise_calibration` takes them.
    """
    return summarise_calibration(
        logits,
        targets,
        predictions.patient_groups,
        calibration,
        crossfit=crossfit,
        positive=predictions.positive_index if predictions.binary else 1,
        seed=seed,
    )


def abstention_of(
    predictor: Predictor,
    predictions: Predictions,
    logits: np.ndarray,
    distances: np.ndarray | None,
    frames: np.ndarray | None,
    *,
    doubts: Sequence[str] = (),
    set_here: bool = False,
) -> dict[str, Any]:
    """How often the model is confident, and how often rightly; its rules in words.

    `logits` and `distances` are of the same images as the predictions, as given by
    `Predictor.logits_and_distances`, and so are the `frames` (n, 6) of a model that sees lungs,
    and `doubts` (`header_doubts`) about these frames, if anybody asked.
    """
    chances = predictions.probabilities.tolist()
    lungs = None if frames is None else frames_of(frames)
    if lungs is not None and doubts:
        lungs = [replace(one, doubt=doubt) for one, doubt in zip(lungs, doubts, strict=True)]
    answers = confidences(predictor.rules, logits, distances, chances, lungs)
    return summarise_abstention(
        predictions,
        [one.confident for one in answers],
        [one.out_of_distribution for one in answers],
        sentences=rules_in_words(predictor.rules),
        set_here=set_here,
    )


def subgroups(
    predictions: Predictions, manifest: Manifest, threshold: Threshold, seed: int
) -> dict[str, Any]:
    """By age, sex, view and site, where the images have them; what makes no groups is said."""
    groups: dict[str, Any] = {}
    for name in SUBGROUP_COLUMNS:
        if name in manifest.table and manifest.table[name].nunique() > 1:
            values = manifest.table[name].tolist()
            try:
                groups |= measure_subgroups(predictions, {name: values}, threshold, seed=seed)
            except UsageError as error:
                say(f"no subgroups: {error}")
    return groups
