"""Who may ask: the bearer token, and which names the server answers to."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import UsageError
from .http import Refusal, Request

MIN_TOKEN = 16


class Guard:
    """With a token, it decides. Without one only this machine can connect, but a web page that is
    open on it could ask too: so the name asked for (`Host`) must be this machine's or one of
    `hosts`, which a page elsewhere cannot have even if its own name is made to lead here (DNS
    rebinding), and a page that says where it comes from (`Origin`) must come from here."""

    def __init__(self, token: str | None, hosts: Iterable[str] = ()) -> None:
        self.expected = None if token is None else f"Bearer {token}".encode()
        self.hosts = frozenset(host.lower() for host in hosts)

    def check_token(self, request: Request) -> None:
        """Raises 401; in constant time."""
        given = request.headers.get(b"authorization", b"")
        if self.expected is None or secrets.compare_digest(given, self.expected):
            return
        raise Refusal(
            HTTPStatus.UNAUTHORIZED, "a valid token is needed", ((b"www-authenticate", b"Bearer"),)
        )

    def check_place(self, request: Request) -> None:
        """Raises 403."""
        if self.expected is not None:
            return
        host = request.headers.get(b"host")
        if host is not None and not self._known(host.decode("latin-1")):
            raise Refusal(
                HTTPStatus.FORBIDDEN,
                "asked by a name that is not this machine's; use 127.0.0.1 or localhost, or start "
                "the server with --allow-host",
            )
        origin = request.headers.get(b"origin")
        if origin is not None and origin.partition(b"://")[2].lower() != (host or b"").lower():
            raise Refusal(HTTPStatus.FORBIDDEN, "a page from elsewhere may not ask")

    def _known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return is_loopback(name) or name in self.hosts


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect; an unknown name is taken to be reachable."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
