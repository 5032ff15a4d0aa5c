"""Options that several commands share, each declared once: most of them are settings of a run."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer

from ..config import ManifestOptions, RunConfig, Setting, require_one_of

CHECK_FOLDER = Path("check")  # where cxr check writes by default
QUARANTINE = "quarantine.csv"


def listed(columns: str | None) -> tuple[str, ...] | None:
    """`--label-columns Edema,Mass` taken apart."""
    return tuple(columns.split(",")) if columns else None


MANIFEST = tuple(field.name for field in fields(ManifestOptions))
HINTS = get_type_hints(RunConfig, include_extras=True)
DEFAULTS = {field.name: field.default for field in fields(RunConfig)}
SETTINGS = tuple(name for name, hint in HINTS.items() if get_origin(hint) is Annotated)
READ: dict[str, Callable[[Any], Any]] = {  # what is typed -> the setting, where these differ
    "weights": lambda text: None if text == "none" else text,
    "class_weights": lambda wanted: "balanced" if wanted else None,
    "label_columns": listed,
}
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
ImageRoot = Annotated[Path | None, typer.Option(help="Where a table's paths start.")]
Command = Callable[..., None]


def one_of(kind: Any, what: str = "") -> str:
    """The help of an option with the values of `kind`, a Literal: "What: a, b or c."."""
    *values, last = get_args(kind)
    return f"{what}{': ' if what else ''}{', '.join(values)} or {last}."


def choice(kind: Any, what: str = "", **more: Any) -> Any:
    """An option with the values of `kind`, which the shell completes."""
    return typer.Option(
        help=one_of(kind, what), autocompletion=lambda: list(get_args(kind)), **more
    )


def setting_of(name: str) -> Setting:
    found: Setting = get_args(HINTS[name])[1]
    return found


def with_settings(
    names: Iterable[str] = SETTINGS,
    parameter: str = "settings",
    make: Callable[[dict[str, Any]], Any] = dict,
    option: Callable[[str], inspect.Parameter] | None = None,
) -> Callable[[Command], Command]:
    """Commands with options for these settings of a run in the place of their `parameter`.

    They get those that were given, setting -> value, as `make` turns them into something.
    """
    own = {name: (option or _option)(name) for name in names}

    def change(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)

        @functools.wraps(command)
        def called(context: typer.Context, **typed: Any) -> None:
            values = {name: typed.pop(one.name) for name, one in own.items()}
            given = {
                name: value
                for name, value in values.items()
                if context.get_parameter_source(own[name].name).name == "COMMANDLINE"  # type: ignore[union-attr]
            }
            if "context" in signature.parameters:  # this one was changed before
                typed["context"] = context
            command(**typed, **{parameter: make(given)})

        parameters = [
            one
            for before in signature.parameters.values()
            for one in (own.values() if before.name == parameter else [before])
        ]
        if "context" not in signature.parameters:
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            parameters.insert(0, inspect.Parameter("context", kind, annotation=typer.Context))
        called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {one.name: one.annotation for one in parameters}
        return called

    return change


def typed_as(name: str) -> Any:
    """The type of what is typed for a setting."""
    kind = get_args(HINTS[name])[0]
    if name == "class_weights":
        return bool
    return str | None if name == "label_columns" else str if get_origin(kind) is Literal else kind


def option_of(name: str, kind: Any, default: Any, unset: str = "") -> inspect.Parameter:
    """An option for a setting. `unset` says what its default means."""
    setting, hint = setting_of(name), get_args(HINTS[name])[0]
    values = setting.values or (hint if get_origin(hint) is Literal else None)
    how: dict[str, Any] = {
        "show_default": unset or True,
        "rich_help_panel": setting.panel.capitalize(),
    }
    if values is None:
        given = typer.Option(help=setting.help, **how)
    else:
        given = choice(values, setting.help, **how)
    return inspect.Parameter(
        setting.option or name,
        inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[kind, given],
        default=default,
    )


def _option(name: str) -> inspect.Parameter:
    """As the setting is declared."""
    default = False if name == "class_weights" else DEFAULTS[name]
    return option_of(name, typed_as(name), default, setting_of(name).unset)


def as_read(given: dict[str, Any]) -> dict[str, Any]:
    """What was typed, as the settings hold it."""
    return {name: READ.get(name, lambda value: value)(value) for name, value in given.items()}


def with_run_settings(names: Iterable[str] = SETTINGS) -> Callable[[Command], Command]:
    """`with_settings` for a parameter `settings`: keys and values as `RunConfig` takes them."""
    return with_settings(names, "settings", as_read)


def _manifest_options(given: dict[str, Any]) -> ManifestOptions:
    require_one_of("layout", given.get("layout", "auto"), get_args(HINTS["layout"])[0])
    return ManifestOptions(**as_read(given))


with_manifest_options = with_settings(MANIFEST, "options", _manifest_options)


def as_typed(options: ManifestOptions) -> list[str]:
    """The options on a command line that read another table, or the same one, likewise."""
    words: list[str] = []
    for name, value in vars(options).items():
        if value != getattr(ManifestOptions, name):
            words.append(f"--{name.replace('_', '-')}")
            if value is not True:
                words.append(",".join(value) if isinstance(value, tuple) else str(value))
    return words


def found_quarantine() -> dict[str, str]:
    """The setting `quarantine` that `cxr check` wrote into this folder, if it did."""
    written = CHECK_FOLDER / QUARANTINE
    return {"quarantine": str(written)} if written.is_file() else {}
