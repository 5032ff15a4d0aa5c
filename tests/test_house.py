"""The rules of the house: which room may import which, and what no room may do."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cxr
from cxr._io.extras import EXTRAS

SOURCE = Path(cxr.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))

WALLS = ("errors", "config", "_io", "_stats")
# Data walks from left to right; what stands in one tuple is on one floor.
FLOORS = (
    ("find",),
    ("pixels",),
    ("backbones",),
    ("bundle",),
    ("check",),
    ("prepare",),
    ("train",),
    ("evaluate",),
    ("apply",),
    ("report",),
    ("track",),
    ("workflows",),
    ("scale",),
    ("cli",),
    ("__main__",),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
NEVER = {
    ("evaluate", "prepare"),
    ("evaluate", "train"),
    ("apply", "prepare"),
    ("apply", "train"),
}
HEAVY = (
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "pandas",
    "matplotlib",
    "sklearn",
    "pydicom",
    "PIL",
)
LOADERS_OF_PICKLES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
}


def room_of(file: Path) -> str:
    """`train` for train/fit.py, `config` for config.py, "" for the package's own __init__."""
    first = file.relative_to(SOURCE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imported(file: Path) -> Iterator[str]:
    """Full names of all that `file` imports, inside functions too."""
    package = ("cxr", *file.relative_to(SOURCE).parts[:-1])
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def rooms_imported(file: Path) -> set[str]:
    parts = (name.split(".") for name in imported(file))
    known = {*FLOOR_OF, *WALLS}
    return {name[1] for name in parts if name[0] == "cxr" and name[1] in known}


def calls(file: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def where(file: Path, node: ast.AST) -> str:
    return f"{file.relative_to(SOURCE)}:{getattr(node, 'lineno', 0)}"


def test_every_module_has_its_place():
    assert {room_of(file) for file in FILES} <= {"", *FLOOR_OF, *WALLS}
    assert len(FILES) > 100  # so that the tests below look at something


def test_imports_are_seen():
    assert "_io" in rooms_imported(SOURCE / "train" / "fit.py")
    assert {"backbones", "errors", "prepare"} <= rooms_imported(SOURCE / "train" / "learner.py")
    assert "torch" in {name.split(".")[0] for name in imported(SOURCE / "track" / "environment.py")}


@pytest.mark.parametrize("room", [*WALLS, *FLOOR_OF])
def test_a_room_imports_only_rooms_above_it(room):
    allowed = {room, *WALLS}
    if room not in WALLS:
        allowed |= {other for other in FLOOR_OF if FLOOR_OF[other] < FLOOR_OF[room]}
    allowed -= {other for own, other in NEVER if own == room}
    wrong = {
        str(file.relative_to(SOURCE)): sorted(rooms_imported(file) - allowed)
        for file in FILES
        if room_of(file) == room and rooms_imported(file) - allowed
    }
    assert wrong == {}


@pytest.mark.parametrize("room", [*WALLS, "find", "pixels"])
def test_no_torch_where_the_slim_server_lives(room):
    names = {name.split(".")[0] for f in FILES if room_of(f) == room for name in imported(f)}
    assert not names & {"torch", "torchvision", "timm"}


def modules_after(statement: str) -> set[str]:
    """Top-level packages that a fresh Python has loaded after `statement`."""
    code = f"{statement}\nimport sys\nsys.stdout.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_import_cxr_is_light():
    assert not modules_after("import cxr; dir(cxr)") & {*HEAVY, "rich", "typer", "yaml"}


def test_finding_and_reading_images_leaves_torch_alone():
    loaded = modules_after("import cxr.find, cxr.pixels; cxr.load_grey; cxr.get_image_files")
    assert not loaded & {"torch", "torchvision", "timm"}


def test_serving_needs_no_torch():
    """Nor what else `pip install "cxr[serve]"` leaves out."""
    loaded = modules_after("import cxr.apply.predictor, cxr.apply.service, cxr.cli.app")
    assert not loaded & set(EXTRAS["train"])


def public_modules() -> list[str]:
    """Modules that name what is public in them."""
    named = [file for file in FILES if "__all__" in file.read_text(encoding="utf-8")]
    return [
        ".".join(["cxr", *file.relative_to(SOURCE).with_suffix("").parts]).removesuffix(".__init__")
        for file in named
    ]


@pytest.mark.parametrize("name", public_modules())
def test_every_public_name_is_there(name):
    module = importlib.import_module(name)
    assert len(module.__all__) == len(set(module.__all__))
    missing = [public for public in module.__all__ if not hasattr(module, public)]
    assert missing == []


def test_unknown_names_are_missing_as_python_says_it():
    with pytest.raises(AttributeError, match="module 'cxr' has no attribute 'nothing'"):
        cxr.nothing  # noqa: B018


def test_nothing_is_printed():
    assert [where(f, node) for f in FILES for name, node in calls(f) if name == "print"] == []


def test_no_pickle_is_ever_loaded():
    for file in FILES:
        modules = {name.split(".")[0] for name in imported(file)}
        assert not modules & LOADERS_OF_PICKLES, file
        for name, node in calls(file):
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if name == "torch.load":
                assert options.get("weights_only") == "True", where(file, node)
            assert options.get("allow_pickle", "False") == "False", where(file, node)
            assert name.split(".")[-1] not in {"read_pickle", "Unpickler"}, where(file, node)
            assert name not in {"yaml.load", "yaml.unsafe_load", "eval", "exec"}, where(file, node)
