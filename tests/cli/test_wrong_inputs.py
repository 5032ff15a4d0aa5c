"""Wrong inputs: each is one line that says what is wrong, an exit code, and nothing written."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Call = Callable[..., Any]
RUN = "--run runs/a"
CASES = [  # command, exit code, words of the line
    (f"train nowhere {RUN}", 2, "there is no nowhere; "),
    (f"train imags {RUN}", 2, "holds images"),
    (f"train empty {RUN}", 1, "no images under empty; an image ends in one of .bmp"),
    (f"train texts {RUN}", 1, "no images under texts; an image ends in one of .bmp"),
    (f"train one_class {RUN}", 1, "only one class (NORMAL); training needs at"),
    (f"train images/NORMAL/N0x.png {RUN}", 2, "N0x.png is not a table but an image; give a fold"),
    (f"train a.zip {RUN}", 2, "a.zip is not a table but an archive: unpack it first; give a fol"),
    (f"train https://example.com/images {RUN}", 2, "example.com/images holds no finished shards"),
    (f"train labels.csv {RUN} --label-column diagnosis", 2, "unknown label column 'diagnosis'; "),
    ("train images --run taken", 2, "taken is not empty and not a run; choose another --run"),
    ("train images --run labels.csv", 2, "labels.csv is a file; choose another --run folder"),
    (f"train images {RUN} --threshold sensitivity:2", 2, "allowed: youden, sensitivity:0.95 or"),
    (f"train images {RUN} --size 16", 2, "size=16 is not a whole number from 32 to 2048"),
    (f"train images {RUN} --epochs -1", 2, "epochs=-1 is not a whole number from 0 to 10000"),
    (f"train images {RUN} --split patients", 2, "did you mean patient?"),
    (f"train images {RUN} --frame lung", 2, "did you mean lungs?"),
    (f"train images {RUN} --recipe robst", 2, "did you mean robust?"),
    (f"train images {RUN} --engine rays", 2, "did you mean ray?"),
    (f"train images {RUN} --backbone resnet81", 2, "near names: resnet"),
    (f"train images {RUN} --window -1", 2, "window=-1 is less than 0"),
    (f"train images {RUN} --epoks 3", 2, "--epochs"),
    (f"train {RUN}", 2, "DATA is missing: give a folder of images or a table, or --config with a"),
    (f"train --config bad.yaml {RUN}", 1, "bad.yaml is not valid YAML; write lines as: epochs: 5"),
    (f"train --config list.yaml {RUN}", 1, "list.yaml holds no settings; write lines as: epochs"),
    (f"train --config key.yaml {RUN}", 2, "unknown setting 'epoch'; did you mean epochs?"),
    (f"train --config gone.yaml {RUN}", 2, "there is no gone.yaml; give --config a YAML file"),
    (f"train --config images {RUN}", 2, "images is a folder; give --config a YAML file, as runs"),
    ("predict model.pkl images", 1, "model.pkl is refused: a Python pickle"),
    ("predict no.cxr images", 1, "no.cxr is refused: not a cxr model"),
    ("predict cut.cxr images", 1, "cut.cxr is refused: damaged"),
    ("predict gone.cxr images", 2, "no model file gone.cxr; train one with: cxr train"),
    ("evaluate no.cxr images --out out", 1, "no.cxr is refused: not a cxr model"),
    ("serve no.cxr --port 99999", 2, "port 99999 is not allowed; choose 0 (any free one) to"),
    ("phantom out --format jpg", 2, "unknown format 'jpg'; near names: jpeg"),
    ("deidentify images out --pixels blanks", 2, "near names: blank"),
    ("sweep images --out out --size 96,big", 2, "size: 'big' is not a value for it; give values"),
    ("sweep images --out out --search girds", 2, "unknown search 'girds'; near names: grid"),
    ("fetch kermani out", 2, "unknown data set 'kermani'; near names: kermany"),
    ("cache --older-than 3", 2, "--older-than 3 needs --clear"),
    ("compare gone_a gone_b", 2, "no predictions at gone_a; give a run folder or a predictions"),
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with what a user might give by mistake."""
    work = tmp_path / "work"
    rng = np.random.default_rng(0)
    for folder in ("images/NORMAL", "images/PNEUMONIA", "one_class/NORMAL"):
        (work / folder).mkdir(parents=True)
        for number in range(4):
            noise = Image.fromarray(rng.integers(0, 256, (40, 40), dtype=np.uint8))
            noise.save(work / folder / f"{folder[7]}{number}x.png")
    for folder in ("empty", "texts", "taken"):
        (work / folder).mkdir()
    for name, content in {
        "texts/a.txt": b"x",
        "taken/mine.txt": b"x",
        "labels.csv": b"path,label\nimages/NORMAL/N0x.png,NORMAL\n",
        "model.pkl": b"\x80\x04.",
        "no.cxr": b"hello",
        "cut.cxr": b"PK\x03\x04" + bytes(40),
        "a.zip": b"PK\x05\x06" + bytes(18),
        "bad.yaml": b"data: [",
        "list.yaml": b"- 1",
        "key.yaml": b"data: images\nepoch: 3\n",
    }.items():
        (work / name).write_bytes(content)
    monkeypatch.chdir(work)
    monkeypatch.setenv("CXR_CACHE_DIR", str(tmp_path / "cache"))
    return work


def contents(folder: Path) -> dict[str, bytes | None]:
    found: Iterator[Path] = folder.rglob("*")
    return {str(path): path.read_bytes() if path.is_file() else None for path in found}


@pytest.mark.parametrize(("command", "code", "said"), CASES, ids=[one[0] for one in CASES])
def test_a_wrong_input_is_one_line(
    command: str, code: int, said: str, place: Path, cxr: Call
) -> None:
    before = contents(place)
    outcome = cxr(*command.split())
    assert outcome.err.count("\n") == 1 and outcome.err.startswith("cxr: "), outcome.err
    assert outcome.out == "" and said in outcome.error
    assert outcome.code == code
    assert contents(place) == before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="may read everything")
def test_a_folder_that_may_not_be_listed(place: Path, cxr: Call) -> None:
    (place / "images" / "NORMAL").chmod(0)
    try:
        outcome = cxr("train", "images", "--run", "runs/a")
    finally:
        (place / "images" / "NORMAL").chmod(0o755)
    assert outcome.code == 1 and "cannot list" in outcome.error
    assert outcome.error.endswith("check its permissions")


def test_a_port_in_use(trained: tuple[Path, Any], cxr: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = cxr("serve", trained[0] / "model.cxr", "--port", port)
    assert outcome.code in (1, 2) and outcome.err.count("\n") == 1
    assert str(port) in outcome.error
