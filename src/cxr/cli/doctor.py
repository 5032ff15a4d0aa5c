"""`cxr doctor`: what is here, what is missing; `cxr doctor MODEL`: what a model file is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ._options import Json
from ._output import emit

if TYPE_CHECKING:
    from ..workflows.doctor import Check, Examination


def doctor(
    model: Annotated[Path | None, typer.Argument(help="A model.cxr to explain.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="The public key (KEY.pub) that must have signed MODEL.")
    ] = None,
    json: Json = False,
) -> None:
    """Versions, device, weights on hand and what is missing; or with MODEL, what the file is, who
    signed it and whether it works here. Exit code 1 when it is refused, or --key did not sign it.

    Example: cxr doctor runs/a/model.cxr --key lab.key.pub
    """
    from ..workflows.doctor import diagnose, examine

    if model is None:
        if key is not None:
            raise UsageError("--key needs MODEL, the file that it must have signed")
        facts = diagnose()
        emit(facts, json, "\n".join(_table(facts)), [("demo",)])
        return
    examined = examine(model, key)
    result = {"model": model, **asdict(examined), "accepted": examined.accepted}
    then = [("predict", model, "IMAGES")] if examined.accepted else []
    emit(result, json, "\n".join(_lines(model, examined)), then)
    if not examined.accepted:
        raise typer.Exit(1)


def _table(facts: dict[str, Any]) -> Iterator[str]:
    """A line for each fact; what is a list goes on below."""
    from .._io.markdown import one_line

    width = max(len(name) for name in facts)
    for name, value in facts.items():
        rows = value if isinstance(value, list) else [value]
        for i, row in enumerate(rows or ["none"]):
            yield f"{'' if i else name:{width}}  {one_line(row)}"


def _lines(model: Path, examined: Examination) -> Iterator[str]:
    """The answer first, then why, then what the file says."""
    yield examined.refused or f"{model} is in order"
    if examined.signature is not None:
        yield examined.signature.sentence
    yield from (f"-> {sentence}" for sentence in examined.advice)
    yield ""
    shown = dict(examined.facts)
    if "members" in shown:
        shown["members"] = [
            f"{name}  {member['size']:,} bytes  {member['sha256'][:16]}"
            for name, member in shown["members"].items()
        ]
        shown["training data"] = [
            f"{name}: {value}" for name, value in shown["training data"].items()
        ]
        shown["classes"] = [", ".join(shown["classes"][:20])]
    shown["bytes"] = f"{shown['bytes']:,}"
    shown["self-test"] = [_check(check) for check in examined.checks] or ["not run"]
    yield from _table(shown)


def _check(check: Check) -> str:
    if check.difference is None:
        return f"{check.runtime}: {check.said}"
    measured = (
        f"outputs differ by {check.difference:.2g} from those at export, at most "
        f"{check.tolerance:g} allowed"
    )
    return f"{check.runtime}: {'passed' if check.passed else 'FAILED'}, {measured}"
