"""`cxr dicomweb`: which studies, what is printed and the exit code."""

from __future__ import annotations

import json

import pytest
import typer

from cxr.cli.dicomweb import dicomweb
from cxr.errors import UsageError

pytest.importorskip("dicomweb_client")

URL = "https://pacs.example/dicom-web"
GOOD = {
    "instance": "1.2",
    "status": "abstains",
    "not_judged": (),
    "reason": "not clear enough",
    "decision": "A",
    "thresholds": {"A": 0.2},
    "calibrated": {"A": 0.25, "B": 0.75},
    "probability": 0.25,
    "confident": False,
    "stored": True,
    "error": None,
}


def call(*arguments):
    app = typer.Typer()
    app.command()(dicomweb)
    return app([*map(str, arguments)], standalone_mode=False)


@pytest.fixture
def archive(monkeypatch):
    """Gives `rows` in place of an archive's images and keeps what was asked for."""
    from cxr.apply import dicom, predictor

    rows, asked = [], {}

    def answer(model, archive, studies, **options):
        asked.update(options, studies=list(studies))
        yield from rows

    monkeypatch.setattr(predictor, "load_predictor", lambda *_: None)
    monkeypatch.setattr(dicom, "answer_studies", answer)
    return rows, asked


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([URL], "say which studies"),
        ([URL, "--study", "1.2", "--date", "20240131"], "say which studies"),
        ([URL, "--study", "x"], "is no UID"),
        ([URL, "--date", "today"], "write 20240131"),
        (["pacs", "--study", "1.2"], "is no address"),
        ([URL, "--study", "1.2", "--token-file", "none"], "no token could be read"),
        ([URL, "--study", "1.2"], "no model file m.cxr"),
    ],
)
def test_wrong_usage(arguments, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=reason):
        call("m.cxr", *arguments)


def test_a_line_for_each_image(archive, capsys, tmp_path):
    rows, asked = archive
    rows += [GOOD, {**GOOD, "status": "not judged", "not_judged": ("a cat",), "stored": False}]
    assert not call("m.cxr", URL, "--study", "1.2", "--study", "1.3", "--store", "--out", tmp_path)
    assert capsys.readouterr().out.splitlines()[:-1] == [
        "1.2: A (A 0.2500, B 0.7500; operating threshold 0.2), not confident: not clear enough, "
        "stored",
        "1.2: Not judged: a cat. Decision: A (operating threshold 0.2)",
    ]
    assert asked == {"studies": ["1.2", "1.3"], "store": True, "out": tmp_path}


def test_an_image_that_failed_is_exit_1(archive, capsys):
    rows, _ = archive
    rows += [{"instance": "1.2", "error": "why"}]
    assert call("m.cxr", URL, "--study", "1.2", "--json") == 1
    assert json.loads(capsys.readouterr().out) == {"predictions": rows}


def test_no_images(archive, capsys):
    assert not call("m.cxr", URL, "--study", "1.2")
    assert capsys.readouterr().out == "no images to read\n"
