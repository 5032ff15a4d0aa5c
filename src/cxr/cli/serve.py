"""`cxr serve MODEL`: the model behind HTTP, and a page that shows images and predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    model: Annotated[Path, typer.Argument(help="A model.cxr.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any free one.")] = 8000,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the bearer token; needed off this machine.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The model's name under /v2/models; its file's by default.")
    ] = None,
    runtime: Annotated[
        str, typer.Option(help="onnx, torch, or auto: onnx if the file holds model.onnx.")
    ] = "auto",
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A Host name that a proxy in front sends. Repeatable.")
    ] = None,
    trusted_key: Annotated[
        Path | None, typer.Option(help="Serve only what this public key signed.")
    ] = None,
    log_level: Annotated[
        str, typer.Option(help="debug, info (a line for each request), warning, error, off.")
    ] = "info",
) -> None:
    """Answer over HTTP, with a page that shows images and predictions. Research use only.

    Example: cxr serve runs/a/model.cxr --port 8000

    POST /predict and /explain take images, /v2 is the Open Inference Protocol, /docs describes
    all. A new file under the same name takes over once it has passed its self-test.
    """
    from ..apply.service import ServerSettings, serve_model

    settings = ServerSettings(
        host=host,
        port=port,
        token_file=token_file,
        name=name,
        runtime=runtime,
        allow_hosts=tuple(allow_host or ()),
        trusted_key=trusted_key,
        log_level=log_level,
    )
    serve_model(model, settings)
