"""Trouble for a process, made with what the machine has; NotHere says what it lacks."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PAGE = 4096
CLOCK = """
import os, time
_true = time.time
def _shifted():
    try:
        return _true() + float(open(os.environ["CLOCK_SHIFT"]).read() or 0)
    except (OSError, ValueError):
        return _true()
time.time = _shifted
"""


class NotHere(Exception):
    """This machine cannot make that trouble."""


@contextmanager
def tmpfs(folder: Path, size: int) -> Iterator[Path]:
    """A disk of `size` bytes, mounted there."""
    folder.mkdir(parents=True)
    _mount("-t", "tmpfs", "-o", f"size={max(PAGE, size)}", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def remount(folder: Path, options: str) -> None:
    """`size=64m`, `ro` or `rw`."""
    _mount("-o", f"remount,{options}", str(folder))


def _mount(*arguments: str) -> None:
    if not shutil.which("mount") or os.name == "nt" or os.geteuid() != 0:
        raise NotHere("mounting needs root")
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise NotHere(f"mount: {done.stderr.strip()}")


def fill(folder: Path) -> Path:
    """The file that takes all that was left on the disk."""
    filler = folder / "filler"
    with suppress(OSError), filler.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(PAGE))
    return filler


def clock(shift: Path, seconds: float) -> tuple[dict[str, str], str]:
    """The environment in which a process reads its clock `seconds` wrong; and by what means.

    `shift` is a file that `set_clock` changes while the process runs. Time that only passes
    (`time.monotonic`) stays right, as it does where a clock is set.
    """
    library = _libfaketime()
    if library is not None:
        env = {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(shift)}
        env |= {"FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    else:
        site = shift.with_name("site")
        site.mkdir(exist_ok=True)
        (site / "sitecustomize.py").write_text(CLOCK)
        paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
        env = {"CLOCK_SHIFT": str(shift), "PYTHONPATH": os.pathsep.join(paths)}
    set_clock(shift, seconds)
    return env, "libfaketime" if library else "time.time patched by sitecustomize"


def set_clock(shift: Path, seconds: float) -> None:
    """libfaketime reads `+5`, and a float reads that, too."""
    shift.write_text(f"{seconds:+.0f}\n")


def _libfaketime() -> str | None:
    here = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    return next(map(str, here), ctypes.util.find_library("faketimeMT"))


def address_space(limit: int) -> None:
    """For `preexec_fn`: `ulimit -v`, in bytes."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def no_more_than(pid: int, more: int) -> None:
    """From now on `more` bytes of address space, beside those that the process has."""
    import resource

    if not hasattr(resource, "prlimit"):
        raise NotHere("only Linux limits a running process")
    used = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.prlimit(pid, resource.RLIMIT_AS, (used + more, used + more))


@contextmanager
def memory_group(name: str, limit: int) -> Iterator[Path]:
    """A control group (v2) in which a process that takes more than `limit` bytes is killed."""
    group = Path("/sys/fs/cgroup") / name
    try:
        group.mkdir()
    except OSError as error:
        raise NotHere(f"no control group: {error.strerror}") from error
    try:
        try:
            (group / "memory.max").write_text(str(limit))
        except OSError as error:
            raise NotHere(f"no memory control: {error.strerror}") from error
        with suppress(OSError):
            (group / "memory.swap.max").write_text("0")
        yield group
    finally:
        with suppress(OSError):
            group.rmdir()


def flip(path: Path, position: int, bit: int = 2) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        (byte,) = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ 1 << bit]))
