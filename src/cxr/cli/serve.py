"""`cxr serve MODEL`: the model behind HTTP on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    model: Annotated[Path, typer.Argument(help="A model.cxr.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the bearer token; needed off this machine.")
    ] = None,
) -> None:
    """Answer POST /predict with an image as the body; a page to try it by hand is at /."""
    from ..apply.service import serve_model

    serve_model(model, host, port, token_file)
