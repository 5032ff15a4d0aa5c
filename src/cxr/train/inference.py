"""What a learner makes of its own images: logits, features, figures, the predictions table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor

from .._io import Progress
from ..backbones import TorchOutputs, logits_and_features_of, logits_of
from ..errors import UsageError
from ..prepare.image_set import ImageSet
from .activation_cache import BatchSource
from .loop import validation_logits
from .losses import make_loss
from .state import TrainingState


class PredictionColumns(TypedDict):
    """What `evaluate.make_predictions` takes, by the names of its parameters.

    `probabilities` float32 (n, k); `targets` int64 (n,) or float32 (n, k) of 1/0/NaN; `losses`
    float32 (n,) in nats; `patients` None where not known.
    """

    paths: Sequence[Path | str]
    probabilities: np.ndarray
    targets: np.ndarray
    classes: tuple[str, ...]
    patients: list[str | None]
    split: str
    losses: np.ndarray


def validate_fast(state: TrainingState, source: BatchSource) -> list[float]:
    """[loss, *metrics] on the validation images, in training precision."""
    valid, images = source.valid(), state.dls.valid.images
    logits = torch.zeros(len(images), state.dls.c)
    indices = state.group.own_part(valid.batch_indices())
    if indices:
        batches = valid.batches_of(indices)
        own, _ = validation_logits(source.network, batches, state.cast, state.micro_batches)
        logits[np.concatenate(indices)] = own
    return state.figures(state.group.all_reduce(logits), torch.from_numpy(images.targets))


def logits_of_split(state: TrainingState, split: str) -> tuple[Tensor, Tensor]:
    """Full-precision logits (n, k) and targets of "train" or "valid", in the images' order."""
    images = images_of(state, split)
    with Progress("predicting", len(images)) as progress:
        logits = logits_of(state.model, images.pixels, images.rows, advance=progress.advance)
    return logits, torch.from_numpy(images.targets)


def outputs_of_split(state: TrainingState, split: str) -> tuple[TorchOutputs, Tensor]:
    """The same logits with the features on the way to them, and the targets."""
    images = images_of(state, split)
    with Progress("predicting", len(images)) as progress:
        outputs = logits_and_features_of(
            state.model, images.pixels, images.rows, advance=progress.advance
        )
    return outputs, torch.from_numpy(images.targets)


def augmented_logits(state: TrainingState, passes: int) -> Tensor:
    """Logits (passes * n, k) of the validation images, changed as those for training are.

    Each pass changes them anew, always the same way for one seed. In training precision. Raises
    UsageError where the data are not augmented.
    """
    valid, augmentation = state.dls.valid, state.dls.train.augmentation
    if augmentation is None:
        raise UsageError("these data are not augmented; give them an Augmentation first")
    generator = torch.Generator().manual_seed(state.dls.seed)
    logits = []
    for _ in range(passes):
        changes = augmentation.draw(valid.n_images, generator).to(state.device)
        batches = (valid.batch(which, changes) for which in valid.batch_indices())
        one_pass, _ = validation_logits(state.model, batches, state.cast, state.micro_batches)
        logits.append(one_pass)
    return torch.cat(logits)


def prediction_columns(
    state: TrainingState, split: str, logits: Tensor | None = None
) -> PredictionColumns:
    """The predictions table of a split; `logits` (n, k) of it, where they are known already."""
    images = images_of(state, split)
    logits = logits_of_split(state, split)[0] if logits is None else logits
    loss = make_loss(images.targets, state.dls.c)
    losses = loss(logits, torch.from_numpy(images.targets), reduction="none")
    return {
        "paths": list(images.paths),
        "probabilities": state.probabilities(logits).numpy(),
        "targets": images.targets,
        "classes": state.dls.classes,
        "patients": list(images.patients),
        "split": split,
        "losses": losses.numpy(),
    }


def images_of(state: TrainingState, split: str) -> ImageSet:
    """Raises UsageError for a split that is not one of train, valid."""
    if split not in ("train", "valid"):
        raise UsageError(f"split {split!r} is not one of train, valid")
    return (state.dls.train if split == "train" else state.dls.valid).images
