"""`cxr hold-out DATA --series GLOB --out DIR`: which images shall stand for another site?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..config import ManifestOptions
from ..errors import UsageError
from ._options import with_manifest_options
from ._output import emit

SIDES = ("development", "shifted")


@with_manifest_options
def hold_out(
    data: Annotated[Path, typer.Argument(help="Labelled images: a folder or a table.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for development.csv and shifted.csv.")],
    series: Annotated[
        str | None, typer.Option(help="Hold out files of such names, as in 'NORMAL2-*'.")
    ] = None,
    others: Annotated[
        int | None,
        typer.Option(help="With --series: so many images of the classes that it lacks (600)."),
    ] = None,
    acquisition: Annotated[
        int | None,
        typer.Option(help="Hold out the most unlike of so many clusters of how images are made."),
    ] = None,
    share: Annotated[
        float | None, typer.Option(help="With --acquisition: about this share of each class (0.2).")
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Of the choice of patients and the clusters.", min=0)
    ] = 42,
    *,
    options: ManifestOptions,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Divide images into those to develop on and a shifted set that was made in another way.

    Example: cxr hold-out chest_xrays --series 'NORMAL2-*' --out shifted
    """
    _require_one_way(series, others, acquisition, share)

    from ..find import read_manifest
    from ..prepare.split.hold_out import hold_out_acquisition, hold_out_series

    manifest = read_manifest(data, options)
    if series is not None:
        given = {} if others is None else {"others": others}
        held = hold_out_series(manifest, series, seed=seed, **given)
    else:
        wanted = {} if share is None else {"share": share}
        held = hold_out_acquisition(manifest, acquisition or 0, seed=seed, **wanted)
    facts = held.write(out)
    columns = manifest.classes if manifest.multi_label else ()
    emit(facts, json, "\n".join(_lines(facts)), _next(facts, out, columns))


def _require_one_way(
    series: str | None, others: int | None, acquisition: int | None, share: float | None
) -> None:
    if (series is None) == (acquisition is None):
        raise UsageError("say what to hold out: --series 'GLOB', or --acquisition CLUSTERS")
    if series is None and others is not None:
        raise UsageError("--others goes with --series")
    if acquisition is None and share is not None:
        raise UsageError("--share goes with --acquisition")


def _lines(facts: Mapping[str, Any]) -> Iterator[str]:
    for side in SIDES:
        part = facts[side]
        patients = part["n_patients"]
        who = f" of {patients:,} patients" if patients else ", patients not known"
        classes = ", ".join(f"{name} {n:,}" for name, n in part["classes"].items())
        yield f"{side + ':':13}{part['n']:,} images{who} ({classes})"
    if "moved_most" in facts:
        moved = ", ".join(f"{name} {by:+.1f}" for name, by in facts["moved_most"].items())
        yield f"shifted images differ most in: {moved} (standard deviations within a class)"
    if facts["same_patient_added"]:
        yield (
            f"{facts['same_patient_added']:,} of the shifted images are there because another "
            "image of their patient is"
        )
    if facts["for_testing_left_out"]:
        yield f"{facts['for_testing_left_out']:,} images for testing are in neither"


def _next(facts: Mapping[str, Any], out: Path, columns: tuple[str, ...]) -> list[list[str]]:
    options = ["--image-root", facts["image_root"]]
    options += ["--label-columns", ",".join(columns)] if columns else []
    tables = [str(out / facts[side]["table"]) for side in SIDES]
    model = "runs/a/model.cxr"
    return [
        ["train", tables[0], "--run", "runs/a", *options],
        ["evaluate", model, tables[1], "--out", "runs/a/shifted", *options],
    ]
