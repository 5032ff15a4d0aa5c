"""The model behind HTTP: one image in, its probabilities out.

    POST /predict            the image file (JPEG, PNG, DICOM...) as the body -> `Answer`
    GET  /v2/health/live     the process answers
    GET  /v2/health/ready    the model is loaded
    GET  /                   a page to try it by hand

Nothing that was sent is written to disk or to a log. Refusals are {"detail": reason}: 401 token,
408 too slow, 413 too large, 415 a form instead of the image, 422 not a readable image, 429 busy.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from .._io import say
from ..backbones import decide
from ..errors import ImageError, UsageError
from .page import page_html, page_policy
from .predictor import Predictor, load_learner
from .trust import as_columns, look, verdicts

MIN_TOKEN = 16
RETRY_AFTER_S = 1
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Limits:
    """What one server takes on. Bodies lie in memory: at most `pending` times `body_bytes`."""

    body_bytes: int = 32 * 1024**2
    body_seconds: float = 30.0
    workers: int = 2
    pending: int = 16


class Answer(BaseModel):
    """`decision` is what the model says at its operating point, `prediction` the likeliest class
    as it came out of training; `calibrated` are the probabilities to read, `probabilities` those
    before calibration. `probability`, `confident`, `unlike_training`, `reason`: `trust.Verdict`."""

    prediction: str
    decision: str
    probabilities: dict[str, float]
    calibrated: dict[str, float]
    probability: float
    confident: bool | None
    unlike_training: bool | None
    reason: str
    classes: list[str]
    population: str
    research_use_only: bool = True


def answer(predictor: Predictor, image: bytes) -> Answer:
    """Raises ImageError."""
    config = predictor.config
    logits, distances = look(predictor, predictor.pixels(image)[np.newaxis])
    raw = predictor.probabilities(logits)[0]
    calibrated = predictor.probabilities(logits, calibrated=True)[0].tolist()
    (verdict,) = verdicts(predictor, logits, distances, [calibrated])
    return Answer(
        prediction=decide(raw, config.classes, config.multi_label)[0],
        decision=predictor.decision(calibrated),
        probabilities=dict(zip(config.classes, raw.tolist(), strict=True)),
        calibrated=dict(zip(config.classes, calibrated, strict=True)),
        **as_columns(verdict),
        classes=list(config.classes),
        population=config.population,
    )


def make_app(
    predictor: Predictor, token: str | None = None, limits: Limits | None = None
) -> FastAPI:
    """The application; with `token`, /predict wants it as `Authorization: Bearer TOKEN`."""
    limits = limits or Limits()
    desk = Desk(limits)
    # Without FastAPI's own pages of documentation: they load scripts from elsewhere.
    app = FastAPI(title="cxr", docs_url=None, redoc_url=None, lifespan=desk.open)
    app.middleware("http")(_add_headers)
    app.exception_handler(ImageError)(_unreadable)

    @app.post("/predict", dependencies=[Depends(bearer(token))], openapi_extra=RAW_BODY)
    async def predict(request: Request) -> Answer:
        with desk.place():
            image = await read_body(request, limits)
            return await desk.run(answer, predictor, image)

    @app.get("/v2/health/live")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @app.get("/v2/health/ready")
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    @app.get("/", response_class=HTMLResponse)
    async def page() -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        html = page_html(predictor.config, nonce, needs_token=token is not None)
        return HTMLResponse(html, headers={"Content-Security-Policy": page_policy(nonce)})

    return app


RAW_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class Desk:
    """A few threads and a bounded number of requests; who comes when it is full is sent away."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="cxr-predict")
        self.pending = 0  # only touched in the event loop's thread

    @asynccontextmanager
    async def open(self, app: FastAPI) -> AsyncIterator[None]:
        yield
        self.pool.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue, taken before the body is read. Raises 429 when there is none."""
        if self.pending >= self.limits.pending:
            raise HTTPException(
                429, "too many requests are waiting", {"Retry-After": str(RETRY_AFTER_S)}
            )
        self.pending += 1
        try:
            yield
        finally:
            self.pending -= 1

    async def run(
        self, work: Callable[[Predictor, bytes], Answer], predictor: Predictor, image: bytes
    ) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self.pool, work, predictor, image)


async def read_body(request: Request, limits: Limits) -> bytes:
    """The body, in chunks, never more than allowed in memory."""
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise HTTPException(
            415, "send the image file itself as the body, as in: curl --data-binary @film.png"
        )
    too_large = HTTPException(413, f"at most {limits.body_bytes:,} bytes are taken")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.body_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.body_bytes:
                    raise too_large
    except TimeoutError as error:
        raise HTTPException(408, f"not sent within {limits.body_seconds:g} s") from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the connection ended before the image did") from error
    return bytes(body)


def bearer(token: str | None) -> Callable[[Request], None]:
    """A check of the `Authorization` header, in constant time."""

    def check(request: Request) -> None:
        given = request.headers.get("authorization", "")
        if token is None or secrets.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return
        raise HTTPException(401, "a valid token is needed", {"WWW-Authenticate": "Bearer"})

    return check


async def _unreadable(request: Request, error: Exception) -> JSONResponse:
    reason = error.reason if isinstance(error, ImageError) else ""
    return JSONResponse({"detail": reason}, status_code=422)


async def _add_headers(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    response.headers.update(HEADERS)
    return response


def serve_model(
    model: Path | str,
    host: str = "127.0.0.1",
    port: int = 8000,
    token_file: Path | str | None = None,
) -> None:
    """Serves `model` until it is interrupted.

    Raises UsageError when `host` is reachable from outside and there is no token, when the token
    is not fit to be one, or when the port is taken; BundleError when the model is refused.
    """
    import uvicorn

    token = None if token_file is None else read_token(Path(token_file))
    if token is None and not is_loopback(host):
        raise UsageError(
            f"{host} can be reached from other machines, so a token is needed: write at least "
            f"{MIN_TOKEN} characters to a file and give it with --token-file"
        )
    with listen(host, port) as listener:
        app = make_app(load_learner(model), token)
        address = f"[{host}]" if ":" in host else host
        say(f"serving {Path(model).name} on http://{address}:{listener.getsockname()[1]}/")
        if not is_loopback(host):
            say("the connection is not encrypted: put a proxy with TLS in front of it")
        config = uvicorn.Config(app, access_log=False, log_level="warning", server_header=False)
        uvicorn.Server(config).run(sockets=[listener])


def read_token(path: Path) -> str:
    """The one line of the file. The token itself is never in an error."""
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"no token could be read from {path} ({type(error).__name__})") from error
    if len(token) < MIN_TOKEN or not token.isprintable() or " " in token:
        raise UsageError(
            f"the token in {path} must be one word of at least {MIN_TOKEN} characters; make one "
            'with: python -c "import secrets; print(secrets.token_urlsafe())"'
        )
    return token


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect; an unknown name is taken to be reachable."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one. Raises UsageError when it cannot be had."""
    if not 0 <= port < 1 << 16:
        raise UsageError(f"port {port} is not allowed; choose 0 (any free one) to 65535")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host} port {port} ({error.strerror}); choose another host or port"
        ) from error
