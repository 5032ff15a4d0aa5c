"""What any Markdown reader makes of the text is the text: markdown-it is the reader here."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from cxr._io.markdown import code, one_line, plain, table

NASTY = [
    "plain words",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a | b || c",
    "[click](javascript:alert(1)) ![x](y)",
    "**bold** _under_ __x__ ~~gone~~ `code` ``",
    "&lt;b&gt; & &amp;",
    "back\\slash \\| \\",
    "# title",
    "--- ... - 1. x",
    "$x^2$",
    "kleine Kinder, 肺炎 😷",
]


def shown(markdown: str) -> list[str]:
    """The visible text of each cell; fails where there is anything but text and code."""
    found = []
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        assert token.type != "html_block"
        if token.type == "inline":
            children = token.children or []
            assert {child.type for child in children} <= {"text", "text_special", "code_inline"}
            found.append("".join(child.content for child in children))
    return found


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("write", [plain, code])
def test_a_cell_shows_the_text_letter_by_letter(text, write):
    page = table(("head", "other"), [(write(text), "next"), ("last", write(text))])
    assert shown(page) == ["head", "other", text, "next", "last", text]


@pytest.mark.parametrize("text", NASTY)
def test_within_a_sentence_too(text):
    assert shown(f"It says {plain(text)} here.") == [f"It says {text} here."]


def test_one_line_whatever_it_is_given():
    assert one_line("a\n\n---\r\nb\x00\u2028c\t d\u202e") == "a --- b c d"
    assert one_line("\ud800x") == "x"  # half a character, which no file can hold
    assert one_line(3) == "3"


def test_no_rows_no_table():
    assert table(("a",), []) == ""
