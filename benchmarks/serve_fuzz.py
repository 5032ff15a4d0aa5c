"""Mutated uploads against `cxr serve`: does any of them make it fail, hang, grow or talk?

    python benchmarks/serve_fuzz.py MODEL.cxr --uploads 10000 --schema 300

Real images (JPEG, PNG, DICOM) with bytes flipped, cut off or spliced; bombs and headers that claim
too much; broken forms, content types, chunks, HTTP and tensors; senders that are slow, stop or go
away (`_uploads.py`, `_bombs.py`). Each on a connection of its own, eight at a time, at /predict,
/image, /explain and /v2/.../infer. Faults: a status of 500 or above (503, which says that the
server's own limit of time was reached, is only counted), no answer to a whole request, none to any
within --limit seconds (the slow senders: --slow-limit), a server that has ended, good
images that are answered differently at the end, an error or a name from the uploads in its log.
Growth is the slope of resident memory over the second half of the time (Theil-Sen, 95 %; its
samples are not independent, so the true interval is wider). With --schema N, schemathesis then
draws N examples for each operation of /openapi.json. Linux.
"""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import numpy as np

from _bench import report
from _load import Client, raw_request
from _serve import READY, cxr_server, image_files, prepare, serve_arguments
from _uploads import CANARY, Seeds, Upload, slow_senders, uploads
from _watch import HOST, Watched, free_port, limit_cores, serving
from fuzz import sources

SCHEMATHESIS = "from schemathesis.cli import schemathesis; schemathesis()"
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance"
)
GIVEN_UP = "503"  # the server's own time limit, sent with Retry-After
AT_ONCE, MANY, SAMPLE_S = 8, 200, 0.25


@dataclass(frozen=True)
class Outcome:
    kind: str
    said: str  # status, "closed", "hang" or "away"
    seconds: float
    fault: bool


def send(port: int, upload: Upload, limit: float) -> Outcome:
    start = time.perf_counter()
    try:
        with socket.create_connection((HOST, port), timeout=limit) as connection:
            said = _exchange(connection, upload, start + limit)
    except TimeoutError:
        said = "hang"
    except OSError as error:
        said = f"closed ({type(error).__name__})"
    answered = said.isdigit()
    fault = said == "hang" or (said >= "500" and said != GIVEN_UP if answered else upload.owed)
    return Outcome(upload.kind, said, time.perf_counter() - start, fault)


def _exchange(connection: socket.socket, upload: Upload, until: float) -> str:
    """A server may answer and close before all is sent: its answer counts all the same."""
    with suppress(BrokenPipeError, ConnectionResetError):
        for piece in upload.sent:
            connection.sendall(piece)
            if upload.pause and _answered(connection, upload.pause):
                break
        if upload.half:
            connection.shutdown(socket.SHUT_WR)
    if upload.kind == "goes away":
        return "away"
    return _status(connection, until)


def _answered(connection: socket.socket, pause: float) -> bool:
    connection.settimeout(pause)
    with suppress(TimeoutError):
        connection.recv(1, socket.MSG_PEEK)
        return True
    return False


def _status(connection: socket.socket, until: float) -> str:
    """Of the first answer that is final; what follows is read to its end or a little."""
    answer = b""
    while True:
        connection.settimeout(max(0.01, until - time.perf_counter()))
        data = connection.recv(1 << 16)
        answer += data
        while answer.startswith(b"HTTP/1.1 1") and b"\r\n\r\n" in answer:
            answer = answer.partition(b"\r\n\r\n")[2]
        if len(answer) >= 12 and answer.startswith(b"HTTP/1."):
            return answer[9:12].decode("latin-1")
        if not data:
            return "closed"


@contextmanager
def memory(watched: Watched) -> Iterator[list[tuple[float, float]]]:
    """(minutes from the start, MB) a few times a second."""
    seen: list[tuple[float, float]] = []
    over, start = threading.Event(), time.perf_counter()

    def look() -> None:
        while not over.wait(SAMPLE_S):
            seen.append(((time.perf_counter() - start) / 60, watched.rss_mb()))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def send_all(
    port: int, many: Iterable[Upload], done: list[Outcome], limit: float
) -> Iterator[Outcome]:
    """Those that went wrong, as they come."""
    many = iter(many)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while few := list(islice(many, MANY)):
            for outcome in pool.map(lambda one: send(port, one, limit), few):
                done.append(outcome)
                if outcome.fault:
                    yield outcome
            print(f"\r{len(done):,} uploads", end="", file=sys.stderr, flush=True)


def growth(seen: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Of the second half of the time, in MB a minute."""
    from scipy.stats import theilslopes

    minutes, mb = np.array(seen).T
    half = minutes >= minutes[-1] / 2
    slope, _, low, high = theilslopes(mb[half], minutes[half], 0.95)
    return {
        "start_mb": float(mb[0]),
        "max_mb": float(mb.max()),
        "end_mb": float(np.median(mb[-20:])),
        "grows_mb": float(slope),
        "low_mb": float(low),
        "high_mb": float(high),
    }


def good_answers(port: int, requests: Sequence[bytes]) -> list[Any]:
    replies = Client(port, requests, keep=True).closed_loop(1, len(requests))
    return [*replies.of_status, *(json.loads(body) for body in replies.answers)]


def logged(log: Path) -> list[str]:
    """The first lines that must not be there."""
    lines = log.read_text(errors="replace").splitlines()
    bad = ("Traceback", '"level": "error"', CANARY, quote(CANARY))
    return [line for line in lines if any(one in line for one in bad)][:10]


def by_schema(port: int, examples: int, seed: int) -> tuple[int, str]:
    """(exit code, last lines) of schemathesis."""
    command = [sys.executable, "-c", SCHEMATHESIS, "run", f"http://{HOST}:{port}/openapi.json"]
    command += ["--max-examples", str(examples), "--seed", str(seed), "--checks", CHECKS]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def table(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """One row for each kind, with the count of each status."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.kind].append(outcome)
    return [
        {
            "contender": kind,
            "uploads": len(own),
            "faults": sum(one.fault for one in own),
            "slowest_s": max(one.seconds for one in own),
            "statuses": dict(Counter(one.said for one in own).most_common()),
        }
        for kind, own in sorted(groups.items())
    ]


def run(port: int, watched: Watched, options: Any, size: int) -> tuple[list[Outcome], list[str]]:
    whole = sources(options.data)
    seeds = Seeds(random.Random(options.seed), whole, "served", size)
    good = [raw_request(path.read_bytes()) for path in image_files(options.data, 20)]
    before = good_answers(port, good)
    done: list[Outcome] = []
    late = slow_senders() if options.slow_limit else []
    with ThreadPoolExecutor(max(1, len(late))) as pool:
        slow = [pool.submit(send, port, one, options.slow_limit) for one in late]
        with memory(watched) as seen:
            for fault in send_all(port, uploads(seeds, options.uploads), done, options.limit):
                print(f"\rfault: {fault}", file=sys.stderr)
        sent = len(done)
        done += [one.result() for one in slow]
    after = good_answers(port, good)
    used = growth(seen)
    slowest = max(done[:sent], key=lambda one: one.seconds)
    said = [
        f"{sent:,} uploads and {len(late)} slow senders, seed {options.seed}: "
        f"{sum(one.fault for one in done)} faults; "
        + ", ".join(f"{n:,} {s}" for s, n in Counter(one.said for one in done).most_common()),
        f"good images at the end: {'answered as' if before == after else 'NOT answered as'} before",
        f"slowest: {slowest.kind}, {slowest.seconds:.1f} s",
        f"memory: {used['start_mb']:.0f} MB at first, at most {used['max_mb']:.0f}, "
        f"{used['end_mb']:.0f} at the end; {used['grows_mb']:+.1f} MB a minute "
        f"({used['low_mb']:+.1f} to {used['high_mb']:+.1f}) in the second half",
    ]
    return done, said


def main() -> None:
    parser = serve_arguments(__doc__ or "")
    parser.add_argument("--uploads", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=40.0, help="seconds for an answer")
    parser.add_argument("--slow-limit", type=float, default=90.0, help="0: no slow senders")
    parser.add_argument("--schema", type=int, default=0, help="examples of schemathesis")
    options = parser.parse_args()
    limit_cores(2)
    with TemporaryDirectory() as folder:
        work, port = Path(folder), free_port()
        served, log = prepare(options.model, work), work / "server.log"
        with serving(cxr_server(served, port), port, READY, log) as watched:
            done, said = run(port, watched, options, size_of(served))
            if options.schema:
                code, output = by_schema(port, options.schema, options.seed)
                print(output[-6000:])
                said.append(f"schemathesis, {options.schema} examples: exit code {code}")
            said.append(f"alive at the end: {Path(f'/proc/{watched.pid}').exists()}")
        said += logged(log) or ["no error and no name of an upload in the log"]
    for row in table(done):
        print(f"{row['contender']:28}{row['statuses']}")
    report("serve_fuzz", table(done), notes=said, store=options.store)


def size_of(model: Path) -> int:
    from zipfile import ZipFile

    with ZipFile(model) as bundle:
        return int(json.loads(bundle.read("config.json"))["size"])


if __name__ == "__main__":
    main()
