"""What a fit reads and changes: a network with its data and loss, and how far training has come."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from ..backbones import (
    Network,
    exact_probabilities,
    keep_freed_memory,
    layer_groups,
    probabilities_of,
)
from ..prepare.loaders import DataLoaders
from .device import autocast, choose_device, describe_compute
from .distributed.process_group import ALONE, ProcessGroup
from .losses import make_loss
from .metrics import Metric
from .micro_batches import MicroBatches
from .recipe import resolve_strategy
from .recorder import Recorder
from .resume.checkpoint import load_weights, save_weights
from .resume.snapshot import Position, Snapshot, copies, random_states

Metrics = Metric | Sequence[Metric] | None
MOMENTA = (0.95, 0.85, 0.95)


def seed_of(*key: int) -> int:
    """A seed that follows from `key` alone."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)


@dataclass(frozen=True)
class LearnerOptions:
    """How a learner trains; fast.ai's names and defaults where it has them.

    `precision="auto"` trains in bf16 where the hardware has it. `strategy` says what `fine_tune`
    trains after the head: "full" the whole body, "cached" its upper half, "auto" the latter where
    the body is pretrained (`docs/performance.md`). `group`: the processes that train together,
    each with a learner like this one (`joined`).
    """

    metrics: Metrics = None
    lr: float = 1e-3
    wd: float = 0.01
    moms: tuple[float, float, float] = MOMENTA
    class_weights: str | Sequence[float] | None = None
    label_smoothing: float = 0.0
    device: str = "auto"
    precision: str = "auto"
    strategy: str = "auto"
    path: Path | str | None = None
    weights_source: str = ""
    group: ProcessGroup = ALONE


class TrainingState:
    """All that the functions of this room work on; `Learner` adds the calls of fast.ai's users.

    `fits` counts the fits that were begun; `paused` is the snapshot of an interrupted run until
    its fit goes on; `epochs_before`, for a run, the epochs of its earlier phases. Raises UsageError
    for options that cannot be.
    """

    def __init__(self, dls: DataLoaders, model: Network, options: LearnerOptions) -> None:
        self.group = options.group
        self.device = choose_device(options.device)
        if self.device.type == "cpu":
            keep_freed_memory()
        self.precision = options.precision
        self.cast()  # an unknown precision is refused now, not at the first step
        self.dls = dls
        self.model = model.to(self.device)
        self.strategy = resolve_strategy(options.strategy, model.pretrained)
        dls.train.device = dls.valid.device = self.device
        metrics = options.metrics
        self.metrics = [metrics] if callable(metrics) else list(metrics or ())
        self.lr, self.wd, self.moms = options.lr, options.wd, options.moms
        self.loss = make_loss(
            dls.train.images.targets, dls.c, options.class_weights, options.label_smoothing
        ).to(self.device)
        self.layer_groups = layer_groups(model)
        self.path = Path(options.path) if options.path is not None else dls.path
        self.weights_source = options.weights_source
        self.recorder = Recorder(self.metric_names)
        self.fits = 0
        self.optimizer: torch.optim.Optimizer | None = None
        self.micro_batches = MicroBatches(divisible=self.group.alone)
        self.paused: Snapshot | None = None
        self.epochs_before: int | None = None

    @property
    def metric_names(self) -> tuple[str, ...]:
        return tuple(getattr(metric, "__name__", "metric") for metric in self.metrics)

    def cast(self) -> AbstractContextManager[object]:
        """The precision that training steps run in, as a context."""
        return autocast(self.device, self.precision)

    @property
    def compute(self) -> str:
        """Where and in which precision it trains, in words."""
        return describe_compute(self.device, self.precision)

    def probabilities(self, logits: Tensor) -> Tensor:
        """fp32 (n, k) of logits (n, k)."""
        return probabilities_of(logits, self.dls.multi_label)

    def number_of(self, epoch: int) -> int:
        """Of an epoch of this fit, from 0, in the table: there a run counts all from 1, a fit by
        itself from 0 as fast.ai does."""
        return epoch if self.epochs_before is None else self.epochs_before + epoch + 1

    def figures(self, logits: Tensor, targets: Tensor) -> list[float]:
        """[loss, *metrics] of logits (n, k) and their targets, both on the CPU."""
        loss = self.loss.cpu()(logits, targets).item()
        self.loss.to(self.device)
        probabilities = exact_probabilities(logits, self.dls.multi_label).numpy()
        return [loss, *(metric(probabilities, targets.numpy()) for metric in self.metrics)]

    # On disk, and in memory ---------------------------------------------------------------------

    def save(self, name: str = "model") -> Path:
        """Writes the weights to `models/NAME.safetensors` in the learner's folder.

        Raises StorageError when the disk is full or read-only.
        """
        return save_weights(self.model, self._weights_file(name), self._facts())

    def load(self, name: str = "model") -> Self:
        """Reads what `save` wrote.

        Raises UsageError when there is no such file, BundleError when it is damaged or holds
        weights of another backbone or of other classes.
        """
        load_weights(self.model, self._weights_file(name), self._facts())
        return self

    def snapshot(self, epoch: int, step: int = 0, seconds: float = 0.0) -> Snapshot:
        """A copy in main memory, which training goes on beside; `epoch` and `step` are next."""
        optimizer = self.optimizer
        moments = {} if optimizer is None else optimizer.state_dict()["state"]
        return Snapshot(
            phase=self.fits - 1,
            epoch=epoch,
            step=step,
            seconds=seconds,
            micro_batches=self.micro_batches.count,
            weights=copies(self.model.state_dict()),
            moments={index: copies(values) for index, values in moments.items()},
            record=self.recorder.record(),
            random=random_states(self.device) if step else {},
        )

    def restore(self, snapshot: Snapshot) -> Position:
        """Takes a snapshot over; the interrupted fit counts again when it goes on.

        Raises RuntimeError when it is of another network.
        """
        self.model.load_state_dict(snapshot.weights)
        self.micro_batches.count = snapshot.micro_batches
        self.fits = snapshot.phase
        self.paused = snapshot
        return snapshot.position

    def _weights_file(self, name: str) -> Path:
        return self.path / "models" / f"{name}.safetensors"

    def _facts(self) -> dict[str, str]:
        """What weights must agree on to be put into this network, as text.

        Not the size of the images: weights learnt on small ones are a start for larger ones.
        """
        return {
            "backbone": self.model.architecture.backbone,
            "classes": json.dumps(self.dls.classes),
        }
