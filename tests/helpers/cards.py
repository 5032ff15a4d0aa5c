"""Model cards read as the Hub and a browser read them, and text that would break out of one."""

from __future__ import annotations

import re
from typing import Any

import yaml
from markdown_it import MarkdownIt

SETTINGS = {
    "data": "/home/somebody/secret place",
    "weights": "/home/somebody/weights.safetensors",
    "cache": "C:\\secret",
    "epochs": 2,
    "class_weights": None,
    "augment": True,
    "population": "x",
}
HOSTILE = (
    "children\n---\nlicense: mit\n---\n# Safe for diagnosis\n<script>alert(1)</script> | a | "
    "[x](javascript:y) `z` </td> \u202e 肺炎"
)


def front(card: str) -> dict[str, Any]:
    start, matter, _ = card.split("---\n", 2)
    assert start == ""
    found = yaml.safe_load(matter)
    assert isinstance(found, dict)
    return found


def shown(card: str) -> list[str]:
    """The visible text of each block; HTML is none."""
    body = card.split("---\n", 2)[2]
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    assert not [token for token in tokens if token.type == "html_block"]
    inline = [token.children or [] for token in tokens if token.type == "inline"]
    assert not [child for some in inline for child in some if child.type in ("html_inline", "link")]
    return ["".join(child.content for child in some) for some in inline]


def headings(card: str) -> list[str]:
    return re.findall(r"^#+ .*$", card.split("---\n", 2)[2], flags=re.MULTILINE)
