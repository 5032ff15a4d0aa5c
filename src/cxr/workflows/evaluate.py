"""How good is a model file on labelled images?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
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
from ..evaluate.calibration import Calibration
from ..find import Manifest, read_manifest
from ..pixels import MAX_UNREADABLE, DecodedSet, decode_all, report_unreadable
from ..pixels.doubt import header_doubts
from ..report import MeasureSettings, ReportContext, evaluate_predictions, flow_facts
from .checked import read_check
from .describe import abstention_of, calibration_of
from .set_aside import trained_among

BLOCK = 512  # images in memory at a time

TRAINED_ON_THESE = (
    "The model was trained on images among these: figures of images that it has seen say little."
)


@dataclass(frozen=True)
class EvaluationSettings:
    """What is measured and how.

    split: only the images of that name; "test" by default where the data have one.
    seed: of the bootstrap.
    prevalence: 0 to 1; adds the predictive values that the model would have at that prevalence.
    by: columns whose groups are measured each for itself.
    check, stress: the JSON files of those commands, for the report.
    """

    split: str | None = None
    seed: int = 0
    prevalence: float | None = None
    by: Sequence[str] = ()
    check: Path | str | None = None
    stress: Path | str | None = None


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Labelled images that could be read, and what the network gave for them.

    logits: (n, k) not calibrated. distances: (n,) as `DecisionRules.distances`, if the model file
    knows them. frames: (n, 6) as `LungFrame.row`, of a model that sees lungs. doubts: (n,), what
    DICOM headers say against a frontal chest radiograph. flow: images from found to used.
    unreadable: how many are left out.
    """

    manifest: Manifest
    predictions: Predictions
    logits: np.ndarray
    distances: np.ndarray | None
    frames: np.ndarray | None
    doubts: list[str]
    rows: list[int]
    flow: dict[str, Any]
    unreadable: int


def evaluate_model(
    model: Path | str,
    data: Path | str,
    out: Path | str,
    settings: EvaluationSettings | None = None,
    *,
    options: ManifestOptions | None = None,
    **single: Any,
) -> dict[str, Any]:
    """Runs a model file over labelled images and writes metrics, predictions and report to `out`.

    The threshold is the model's own, set at training. `options` say how the data are read. Single
    settings and options may be given by name: `evaluate_model(model, data, out, split="all")`.
    Raises DataError when labels and classes differ, UsageError when `out` is a run folder, whose
    figures are of its own validation, or a column makes no groups,
    or the check is of other data.
    """
    names = {field.name for field in fields(ManifestOptions)} & set(single)
    options = replace(options or ManifestOptions(), **{name: single.pop(name) for name in names})
    settings = replace(settings or EvaluationSettings(), **single)
    if (Path(out) / CONFIG).is_file():
        raise UsageError(f"{out} is a run folder; choose another --out, so that its figures stay")
    predictor = load_learner(model)
    config = predictor.config
    manifest = read_manifest(data, options, classes=config.classes)
    check_same_labels(manifest, config)
    whole = manifest
    manifest, split = choose_split(manifest, settings.split)
    same = trained_among(whole, split, config)
    columns = {name: column_of(manifest, name) for name in settings.by}
    documents = documents_of(settings, whole)
    images = predict_labelled(predictor, manifest, split)
    predictions = images.predictions
    groups = {name: [column[i] for i in images.rows] for name, column in columns.items()}
    return evaluate_predictions(
        {split: predictions},
        out,
        MeasureSettings(
            threshold=config.operating_point,
            prevalence=settings.prevalence,
            seed=settings.seed,
        ),
        ReportContext(
            model_facts=facts_of(Path(model).name, config, images)
            | {"caveats": [TRAINED_ON_THESE] if same else []},
            population=config.population,
            tables=ONE_TABLE,
            flow=images.flow,
            abstention=how_it_answers(predictor, images),
            **documents,
        ),
        more={split: more_figures(config, images, groups, settings.seed)},
    )


def documents_of(settings: EvaluationSettings, whole: Manifest) -> dict[str, Any]:
    """What other commands found, for the report. Raises UsageError for a check of other data."""
    documents = {}
    if settings.check:
        documents["check"] = read_check(settings.check, whole)
    if settings.stress:
        documents["stress"] = read_json(settings.stress)
    return documents


def predict_labelled(predictor: Predictor, manifest: Manifest, split: str) -> Evaluated:
    """Decodes and predicts; unreadable images are reported and left out."""
    config, paths = predictor.config, manifest.paths()
    decoded = decode_all(paths, config.size, config.resize_method, frame=config.frame)
    report_unreadable(paths, decoded.errors, MAX_UNREADABLE)
    return predict_decoded(predictor, manifest, decoded, split)


def predict_decoded(
    predictor: Predictor, manifest: Manifest, decoded: DecodedSet, split: str
) -> Evaluated:
    """`decoded`: the images of `manifest`, row by row."""
    config = predictor.config
    rows = np.flatnonzero(decoded.ok)
    frames = None if decoded.frames is None else decoded.frames[rows]
    readable = manifest.select(rows)
    logits, distances = logits_and_distances(predictor, decoded.pixels, rows)
    predictions = make_predictions(
        list(readable.table["path"]),
        predictor.rules.probabilities(logits, calibrated=True),
        readable.targets(),
        config.classes,
        patients=readable.patients(),
        split=split,
        positive=config.positive,
        threshold=config.operating_point,
    ).with_frames(frames)
    flow = flow_facts(manifest, {split: rows.tolist()}, unreadable=len(decoded.errors))
    return Evaluated(
        readable,
        predictions,
        logits,
        distances,
        frames,
        header_doubts(readable.paths()),
        rows.tolist(),
        flow,
        len(decoded.errors),
    )


def how_it_answers(predictor: Predictor, images: Evaluated) -> dict[str, Any]:
    """`abstention_of` of evaluated images."""
    return abstention_of(
        predictor,
        images.predictions,
        images.logits,
        images.distances,
        images.frames,
        doubts=images.doubts,
    )


def more_figures(
    config: BundleConfig, images: Evaluated, groups: dict[str, list[Any]], seed: int
) -> dict[str, Any]:
    """What a table of predictions alone cannot give: calibration, and figures by group."""
    predictions = images.predictions
    calibration = calibration_of(
        Calibration.from_bundle(config.temperature, config.calibration, len(config.classes)),
        images.logits,
        predictions.targets,
        predictions,
        crossfit=False,
        seed=seed,
    )
    if not groups:
        return {"calibration": calibration}
    point = config.operating_point
    subgroups = measure_subgroups(predictions, groups, point, seed=seed)
    return {"calibration": calibration, "subgroups": subgroups}


def facts_of(name: str, config: BundleConfig, images: Evaluated) -> dict[str, Any]:
    """Of the model and the images, for the report."""
    root = images.manifest.root.absolute().name
    return {
        "model": name,
        "backbone": config.backbone,
        "input": config.input,
        "temperature": round(config.temperature, 4),
        "evaluated on": f"{len(images.manifest):,} images of {root!r}",
        "unreadable images left out": images.unreadable,
    }


def column_of(manifest: Manifest, name: str) -> list[Any]:
    """Raises UsageError for a column that is not there."""
    if name not in manifest.table:
        known = ", ".join(manifest.table.columns)
        raise UsageError(f"no column {name!r} to make groups by; there are: {known}")
    return manifest.table[name].tolist()


def logits_and_distances(
    predictor: Predictor, pixels: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Of the images in `rows`, of which a few hundred are in memory at a time."""
    blocks = (pixels[rows[i : i + BLOCK]] for i in range(0, len(rows), BLOCK))
    parts = [predictor.logits_and_distances(block) for block in blocks]
    far = [distance for _, distance in parts if distance is not None]
    return np.concatenate([logits for logits, _ in parts]), np.concatenate(far) if far else None


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
