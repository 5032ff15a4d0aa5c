"""Who may use the service: the bearer token, and the host names that the server answers to."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import urlsplit

from ..._io.network import is_loopback
from .http import Request, RequestRefused

MIN_TOKEN = 16  # characters


class AccessControl:
    """With a token, the token decides. Without one only this machine can connect, but a web page
    that is open on it could send requests too: so `Host` must be a name of this machine or one of
    `hosts`, which a page elsewhere cannot have even if its own name is made to lead here (DNS
    rebinding), and the `Origin` of a page, where it is given, must be this server."""

    def __init__(self, token: str | None, hosts: Iterable[str] = ()) -> None:
        self.needs_token = token is not None
        self._expected = None if token is None else f"Bearer {token}".encode()
        self.hosts = frozenset(host.lower() for host in hosts)

    def check_token(self, request: Request) -> None:
        """Raises 401; in constant time."""
        given = request.headers.get(b"authorization", b"")
        if self._expected is None or secrets.compare_digest(given, self._expected):
            return
        raise RequestRefused(
            HTTPStatus.UNAUTHORIZED, "a valid token is needed", ((b"www-authenticate", b"Bearer"),)
        )

    def check_origin(self, request: Request) -> None:
        """Raises 403."""
        if self.needs_token:
            return
        host = request.headers.get(b"host")
        if host is not None and not self._is_own_name(host.decode("latin-1")):
            raise RequestRefused(
                HTTPStatus.FORBIDDEN,
                "the host name is not this machine's; use 127.0.0.1 or localhost, or start "
                "the server with --allow-host",
            )
        origin = request.headers.get(b"origin")
        if origin is not None and origin.partition(b"://")[2].lower() != (host or b"").lower():
            raise RequestRefused(
                HTTPStatus.FORBIDDEN, "a page of another site may not use this service"
            )

    def _is_own_name(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return is_loopback(name) or name in self.hosts
