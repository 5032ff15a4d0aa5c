"""`cxr stress MODEL DATA --out DIR`: what do other films and damage do to a model's figures?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from ._columns import (
    ImageRoot,
    LabelColumn,
    LabelColumns,
    PathColumn,
    PatientColumn,
    PatientPattern,
    listed,
)
from ._common import emit


def stress(
    model: Annotated[Path, typer.Argument(help="A model.cxr.")],
    data: Annotated[Path, typer.Argument(help="Labelled images: a folder or a table.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for stress.json and stress.png.")],
    split: Annotated[
        str | None,
        typer.Option(help="Only this split; default: test where there is one, else all."),
    ] = None,
    images: Annotated[
        int, typer.Option(help="At most so many images, of whole patients at random.", min=1)
    ] = 1000,
    label_column: LabelColumn = None,
    label_columns: LabelColumns = None,
    path_column: PathColumn = None,
    patient_column: PatientColumn = None,
    patient_pattern: PatientPattern = "auto",
    image_root: ImageRoot = None,
    seed: Annotated[
        int, typer.Option(help="Of the choice of patients, the noise, the bootstrap.")
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Stress a model: its figures when films are exposed, framed, marked or damaged otherwise."""
    from ..apply import load_learner
    from ..apply.stress import stress_table, stress_test
    from ..evaluation import TRAINED_ON_THESE, check_same_labels, choose_split
    from ..find import read_manifest

    _require_outside(out, data)
    predictor = load_learner(model)
    manifest = read_manifest(
        data,
        classes=predictor.config.classes,
        label_column=label_column,
        label_columns=listed(label_columns),
        path_column=path_column,
        patient_column=patient_column,
        patient_pattern=patient_pattern,
        image_root=image_root,
    )
    check_same_labels(manifest, predictor.config)
    same = manifest.fingerprint() == predictor.config.training_data.get("fingerprint")
    manifest, name = choose_split(manifest, split)
    result = stress_test(
        predictor,
        manifest,
        out,
        images=images,
        seed=seed,
        model_name=model.name,
        split=name,
        caveats=[TRAINED_ON_THESE] if same else [],
    )
    emit(result, json, f"{stress_table(result)}\nfigure: {out / 'stress.png'}")


def _require_outside(out: Path, data: Path) -> None:
    if data.is_dir() and out.resolve().is_relative_to(data.resolve()):
        raise UsageError(
            f"{out} lies inside {data}, where its figure would count as an image; choose another "
            "--out"
        )
