"""How good is a model file on labelled images?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._io import read_json
from .._io.run_files import CONFIG, ONE_TABLE
from ..apply import Predictor, load_learner
from ..bundle import BundleConfig
from ..config import ManifestOptions
from ..errors import DataError, UsageError
from ..evaluate import Predictions, make_predictions, measure_subgroups
from ..evaluate.calibration import Calibration, calibration_facts
from ..find import Manifest, read_manifest
from ..pixels import MAX_UNREADABLE, decode_all, report_unreadable
from ..report import ReportParts, flow_facts
from ..report.results import evaluate_predictions
from .finish import abstention_of

BLOCK = 512  # images looked at in one go

TRAINED_ON_THESE = (
    "The model was trained on images among these: figures of images that it has seen say little."
)


def evaluate_model(
    model: Path | str,
    data: Path | str,
    out: Path | str,
    *,
    split: str | None = None,
    seed: int = 0,
    prevalence: float | None = None,
    by: Sequence[str] = (),
    check: Path | str | None = None,
    stress: Path | str | None = None,
    options: ManifestOptions | None = None,
) -> dict[str, Any]:
    """Runs a model file over labelled images and writes metrics, predictions and report to `out`.

    `split` takes only the images of that name ("test" by default where the data have one). The
    threshold is the model's own, set at training. `prevalence` (0 to 1) adds the predictive values
    that the model would have at that prevalence. `by` names columns whose groups are measured
    each for itself. `options` say how the data are read. `check` and `stress`, the JSON files of
    those commands, go into the report.
    Raises DataError when labels and classes differ, UsageError when `out` is a run folder, whose
    figures are of its own validation, or a column makes no groups.
    """
    if (Path(out) / CONFIG).is_file():
        raise UsageError(f"{out} is a run folder; choose another --out, so that its figures stay")
    predictor = load_learner(model)
    config = predictor.config
    manifest = read_manifest(data, options, classes=config.classes)
    check_same_labels(manifest, config)
    same = manifest.fingerprint() == config.training_data.get("fingerprint")
    manifest, name = choose_split(manifest, split)
    columns = {name: column_of(manifest, name) for name in by}
    settled = {
        name: read_json(path) for name, path in (("check", check), ("stress", stress)) if path
    }
    decoded = decode_all(manifest.paths(), config.size, method=config.resize_method)
    report_unreadable(manifest.paths(), decoded.errors, MAX_UNREADABLE)
    kept = np.flatnonzero(decoded.ok)
    flow = flow_facts(manifest, {name: kept.tolist()}, unreadable=len(decoded.errors))
    manifest = manifest.select(kept)
    logits, distances = logits_and_distances(predictor, decoded.pixels, kept)
    chances = predictor.rules.probabilities(logits, calibrated=True)
    predictions = make_predictions(
        list(manifest.table["path"]),
        chances,
        manifest.targets(),
        config.classes,
        patients=manifest.patients(),
        split=name,
        positive=config.positive,
        threshold=config.threshold,
    )
    point = config.threshold if predictions.binary else 0.5
    more: dict[str, Any] = {"calibration": own_calibration(config, logits, predictions, seed)}
    if columns:
        values = {name: [column[i] for i in kept] for name, column in columns.items()}
        more["subgroups"] = measure_subgroups(predictions, values, point, seed=seed)
    abstention = abstention_of(predictor, predictions, logits, distances)
    return evaluate_predictions(
        {name: predictions},
        out,
        threshold=point if predictions.binary else None,
        seed=seed,
        prevalence=prevalence,
        model_facts={
            "model": Path(model).name,
            "backbone": config.backbone,
            "input": f"{config.size} x {config.size} pixels, {config.resize_method}",
            "temperature": round(config.temperature, 4),
            "evaluated on": f"{len(manifest):,} images of {manifest.root.absolute().name!r}",
            "unreadable images left out": len(decoded.errors),
            "caveats": [TRAINED_ON_THESE] if same else [],
        },
        population=config.population,
        tables=ONE_TABLE,
        parts=ReportParts(flow=flow, abstention=abstention, **settled),
        more={name: more},
    )


def column_of(manifest: Manifest, name: str) -> list[Any]:
    """Raises UsageError for a column that is not there."""
    if name not in manifest.table:
        known = ", ".join(manifest.table.columns)
        raise UsageError(f"no column {name!r} to make groups by; there are: {known}")
    return manifest.table[name].tolist()


def logits_and_distances(
    predictor: Predictor, pixels: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Of the images in `rows`, of which a few thousand are in memory at a time."""
    blocks = (pixels[rows[i : i + BLOCK]] for i in range(0, len(rows), BLOCK))
    parts = [predictor.logits_and_distances(block) for block in blocks]
    far = [distance for _, distance in parts if distance is not None]
    return np.concatenate([logits for logits, _ in parts]), np.concatenate(far) if far else None


def own_calibration(
    config: BundleConfig, logits: np.ndarray, predictions: Predictions, seed: int
) -> dict[str, Any]:
    """Before and after the calibration in the model file."""
    own = Calibration.from_bundle(config.temperature, config.calibration, len(config.classes))
    return calibration_facts(
        logits,
        predictions.targets,
        predictions.patient_groups,
        own,
        crossfit=False,
        positive=predictions.positive_index if predictions.binary else 1,
        seed=seed,
    )


def check_same_labels(manifest: Manifest, config: BundleConfig) -> None:
    """Raises DataError when the images' labels are not such as the model gives."""
    kinds = ("one label an image", "several labels an image")
    if manifest.multi_label != config.multi_label:
        raise DataError(
            f"{manifest.root} has {kinds[manifest.multi_label]}, the model gives "
            f"{kinds[config.multi_label]} ({', '.join(config.classes)}); label the images likewise"
        )
    missing = [c for c in config.classes if manifest.multi_label and c not in manifest.table]
    if missing:
        raise DataError(
            f"{manifest.root} has no column for {', '.join(missing[:5])} of the model's classes; "
            "add it, with blanks where it is not known"
        )
    manifest.targets()


def choose_split(manifest: Manifest, wanted: str | None) -> tuple[Manifest, str]:
    """The images of one split, and its name; all of them where the data name no splits."""
    splits = manifest.splits()
    names = sorted({name for name in splits or [] if name is not None})
    if wanted is None:
        wanted = "test" if "test" in names else "all"
    if wanted == "all":
        return manifest, "all"
    if wanted not in names:
        known = ", ".join(["all", *names])
        raise UsageError(f"no split {wanted!r} in the data; there are: {known}")
    rows = [i for i, name in enumerate(splits or []) if name == wanted]
    return manifest.select(rows), wanted
