"""The learner: a network, its data and how to train it, by the names that fast.ai users know."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._io import Progress
from ..backbones import (
    Architecture,
    Network,
    TorchOutputs,
    build_network,
    decide,
    keep_freed_memory,
    layer_groups,
    logits_and_features_of,
    logits_of,
    probabilities_of,
    set_trainable,
)
from ..errors import UsageError
from ..prepare.batches import ImageSet
from ..prepare.loaders import DataLoaders
from .activation_cache import BatchSource
from .callback import Callback
from .device import autocast, choose_device, describe_compute
from .distributed.process_group import ALONE, ProcessGroup
from .export import export_bundle
from .fit import fit
from .linear_probe import fit_head
from .loop import validation_logits
from .losses import make_loss
from .lr_finder import range_test
from .metrics import Metric
from .micro_batches import MicroBatches
from .recipe import fine_tune_phases, resolve_strategy, run_phases
from .recorder import Recorder
from .resume.checkpoint import load_weights, save_weights
from .resume.snapshot import Snapshot
from .schedule import Rates, Schedule, flat_schedule, one_cycle_schedule, rates_of_groups
from .suggest import SuggestedRates

MOMENTA = (0.95, 0.85, 0.95)
Metrics = Metric | Sequence[Metric] | None


class Learner:
    """Made by `vision_learner`. `model` is the network, `dls` its data, `recorder` the last fit.

    Training happens in bf16 where the hardware has it (`precision="auto"`); `get_preds`,
    `validate` and `predict` are always in full precision, so that the exported model agrees.
    `group`: the processes that train together, each with a learner like this one (`joined`).
    `strategy` says what `fine_tune` trains after the head: "full" the whole body, "cached" its
    upper half, "auto" the latter where the body is pretrained (`docs/performance.md`).
    """

    def __init__(
        self,
        dls: DataLoaders,
        model: Network,
        *,
        metrics: Metrics = None,
        lr: float = 1e-3,
        wd: float = 0.01,
        moms: tuple[float, float, float] = MOMENTA,
        class_weights: str | Sequence[float] | None = None,
        label_smoothing: float = 0.0,
        device: str = "auto",
        precision: str = "auto",
        strategy: str = "auto",
        path: Path | str | None = None,
        weights_source: str = "",
        group: ProcessGroup = ALONE,
    ) -> None:
        self.group = group
        self.device = choose_device(device)
        if self.device.type == "cpu":
            keep_freed_memory()
        self.precision = precision
        self.cast()  # an unknown precision is refused now, not at the first step
        self.dls = dls
        self.model = model.to(self.device)
        self.strategy = resolve_strategy(strategy, model.pretrained)
        dls.train.device = dls.valid.device = self.device
        self.metrics: list[Metric] = list(metrics) if isinstance(metrics, Sequence) else []
        if callable(metrics):
            self.metrics = [metrics]
        self.lr, self.wd, self.moms = lr, wd, moms
        self.loss = make_loss(dls.train.images.targets, dls.c, class_weights, label_smoothing).to(
            self.device
        )
        self.groups = layer_groups(model)
        self.path = Path(path) if path is not None else dls.path
        self.weights_source = weights_source
        self.recorder = Recorder(self.metric_names)
        self.fits = 0
        self.optimizer: torch.optim.Optimizer | None = None
        self.micro_batches = MicroBatches(divisible=group.alone)
        self.paused: Snapshot | None = None  # of an interrupted run, until its fit goes on
        self.unfreeze()

    @property
    def metric_names(self) -> tuple[str, ...]:
        return tuple(getattr(metric, "__name__", "metric") for metric in self.metrics)

    def cast(self) -> Any:
        """The precision that training steps run in, as a context."""
        return autocast(self.device, self.precision)

    @property
    def compute(self) -> str:
        """Where and in which precision it trains, in words."""
        return describe_compute(self.device, self.precision)

    # What trains -------------------------------------------------------------------------------

    def freeze_to(self, n: int) -> None:
        """Freezes the layer groups before `n`, counted from the end if negative."""
        count = len(self.groups)
        if not -count <= n < count:
            raise UsageError(f"freeze_to({n}): there are {count} layer groups")
        self.first_trainable = n % count
        set_trainable(self.model, self.groups, self.first_trainable)

    def freeze(self) -> None:
        """Only the head trains."""
        self.freeze_to(-1)

    def unfreeze(self) -> None:
        self.freeze_to(0)

    # Training ----------------------------------------------------------------------------------

    def fit(self, n_epoch: int, lr: Rates | None = None, cbs: Sequence[Callback] = ()) -> Recorder:
        """`n_epoch` epochs at a constant rate (one number, or a slice over the layer groups)."""
        return self._fit(n_epoch, flat_schedule(self._rates(lr), self.moms[0]), cbs)

    def fit_one_cycle(
        self,
        n_epoch: int,
        lr_max: Rates | None = None,
        div: float = 25.0,
        div_final: float = 1e5,
        pct_start: float = 0.25,
        moms: tuple[float, float, float] | None = None,
        cbs: Sequence[Callback] = (),
        start_epoch: int = 0,
    ) -> Recorder:
        """One cycle: the rate rises for `pct_start` of the run and falls for the rest."""
        schedule = one_cycle_schedule(
            self._rates(lr_max),
            pct_start=pct_start,
            div=div,
            div_final=div_final,
            momenta=moms or self.moms,
        )
        return self._fit(n_epoch, schedule, cbs, start_epoch)

    def fit_head(self, views: int = 1, cbs: Sequence[Callback] = ()) -> Recorder:
        """The head alone to its optimum, by regression on features of `views` passes (`probe`)."""
        if views < 1:
            raise UsageError(f"views={views}: at least 1 pass over the images is needed")
        self.fits += 1
        recorder = fit_head(self, views)
        for callback in cbs:
            callback.after_epoch(self, 0)
            callback.after_fit(self)
        return recorder

    def fine_tune(
        self,
        epochs: int,
        base_lr: float = 2e-3,
        freeze_epochs: int = 1,
        lr_mult: float = 100,
        pct_start: float = 0.3,
        div: float = 5.0,
        cbs: Sequence[Callback] = (),
    ) -> Recorder:
        """The head alone first, then the body too, early layers at a rate `lr_mult` times smaller.

        How much of the body is the learner's `strategy`.
        """
        phases = fine_tune_phases(
            epochs, base_lr, freeze_epochs, lr_mult, pct_start, div, self.strategy
        )
        return run_phases(self, phases, cbs)

    def lr_find(
        self,
        start_lr: float = 1e-7,
        end_lr: float = 10.0,
        num_it: int = 100,
        stop_div: bool = True,
        show_plot: bool = True,
    ) -> SuggestedRates:
        """Range test; weights and data order are untouched afterwards.

        Draws the curve (`recorder.plot()` draws it again) and returns valley, steep, minimum and
        slide.
        """
        self.recorder = range_test(self, start_lr, end_lr, num_it, stop_div)
        if show_plot:
            self.recorder.plot()
        suggestions = self.recorder.suggestions
        if suggestions is None:
            raise UsageError("the range test gave no suggestion")
        return suggestions

    def _rates(self, lr: Rates | None) -> tuple[float, ...]:
        return rates_of_groups(self.lr if lr is None else lr, len(self.groups))

    def _fit(
        self, n_epoch: int, schedule: Schedule, cbs: Sequence[Callback], start_epoch: int = 0
    ) -> Recorder:
        if n_epoch < 1 or not 0 <= start_epoch < n_epoch:
            raise UsageError(f"epochs {start_epoch} to {n_epoch}: at least 1 is needed")
        self.fits += 1
        return fit(self, n_epoch, schedule, cbs, start_epoch)

    # Looking at the result ---------------------------------------------------------------------

    def validate_fast(self, feed: BatchSource) -> list[float]:
        """[loss, *metrics] on the validation images, in training precision."""
        valid, images = feed.valid(), self.dls.valid.images
        logits = torch.zeros(len(images), self.dls.c)
        steps = self.group.cut(valid.steps())
        if steps:
            batches = valid.taking(steps)
            found = validation_logits(feed.network, batches, self.cast, self.micro_batches)
            logits[np.concatenate(steps)] = found[0]
        return self._figures(self.group.sum_(logits), torch.from_numpy(images.targets))

    def validate(self) -> list[float]:
        """[loss, *metrics] on the validation images, in full precision."""
        return self._figures(*self.logits("valid"))

    def get_preds(self, ds_idx: int = 1) -> tuple[Tensor, Tensor]:
        """Probabilities (n, k) and targets of the validation images (`ds_idx=0`: training)."""
        logits, targets = self.logits(("train", "valid")[ds_idx])
        return self.probabilities(logits), targets

    def logits(self, split: str = "valid") -> tuple[Tensor, Tensor]:
        """Full-precision logits (n, k) and targets of a split, in the order of its images."""
        images = self._images(split)
        with Progress("predicting", len(images)) as progress:
            logits = logits_of(self.model, images.pixels, images.rows, advance=progress.advance)
        return logits, torch.from_numpy(images.targets)

    def network_outputs(self, split: str = "valid") -> tuple[TorchOutputs, Tensor]:
        """The same logits with the features on the way to them, and the targets."""
        images = self._images(split)
        with Progress("predicting", len(images)) as progress:
            seen = logits_and_features_of(
                self.model, images.pixels, images.rows, advance=progress.advance
            )
        return seen, torch.from_numpy(images.targets)

    def augmented_logits(self, passes: int) -> Tensor:
        """Logits (passes * n, k) of the validation images, changed as those for training are.

        Each pass changes them anew, always the same way for one seed. In training precision.
        """
        valid, augmentation = self.dls.valid, self.dls.train.augmentation
        if augmentation is None:
            raise UsageError("these data are not augmented; give them an Augmentation first")
        generator = torch.Generator().manual_seed(self.dls.seed)
        parts = []
        for _ in range(passes):
            changes = augmentation.draw(valid.n_images, generator).to(self.device)
            batches = (valid.batch(which, changes) for which in valid.steps())
            parts.append(validation_logits(self.model, batches, self.cast, self.micro_batches)[0])
        return torch.cat(parts)

    def predictions(self, split: str = "valid", logits: Tensor | None = None) -> dict[str, Any]:
        """The predictions table of a split as columns: what `evaluate.make_predictions` takes.

        `logits` (n, k): those of the split, calibrated or not, where they are known already.
        """
        images = self._images(split)
        targets = torch.from_numpy(images.targets)
        logits = self.logits(split)[0] if logits is None else logits
        losses = make_loss(images.targets, self.dls.c)(logits, targets, reduction="none")
        return {
            "paths": list(images.paths),
            "probabilities": self.probabilities(logits).numpy(),
            "targets": images.targets,
            "classes": self.dls.classes,
            "patients": list(images.patients),
            "split": split,
            "losses": losses.numpy(),
        }

    def _images(self, split: str) -> ImageSet:
        if split not in ("train", "valid"):
            raise UsageError(f"split {split!r} is not one of train, valid")
        return (self.dls.train if split == "train" else self.dls.valid).images

    def predict(self, item: Any) -> tuple[str, Tensor, Tensor]:
        """(class name, index, probabilities (k,)) of a path, bytes, PIL image, array or DICOM file.

        For several labels the name joins those above 0.5 with "; " and the index is a 0/1 vector.
        """
        from ..pixels import load_grey

        resize = self.dls.resize
        grey = load_grey(item, resize.size, resize.method)
        chances = self.probabilities(logits_of(self.model, grey[np.newaxis]))[0]
        return decide(chances, self.dls.classes, self.dls.multi_label)

    def probabilities(self, logits: Tensor) -> Tensor:
        return probabilities_of(logits, self.dls.multi_label)

    def _figures(self, logits: Tensor, targets: Tensor) -> list[float]:
        loss = self.loss.cpu()(logits, targets).item()
        self.loss.to(self.device)
        chances = self.probabilities(logits).numpy()
        return [loss, *(metric(chances, targets.numpy()) for metric in self.metrics)]

    # Keeping it --------------------------------------------------------------------------------

    def save(self, name: str = "model") -> Path:
        """Writes the weights to `models/NAME.safetensors` in the learner's folder."""
        return save_weights(self.model, self.path / "models" / f"{name}.safetensors", self._facts())

    def load(self, name: str = "model") -> Learner:
        """Reads what `save` wrote. Refuses weights of another backbone or of other classes."""
        load_weights(self.model, self.path / "models" / f"{name}.safetensors", self._facts())
        return self

    def export(self, fname: Path | str = "model.cxr", **facts: Any) -> Path:
        """Writes the safe model file and returns its path (a relative name: in `path`)."""
        return export_bundle(self, self.path / fname, **facts)

    def _facts(self) -> dict[str, str]:
        """What weights must agree on to be put into this learner, as text.

        Not the size of the images: weights learnt on small ones are a start for larger ones.
        """
        return {
            "backbone": self.model.architecture.backbone,
            "classes": json.dumps(self.dls.classes),
        }


def vision_learner(
    dls: DataLoaders,
    arch: str,
    metrics: Metrics = None,
    *,
    weights: str | Path | None = "auto",
    pretrained: bool = True,
    dropout: float = 0.25,
    seed: int | None = None,
    **options: Any,
) -> Learner:
    """A learner with a pretrained backbone, its body frozen, ready for `fine_tune`.

    `arch`: `resnet18`, `resnet34`, `resnet50`, `efficientnet_lite0` or any timm name. `weights`:
    "auto", a local file, or None (as `pretrained=False`). `seed` for the head, by default that of
    the data. `options` as in `Learner`. Raises UnknownName, WeightsError or UsageError.
    """
    architecture = Architecture(arch, dls.c, dls.resize.size, dropout)
    model, source = build_network(
        architecture,
        weights if pretrained else None,
        seed=dls.seed if seed is None else seed,
    )
    learner = Learner(dls, model, metrics=metrics, weights_source=source, **options)
    if model.pretrained:
        learner.freeze()
    return learner


cnn_learner = vision_learner
