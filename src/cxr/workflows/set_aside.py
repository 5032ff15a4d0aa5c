"""The data's own test images: set aside before training, measured once when all is chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .._io import say
from .._io.text import counted, images_of_patients
from ..errors import DataError
from ..find import Manifest, require_trainable
from ..pixels import MAX_UNREADABLE, DecodedSet, decode_all, report_unreadable
from ..pixels.shards.index import is_shards
from ..pixels.shards.read import open_shards
from ..prepare import Resize
from ..prepare.from_manifest import decoded_in, manifest_items
from ..prepare.items import AnySplitter, split_items
from ..prepare.loaders import require_enough
from ..report.set_aside import shared_in_words

if TYPE_CHECKING:
    from ..bundle import BundleConfig
    from ..config import RunConfig

DRAWN = ("patient", "random")  # splits that draw their own validation images


@dataclass(frozen=True, eq=False)
class RunData:
    """The images of a run: `whole`, of which `development` trains and validates, `test` does not.

    `rows` and `test_rows` (int64) are where these lie in `whole`; `test` is None where the data
    name no test images, `decoded` their pixels, row by row, once `decode_test` was called.
    `shared_patients` have images on both sides, `shared_images` of them are test images.
    `everything` also holds what is quarantined.
    """

    whole: Manifest
    development: Manifest
    test: Manifest | None
    rows: np.ndarray
    test_rows: np.ndarray
    everything: Manifest
    shared_patients: int = 0
    shared_images: int = 0
    decoded: DecodedSet | None = None

    @property
    def readable_test_rows(self) -> np.ndarray:
        return self.test_rows[[] if self.decoded is None else self.decoded.ok]


def trainable_data(manifest: Manifest, splitter: AnySplitter | None = None) -> RunData:
    """`set_aside`. Raises DataError where the rest cannot be trained on, or `splitter` cannot split
    it: all that a run needs of its images as far as it can be told without decoding them.
    """
    require_trainable(manifest)
    data = set_aside(manifest)
    require_trainable(data.development)
    if splitter is not None:
        sides = split_items(manifest_items(data.development), splitter)
        for name, side in zip(("train", "valid"), sides, strict=True):
            require_enough(name, len(side))
    return data


def set_aside(manifest: Manifest) -> RunData:
    """Raises DataError when all images are for testing, or when one of them has no label."""
    in_test = _in_test(manifest)
    rows, test_rows = np.flatnonzero(~in_test), np.flatnonzero(in_test)
    if not len(test_rows):
        return RunData(manifest, manifest, None, rows, test_rows, manifest)
    if not len(rows):
        raise DataError(f"there is nothing to train on: {len(manifest):,} images, all for testing")
    development, test = manifest.select(rows), manifest.select(test_rows)
    test.targets()
    known = test.table["patient"].dropna()
    shared = known[known.isin(set(development.table["patient"].dropna()))]
    n_patients = int(shared.nunique())
    return RunData(manifest, development, test, rows, test_rows, manifest, n_patients, len(shared))


def decode_test(config: RunConfig, data: RunData) -> RunData:
    """Before training, so that what is wrong with the files comes to light then.

    Raises DataError when too many are unreadable.
    """
    if data.test is None:
        return data
    paths = data.test.paths()
    if is_shards(config.data):
        resize = Resize(config.size, config.resize, config.frame)
        decoded = decoded_in(open_shards(config.data), data.test, resize)
    else:
        decoded = decode_all(paths, config.size, config.resize, frame=config.frame)
    report_unreadable(paths, decoded.errors, MAX_UNREADABLE)
    return replace(data, decoded=decoded)


def trained_among(manifest: Manifest, split: str, config: BundleConfig) -> bool:
    """Whether a model has learned or chosen from images of this `split` of `manifest`."""
    wanted = config.training_data.get("fingerprint")
    if wanted is None or split == "test":
        return False
    in_test = _in_test(manifest)
    parts = [manifest, manifest.select(~in_test)] if in_test.any() else [manifest]
    return any(part.fingerprint() == wanted for part in parts)


def say_set_aside(config: RunConfig, data: RunData) -> None:
    """What becomes of the test images, and of a validation folder that is not asked for."""
    if data.test is None:
        return
    say(
        f"{size_of(data.test)} set aside: they neither train nor choose anything, and are measured "
        "once, at the end"
    )
    if data.shared_images:
        say(f"beware: {shared_in_words(shared_facts(data), len(data.test))}")
    splits = data.development.splits() or []
    in_valid = sum(name == "valid" for name in splits)
    if in_valid and config.split in DRAWN:
        say(
            f"{counted(in_valid, 'image')} of the data's validation folder "
            f"{'joins' if in_valid == 1 else 'join'} the others: the {config.split} split draws "
            "its own; --split folders keeps to the folders"
        )


def size_of(test: Manifest) -> str:
    """`624 test images of 402 patients`."""
    patients = int(test.table["patient"].nunique())
    size = images_of_patients({"n": len(test), "n_patients": patients})
    return size.replace(" image", " test image", 1)


def shared_facts(data: RunData) -> dict[str, int]:
    """What `metrics.json` says of test images that were set aside."""
    return {"shared_patients": data.shared_patients, "shared_images": data.shared_images}


def _in_test(manifest: Manifest) -> np.ndarray:
    """Of each image, bool (n,)."""
    if "split" not in manifest.table:
        return np.zeros(len(manifest), bool)
    return (manifest.table["split"] == "test").fillna(False).to_numpy(bool)
