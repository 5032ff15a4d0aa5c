"""The page on which a model can be tried by hand; it loads nothing from anywhere else."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

from ..bundle import DISCLAIMER, BundleConfig

PAGE = Path(__file__).with_name("page.html")


def page_html(config: BundleConfig, nonce: str, *, needs_token: bool) -> str:
    """`nonce` marks the page's own script and style: a browser runs no others."""
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        nonce=nonce,
        disclaimer=escape(DISCLAIMER),
        classes=escape(", ".join(config.classes)),
        population=escape(config.population),
        token_hidden="" if needs_token else "hidden",
    )


def page_policy(nonce: str) -> str:
    """Content-Security-Policy."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
