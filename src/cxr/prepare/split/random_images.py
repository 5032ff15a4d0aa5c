"""A random part of the images, as fast.ai picks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import DataError
from .base import DrawnSplitter, Labels, Patients, Split, check_fraction, say_shared_patients


@dataclass(frozen=True)
class RandomSplitter(DrawnSplitter):
    """The very indices that `fastai.data.transforms.RandomSplitter` picks for the same seed.

    It splits images, not patients: where patients are known, a line says how many validation
    images share theirs with training. `seed=None` draws from torch's global generator, a seed
    leaves that untouched. Splits into `int(valid_pct * n)` validation images and the rest, both
    in random order.
    """

    valid_pct: float = 0.2
    seed: int | None = None

    def __post_init__(self) -> None:
        check_fraction(self.valid_pct)

    def split(
        self, items: Sequence[Any], labels: Labels | None, patients: Patients | None
    ) -> Split:
        import torch

        generator = None if self.seed is None else torch.Generator().manual_seed(self.seed)
        order: list[int] = torch.randperm(len(items), generator=generator).tolist()
        cut = int(self.valid_pct * len(items))
        if cut == 0:
            raise DataError(
                f"valid_pct={self.valid_pct} of {len(items)} images leaves none to validate on; "
                "add images or raise valid_pct"
            )
        train, valid = order[cut:], order[:cut]
        say_shared_patients(train, valid, patients)
        return train, valid
