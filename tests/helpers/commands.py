"""The commands and their options, as they are declared."""

from __future__ import annotations

import re
import shlex
from typing import Any

import typer

from cxr.cli.app import app

GROUP: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = GROUP.commands


def options_of(name: str) -> set[str]:
    """`--out`, `--no-explain`, `-h` and so on, of the command of that name."""
    context = COMMANDS[name].make_context(name, [], resilient_parsing=True)
    declared = COMMANDS[name].get_params(context)
    return {word for one in declared for word in (*one.opts, *one.secondary_opts)}


def misnamed(line: str) -> list[str]:
    """What does not exist of `COMMAND ... --option ...`: the command, or its options."""
    name, *words = shlex.split(line)
    if name not in COMMANDS:
        return [name]
    given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    return sorted(given - options_of(name))
