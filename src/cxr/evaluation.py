"""How good is a model file on labelled images?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .apply import load_learner
from .bundle import BundleConfig
from .config import CONFIG
from .errors import DataError, UsageError
from .evaluate import evaluate_predictions, make_predictions
from .find import Manifest, read_manifest
from .pixels import decode_all
from .prepare.loaders import report_unreadable

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
    **manifest_options: Any,
) -> dict[str, Any]:
    """Runs a model file over labelled images and writes metrics, predictions and report to `out`.

    `split` takes only the images of that name ("test" by default where the data have one). The
    threshold is the model's own, set at training. `prevalence` (0 to 1) adds the predictive values
    that the model would have where so many are ill. Raises DataError when labels and classes
    differ, UsageError when `out` is a run folder, whose figures are of its own validation.
    """
    if (Path(out) / CONFIG).is_file():
        raise UsageError(f"{out} is a run folder; choose another --out, so that its figures stay")
    predictor = load_learner(model)
    config = predictor.config
    manifest = read_manifest(Path(data), classes=config.classes, **manifest_options)
    check_same_labels(manifest, config)
    same = manifest.fingerprint() == config.training_data.get("fingerprint")
    manifest, name = choose_split(manifest, split)
    decoded = decode_all(manifest.paths(), config.size, method=config.resize_method)
    report_unreadable(manifest.paths(), decoded.errors)
    kept = np.flatnonzero(decoded.ok)
    manifest = manifest.select(kept)
    logits = predictor.logits(decoded.pixels, kept)
    predictions = make_predictions(
        list(manifest.table["path"]),
        predictor.probabilities(logits, calibrated=True).numpy(),
        manifest.targets(),
        config.classes,
        patients=manifest.patients(),
        split=name,
        positive=config.positive,
    )
    return evaluate_predictions(
        {name: predictions},
        out,
        threshold=config.threshold if predictions.binary else None,
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
        tables="predictions.csv",
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
