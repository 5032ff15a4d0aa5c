"""What the commands declare: their options, an example each, and the page that is made of these."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr.cli.reference import commands_page
from helpers.commands import COMMANDS, misnamed, options_of

DOCS = Path(__file__).parents[2] / "docs"
ENDLESS = {"serve", "listen"}  # they print no results
LONGEST = 80 - len("  Example: ") - 2  # characters that the help shows in one line


@pytest.mark.parametrize("name", COMMANDS)
def test_its_example_can_be_typed(name: str) -> None:
    examples = [
        line.partition("Example: ")[2]
        for line in COMMANDS[name].help.splitlines()
        if line.startswith("Example: ")
    ]
    assert len(examples) == 1 and len(examples[0]) <= LONGEST
    program, command, rest = f"{examples[0]} ".split(" ", 2)
    assert (program, command) == ("cxr", name) and misnamed(f"{name} {rest}") == []
    COMMANDS[name].make_context(name, rest.split())  # nothing that is required is missing


@pytest.mark.parametrize("name", COMMANDS)
def test_what_prints_results_prints_json_too(name: str) -> None:
    assert ("--json" in options_of(name)) == (name not in ENDLESS)


def test_what_does_not_exist_is_found() -> None:
    assert misnamed("train images --epoks 3 --run runs/a") == ["--epoks"]
    assert misnamed("trian images") == ["trian"]


def test_the_page_is_current() -> None:
    """Mend it with: python -m cxr.cli.reference > docs/commands.md."""
    written = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert written == commands_page()
    for name in COMMANDS:
        assert f"\n### cxr {name}\n" in written
