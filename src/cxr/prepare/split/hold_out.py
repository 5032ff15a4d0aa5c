"""A shifted validation: images held out because they were made in another way than the rest.

Validation patients drawn at random come from the same machines and habits as those in training,
so that their figures hardly tell recipes apart. Here a whole series, or images that were made in
another way, are set aside with all images of their patients; a model is then developed on the rest
and measured on these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._io import say, write_json
from ...errors import DataError, UsageError
from ...find import Manifest, require_trainable
from .by_patient import PatientSplitter
from .groups import class_flags, group_names

DEVELOPMENT, SHIFTED, FACTS = "development.csv", "shifted.csv", "hold_out.json"
OTHERS, SHARE, CLUSTERS, SEED = 600, 0.2, 8, 42
MOST_OTHERS = 0.5  # of the images of a class may be held out beside a series
MOST_CLUSTERS = 12  # every choice among them is looked at: 2**12
NEAR = 0.5  # a share of each class within a half of the wanted one is as good as it
FARTHEST = 4.0  # standard deviations; a few odd images would be clusters of their own
FEWEST = 2  # patients of each class on either side
SHOWN = 5

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What a model may be developed on, what it is measured on, and `facts` of how it came."""

    development: Manifest
    shifted: Manifest
    facts: dict[str, Any]

    def write(self, out: Path | str) -> dict[str, Any]:
        """Writes both tables and `hold_out.json` into `out`; returns what the latter holds.

        The tables name the images by absolute paths: nothing is copied. Raises UsageError when
        `out` lies inside the folder of the images.
        """
        out, root = Path(out), self.development.root
        if out.resolve().is_relative_to(root.resolve()):
            raise UsageError(f"{out} lies inside the data, {root}; choose another --out")
        for name, part in ((DEVELOPMENT, self.development), (SHIFTED, self.shifted)):
            paths = [path.as_posix() for path in part.paths()]
            replace(part, table=part.table.assign(path=paths)).write(out / name)
        write_json(out / FACTS, self.facts)
        return self.facts


def hold_out_series(
    manifest: Manifest, series: str, *, others: int = OTHERS, seed: int = SEED
) -> HeldOut:
    """Holds out the images whose file name matches `series`, such as `NORMAL2-*`.

    A pattern with a `/` is compared with the whole path in the manifest; upper and lower case
    differ. Classes that the series lacks are added: `others` images, whole patients at random by
    `seed`, each class in its proportion and at most half of it. Images for testing are on neither
    side. Raises UsageError when the pattern fits nothing or everything, DataError when a class
    would be missing on one side.
    """
    if others < 1:
        raise UsageError(f"others={others}; a whole number from 1 is needed")
    table = _Table.of(manifest)
    matched = _matching(table.manifest, series)
    held = table.whole_patients(matched)
    lacking = ~table.flags[matched].any(axis=0)
    rows = np.flatnonzero(table.flags[:, lacking].any(axis=1) & ~held)
    drawn = np.zeros_like(held)
    if len(rows):
        drawn[table.some_patients(rows, min(others / len(rows), MOST_OTHERS), seed)] = True
    if others > MOST_OTHERS * len(rows) > 0:
        say(f"{drawn.sum():,} other images taken, not {others:,}: half of them stay")
    how = {"series": series, "matched": int(matched.sum()), "others": int(drawn.sum())}
    return table.divide(matched | drawn, {**how, "seed": seed})


def hold_out_acquisition(
    manifest: Manifest, clusters: int = CLUSTERS, *, share: float = SHARE, seed: int = SEED
) -> HeldOut:
    """Holds out the patients whose images are made most unlike the others'.

    Brightness, contrast, sharpness, rim and percentiles of each image (`cxr.check.methods.cues`),
    less what its labels explain and averaged over a patient's images, are put into `clusters` by
    k-means. Of all sets of clusters that hold about `share` of the patients of each class (half to
    one and a half times; where none does, the nearest), the one whose mean lies farthest from the
    mean of the rest is held out. Unreadable images do not count.

    Raises UsageError for a number or share that cannot be, DataError when no choice leaves each
    class on both sides.
    """
    if not 2 <= clusters <= MOST_CLUSTERS:
        raise UsageError(f"{clusters} clusters; a whole number from 2 to {MOST_CLUSTERS} is needed")
    if not 0 < share < 1:
        raise UsageError(f"share={share}: give a fraction between 0 and 1, such as {SHARE}")
    table = _Table.of(manifest)
    names, x, rows = _acquisition(table)
    patients, of_row = np.unique(table.groups[rows], return_inverse=True)
    if len(patients) < clusters:
        raise UsageError(f"{clusters} clusters of {len(patients):,} patients; ask for fewer")
    sizes = np.bincount(of_row)
    means = np.stack([np.bincount(of_row, column) / sizes for column in x.T], axis=1)
    cluster = _k_means(means, clusters, seed)
    flags = np.zeros((len(patients), len(table.names)), bool)
    np.logical_or.at(flags, of_row, table.flags[rows])
    chosen = _farthest(means, cluster, flags, share)
    held = np.isin(table.groups, patients[np.isin(cluster, chosen)])
    side = held[rows]
    moved = x[side].mean(axis=0) - x[~side].mean(axis=0)
    most = np.argsort(-np.abs(moved))[:SHOWN]
    how = {
        "acquisition": clusters,
        "share": share,
        "clusters_held_out": len(chosen),
        "moved_most": {names[i]: round(float(moved[i]), 2) for i in most},
    }
    return table.divide(held, {**how, "seed": seed})


@dataclass(frozen=True, eq=False)
class _Table:
    """The images that may be divided: labels as `flags` (n, names), whose they are in `groups`."""

    manifest: Manifest
    names: Sequence[str]
    flags: Bools
    groups: npt.NDArray[np.str_]
    for_testing: int

    @classmethod
    def of(cls, manifest: Manifest) -> _Table:
        splits = manifest.splits() or [None] * len(manifest)
        rows = [row for row, name in enumerate(splits) if name != "test"]
        others = manifest.select(rows)
        if not rows:
            raise DataError(f"all {len(manifest):,} images are for testing; nothing can be divided")
        require_trainable(others)
        names, flags = class_flags(others.paths(), _labels(others))
        groups = np.array(group_names(others.paths(), others.patients()))
        return cls(others, names, flags.astype(bool), groups, len(manifest) - len(rows))

    def whole_patients(self, rows: Bools) -> Bools:
        """All images of those of whom one is among `rows`."""
        return np.isin(self.groups, self.groups[rows])

    def some_patients(self, rows: npt.NDArray[np.int64], share: float, seed: int) -> Any:
        """About `share` of `rows`, whole patients, each class in its proportion."""
        labels = [{self.names[int(i)] for i in np.flatnonzero(self.flags[row])} for row in rows]
        _, drawn = PatientSplitter(share, seed)(rows.tolist(), labels, self.groups[rows].tolist())
        return rows[drawn]

    def divide(self, wanted: Bools, how: dict[str, Any]) -> HeldOut:
        held = self.whole_patients(wanted)
        for name, column in zip(self.names, self.flags.T, strict=True):
            for side, rows in (("for development", ~held), ("in the shifted set", held)):
                n = len(np.unique(self.groups[rows & column]))
                if n < FEWEST:
                    raise DataError(
                        f"class {name!r} would have {n} patients {side}, {FEWEST} are needed; hold "
                        "out others or add images"
                    )
        development, shifted = (self.manifest.select(side) for side in (~held, held))
        facts = {
            **how,
            "same_patient_added": int((held & ~wanted).sum()),
            "for_testing_left_out": self.for_testing,
            "image_root": str(self.manifest.root.absolute()),
            "development": {"table": DEVELOPMENT, **_counts(development)},
            "shifted": {"table": SHIFTED, **_counts(shifted)},
        }
        # The shifted set is measured on whole, whatever the data set's own split said of it.
        plain = replace(shifted, table=shifted.table.drop(columns="split", errors="ignore"))
        return HeldOut(development, plain, facts)


def _labels(manifest: Manifest) -> list[set[str]]:
    """What an image is of; of several labels each is two classes, one for yes and one for no."""
    if not manifest.multi_label:
        return [{label} for label in manifest.labels()]
    return [
        {f"{name} = {flag:.0f}" for name, flag in zip(manifest.classes, row, strict=True)}
        - {f"{name} = nan" for name in manifest.classes}
        for row in manifest.targets()
    ]


def _matching(manifest: Manifest, series: str) -> Bools:
    paths = manifest.table["path"].tolist()
    names = paths if "/" in series else [PurePosixPath(path).name for path in paths]
    matched = np.array([fnmatchcase(name, series) for name in names])
    if not matched.any():
        raise UsageError(
            f"the pattern {series!r} matches none of {len(names):,} file names, such as "
            f"{names[0]}; quote it, and use * for any letters"
        )
    if matched.all():
        raise UsageError(
            f"the pattern {series!r} matches all {len(names):,} images, so that none is left for "
            "development; narrow it"
        )
    return matched


def _counts(manifest: Manifest) -> dict[str, Any]:
    known = {patient for patient in manifest.patients() if patient is not None}
    if manifest.multi_label:
        n_of = {name: int((manifest.table[name] == 1).sum()) for name in manifest.classes}
    else:
        labels = manifest.table["label"]
        n_of = {name: int((labels == name).sum()) for name in manifest.classes}
    return {"n": len(manifest), "n_patients": len(known) or None, "classes": n_of}


def _acquisition(table: _Table) -> tuple[list[str], Floats, npt.NDArray[np.int64]]:
    """Names, values (m, d) in standard deviations within the classes, and rows (m,) readable."""
    from ...check.methods.cues import statistics
    from ...check.scan import SIDE, Scan
    from ...pixels import decode_all

    paths = table.manifest.paths()
    decoded = decode_all(paths, SIDE)
    rows = np.flatnonzero(decoded.ok)
    if not len(rows):
        raise DataError(f"no image can be read (first: {paths[0]}: {decoded.errors[0]})")
    if decoded.errors:
        say(f"{len(decoded.errors):,} unreadable images do not count")
    cues = statistics(Scan(table.manifest, [], decoded.pixels), rows)
    x = cues.to_numpy(np.float64)
    known = np.column_stack([np.ones(len(rows)), table.flags[rows]])
    x = x - known @ np.linalg.lstsq(known, x, rcond=None)[0]
    spread = x.std(axis=0)
    x = x / np.where(spread > 0, spread, 1)
    return [str(name) for name in cues], x.clip(-FARTHEST, FARTHEST), rows


def _k_means(x: Floats, clusters: int, seed: int) -> npt.NDArray[np.int64]:
    from sklearn.cluster import KMeans

    cluster = KMeans(clusters, n_init=10, random_state=seed % 2**32).fit_predict(x)
    return cluster.astype(np.int64)


def _farthest(x: Floats, cluster: npt.NDArray[np.int64], flags: Bools, share: float) -> list[int]:
    """The clusters to hold out; `x` (patients, d), `flags` (patients, names) their classes."""
    k = int(cluster.max()) + 1
    member = np.eye(k)[cluster]  # (patients, k)
    n, total, classes = member.sum(axis=0), member.T @ x, member.T @ flags
    best: tuple[float, float] | None = None
    chosen: list[int] = []
    for choice in product((False, True), repeat=k):
        held = np.array(choice)
        inside, outside = classes[held].sum(axis=0), classes[~held].sum(axis=0)
        if min(inside.min(), outside.min()) < FEWEST:
            continue
        off = float(np.abs(inside / (inside + outside) / share - 1).max())
        apart = total[held].sum(axis=0) / n[held].sum() - total[~held].sum(axis=0) / n[~held].sum()
        rank = (-max(off, NEAR), float(np.linalg.norm(apart)))
        if best is None or rank > best:
            best, chosen = rank, np.flatnonzero(held).tolist()
    if best is None:
        raise DataError(
            f"no choice among {k} clusters leaves {FEWEST} patients of each class on both sides; "
            "ask for another number of clusters or name a series"
        )
    return chosen
