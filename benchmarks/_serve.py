"""What the measurements of the server share: options, images, the served model, the command."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from _bench import DATA, add_trial_options

PEERS = Path(__file__).parent / "_peers_http"
CLI = "from cxr.cli import main; main()"
READY = "/v2/health/ready"


def serve_arguments(about: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="a model.cxr")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with JPEG images")
    add_trial_options(parser, images=False)
    return parser


def image_files(data: Path, n: int) -> list[Path]:
    """`n` of them, evenly spread over the sorted list."""
    files = sorted(path for path in data.rglob("*.jp*g") if path.is_file())
    if not files:
        sys.exit(f"no .jpeg files in {data}; name a folder with --data")
    return files[:: max(1, len(files) // n)][:n]


def cxr(*given: object) -> list[str]:
    return [sys.executable, "-c", CLI, *map(str, given)]


def prepare(model: Path, work: Path, alone: bool = False) -> Path:
    """served.cxr in `work`, which holds the network as ONNX; with `alone`, model.onnx too."""
    served = work / "served.cxr"
    for out in (served, work / "model.onnx")[: 1 + alone]:
        subprocess.run(cxr("export", model, "--onnx", out), check=True, stdout=subprocess.DEVNULL)
    return served


def cxr_server(model: Path, port: int, more: Sequence[str] = ()) -> list[str]:
    return cxr("serve", model, "--port", port, *more)
