"""`cxr listen MODEL`: images arrive by C-STORE, reports and heat maps go back."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer


def listen(
    model: Annotated[Path, typer.Argument(help="A model.cxr.")],
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 11112,
    ae_title: Annotated[str, typer.Option(help="Name that senders must call.")] = "CXR",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    send_to: Annotated[
        str | None,
        typer.Option(help="Send results to AE@HOST:PORT, or to sender:PORT for whoever sent."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write results into this folder.")] = None,
    allow_ae: Annotated[
        list[str] | None,
        typer.Option(help="AE title that may send; may be given several times."),
    ] = None,
    runtime: Annotated[
        str, typer.Option(help="torch, onnx, or auto: onnx if the model file holds it.")
    ] = "auto",
) -> None:
    """Receive images (CR, DX, secondary capture) and answer each with a report and a heat map.

    Example: cxr listen served.cxr --ae-title CXR --out answers

    DICOM's own protocol neither encrypts nor proves who sends: use it inside one trusted network.
    """
    from .._io import say
    from ..apply.dicom import Listener, ListenSettings, Peer

    peer = None if send_to is None else Peer.parse(send_to)
    settings = ListenSettings(host, port, ae_title, peer, out, tuple(allow_ae or ()))
    settings.check()  # now, not after the model is loaded

    from ..apply.predictor import load_predictor

    listener = Listener(load_predictor(model, runtime), settings)

    def stop(*_: object) -> None:
        listener.request_stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)  # the second time it stops at once

    with listener:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        say(
            f"{ae_title} listens on {host}:{listener.port}; the connection is not encrypted, and "
            "nothing proves who sends; Ctrl-C stops it. Research use, not for diagnosis"
        )
        listener.wait()
        say("stopping: images that wait are finished first")
    say(f"{listener.done:,} images answered, {listener.failed:,} refused or failed")
