"""The learner: a network, its data and how to train it, by the names that fast.ai users know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..backbones import (
    Architecture,
    Network,
    TorchOutputs,
    build_network,
    logits_of,
    set_trainable,
    triple_of,
)
from ..bundle.task import Task
from ..errors import UsageError
from ..pixels import load_grey
from ..prepare.loaders import DataLoaders, options_of
from .callbacks import Callback
from .export import ExportFacts, export_bundle
from .fit import fit
from .inference import (
    PredictionColumns,
    augmented_logits,
    logits_of_split,
    outputs_of_split,
    prediction_columns,
)
from .linear_probe import fit_head
from .lr_finder import range_test
from .recipe import AnyPhase, HeadPhase, fine_tune_phases
from .recorder import Recorder
from .resume.snapshot import START, Position
from .schedule import Rates, Schedule, flat_schedule, one_cycle_schedule, rates_of_groups
from .state import LearnerOptions, Metrics, TrainingState
from .suggest import SuggestedRates


class Learner(TrainingState):
    """Made by `vision_learner`. `model` is the network, `dls` its data, `recorder` the last fit.

    `options` are those of `LearnerOptions`. `get_preds`, `validate` and `predict` are always in
    full precision, so that the exported model agrees.
    """

    def __init__(self, dls: DataLoaders, model: Network, **options: Any) -> None:
        super().__init__(dls, model, options_of(LearnerOptions, "option of a learner", options))
        self.unfreeze()

    # What trains -------------------------------------------------------------------------------

    def freeze_to(self, n: int) -> None:
        """Freezes the layer groups before `n`, counted from the end if negative."""
        count = len(self.layer_groups)
        if not -count <= n < count:
            raise UsageError(f"freeze_to({n}): there are {count} layer groups")
        set_trainable(self.model, self.layer_groups, n % count)

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
        """The head alone to its optimum, by regression on the features of `views` passes."""
        return fit_head(self, views, cbs)

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
        return self.fit_phases(phases, cbs)

    def fit_phases(
        self,
        phases: Sequence[AnyPhase],
        cbs: Sequence[Callback] = (),
        start: Position = START,
        one_table: bool = False,
    ) -> Recorder:
        """Trains phase after phase, from `start` on. Returns the last phase's recorder.

        one_table: count the epochs of all phases from 1, not those of each from 0.
        """
        for number, phase in enumerate(phases[start.phase :], start.phase):
            before = sum(earlier.epochs for earlier in phases[:number])
            self.epochs_before = before if one_table else None
            self.freeze_to(phase.first_group)
            first = start.epoch if number == start.phase else 0
            if first >= phase.epochs:  # it was finished before the run was interrupted
                self.fits += 1
                self.paused = None
            elif isinstance(phase, HeadPhase):
                self.fit_head(phase.views, cbs)
            else:
                self.fit_one_cycle(
                    phase.epochs,
                    phase.rates,
                    div=phase.div,
                    pct_start=phase.pct_start,
                    cbs=cbs,
                    start_epoch=first,
                )
        return self.recorder

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
        self.recorder, suggestions = range_test(self, start_lr, end_lr, num_it, stop_div)
        if show_plot:
            self.recorder.plot()
        return suggestions

    def _rates(self, lr: Rates | None) -> tuple[float, ...]:
        return rates_of_groups(self.lr if lr is None else lr, len(self.layer_groups))

    def _fit(
        self, n_epoch: int, schedule: Schedule, cbs: Sequence[Callback], start_epoch: int = 0
    ) -> Recorder:
        if n_epoch < 1 or not 0 <= start_epoch < n_epoch:
            raise UsageError(f"epochs {start_epoch} to {n_epoch}: at least 1 is needed")
        self.fits += 1
        return fit(self, n_epoch, schedule, cbs, start_epoch)

    # Looking at the result ---------------------------------------------------------------------

    def validate(self) -> list[float]:
        """[loss, *metrics] on the validation images, in full precision."""
        return self.figures(*self.logits("valid"))

    def get_preds(self, ds_idx: int = 1) -> tuple[Tensor, Tensor]:
        """Probabilities (n, k) and targets of the validation images (`ds_idx=0`: training)."""
        logits, targets = self.logits(("train", "valid")[ds_idx])
        return self.probabilities(logits), targets

    def logits(self, split: str = "valid") -> tuple[Tensor, Tensor]:
        """Full-precision logits (n, k) and targets of a split, in the order of its images."""
        return logits_of_split(self, split)

    def network_outputs(self, split: str = "valid") -> tuple[TorchOutputs, Tensor]:
        """The same logits with the features on the way to them, and the targets."""
        return outputs_of_split(self, split)

    def augmented_logits(self, passes: int) -> Tensor:
        """Logits (passes * n, k) of the validation images, changed as those for training are."""
        return augmented_logits(self, passes)

    def predictions(self, split: str = "valid", logits: Tensor | None = None) -> PredictionColumns:
        """The predictions table of a split: what `evaluate.make_predictions` takes.

        `logits` (n, k): those of the split, calibrated or not, where they are known already.
        """
        return prediction_columns(self, split, logits)

    def predict(self, item: Any) -> tuple[str, Tensor, Tensor]:
        """(class name, index, probabilities (k,)) of a path, bytes, PIL image, array or DICOM file.

        A learner has no operating threshold, which is chosen on validation images at the end of a
        run: the name is that of the most probable class. For several labels it joins those from
        0.5 on with "; " and the index is a 0/1 vector. Raises ImageError for what is no image.
        """
        resize = self.dls.resize
        grey = load_grey(item, resize.size, resize.method, frame=resize.frame)
        probabilities = self.probabilities(logits_of(self.model, grey[np.newaxis]))[0]
        task = Task(self.dls.classes, self.dls.multi_label)
        decided = task.decided(probabilities.tolist())
        return triple_of(probabilities, task.classes, decided, task.multi_label)

    def export(self, fname: Path | str = "model.cxr", **facts: Any) -> Path:
        """Writes the safe model file and returns its path (a relative name: in `path`).

        `facts` are those of `ExportFacts`.
        """
        return export_bundle(self, self.path / fname, options_of(ExportFacts, "fact", facts))


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
    the data. `options` as in `LearnerOptions`. Raises UnknownName, WeightsError or UsageError.
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
