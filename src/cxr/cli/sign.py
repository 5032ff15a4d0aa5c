"""`cxr sign MODEL --key KEY`: vouch for a model file; `--new-key KEY` makes the pair of keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._options import Json
from ._output import emit


def sign(
    model: Annotated[Path | None, typer.Argument(help="A model.cxr; signed in place.")] = None,
    key: Annotated[Path | None, typer.Option(help="File with the private key.")] = None,
    new_key: Annotated[
        Path | None, typer.Option(help="Make a private key here, and KEY.pub beside it.")
    ] = None,
    json: Json = False,
) -> None:
    """Sign a model with an Ed25519 key, so that others can tell that it is yours and unchanged.

    Example: cxr sign served.cxr --key lab.key
    """
    from ..errors import UsageError

    if new_key is not None and model is None and key is None:
        _make(new_key, json)
    elif model is not None and key is not None and new_key is None:
        _sign(model, key, json)
    else:
        raise UsageError("give MODEL and --key KEY to sign, or --new-key KEY alone to make a key")


def _make(path: Path, json: bool) -> None:
    from ..bundle.sign import new_key

    public, mark = new_key(path)
    emit(
        {"key": path, "public_key": public, "fingerprint": mark},
        json,
        f"{path}: private key {mark}; keep it to yourself, and give {public} to others",
        [("sign", "MODEL", "--key", path)],
    )


def _sign(model: Path, key: Path, json: bool) -> None:
    from ..bundle.sign import PUBLIC, sign_bundle

    mark = sign_bundle(model, key)
    line = f"{model}: signed by {mark}; with the public key, others can check it"
    verify = ("doctor", model, "--key", f"{key}{PUBLIC}")
    emit({"model": model, "fingerprint": mark}, json, line, [verify])
