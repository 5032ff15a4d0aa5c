"""The rules of the house: which room imports which, how large its pieces are, what none does."""

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
LONGEST_MODULE, TINY_MODULE, MOST_TINY_MODULES = 300, 20, 8
SCREEN = 40
MOST_PARAMETERS, MOST_EXCEPTIONS = 8, 5
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


def module_of(file: Path) -> str:
    return ".".join(["cxr", *file.relative_to(SOURCE).with_suffix("").parts]).removesuffix(
        ".__init__"
    )


def modules_imported(file: Path, known: set[str]) -> set[str]:
    """Modules of cxr that `file` imports; of a name out of a package, the package."""
    names = imported(file)
    return {name if name in known else name.rpartition(".")[0] for name in names} & known


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Sets of modules that reach each other (Tarjan, 1972)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    result: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for other in sorted(imports.get(module, ())):
            if other not in order:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in stack:
                lowest[module] = min(lowest[module], order[other])
        if lowest[module] == order[module]:
            at = stack.index(module)
            if len(stack) - at > 1:
                result.append(sorted(stack[at:]))
            del stack[at:]

    for module in sorted(imports):
        if module not in order:
            visit(module)
    return result


def test_circles_are_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


def test_no_modules_import_each_other():
    """Imports for type checkers and inside functions count, too."""
    known = {module_of(file) for file in FILES}
    assert circles({module_of(f): modules_imported(f, known) - {module_of(f)} for f in FILES}) == []


def lines_of(file: Path) -> int:
    return file.read_text(encoding="utf-8").count("\n")


def test_modules_have_a_readable_size():
    assert [str(f.relative_to(SOURCE)) for f in FILES if lines_of(f) > LONGEST_MODULE] == []
    whole = [f for f in FILES if f.name not in {"__init__.py", "__main__.py"}]
    tiny = [str(f.relative_to(SOURCE)) for f in whole if lines_of(f) <= TINY_MODULE]
    assert len(tiny) <= MOST_TINY_MODULES, tiny


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of_body(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """From the first statement after the docstring to the last line."""
    first = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (node.end_lineno or 0) - first[0].lineno + 1 if first else 0


def test_functions_fit_a_screen():
    long = [where(f, node) for f in FILES for node in functions(f) if lines_of_body(node) > SCREEN]
    assert long == []


def n_parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    names = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def test_many_options_travel_as_one_object():
    """The command line's functions declare one parameter an option, by typer's design."""
    inside = [f for f in FILES if room_of(f) != "cli"]
    many = [where(f, n) for f in inside for n in functions(f) if n_parameters(n) > MOST_PARAMETERS]
    assert len(many) <= MOST_EXCEPTIONS, many


def test_tests_mirror_the_tree():
    """`tests/a/test_b.py` tests `a/b.py`, or the package `a/b`."""
    tests = sorted(Path(__file__).parent.rglob("test_*.py"))
    stems = [
        f.relative_to(Path(__file__).parent).with_name(f.stem.removeprefix("test_")) for f in tests
    ]
    loose = [
        str(stem)
        for stem in stems
        if not ((SOURCE / stem).is_dir() or (SOURCE / stem).with_suffix(".py").is_file())
    ]
    assert len(loose) <= 0.1 * len(tests), loose


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
    return [module_of(file) for file in named]


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
