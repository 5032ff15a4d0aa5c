"""`cxr predict MODEL IMAGES...`: what does the model say of these images?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UnknownName
from ._common import emit

ENGINES = ("local", "ray")


def predict(
    model: Annotated[Path, typer.Argument(help="A model.cxr.")],
    images: Annotated[list[Path], typer.Argument(help="Files and folders.")],
    out: Annotated[
        Path | None, typer.Option("--out", help=".csv, .parquet or .jsonl file.")
    ] = None,
    explain: Annotated[
        Path | None, typer.Option(help="Write a heat map for each image into this new folder.")
    ] = None,
    engine: Annotated[str, typer.Option(help="local, or ray for a cluster.")] = "local",
    json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Predict for files and folders. Exit code 1 when an image could not be read."""
    from ..apply import expand_images, write_rows
    from ..apply.batch import check_format

    if engine not in ENGINES:
        raise UnknownName("engine", engine, ENGINES)
    if out is not None:
        check_format(out)
    files = expand_images(images)
    if explain is not None:
        from ..apply.explain import require_empty

        require_empty(explain)  # now, not after an hour of prediction
    rows = _rows(engine, model, files)
    if explain is not None:
        _explain(model, files, explain)
    bad = sum(row["error"] is not None for row in rows)
    if out is not None:
        write_rows(rows, out)
        line = f"{len(rows):,} images, {bad:,} unreadable: {out}"
        emit({"out": out, "images": len(rows), "unreadable": bad}, json, line)
    else:
        emit({"predictions": rows}, json, "\n".join(line_of(row) for row in rows))
    if bad:
        raise typer.Exit(1)


def _rows(engine: str, model: Path, files: list[Path]) -> list[dict[str, Any]]:
    if engine == "ray":
        from ..scale import predict_ray

        return predict_ray(model, files)
    from ..apply import load_learner, predict_files

    return predict_files(load_learner(model), files)


def _explain(model: Path, files: list[Path], folder: Path) -> None:
    from ..apply import load_learner
    from ..apply.explain import explain_files

    explain_files(load_learner(model), files, folder)


def line_of(row: dict[str, Any]) -> str:
    """`path: DECISION (calibrated probabilities)` and in few words whether to trust it, where that
    was judged; or the path and why it could not be read."""
    if row["error"] is not None:
        return f"{row['path']}: {row['error']}"
    shares = [f"{k.removeprefix('prob_')} {v:.4f}" for k, v in row.items() if k.startswith("prob_")]
    line = f"{row['path']}: {row['decision']} ({', '.join(shares)})"
    if row["confident"] is None:
        return line
    first = row["reason"].split("; ")[0]  # the whole is in the table
    return f"{line}, confident" if row["confident"] else f"{line}, not confident: {first}"
