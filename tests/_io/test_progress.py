"""Where lines for people go."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from cxr._io import say


def ipython(monkeypatch: pytest.MonkeyPatch, shell: object) -> None:
    module = ModuleType("IPython")
    module.get_ipython = lambda: shell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))


@pytest.mark.parametrize("shell", [None, SimpleNamespace(name="a terminal")])
def test_who_only_imports_kernels_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: object
) -> None:
    ipython(monkeypatch, shell)
    say("hello")
    assert capsys.readouterr() == ("", "hello\n")


def test_a_notebook_shows_it_in_the_cell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ipython(monkeypatch, SimpleNamespace(kernel=object()))
    say("hello [red]")
    assert capsys.readouterr() == ("hello [red]\n", "")
