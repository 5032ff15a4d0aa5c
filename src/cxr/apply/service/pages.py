"""The page, its files, and the documentation: all from this machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..page import POLICY, assets
from .http import Pairs, Reply, Request, as_json
from .openapi import document

if TYPE_CHECKING:
    from .app import Service

FOLDER = Path(__file__).parent / "docs"
DOCS = {
    "/docs": ("docs.html", b"text/html; charset=utf-8"),
    "/docs/docs.css": ("docs.css", b"text/css; charset=utf-8"),
    "/docs/docs.js": ("docs.js", b"text/javascript; charset=utf-8"),
}
SAFE: Pairs = ((b"content-security-policy", POLICY.encode()),)


class Pages:
    def __init__(self, service: Service) -> None:
        self.service = service

    def handlers(self) -> dict[str, Callable[[Request], Awaitable[Reply]]]:
        """By path."""
        replies = {
            "/" if name == "index.html" else f"/static/{name}": Reply(
                one.content, one.media_type.encode(), headers=SAFE
            )
            for name, one in assets().items()
        }
        for path, (name, kind) in DOCS.items():
            replies[path] = Reply((FOLDER / name).read_bytes(), kind, headers=SAFE)
        fixed = {path: partial(_always, reply) for path, reply in replies.items()}
        return {**fixed, "/openapi.json": self.description}

    async def description(self, request: Request) -> Reply:
        return as_json(document(self.service))


async def _always(reply: Reply, request: Request) -> Reply:
    return reply
