"""What is chosen on validation images: calibration, operating threshold and abstention rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..backbones import TorchOutputs
from ..bundle import AbstentionRules
from ..bundle.task import LABEL_THRESHOLD
from ..config import RunConfig
from ..evaluate import Predictions, choose_threshold, make_predictions
from ..evaluate.abstention.fit import ValidationOutputs, fit_abstention_rules
from ..evaluate.calibration import Calibration, choose_calibration
from ..evaluate.predictions import Threshold
from ..evaluate.threshold import DEFAULT_RULE, choose_label_thresholds
from ..find import Manifest
from ..train import Learner

CHANGED_PASSES = 2


@dataclass(frozen=True)
class Selection:
    """The network's outputs for the validation images, and what was chosen on them.

    predictions: decided at the threshold.
    """

    outputs: TorchOutputs
    calibration: Calibration
    predictions: Predictions
    threshold: Threshold
    abstention: AbstentionRules


def select_on_validation(config: RunConfig, learner: Learner, manifest: Manifest) -> Selection:
    """Calibration, operating threshold and the abstention rules, from one pass."""
    outputs, targets = learner.network_outputs("valid")
    logits, images = outputs.logits.numpy(), learner.dls.valid.images
    groups = make_predictions(**learner.predictions("valid", outputs.logits)).patient_groups
    calibration = choose_calibration(logits, targets.numpy(), groups, seed=config.seed)
    predictions = calibrated_predictions(learner, manifest, calibration, outputs.logits)
    threshold = operating_threshold(config, learner, calibration, predictions)
    validation = ValidationOutputs(
        logits,
        outputs.features.numpy(),
        outputs.middle.numpy(),
        targets.numpy(),
        images.patients,
        learner.dls.classes,
        learner.dls.multi_label,
    )
    abstention = fit_abstention_rules(validation, images.pixels, images.rows)
    return Selection(outputs, calibration, predictions.at(threshold), threshold, abstention)


def calibrated_predictions(
    learner: Learner, manifest: Manifest, calibration: Calibration, logits: torch.Tensor
) -> Predictions:
    """Of the validation images; `logits` (n, k) float32, not calibrated yet."""
    calibrated = torch.from_numpy(calibration.apply(logits.numpy()))
    columns = learner.predictions("valid", calibrated)
    columns["paths"] = relative(columns["paths"], manifest.root)
    return make_predictions(**columns).with_frames(learner.dls.valid.images.frames)


def operating_threshold(
    config: RunConfig, learner: Learner, calibration: Calibration, predictions: Predictions
) -> Threshold:
    """By the rule of the run, for each of several labels too; without one Youden's of two classes
    and 0.5 of each label. Of more than two classes the most probable is taken.

    Where images are changed in training as other machines would have made them, Youden's and cost
    rules look at the validation images so changed, too: a threshold that suits these as well holds
    better on the next hospital's (`docs/log.md`). A wanted share is that of the images themselves.
    """
    if predictions.multi_label and config.threshold is not None:
        return choose_label_thresholds(predictions, config.threshold)
    if not predictions.binary:
        return LABEL_THRESHOLD
    rule = config.threshold or DEFAULT_RULE
    by_share = rule.startswith(("sensitivity", "specificity"))
    if config.recipe != "robust" or not config.augment or by_share:
        return choose_threshold(predictions, rule)
    logits = calibration.apply(learner.augmented_logits(CHANGED_PASSES).numpy())
    chances = [predictions.probabilities, learner.probabilities(torch.from_numpy(logits)).numpy()]
    times = 1 + CHANGED_PASSES
    together = make_predictions(
        predictions.table["path"].tolist() * times,
        np.concatenate(chances),
        np.tile(predictions.targets, times),
        predictions.classes,
        patients=predictions.table["patient"].tolist() * times,
        positive=predictions.positive,
    )
    return choose_threshold(together, rule)


def relative(paths: Sequence[Path | str], root: Path) -> list[str]:
    """As the manifest writes them."""
    root = root.absolute()
    return [Path(path).relative_to(root).as_posix() for path in paths]
