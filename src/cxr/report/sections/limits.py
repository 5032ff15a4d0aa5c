"""What no figure here can tell."""

from __future__ import annotations

from ..._io.html import Html, bullets
from .. import words
from ..material import Report


def render(report: Report) -> Html:
    del report  # the same for every model
    return bullets(words.LIMITS)
