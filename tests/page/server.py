"""One untrained model of 64 pixels, served twice: open, and with a token. Run by conftest.py.

`python server.py FOLDER TOKEN` prints both addresses in a line as soon as they listen.
"""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Thread

import torch

from cxr.apply.predictor import load_predictor
from cxr.apply.service import EventLog, Server, listen, make_app
from cxr.backbones import Architecture, build_network
from cxr.bundle import BundleConfig, write_bundle


def write_model(folder: Path) -> Path:
    network, source = build_network(Architecture("test_efficientnet", 2, 64), None, seed=1)
    config = BundleConfig(
        classes=("NORMAL", "PNEUMONIA"),
        backbone="test_efficientnet",
        size=64,
        temperature=1.7,
        threshold=0.4,
        positive="PNEUMONIA",
        population="computed images of no patient at all",
        weights_source=source,
    )
    return write_bundle(folder / "small.cxr", network, config)


def main(folder: str, token: str) -> None:
    torch.set_num_threads(1)
    predictor = load_predictor(write_model(Path(folder)))
    sockets = [listen("127.0.0.1", 0) for _ in range(2)]
    servers = [
        Server(make_app(predictor, wanted, log=EventLog("error"))) for wanted in (None, token)
    ]
    addresses = [f"http://127.0.0.1:{socket.getsockname()[1]}/" for socket in sockets]
    sys.stdout.write(" ".join(addresses) + "\n")
    sys.stdout.flush()
    Thread(target=servers[1].run, args=([sockets[1]],), daemon=True).start()
    servers[0].run([sockets[0]])


if __name__ == "__main__":
    main(*sys.argv[1:])
