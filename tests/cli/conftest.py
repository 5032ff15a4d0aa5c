"""The commands, called in this process, and one small run that most tests look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cxr._io import progress_disabled
from cxr.cli.app import run
from cxr.find.phantom import write_phantom


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """All of stdout as JSON."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """Of stdout, without the commands to go on with."""
        return [line for line in self.out.splitlines() if not line.startswith(GO_ON)]

    @property
    def following(self) -> list[str]:
        """The commands to go on with, at the end of stdout, without `cxr`."""
        said = self.out.splitlines()[len(self.lines) :]
        commands = [line.removeprefix(start) for line, start in zip(said, GO_ON, strict=False)]
        assert len(self.lines) + len(commands) == self.out.count("\n"), "they stand last, in order"
        return commands

    @property
    def error(self) -> str:
        """The one line that says what is wrong: the last one, and nothing on stdout."""
        lines = self.err.splitlines()
        assert self.out == "" and "Traceback" not in self.err
        assert [line for line in lines if line.startswith("cxr: ")] == lines[-1:]
        return lines[-1].removeprefix("cxr: ")


Call = Callable[..., Outcome]
GO_ON = ("next: cxr ", "then: cxr ")


@pytest.fixture
def cxr(capsys: pytest.CaptureFixture[str]) -> Call:
    """`cxr("train", folder, "--run", run)` -> Outcome."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with progress_disabled():
        return write_phantom(tmp_path_factory.mktemp("images") / "phantom", n_images=64, size=96)


@pytest.fixture(scope="session")
def trained(films: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """`cxr train` with its default backbone, once: the run folder and what was printed."""
    import contextlib
    import io

    folder, out, err = tmp_path_factory.mktemp("runs") / "a", io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(["train", str(films), "--run", str(folder), *SMALL, "--epochs", "1"])
    return folder, Outcome(code, out.getvalue(), err.getvalue())


SMALL = ("--size", "64", "--frame", "whole", "--batch-size", "16", "--no-explain")
QUICK = (*SMALL, "--backbone", "test_efficientnet", "--weights", "none", "--epochs", "0")


@pytest.fixture(scope="session")
def quick() -> tuple[str, ...]:
    """Options of a training that takes a blink: one epoch of the head of a tiny network."""
    return QUICK


@pytest.fixture
def pictures(tmp_path: Path) -> Callable[..., Path]:
    """`images(NORMAL=20, PNEUMONIA=20)`: class folders of noise, each image its own patient."""

    def write(**counts: int) -> Path:
        rng = np.random.default_rng(0)
        folder = tmp_path / "images"
        folder.mkdir()
        for label, n in counts.items():
            (folder / label).mkdir()
            for i in range(n):
                noise = Image.fromarray(rng.integers(0, 256, (40, 40), dtype=np.uint8))
                noise.save(folder / label / f"{label[0]}{i}x.png")
        return folder

    return write
