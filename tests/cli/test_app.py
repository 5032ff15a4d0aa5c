"""What all commands share: help, exit codes, one line for each error."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from cxr._io.extras import EXTRAS, extra_of
from cxr.cli._output import emit
from cxr.errors import DataError
from helpers.commands import COMMANDS

Call = Callable[..., Any]


def installed(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The `cxr` of this environment, in a process of its own."""
    name = "cxr.exe" if os.name == "nt" else "cxr"
    program = Path(sysconfig.get_path("scripts")) / name
    if not program.is_file():
        pytest.skip(f"cxr is not installed: {program} is missing")
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run([program, *arguments], text=True, timeout=120, **options)


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_bare_cxr_prints_help(arguments: tuple[str, ...], cxr: Call) -> None:
    outcome = cxr(*arguments)
    assert outcome.code == 0 and outcome.err == ""
    for name in COMMANDS:
        assert f"\n  {name} " in outcome.out
    assert "not a medical" in outcome.out


def test_the_steps_stand_first_and_in_order(cxr: Call) -> None:
    shown = re.findall(r"^  ([a-z-]+) ", cxr("--help").out, re.MULTILINE)
    steps = ["demo", "fetch", "check", "train", "evaluate", "predict", "serve", "doctor"]
    assert [name for name in shown if not name.startswith("-")][: len(steps)] == steps


def test_a_renamed_command_names_its_successor(cxr: Call) -> None:
    outcome = cxr("verify", "model.cxr", "--key", "lab.key.pub")
    assert outcome.code == 2 and outcome.err.count("\n") == 1
    assert outcome.error == "cxr verify is now: cxr doctor MODEL --key PUBLIC_KEY"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, cxr: Call) -> None:
    outcome = cxr(command, "--help")
    assert outcome.code == 0 and outcome.out.startswith("Usage: ") and command in outcome.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train",), "Missing"),
        (("train", "x", "--run", "y", "--epochs", "many"), "--epochs"),
        (("train", "x", "--run", "y", "--epoks", "3"), "--epoks"),
        (("phantom", "x", "y"), "y"),
        (("--verbose",), "--verbose"),
    ],
)
def test_wrong_usage_is_one_line_and_two(arguments: tuple[str, ...], said: str, cxr: Call) -> None:
    outcome = cxr(*arguments)
    assert outcome.code == 2 and said in outcome.error and outcome.err.count("\n") == 1
    assert outcome.error.endswith("(cxr --help lists what there is)")


@pytest.mark.parametrize(
    ("typed", "meant"), [("trian", "train"), ("doctorr", "doctor"), ("lr_find", "lr-find")]
)
def test_a_mistyped_command_names_those_near(typed: str, meant: str, cxr: Call) -> None:
    outcome = cxr(typed, "images", "--run", "a")
    assert outcome.code == 2 and outcome.err.count("\n") == 1
    assert outcome.error.startswith(f"unknown command '{typed}'; near names: {meant}")


def test_the_version(cxr: Call) -> None:
    outcome = cxr("--version")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"cxr {version('cxr')}\n", "")


def completed(words: str) -> list[str]:
    """What bash offers for the last of the words."""
    asked = {"_CXR_COMPLETE": "complete_bash", "COMP_WORDS": words}
    at = {"COMP_CWORD": str(len(words.split(" ")) - 1)}
    return installed(env=os.environ | asked | at).stdout.split()


def test_the_shell_completes_commands_and_options() -> None:
    assert completed("cxr tra") == ["train"]
    assert set(COMMANDS) <= set(completed("cxr "))
    assert completed("cxr train --freeze") == ["--freeze-epochs"]
    assert completed("cxr train im") == []  # bash itself completes names of files


def fail_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("cxr.find.phantom.write_phantom", fail)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DataError("two\nlines\r\nor three"), 1, "two lines or three"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/data/images.csv"),
            1,
            "/data/images.csv: Permission denied; check the disk and its permissions",
        ),
        (OSError("the device went away"), 1, "the device went away; check the disk"),
        (KeyboardInterrupt(), 130, "stopped"),
        (MemoryError(), 1, "out of memory; close other programs"),
        (RuntimeError("[enforce] you can't allocate memory\nhere"), 1, "out of memory; close"),
    ],
)
def test_an_error_is_one_line(
    error: BaseException, code: int, said: str, cxr: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(error, monkeypatch)
    outcome = cxr("phantom", "somewhere")
    assert outcome.code == code and outcome.error.startswith(said)
    assert outcome.err.count("\n") == 1


def test_a_fault_of_ours_is_not_dressed_up(cxr: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for bug in (ZeroDivisionError("a bug"), RuntimeError("another")):
        fail_with(bug, monkeypatch)
        with pytest.raises(type(bug)):
            cxr("phantom", "somewhere")


def test_json_holds_any_name(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"ä 肺 \udcff": Path("a") / "b", "n": None}, True, "")
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert json.loads(printed) == {"ä 肺 \udcff": str(Path("a") / "b"), "n": None}


def test_json_has_no_nan_and_no_unknown_things() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        emit({"x": float("nan")}, True, "")
    with pytest.raises(TypeError, match="object is not JSON"):
        emit({"x": object()}, True, "")


def test_light_commands_do_not_load_torch() -> None:
    code = (
        "import sys; from cxr.cli.app import run; run(['--help']); run(['phantom', '--help']); "
        "print(sorted({'torch', 'timm', 'pandas', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_installed_program() -> None:
    done = installed()
    assert done.returncode == 0 and done.stderr == "" and done.stdout.startswith("Usage: cxr ")
    done = installed("phantom", "x", "--images", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "cxr: cannot write 0 images; ask for 1 or more\n"


def test_a_name_that_the_terminal_cannot_show(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = installed("phantom", str(tmp_path / "Röntgen"), "--images", "1", env=environment)
    assert done.returncode == 0 and done.stdout.startswith("1 synthetic images in ")
    assert "R\\xf6ntgen" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="pipes of Windows close in another way")
def test_a_closed_pipe_is_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = installed("--help", stdout=write)
    finally:
        os.close(write)
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


AT_THE_END = """
import atexit, os, signal
from cxr.cli import app, main
signal.signal(signal.SIGINT, signal.default_int_handler)
def run(arguments):
    if {told}:
        return 130
    os.kill(os.getpid(), signal.SIGINT)
app.run = run
atexit.register(os.kill, os.getpid(), signal.SIGINT if {told} else 0)
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
@pytest.mark.parametrize(("told", "code"), [(True, -signal.SIGINT), (False, 130)])
def test_a_second_ctrl_c_is_no_traceback(told: bool, code: int) -> None:
    script = AT_THE_END.format(told=told)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (code, "")


def test_a_package_that_is_not_installed_is_one_line() -> None:
    code = "import sys; sys.modules['torch'] = None; from cxr.cli.app import run; "
    code += "sys.exit(run(['train', 'nowhere', '--run', 'r']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        'cxr: this needs torch, which is not installed; run: pip install "cxr[train]"\n'
    )


def test_every_package_of_an_extra_is_known() -> None:
    """By the name that it is imported by."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    other = {"dicom-anonymizer": "dicomanonymizer", "scikit-learn": "sklearn"}
    for extra, wanted in project["project"]["optional-dependencies"].items():
        for requirement in wanted:
            name = re.split(r"[\[><=;]", requirement)[0]
            if extra in EXTRAS and name != "cxr":
                assert extra_of(other.get(name, name.replace("-", "_"))) == extra
