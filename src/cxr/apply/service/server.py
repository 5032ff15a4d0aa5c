"""`serve_model`: from a model file to a listening server, and its end."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import threading
from collections.abc import Iterable
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


def serve_model(
    model: Path | str,
    host: str = "127.0.0.1",
    port: int = 8000,
    token_file: Path | str | None = None,
    *,
    name: str | None = None,
    runtime: str = "auto",
    limits: Limits | None = None,
    allow_hosts: Iterable[str] = (),
    trusted_key: Path | str | None = None,
    log_level: str = "info",
) -> None:
    """Serves `model` until it is interrupted (SIGINT, SIGTERM), then finishes what is in flight.

    When the file is replaced, or on SIGHUP, the new model takes over once it has passed its
    self-test. `name` stands in addresses, by default that of the file. `runtime`: see
    `load_predictor`. `allow_hosts`: see `AccessControl`. `trusted_key`: a public key that
    must have signed the model, and any that takes over. `log_level`: debug, info, warning, error
    or off; one line of JSON for each request, on stderr.

    Raises UsageError when `host` is reachable from outside and there is no token, when the token
    is not fit to be one, or when the port is taken; BundleError when the model is refused.
    """
    limits, log = limits or Limits(), EventLog(log_level)
    token = None if token_file is None else read_token(Path(token_file), MIN_TOKEN)
    if token is None and not is_loopback(host):
        raise UsageError(
            f"{host} can be reached from other machines, so a token is needed: write at least "
            f"{MIN_TOKEN} characters to a file and give it with --token-file"
        )
    with listen(host, port) as listener:
        reopen = partial(read_model, runtime=runtime, limits=limits, trusted_key=trusted_key)
        app = make_app(
            *(reopen(Path(model)), token, limits),
            name=name,
            hosts=allow_hosts,
            reopen=reopen,
            log=log,
        )
        address = f"[{host}]" if ":" in host else host
        say(f"serving {Path(model).name} on http://{address}:{listener.getsockname()[1]}/")
        if not is_loopback(host):
            say("the connection is not encrypted: put a proxy with TLS in front of it")
        Server(app).run(sockets=[listener])


def read_model(
    path: Path, runtime: str, limits: Limits, trusted_key: Path | str | None = None
) -> Predictor:
    """The model, its network on one thread for each worker: no worker waits for another.

    Raises BundleError also when the file was replaced while it was read.
    """
    before = stamp_of(path)
    if trusted_key is not None:
        from ...bundle.sign import require_signature

        require_signature(path, trusted_key)
    threads = max(1, available_cpus() // (limits.workers or available_cpus()))
    predictor = load_predictor(path, runtime, threads)
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
