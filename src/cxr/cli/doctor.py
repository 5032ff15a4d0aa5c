"""`cxr doctor`: what is here, what is missing, how to get it."""

from __future__ import annotations

from typing import Annotated

import typer

from ._common import emit


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Versions, device, precision, weights on hand; what is missing and how to get it."""
    from ..doctor import diagnose

    found = diagnose()
    width = max(len(name) for name in found)
    emit(found, json, "\n".join(f"{name:{width}}  {value}" for name, value in found.items()))
