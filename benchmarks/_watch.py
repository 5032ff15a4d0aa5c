"""A server in a process of its own, watched while it serves. Linux: all is read from /proc."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

HOST = "127.0.0.1"


class Watched:
    """A server's process and its children: memory and processor time.

    Children are looked for with the processor time, at the start and end of a run: a look at the
    memory in between is one small file for each.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.known = [pid]
        self.page = os.sysconf("SC_PAGE_SIZE")
        self.tick = os.sysconf("SC_CLK_TCK")

    def pids(self) -> list[int]:
        found, left = [], [self.pid]
        while left:
            pid = left.pop()
            found.append(pid)
            for file in Path(f"/proc/{pid}/task").glob("*/children"):
                left += map(int, _text(file).split())
        self.known = found
        return found

    def rss_mb(self) -> float:
        """Resident memory of all of them; what processes share counts in each."""
        pages = (_text(Path(f"/proc/{pid}/statm")).split() for pid in self.known)
        return sum(int(fields[1]) for fields in pages if fields) * self.page / 1e6

    def cpu_s(self) -> float:
        lines = (_text(Path(f"/proc/{pid}/stat")) for pid in self.pids())
        fields = (line.rpartition(")")[2].split() for line in lines if line)
        return sum(int(f[11]) + int(f[12]) for f in fields) / self.tick


def _text(file: Path) -> str:
    """Empty when the process has ended meanwhile."""
    try:
        return file.read_text()
    except OSError:
        return ""


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def serving(
    command: Sequence[str], port: int, ready: str = "/v2/health/ready", log: Path | None = None
) -> Iterator[Watched]:
    """A server in a process of its own, from its first readiness until it is told to end."""
    with TemporaryDirectory() as folder:
        log = log or Path(folder) / "server.log"
        with log.open("wb") as out:
            process = subprocess.Popen(list(command), stdout=out, stderr=subprocess.STDOUT)
        watched = Watched(process.pid)
        try:
            if not is_ready(process, port, ready):
                said = log.read_text(errors="replace")[-2000:]
                sys.exit(f"{said}\n{command} is not ready (exit code {process.poll()})")
            yield watched
        finally:
            _end(process, watched.pids()[1:])


def _end(process: subprocess.Popen, children: Sequence[int]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in children:  # those that outlive their parent
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def is_ready(process: subprocess.Popen, port: int, path: str, seconds: float = 300.0) -> bool:
    """Waits until `path` answers 200; False when that does not come."""
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
    until = time.perf_counter() + seconds
    while time.perf_counter() < until and process.poll() is None:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=5) as connection:
            connection.sendall(request)
            if connection.recv(64)[9:12] == b"200":
                return True
        time.sleep(0.005)
    return False


def limit_cores(n: int) -> int:
    """This process and all that it starts run on at most `n` processors; how many they are."""
    allowed = sorted(os.sched_getaffinity(0))[:n]
    os.sched_setaffinity(0, allowed)
    return len(allowed)
