"""The commands put together, and errors turned into one line and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
import typer.core

from .. import __version__
from .._io.extras import extra_of
from ..errors import CxrError, LoginMissing, UnknownName, is_out_of_memory
from .cache import cache
from .check import check
from .compare import compare
from .deidentify import deidentify
from .demo import demo
from .dicomweb import dicomweb
from .doctor import doctor
from .evaluate import evaluate
from .export import export
from .fetch import fetch
from .hold_out import hold_out
from .listen import listen
from .lr_find import lr_find
from .phantom import phantom
from .predict import predict
from .runs import runs
from .serve import serve
from .shards import shards
from .sign import sign
from .stress import stress
from .sweep import sweep
from .train import train

WRONG_USAGE, INTERRUPTED = 2, 130
LONGEST = 200  # characters that say what a command does
GOES_ON = {
    "train": "; the same command goes on where it was",
    "sweep": "; the same command goes on where it was",
    "predict": "; with --out, the same command goes on where it stopped",
}
# typer has its own copy of click in newer versions; only this way in is public in all of them.
WrongUsage: Any = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)

# What a first-time user needs, in the order of the steps, then the rest.
PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    "The steps": (demo, fetch, check, train, evaluate, predict, serve, doctor),
    "Data": (phantom, deidentify, hold_out, cache),
    "Training": (lr_find, runs),
    "Models": (compare, stress, export, sign),
    "Many machines": (shards, sweep),
    "DICOM": (listen, dicomweb),
}
RENAMED = {"verify": "cxr doctor MODEL --key PUBLIC_KEY"}  # old command -> what does the same now


class Panels(typer.core.TyperGroup):
    """The commands in their panels, as plain text."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            raise UnknownName("command", args[0], self.commands, "cxr --help lists what there is")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, self.commands))
        for panel, commands in PANELS.items():
            names = map(name_of, commands)
            rows = [
                (name.ljust(width), self.commands[name].get_short_help_str(LONGEST))
                for name in names
            ]
            with formatter.section(panel):
                formatter.write_dl(rows)


class OptionsInPanels(typer.core.TyperCommand):
    """A command with its options in their panels, as plain text."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for one in self.get_params(ctx):
            usual = "Arguments" if one.param_type_name == "argument" else "Options"
            record = one.get_help_record(ctx)
            if record is not None:
                panel = getattr(one, "rich_help_panel", None) or usual
                panels.setdefault(panel, []).append(record)
        for panel, rows in panels.items():
            if rows:
                with formatter.section(panel):
                    formatter.write_dl(rows)


def name_of(command: Callable[..., None]) -> str:
    return command.__name__.replace("_", "-")


app = typer.Typer(
    name="cxr",
    cls=Panels,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cxr {__version__}")
        raise typer.Exit()


@app.callback()
def cxr(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """From a folder of chest X-rays to a classifier, in five steps. A research tool, not a
    medical device.
    """


for panel in PANELS.values():
    for command in panel:
        app.command(name_of(command), cls=OptionsInPanels)(command)


def run(arguments: list[str]) -> int:
    """Runs one command; returns its exit code.

    0: done. 1: the data or the model are refused, or a file cannot be used. 2: wrong usage.
    130: stopped by Ctrl-C. 143: training stopped by SIGTERM.
    """
    if arguments and arguments[0] in RENAMED:
        return _fail(f"cxr {arguments[0]} is now: {RENAMED[arguments[0]]}", WRONG_USAGE)
    goes_on = GOES_ON.get(arguments[0] if arguments else "", "")
    try:
        code = app(arguments or ["--help"], prog_name="cxr", standalone_mode=False)
    except LoginMissing as error:  # says in several lines, on purpose, what to do
        sys.stderr.write(f"cxr: {error}\n")
        return error.exit_code
    except CxrError as error:
        return _fail(str(error), error.exit_code)
    except WrongUsage as error:
        return _fail(f"{error.format_message()} (cxr --help lists what there is)", WRONG_USAGE)
    except ModuleNotFoundError as error:
        extra = extra_of(error.name)
        if extra is None:
            raise
        return _fail(
            f'this needs {error.name}, which is not installed; run: pip install "cxr[{extra}]"', 1
        )
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except OSError as error:
        return _fail(_reason(error), 1)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return _fail(f"out of memory; close other programs or take smaller images{goes_on}", 1)
    if code == INTERRUPTED:  # newer versions of typer make this of Ctrl-C
        return _fail(f"stopped{goes_on}", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _reason(error: OSError) -> str:
    """A file that could not be used, where no room of cxr had a better word for it."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}; check the disk and its permissions"


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"cxr: {' '.join(message.splitlines())}\n")
    return code
