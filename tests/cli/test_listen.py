"""`cxr listen`: what is refused before a model is loaded, and a clean stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import typer

from cxr.cli.listen import listen
from cxr.errors import UsageError

pytest.importorskip("pynetdicom")


def call(*arguments):
    app = typer.Typer()
    app.command()(listen)
    app([*map(str, arguments)], standalone_mode=False)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "say where results go"),
        (["--out", "o", "--host", "0.0.0.0"], "--allow-ae"),
        (["--send-to", "nobody"], "is no DICOM peer"),
        (["--out", "o", "--ae-title", "LONGER THAN SIXTEEN"], "at most 16"),
        (["--out", "o"], "no model file m.cxr"),
    ],
)
def test_wrong_usage(arguments, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=reason):
        call("m.cxr", *arguments)


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without asking it")
def test_asked_to_stop_it_stops_cleanly(tmp_path):
    from cxr.backbones import Architecture, build_network
    from cxr.bundle import BundleConfig, write_bundle

    classes = ("NORMAL", "PNEUMONIA")
    network, _ = build_network(Architecture("test_efficientnet", 2, 64), None, seed=1)
    config = BundleConfig(
        classes=classes, backbone="test_efficientnet", size=64, positive=classes[1]
    )
    model = write_bundle(tmp_path / "m.cxr", network, config)
    code = "import typer; from cxr.cli.listen import listen; typer.run(listen)"
    command = [sys.executable, "-c", code, str(model), "--out", str(tmp_path / "o"), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert "CXR listens on 127.0.0.1:" in first and "not encrypted" in first
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert process.returncode == 0
    assert "0 images answered, 0 refused or failed" in rest and "Traceback" not in rest
