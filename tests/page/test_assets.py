"""The page's files, without a browser."""

from __future__ import annotations

import re

import pytest

from cxr.apply.page import FOLDER, POLICY, assets

TEXTS = {name: asset.content.decode() for name, asset in assets().items()}
SCRIPTS = sorted(name for name in TEXTS if name.endswith(".js"))


def test_every_file_beside_the_module_is_an_asset() -> None:
    there = {path.name for path in FOLDER.iterdir() if path.suffix not in ("", ".py")}
    assert there == set(TEXTS) >= {"index.html", "app.css", "app.js"}


def test_types_are_those_that_a_browser_insists_on() -> None:
    types = {name.rpartition(".")[2]: asset.media_type for name, asset in assets().items()}
    assert types == {
        "html": "text/html; charset=utf-8",
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
    }


def test_what_the_page_loads_is_there() -> None:
    loaded = re.findall(r'(?:src|href)="static/([^"]+)"', TEXTS["index.html"])
    assert set(loaded) == {"app.css", "app.js"}
    for name in SCRIPTS:
        for imported in re.findall(r'from "\./([^"]+)"', TEXTS[name]):
            assert imported in TEXTS, f"{name} imports {imported}"


def test_no_script_is_left_unused() -> None:
    imported = {one for name in SCRIPTS for one in re.findall(r'"\./([^"]+)"', TEXTS[name])}
    assert imported == set(SCRIPTS) - {"app.js"}


def test_nothing_comes_from_elsewhere() -> None:
    found = {
        url for text in TEXTS.values() for url in re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text)
    }
    assert found == {"http://www.w3.org"}  # the name of SVG, never asked for


def test_nothing_is_inline() -> None:
    page = TEXTS["index.html"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.S) == [""]


def test_the_policy_lets_nothing_else_in() -> None:
    assert POLICY.startswith("default-src 'none'")
    assert "unsafe" not in POLICY and "http" not in POLICY and "*" not in POLICY


@pytest.mark.parametrize("name", SCRIPTS)
def test_text_is_never_parsed_and_nothing_is_stored(name: str) -> None:
    never = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|localStorage|"
    never += r"sessionStorage|indexedDB|document\.cookie|new Function"
    assert not re.search(never, TEXTS[name])


@pytest.mark.parametrize("name", SCRIPTS)
def test_elements_by_name_exist(name: str) -> None:
    names = set(re.findall(r'\$\("([\w-]+)"\)', TEXTS[name]))
    there = set(re.findall(r'\sid="([\w-]+)"', TEXTS["index.html"]))
    assert names <= there
