"""`serve_model`: from a model file to a listening server, and its end."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn

from ..._io import say
from ..._io.network import is_loopback, read_token
from ...errors import BundleError, UsageError
from ...pixels import available_cpus
from ..predictor import Predictor, load_predictor
from .access import MIN_TOKEN
from .app import Service, make_app
from .connections import bounded_protocol
from .limits import Limits
from .live import stamp_of
from .monitoring import EventLog, UvicornHandler


@dataclass(frozen=True)
class ServerSettings:
    """`name` stands in addresses, by default that of the model file. `runtime`: see
    `load_predictor`. `allow_hosts`: see `AccessControl`. `trusted_key`: a public key that must
    have signed the model, and any that takes over. `log_level`: debug, info, warning, error or
    off; one line of JSON for each request, on stderr."""

    host: str = "127.0.0.1"
    port: int = 8000
    token_file: Path | None = None
    name: str | None = None
    runtime: str = "auto"
    allow_hosts: tuple[str, ...] = ()
    trusted_key: Path | None = None
    log_level: str = "info"
    limits: Limits = field(default_factory=Limits)

    def token(self) -> str | None:
        """Raises UsageError where one is needed and missing, or unfit."""
        if self.token_file is not None:
            return read_token(self.token_file, MIN_TOKEN)
        if is_loopback(self.host):
            return None
        raise UsageError(
            f"{self.host} can be reached from other machines, so a token is needed: write at least "
            f"{MIN_TOKEN} characters to a file and give it with --token-file"
        )


def serve_model(model: Path | str, settings: ServerSettings | None = None) -> None:
    """Serves `model` until it is interrupted (SIGINT, SIGTERM), then finishes what is in flight.

    When the file is replaced, or on SIGHUP, the new model takes over once it has passed its
    self-test. Raises UsageError when `host` is reachable from outside and there is no token, when
    the token is not fit to be one, or when the port is taken; BundleError when the model is
    refused.
    """
    settings = settings or ServerSettings()
    log, token = EventLog(settings.log_level), settings.token()
    with listen(settings.host, settings.port) as listener:
        reopen = partial(read_model, settings=settings)
        app = make_app(
            *(reopen(Path(model)), token, settings.limits),
            name=settings.name,
            hosts=settings.allow_hosts,
            reopen=reopen,
            log=log,
        )
        address = f"[{settings.host}]" if ":" in settings.host else settings.host
        say(f"serving {Path(model).name} on http://{address}:{listener.getsockname()[1]}/")
        if not is_loopback(settings.host):
            say("the connection is not encrypted: put a proxy with TLS in front of it")
        Server(app).run(sockets=[listener])


def read_model(path: Path, settings: ServerSettings) -> Predictor:
    """The model, its network on one thread for each worker: no worker waits for another.

    Raises BundleError also when the file was replaced while it was read.
    """
    before = stamp_of(path)
    if settings.trusted_key is not None:
        from ...bundle.sign import require_signature

        require_signature(path, settings.trusted_key)
    threads = max(1, available_cpus() // (settings.limits.workers or available_cpus()))
    predictor = load_predictor(path, settings.runtime, threads)
    if stamp_of(path) != before:
        raise BundleError(f"{path} was changed while it was read")
    if predictor.runtime == "torch":
        import torch

        torch.set_num_threads(threads)
    return predictor


class Server(uvicorn.Server):
    """uvicorn, bounded, with the service's log, and an exit that is no failure."""

    def __init__(self, service: Service) -> None:
        self.service, limits = service, service.limits
        super().__init__(
            uvicorn.Config(
                service,
                interface="asgi3",
                http=bounded_protocol(limits),
                ws="none",
                lifespan="on",
                access_log=False,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=limits.idle_seconds,  # type: ignore[arg-type]
                timeout_graceful_shutdown=limits.drain_seconds,  # type: ignore[arg-type]
            )
        )

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        logger = logging.getLogger("uvicorn.error")
        logger.handlers, logger.propagate = [UvicornHandler(self.service.log)], False
        gc.collect()
        gc.freeze()  # what is loaded by now stays: the collector need not visit it again
        super().run(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, self.service.live.reload)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.service.stopping = True
        super().handle_exit(sig, frame)
        self._captured_signals.clear()  # else the signal would be raised again in the end


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one. Raises UsageError where it cannot be had."""
    if not 0 <= port < 1 << 16:
        raise UsageError(f"port {port} is not allowed; choose 0 (any free one) to 65535")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host} port {port} ({error.strerror}); choose another host or port"
        ) from error
