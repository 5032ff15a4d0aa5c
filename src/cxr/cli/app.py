"""The commands put together, and errors turned into one line and an exit code."""

from __future__ import annotations

import sys

import click
import typer

from ..errors import CxrError
from .demo import demo
from .doctor import doctor
from .evaluate import evaluate
from .fetch import fetch
from .lr_find import lr_find
from .phantom import phantom
from .predict import predict
from .train import train

INTERRUPTED = 130

app = typer.Typer(
    name="cxr",
    help="From a folder of chest X-rays to a classifier, in five steps. A research tool, not a "
    "medical device.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    demo,
    phantom,
    fetch,
    train,
    lr_find,
    evaluate,
    predict,
    doctor,
):
    app.command(command.__name__.replace("_", "-"))(command)


def run(arguments: list[str]) -> int:
    """Runs one command; returns its exit code: 0 done, 1 refused data or model, 2 wrong usage."""
    try:
        code = app(arguments or ["--help"], standalone_mode=False)
    except CxrError as error:
        return _fail(str(error), error.exit_code)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _fail("stopped; what was finished before is kept", INTERRUPTED)
    except BrokenPipeError:
        return 0
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"cxr: {message}\n")
    return code
