"""A client that costs little: keep-alive sockets in one thread, requests built beforehand.

Closed loop: each of so many clients sends its next request when it has its answer. Open loop:
requests are sent at given moments, whether or not earlier ones are answered, and each latency
counts from the moment at which its request was due, so that a server that stalls is charged for
everyone who would have come meanwhile (no coordinated omission).
"""

from __future__ import annotations

import gc
import select
import selectors
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from _connection import Connection
from _watch import HOST, Watched

BOUNDARY = "image-boundary-7f3a"
SAMPLE_S = 0.2  # between two looks at the server's memory


def raw_request(image: bytes, path: str = "/predict", token: str = "") -> bytes:
    """The image itself as the body."""
    return _request(path, "application/octet-stream", image, token)


def form_request(image: bytes, path: str = "/predict", token: str = "") -> bytes:
    """multipart/form-data with one part `file`, as a browser sends it."""
    head = (
        f"--{BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="file"; filename="image.jpeg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = head.encode() + image + f"\r\n--{BOUNDARY}--\r\n".encode()
    return _request(path, f"multipart/form-data; boundary={BOUNDARY}", body, token)


def _request(path: str, kind: str, body: bytes, token: str) -> bytes:
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\n{bearer}"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Measured:
    """What one run saw; latencies (n,) in seconds and when each answer was complete."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    of_status: list[int] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    lateness: list[float] = field(default_factory=list)  # the client's own, in sending
    reconnects: int = 0
    client_cpu_s: float = 0.0
    server_cpu_s: float = 0.0
    rss_mb: list[float] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)  # bodies, when kept

    @property
    def statuses(self) -> Counter[int]:
        return Counter(self.of_status)

    def latency_ms(self, share: float, status: int | None = 200) -> float:
        """That quantile of the latencies, of one status or of all."""
        kept = [
            seconds
            for seconds, found in zip(self.latencies, self.of_status, strict=True)
            if status in (None, found)
        ]
        return 1000 * float(np.quantile(kept, share)) if kept else float("nan")

    def figures(self) -> dict[str, Any]:
        """`*_cores` are processors kept busy on average; of the client, its kernel part too."""
        statuses, found = self.statuses, {}
        for share in (0.5, 0.95, 0.99):
            found[f"p{100 * share:.0f}_ms"] = self.latency_ms(share)
        return {
            "requests": len(self.of_status) + self.errors.total(),
            "requests_per_s": statuses[200] / self.seconds,
            **found,
            "max_ms": self.latency_ms(1.0),
            "refused": statuses[429],
            "other_statuses": sum(n for status, n in statuses.items() if status not in (200, 429)),
            "errors": self.errors.total(),
            "client_cores": self.client_cpu_s / self.seconds,
            "server_cores": self.server_cpu_s / self.seconds,
            "rss_max_mb": max(self.rss_mb, default=float("nan")),
        }


class Client:
    """Sends `requests`, one after the other and round again, and notes what comes back."""

    def __init__(
        self,
        port: int,
        requests: Sequence[bytes],
        watched: Watched | None = None,
        timeout: float = 30.0,
        keep: bool = False,
    ) -> None:
        self.port, self.requests, self.watched = port, requests, watched
        self.timeout, self.keep = timeout, keep
        self.selector = selectors.DefaultSelector()
        self.found = Measured()
        self.idle: list[Connection] = []  # the last one used is used first, so few stay open
        self.busy: set[Connection] = set()
        self.sent = 0
        self.looked = 0.0

    def closed_loop(self, clients: int, n: int | None = None, seconds: float = 0.0) -> Measured:
        """`n` requests, or as many as there are in `seconds`, by that many clients."""
        with self._measuring() as now:
            limit, until = n if n is not None else sys.maxsize, seconds or float("inf")

            def go_on() -> bool:
                return self.sent < limit and now() < until

            while go_on() or self.busy:
                while go_on() and len(self.busy) < clients:
                    self._send(now(), now)
                self._turn(0.5, now)
        return self.found

    def open_loop(self, due: Sequence[float], most: int = 512) -> Measured:
        """A request at each of these moments (seconds, ascending), over at most so many
        connections; one that finds none free waits, and its latency counts the wait."""
        with self._measuring() as now:
            n, i = len(due), 0
            waiting: deque[float] = deque()
            while i < n or waiting or self.busy:
                while i < n and due[i] <= now():
                    waiting.append(due[i])
                    i += 1
                while waiting and len(self.busy) < most:
                    self._send(waiting.popleft(), now)
                pause = 0.5 if i == n else max(0.0, min(0.5, due[i] - now()))
                self._turn(pause, now)
        return self.found

    @contextmanager
    def _measuring(self) -> Iterator[Callable[[], float]]:
        """The clock of the run; the collector of garbage waits until it is over."""
        cpu, server = time.process_time(), self.watched.cpu_s() if self.watched else 0.0
        start = time.perf_counter()
        gc.collect()
        gc.disable()
        try:
            yield lambda: time.perf_counter() - start
        finally:
            gc.enable()
            self.found.seconds = time.perf_counter() - start
            self.found.client_cpu_s = time.process_time() - cpu
            if self.watched:
                self.found.server_cpu_s = self.watched.cpu_s() - server
            for connection in [*self.idle, *self.busy]:
                connection.socket.close()
            self.selector.close()

    def _send(self, due: float, now: Callable[[], float]) -> None:
        request = self.requests[self.sent % len(self.requests)]
        self.sent += 1
        self.found.lateness.append(now() - due)
        self._send_over(request, due)

    def _send_over(self, request: bytes, due: float) -> None:
        try:
            connection = self.idle.pop() if self.idle else self._connect()
        except OSError as error:
            self.found.errors[f"no connection: {type(error).__name__}"] += 1
            return
        self.busy.add(connection)
        connection.begin(request, due)
        self._write(connection)

    def _connect(self) -> Connection:
        connection = Connection(self.port)
        self.selector.register(connection.socket, selectors.EVENT_READ, connection)
        return connection

    def _write(self, connection: Connection) -> None:
        try:
            connection.send()
        except OSError:  # an answer may lie there: reading tells
            connection.left = memoryview(b"")
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.left else 0)
        if self.selector.get_key(connection.socket).events != events:
            self.selector.modify(connection.socket, events, connection)

    def _turn(self, pause: float, now: Callable[[], float]) -> None:
        # The selector counts whole milliseconds; select on the selector itself counts microseconds.
        if select.select([self.selector.fileno()], [], [], pause)[0]:
            for key, events in self.selector.select(0):
                if events & selectors.EVENT_WRITE:
                    self._write(key.data)
                if events & selectors.EVENT_READ:
                    self._read(key.data, now)
        if now() - self.looked > SAMPLE_S:
            self.looked = now()
            self._look()

    def _look(self) -> None:
        if self.watched:
            self.found.rss_mb.append(self.watched.rss_mb())
        for connection in [c for c in self.busy if self.looked - c.due > self.timeout]:
            self.found.errors["no answer in time"] += 1
            self._drop(connection)

    def _read(self, connection: Connection, now: Callable[[], float]) -> None:
        try:
            complete = connection.receive()
        except OSError as error:
            self._lost(connection, error)
            return
        if connection.request is None:
            self.found.errors["an answer that nobody asked for"] += 1
            self._drop(connection)
        elif complete:
            self._note(connection, now())

    def _note(self, connection: Connection, ended: float) -> None:
        self.found.latencies.append(ended - connection.due)
        self.found.ended.append(ended)
        self.found.of_status.append(connection.status)
        if self.keep:
            self.found.answers.append(connection.body)
        connection.request, connection.fresh = None, False
        if connection.ends:
            self._drop(connection)
        else:
            self.busy.discard(connection)
            self.idle.append(connection)

    def _lost(self, connection: Connection, error: OSError) -> None:
        """A kept connection may end while a request is on its way: then it is sent once again."""
        request, due = connection.request, connection.due
        again = not connection.fresh and not connection.answer
        self._drop(connection)
        if request is None:
            return
        if again:
            self.found.reconnects += 1
            self._send_over(request, due)
        else:
            self.found.errors[f"{type(error).__name__}: {error}"] += 1

    def _drop(self, connection: Connection) -> None:
        self.selector.unregister(connection.socket)
        connection.socket.close()
        self.busy.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)


def arrivals(rate: float, seconds: float, seed: int | None = None) -> list[float]:
    """Moments at which requests are due: evenly spaced, or with a seed at random (Poisson)."""
    n = max(1, round(rate * seconds))
    if seed is None:
        return (np.arange(n) / rate).tolist()
    return np.cumsum(np.random.default_rng(seed).exponential(1 / rate, n)).tolist()
