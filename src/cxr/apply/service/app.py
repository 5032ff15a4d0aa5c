"""The ASGI application: finds the route, lets its handler answer, and keeps count and log.

Written on ASGI itself: a prediction of 5 ms has no half a millisecond to spare for a framework.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ..._io.network import is_loopback
from ..page import POLICY, assets
from ..predictor import Predictor
from .access import AccessControl
from .handlers import PredictionHandlers
from .http import Pairs, Reply, Request, RequestRefused, UploadMemory, as_json, try_later
from .inference import InferenceHandlers
from .limits import Limits
from .live import LiveModel
from .metrics import ServiceMetrics
from .monitoring import EventLog
from .openapi import document
from .workers import WorkerPool

HEADERS: Pairs = (
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"})
DOCS_FOLDER = Path(__file__).parent / "docs"
DOCS = {
    "/docs": ("docs.html", b"text/html; charset=utf-8"),
    "/docs/docs.css": ("docs.css", b"text/css; charset=utf-8"),
    "/docs/docs.js": ("docs.js", b"text/javascript; charset=utf-8"),
}
MOVED = {"/film": "/image"}
Handler = Callable[[Request], Awaitable[Reply]]


@dataclass(frozen=True)
class Route:
    """`guarded` ones need the token; those that `predicts` are refused while stopping."""

    method: str
    path: str
    handler: Handler
    guarded: bool = True
    predicts: bool = False

    @property
    def methods(self) -> tuple[str, ...]:
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


class Service:
    """One model behind HTTP; an ASGI application."""

    def __init__(
        self, live: LiveModel, access: AccessControl, limits: Limits, log: EventLog
    ) -> None:
        self.live, self.access, self.limits, self.log = live, access, limits, log
        self.memory = UploadMemory(limits.memory, limits.retry_after)
        self.workers = WorkerPool(live, limits)
        self.metrics = ServiceMetrics(live, self.workers, self.memory)
        self.stopping = False
        live.changed = self._model_changed
        self.workers.batch_done = self.metrics.batches.add
        self.routes = {route.path: route for route in (*self._routes(), *self._static_routes())}

    def _routes(self) -> Iterator[Route]:
        shared = (self.live, self.workers, self.memory)
        own = PredictionHandlers(*shared, self.metrics, self.limits, self.access.needs_token)
        v2 = InferenceHandlers(*shared, self.limits, lambda: not self.stopping)
        model = f"/v2/models/{self.live.name}"
        yield Route("POST", "/predict", own.predict, predicts=True)
        yield Route("POST", "/explain", own.explain, predicts=True)
        yield Route("POST", "/image", own.image, predicts=True)
        yield Route("GET", "/model", own.model)
        yield Route("GET", "/metrics", self._metrics)
        yield Route("GET", "/v2", v2.server, guarded=False)
        yield Route("GET", "/v2/health/live", v2.live, guarded=False)
        yield Route("GET", "/v2/health/ready", v2.ready, guarded=False)
        yield Route("GET", model, v2.metadata)
        yield Route("GET", f"{model}/ready", v2.ready_model, guarded=False)
        yield Route("POST", f"{model}/infer", v2.infer, predicts=True)

    def _static_routes(self) -> Iterator[Route]:
        """The page, its files and the documentation: all from this machine."""
        policy: Pairs = ((b"content-security-policy", POLICY.encode()),)
        for name, asset in assets().items():
            path = "/" if name == "index.html" else f"/static/{name}"
            reply = Reply(asset.content, asset.media_type.encode(), headers=policy)
            yield Route("GET", path, partial(_fixed, reply), guarded=False)
        for path, (name, media_type) in DOCS.items():
            reply = Reply((DOCS_FOLDER / name).read_bytes(), media_type, headers=policy)
            yield Route("GET", path, partial(_fixed, reply), guarded=False)
        yield Route("GET", "/openapi.json", self._description, guarded=False)

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
        except RequestRefused as refused:
            reply = _error_reply(request, refused)
        except asyncio.CancelledError:  # only when stopping has taken too long
            reply = _error_reply(request, self._stopping())
        except Exception as error:
            self.log.failure(error, id=request.id)
            failed = RequestRefused(HTTPStatus.INTERNAL_SERVER_ERROR, "failed")
            reply = _error_reply(request, failed)
        finally:
            self.memory.release(request.received)
        self._record(route, request, reply, time.perf_counter() - start)
        try:
            await _send(reply, request, send)
        except RuntimeError:  # the connection was closed meanwhile
            self.log.write("info", "client gone", id=request.id)

    async def _answer(self, route: Route | None, request: Request) -> Reply:
        self.access.check_origin(request)
        if route is None:
            raise self._not_found(request.path)
        if request.method not in route.methods:
            allow = ", ".join(route.methods).encode()
            raise RequestRefused(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"only {' and '.join(route.methods)} here",
                ((b"allow", allow),),
            )
        if route.guarded:
            self.access.check_token(request)
        if route.predicts and self.stopping:
            raise self._stopping()
        return await route.handler(request)

    def _not_found(self, path: str) -> RequestRefused:
        if path in MOVED:
            return RequestRefused(HTTPStatus.GONE, f"{path} is now {MOVED[path]}; see /docs")
        if path.startswith("/v2/models/"):
            return RequestRefused(HTTPStatus.NOT_FOUND, f"the only model here is {self.live.name}")
        return RequestRefused(HTTPStatus.NOT_FOUND, "there is nothing here; see /docs")

    def _stopping(self) -> RequestRefused:
        return try_later(
            HTTPStatus.SERVICE_UNAVAILABLE, "the server is stopping", self.limits.retry_after
        )

    def _record(self, route: Route | None, request: Request, reply: Reply, seconds: float) -> None:
        name = "other" if route is None else route.path
        method = request.method if request.method in METHODS else "other"
        self.metrics.count_request(name, method, reply.status, seconds)
        self.log.write(
            "error" if reply.status == HTTPStatus.INTERNAL_SERVER_ERROR else "info",
            "request",
            id=request.id,
            method=method,
            route=name,
            status=int(reply.status),
            ms=round(1000 * seconds, 2),
            received=request.received,
            sent=len(reply.body),
            images=request.images,
            batch=request.batch,
            client=_origin_of(request.scope),
        )

    async def _metrics(self, request: Request) -> Reply:
        return self.metrics.reply()

    async def _description(self, request: Request) -> Reply:
        config, secured = self.live.model.predictor.config, self.access.needs_token
        return as_json(document(self.live.name, config.size, self.limits, secured, config.frame))

    def _model_changed(self, outcome: str, reason: str) -> None:
        self.metrics.reloads.add(outcome)
        level = "info" if outcome == "taken" else "error"
        fields = {"reason": reason} if reason else {}
        answering = self.live.model.predictor.digest
        self.log.write(level, f"model {outcome}", answering=answering, **fields)

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        self.workers.open()
        watcher = asyncio.create_task(self.live.watch(self.limits.watch_seconds))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        watcher.cancel()
        await asyncio.to_thread(self.workers.close)
        await send({"type": "lifespan.shutdown.complete"})


async def _fixed(reply: Reply, request: Request) -> Reply:
    return reply


def _error_reply(request: Request, refused: RequestRefused) -> Reply:
    body = {"detail": refused.reason}
    if request.path.startswith("/v2"):  # as the Open Inference Protocol requires
        body = {"error": refused.reason, **body}
    return as_json(body, refused.status, refused.headers)


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


def _origin_of(scope: Mapping[str, Any]) -> str:
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
    log: EventLog | None = None,
) -> Service:
    """The application. With `token`, all that is about the model needs it as `Authorization:
    Bearer TOKEN`; without, only requests to this machine's own names or `hosts` are answered.
    `reopen` reads the model file again when it has changed; None: it is not watched.
    """
    live = LiveModel(predictor, name, reopen)
    return Service(live, AccessControl(token, hosts), limits or Limits(), log or EventLog())
