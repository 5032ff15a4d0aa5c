"""`docs/commands.md`, made from what the commands declare.

python -m cxr.cli.reference > docs/commands.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer

from .app import PANELS, app, name_of

START = """# The commands

Every command answers `--help` with what stands here. Those that print results take `--json`; all
but `cxr serve` and `cxr listen` do. Exit codes: 0 done, 1 the data or the model are refused or fail
the check, 2 wrong usage, 130 and 143 stopped by Ctrl-C and SIGTERM.

*Made by `python -m cxr.cli.reference > docs/commands.md`.*
"""
USUAL = {"argument": "Arguments", "option": "Options"}


def commands_page() -> str:
    """Markdown: a section for each panel of `cxr --help`, a table for each panel of a command."""
    group: Any = typer.main.get_command(app)
    lines = [START]
    for panel, commands in PANELS.items():
        lines.append(f"## {panel}\n")
        for name in map(name_of, commands):
            lines += _command(name, group.commands[name])
    return "\n".join(lines).rstrip() + "\n"


def _command(name: str, command: Any) -> Iterator[str]:
    yield f"### cxr {name}\n"
    for paragraph in command.help.split("\n\n"):
        words = " ".join(paragraph.split())
        example = words.removeprefix("Example: ")
        yield f"{words}\n" if example == words else f"```\n{example}\n```\n"
    panels: dict[str, list[str]] = {}
    for one in command.params:
        panel = getattr(one, "rich_help_panel", None) or USUAL[one.param_type_name]
        panels.setdefault(panel, []).append(_row(one))
    for panel, rows in panels.items():
        yield "\n".join([f"| {panel} | | default |", "| --- | --- | --- |", *rows, ""])


def _row(one: Any) -> str:
    if one.param_type_name == "argument":
        name = one.name.upper()
    else:
        name = ", ".join([*one.opts, *one.secondary_opts])
    cells = (f"`{name}`", one.help or "", _default(one))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(one: Any) -> str:
    if one.required:
        return "required"
    if isinstance(one.show_default, str):
        return one.show_default
    if isinstance(one.default, bool):
        return "yes" if one.default else "no"
    return "" if one.default in (None, "", [], ()) else f"{one.default}"


if __name__ == "__main__":
    sys.stdout.write(commands_page())
