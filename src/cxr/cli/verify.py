"""`cxr verify MODEL`: whether a model file is whole, and who signed it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ._output import emit


def verify(
    model: Annotated[Path, typer.Argument(help="A model.cxr.")],
    key: Annotated[
        Path | None, typer.Option(help="The public key (KEY.pub) that must have signed it.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Say whether a model is whole and signed. Exit code 1 when it is refused, or with --key when
    that key did not sign it."""
    from ..bundle.sign import verify_signature

    verdict = verify_signature(model, key)
    facts = {**asdict(verdict), "accepted": verdict.accepted}
    emit(facts, json, verdict.sentence)
    if not verdict.accepted:
        raise typer.Exit(1)
