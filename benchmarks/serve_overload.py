"""`cxr serve` when four times as much comes as it can do, and how soon it is itself again.

    python benchmarks/serve_overload.py MODEL.cxr

Two processors, shared by server and client; real images. First 32 clients (capacity) and one client
alone (idle latency), then for --seconds requests at --times the capacity, evenly spaced, by a
client that waits for nobody; meanwhile a thread asks every second whether the server is alive. Then
one client alone again: the server counts as recovered after the first half second in which every
answer is 200 and 95 % come within the idle 95th percentile, give or take a quarter. Latencies count
from when a request was due. `turned_*` are those of the refusals. Linux.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from _bench import report
from _load import Client, Measured, arrivals, raw_request
from _serve import READY, cxr_server, image_files, prepare, serve_arguments
from _watch import HOST, Watched, free_port, limit_cores, serving

WINDOW, AFTER, TOLERANCE = 0.5, 10.0, 1.25  # seconds, seconds, times the idle 95th percentile
ALIVE_S = 1.0


@contextmanager
def asking(port: int) -> Iterator[list[float]]:
    """How long each question whether the server is alive took, in seconds; inf: no good answer."""
    took: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(ALIVE_S):
            took.append(_alive(port))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield took
    finally:
        over.set()
        thread.join()


def _alive(port: int) -> float:
    start = time.perf_counter()
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", "/v2/health/live")
        good = connection.getresponse().status == 200
    except OSError:
        good = False
    finally:
        connection.close()
    return time.perf_counter() - start if good else float("inf")


def recovery(after: Measured, idle_p95_ms: float) -> float:
    """Seconds from the end of the overload to the end of the first good window; inf: none."""
    ended, statuses = np.array(after.ended), np.array(after.of_status)
    latencies = 1000 * np.array(after.latencies)
    for start in np.arange(0.0, AFTER, WINDOW):
        inside = (ended >= start) & (ended < start + WINDOW)
        if not inside.any() or (statuses[inside] != 200).any():
            continue
        if np.quantile(latencies[inside], 0.95) <= TOLERANCE * idle_p95_ms:
            return float(start + WINDOW)
    return float("inf")


def measure(port: int, watched: Watched, requests: Sequence[bytes], options: Any) -> dict[str, Any]:
    def client() -> Client:
        return Client(port, requests, watched)

    client().closed_loop(options.clients, 200)
    capacity = client().closed_loop(options.clients, seconds=options.trial).figures()
    idle = client().closed_loop(1, seconds=options.trial / 2)
    due = arrivals(options.times * capacity["requests_per_s"], options.seconds)
    with asking(port) as took:
        over = client().open_loop(due, options.connections)
    after = client().closed_loop(1, seconds=AFTER)
    late = [
        seconds
        for seconds, ended in zip(after.latencies, after.ended, strict=True)
        if ended > AFTER / 2
    ]
    return {
        "capacity_per_s": capacity["requests_per_s"],
        "offered_per_s": len(due) / options.seconds,
        "seconds": over.seconds,
        **over.figures(),
        "turned_p50_ms": over.latency_ms(0.5, 429),
        "turned_p99_ms": over.latency_ms(0.99, 429),
        "late_p99_ms": 1000 * float(np.quantile(over.lateness, 0.99)),
        "alive_max_ms": 1000 * max(took, default=float("nan")),
        "rss_before_mb": max(idle.rss_mb),
        "rss_after_mb": after.rss_mb[-1],
        "idle_p50_ms": idle.latency_ms(0.5),
        "idle_p95_ms": idle.latency_ms(0.95),
        "recovery_s": recovery(after, idle.latency_ms(0.95)),
        "after_p95_ms": 1000 * float(np.quantile(late, 0.95)) if late else float("nan"),
        "after_faults": after.errors.total() + sum(s != 200 for s in after.of_status),
        "answers": dict(over.errors) | {str(s): n for s, n in over.statuses.items()},
    }


def notes(figures: dict[str, Any]) -> list[str]:
    return [
        f"answers: {figures['answers']}; anything but 200 and 429 is a fault",
        f"offered {figures['offered_per_s'] / figures['capacity_per_s']:.1f} times the capacity; "
        f"{figures['requests_per_s'] / figures['capacity_per_s']:.0%} of it was still served",
        f"memory at most {figures['rss_max_mb']:.0f} MB, {figures['rss_before_mb']:.0f} MB before, "
        f"{figures['rss_after_mb']:.0f} MB after",
        f"recovered after {figures['recovery_s']:.1f} s (target 5); from then on 95 % within "
        f"{figures['after_p95_ms']:.1f} ms, idle {figures['idle_p95_ms']:.1f} ms",
    ]


def main() -> None:
    parser = serve_arguments(__doc__ or "")
    parser.add_argument("--seconds", type=float, default=60.0, help="of overload")
    parser.add_argument("--times", type=float, default=4.0, help="of capacity")
    parser.add_argument("--trial", type=float, default=10.0, help="seconds to find the capacity")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--connections", type=int, default=1000, help="open at once, at most")
    parser.add_argument("--images", type=int, default=300, help="different bodies")
    options = parser.parse_args()
    limit_cores(2)
    images = [raw_request(path.read_bytes()) for path in image_files(options.data, options.images)]
    with TemporaryDirectory() as work:
        served, port = prepare(options.model, Path(work)), free_port()
        with serving(cxr_server(served, port), port, READY) as watched:
            figures = measure(port, watched, images, options)
    report(
        "serve_overload",
        [{"contender": "cxr", **figures}],
        notes=notes(figures),
        store=options.store,
    )


if __name__ == "__main__":
    main()
