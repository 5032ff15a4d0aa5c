"""The ASGI application: finds the route, lets it answer, and keeps count and log.

Written on ASGI itself: a prediction of 5 ms has no half a millisecond to spare for a framework.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ..predictor import Predictor
from .answers import Answers
from .guard import Guard, is_loopback
from .http import Memory, Pairs, Refusal, Reply, Request, as_json, come_again
from .inference import Inference
from .limits import Limits
from .live import Live
from .log import Log
from .measures import Measures
from .pages import Pages
from .workers import Desk

HEADERS: Pairs = (
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"})
Handler = Callable[[Request], Awaitable[Reply]]


@dataclass(frozen=True)
class Route:
    """`guarded` ones want the token; those that do `work` are refused while stopping."""

    method: str
    path: str
    handler: Handler
    guarded: bool = True
    work: bool = False

    @property
    def methods(self) -> tuple[str, ...]:
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


class Service:
    """One model behind HTTP; an ASGI application."""

    def __init__(self, live: Live, guard: Guard, limits: Limits, log: Log) -> None:
        self.live, self.guard, self.limits, self.log = live, guard, limits, log
        self.memory = Memory(limits.memory, limits.retry_after)
        self.desk = Desk(live, limits)
        self.measures = Measures(live, self.desk, self.memory)
        self.stopping = False
        live.changed = self._model_changed
        self.desk.batch_done = self.measures.batches.add
        self.routes = {route.path: route for route in self._routes()}

    def _routes(self) -> Iterable[Route]:
        answers, pages = Answers(self), Pages(self)
        model = f"/v2/models/{self.live.name}"
        inference = Inference(self)
        yield Route("POST", "/predict", answers.predict, work=True)
        yield Route("POST", "/explain", answers.explain, work=True)
        yield Route("POST", "/image", answers.film, work=True)
        yield Route("GET", "/model", answers.model)
        yield Route("GET", "/metrics", self._metrics)
        yield Route("GET", "/v2", inference.server, guarded=False)
        yield Route("GET", "/v2/health/live", inference.live, guarded=False)
        yield Route("GET", "/v2/health/ready", inference.ready, guarded=False)
        yield Route("GET", model, inference.metadata)
        yield Route("GET", f"{model}/ready", inference.ready_model, guarded=False)
        yield Route("POST", f"{model}/infer", inference.infer, work=True)
        for path, handler in pages.handlers().items():
            yield Route("GET", path, handler, guarded=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self._serve(Request(scope, receive), send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    async def _serve(self, request: Request, send: Any) -> None:
        start = time.perf_counter()
        route = self.routes.get(request.path)
        try:
            reply = await self._answer(route, request)
        except Refusal as refusal:
            reply = self._refused(request, refusal)
        except asyncio.CancelledError:  # only when stopping has taken too long
            reply = self._refused(request, self._stopping())
        except Exception as error:
            self.log.failure(error, id=request.id)
            reply = self._refused(request, Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "failed"))
        finally:
            self.memory.give_back(request.read)
        self._note(route, request, reply, time.perf_counter() - start)
        try:
            await _send(reply, request, send)
        except RuntimeError:  # the connection was closed meanwhile
            self.log.write("info", "client gone", id=request.id)

    async def _answer(self, route: Route | None, request: Request) -> Reply:
        self.guard.check_place(request)
        if route is None:
            raise self._unknown(request.path)
        if request.method not in route.methods:
            allow = ", ".join(route.methods).encode()
            raise Refusal(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"only {' and '.join(route.methods)} here",
                ((b"allow", allow),),
            )
        if route.guarded:
            self.guard.check_token(request)
        if route.work and self.stopping:
            raise self._stopping()
        return await route.handler(request)

    def _unknown(self, path: str) -> Refusal:
        if path.startswith("/v2/models/"):
            return Refusal(HTTPStatus.NOT_FOUND, f"the only model here is {self.live.name}")
        return Refusal(HTTPStatus.NOT_FOUND, "there is nothing here; see /docs")

    def _stopping(self) -> Refusal:
        return come_again(
            HTTPStatus.SERVICE_UNAVAILABLE, "the server is stopping", self.limits.retry_after
        )

    def _refused(self, request: Request, refusal: Refusal) -> Reply:
        said = {"detail": refusal.reason}
        if request.path.startswith("/v2"):  # as the protocol wants it
            said = {"error": refusal.reason, **said}
        return as_json(said, refusal.status, refusal.headers)

    def _note(self, route: Route | None, request: Request, reply: Reply, seconds: float) -> None:
        name = "other" if route is None else route.path
        method = request.method if request.method in METHODS else "other"
        self.measures.request(name, method, reply.status, seconds)
        self.log.write(
            "error" if reply.status == HTTPStatus.INTERNAL_SERVER_ERROR else "info",
            "request",
            id=request.id,
            method=method,
            route=name,
            status=int(reply.status),
            ms=round(1000 * seconds, 2),
            received=request.read,
            sent=len(reply.body),
            images=request.images,
            batch=request.batch,
            client=_where_from(request.scope),
        )

    async def _metrics(self, request: Request) -> Reply:
        return self.measures.reply()

    def _model_changed(self, outcome: str, reason: str) -> None:
        self.measures.reloads.add(outcome)
        level = "info" if outcome == "taken" else "error"
        facts = {"reason": reason} if reason else {}
        self.log.write(
            level, f"model {outcome}", answering=self.live.model.predictor.digest, **facts
        )

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        self.desk.open()
        watcher = asyncio.create_task(self.live.watch(self.limits.watch_seconds))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        watcher.cancel()
        await asyncio.to_thread(self.desk.close)
        await send({"type": "lifespan.shutdown.complete"})


async def _send(reply: Reply, request: Request, send: Any) -> None:
    headers = [
        (b"content-type", reply.media_type),
        (b"content-length", str(len(reply.body)).encode()),
        (b"x-request-id", request.id.encode()),
        *HEADERS,
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": int(reply.status), "headers": headers})
    body = b"" if request.method == "HEAD" else reply.body
    await send({"type": "http.response.body", "body": body})


def _where_from(scope: Mapping[str, Any]) -> str:
    client = scope.get("client")
    return "loopback" if client is None or is_loopback(client[0]) else "remote"


def make_app(
    predictor: Predictor,
    token: str | None = None,
    limits: Limits | None = None,
    *,
    name: str | None = None,
    hosts: Iterable[str] = (),
    reopen: Callable[[Path], Predictor] | None = None,
    log: Log | None = None,
) -> Service:
    """The application. With `token`, all that is about the model wants it as `Authorization:
    Bearer TOKEN`; without, only requests to this machine's own names or `hosts` are answered.
    `reopen` reads the model file again when it has changed; None: it is not watched.
    """
    live = Live(predictor, name, reopen)
    return Service(live, Guard(token, hosts), limits or Limits(), log or Log())
