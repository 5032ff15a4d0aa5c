"""`cxr fetch NAME OUT`: download a registered data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._options import Json
from ._output import emit


def fetch(
    name: Annotated[str, typer.Argument(help="Name of a registered data set: kermany.")],
    out: Annotated[Path, typer.Argument(help="Folder to write, new or empty.")],
    direct: Annotated[
        bool, typer.Option("--direct", help="From the publisher, without a Kaggle account.")
    ] = False,
    url: Annotated[
        str | None, typer.Option(help="Another address of the same zip (implies --direct).")
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(help="Checksum that the zip must have (implies --direct).")
    ] = None,
    json: Json = False,
) -> None:
    """Download a registered data set, with a note of where it came from and how to cite it.

    Example: cxr fetch kermany data/kermany
    """
    from ..find.fetch import fetch as fetch_data_set
    from ..find.fetch import receipt

    folder = fetch_data_set(
        name, out, source="direct" if direct else "auto", url=url, sha256=sha256
    )
    about = receipt(folder) or {}
    human = f"{folder}: {about.get('images')} images; to cite them: {about.get('citation')}"
    emit({"path": str(folder), **about}, json, human, [("check", folder)])
