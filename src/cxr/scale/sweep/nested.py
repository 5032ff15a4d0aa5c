"""A split inside a split: what a sweep chooses on, and what it is measured on.

Outside stands the split that `cxr train` would make. Only its training side is split again, by
patient, into what trials learn from and what ranks them. Who chooses the best of many
settings on the images that he then reports has fitted these images (Cawley and Talbot, 2010).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..._io import say
from ..._io.run_files import MANIFEST
from ...config import RunConfig
from ...errors import CxrError, DataError, UsageError
from ...find import Manifest
from ...pixels import decode_all
from ...prepare.from_manifest import manifest_items, named_splitter
from ...prepare.items import split_items
from ...prepare.split import KFoldPatientSplitter, PatientSplitter
from ...train.resume.run_folder import check_same_images

OUTER = "outer.csv"
INNER_SHARE = 0.2
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Nested:
    """`outer` holds all images with their split; `inner`, once for each fold, its training side."""

    outer: Manifest
    inner: tuple[Manifest, ...]

    def paths(self, name: str) -> list[str]:
        """Of the outer split, as the manifest writes them."""
        return self.outer.table.loc[self.outer.table["split"] == name, "path"].tolist()


def nest(config: RunConfig, manifest: Manifest, folds: int = 1) -> Nested:
    """The outer split as `config` makes it, and its training side split by patient.

    One fold sets INNER_SHARE of the patients aside; k folds validate on every patient once.
    Raises DataError where a class has too few patients, UsageError for fewer than one fold.
    """
    if folds < 1:
        raise UsageError(f"{folds} inner folds; give 1 or more")
    splitter = named_splitter(config.split, config.valid_pct, config.seed)
    train, valid = split_items(manifest_items(manifest), splitter)
    inner = manifest.select(train)
    items = manifest_items(inner)
    sides = [
        _inner_splitter(fold, folds, config.seed)(items.paths, items.targets, items.patients)
        for fold in range(folds)
    ]
    return Nested(
        manifest.with_split(train=train.tolist(), valid=valid.tolist()),
        tuple(inner.with_split(train=a, valid=b) for a, b in sides),
    )


def _inner_splitter(fold: int, folds: int, seed: int) -> PatientSplitter | KFoldPatientSplitter:
    if folds == 1:
        return PatientSplitter(INNER_SHARE, seed=seed)
    return KFoldPatientSplitter(folds, fold, seed)


def write_tables(nested: Nested, folder: Path) -> list[Path]:
    """Writes `outer.csv`, and an `inner-K.csv` for each fold, without any outer validation image.

    Returns the inner tables. Raises DataError when other images lie there from before.
    """
    check_same_images(nested.outer, folder / OUTER)
    nested.outer.write(folder / OUTER)
    return [
        _only_needed(inner).write(folder / f"inner-{fold}.csv")
        for fold, inner in enumerate(nested.inner, start=1)
    ]


def _only_needed(manifest: Manifest) -> Manifest:
    labels = list(manifest.classes) if manifest.multi_label else ["label"]
    return replace(manifest, table=manifest.table[["path", *labels, "patient", "split"]])


def inner_config(config: RunConfig, table: Path, manifest: Manifest) -> RunConfig:
    """The same settings on an inner table, whose word on patients and split stands alone."""
    return replace(
        config,
        data=str(table),
        layout="table",
        path_column="path",
        label_column=None if manifest.multi_label else "label",
        label_columns=manifest.classes if manifest.multi_label else None,
        patient_column="patient",
        patient_pattern=None,
        image_root=str(manifest.root.absolute()),
        quarantine=None,
        split="manifest",
        explain=False,
    )


def decode_once(manifest: Manifest, configs: list[RunConfig]) -> None:
    """Fills the pixel cache before trials start side by side, each of which would decode all."""
    wanted = dict.fromkeys((config.size, config.resize, config.frame) for config in configs)
    for size, resize, frame in wanted:
        try:
            decode_all(manifest.paths(), size, resize, frame=frame)
        except CxrError as error:  # the trials of this size will say so in their rows
            say(f"size {size}: {error}")


def check_outside(nested: Nested, run: Path) -> None:
    """Raises DataError when the final run split other images, or in another way."""
    table = pd.read_csv(run / MANIFEST, dtype=str, keep_default_na=False)
    for name in ("train", "valid"):
        moved = set(table.loc[table["split"] == name, "path"]) - set(nested.paths(name))
        if moved:
            raise DataError(
                f"{run} has {len(moved):,} images in {name} that the sweep had elsewhere "
                f"({min(moved)}): the data have changed meanwhile; sweep in a new folder"
            )
