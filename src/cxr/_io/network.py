"""Which hosts are this machine, and the token files that guard all others."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from ..errors import UsageError


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect; an unknown name is taken to be reachable."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(path: Path, shortest: int = 1) -> str:
    """The one word in the file. The token itself is never in an error.

    Raises UsageError unless it is one printable ASCII word of at least `shortest` characters.
    """
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise UsageError(f"no token could be read from {path} ({type(error).__name__})") from error
    if len(token) < shortest or not token.isprintable() or " " in token or not token:
        raise UsageError(
            f"the token in {path} must be one word of at least {shortest} characters; make one "
            'with: python -c "import secrets; print(secrets.token_urlsafe())"'
        )
    return token
