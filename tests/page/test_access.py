"""For everybody: by keyboard, with a screen reader, in light and dark, on a phone, with a token."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Open = Callable[..., Any]
Images = dict[str, Path]
PHONE = (360, 740)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Any) -> list[str]:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    options = {"resultTypes": ["violations"], "runOnly": RULES}
    found = axe.Axe().run(page, options=options).response["violations"]
    return [f"{one['id']}: {[node['html'][:120] for node in one['nodes']]}" for one in found]


@pytest.mark.parametrize(
    ("scheme", "size"), [("light", (1280, 800)), ("dark", (1280, 800)), ("light", PHONE)]
)
def test_axe_finds_nothing(visit: Open, images: Images, scheme: str, size: tuple[int, int]) -> None:
    one = visit(scheme=scheme, size=size, touch=size == PHONE)
    assert violations(one.page) == []
    one.add(images["image.png"], images["broken.jpg"])
    one.page.click("#heat")
    one.page.wait_for_selector("#heat-bar:not([hidden])")
    assert violations(one.page) == []
    one.page.locator(".image").nth(1).click()
    assert violations(one.page) == []
    one.page.click("#help-button")
    assert violations(one.page) == []


def answering(body: str) -> Callable[[Any], None]:
    return lambda route: route.fulfill(body=body)


def test_axe_finds_nothing_in_warnings(visit: Open, images: Images) -> None:
    one = visit(scheme="dark")
    one.page.click("#theme")  # to light, by hand
    for unlike in ("true", "false"):
        body = (
            '{"decision": "NORMAL", "probabilities": {"NORMAL": 0.5, "PNEUMONIA": 0.5},'
            '"calibrated": {"NORMAL": 0.6, "PNEUMONIA": 0.4}, "probability": 0.4,'
            '"status": "abstains", "not_judged": [], "thresholds": [0.5],'
            '"most_probable": "NORMAL",'
            f'"confident": false, "out_of_distribution": {unlike}, "reason": "not confident"}}'
        )
        one.page.route("**/predict", answering(body))
        one.add(images["image.png"])
        assert violations(one.page) == []


def test_all_by_keyboard(visit: Open, images: Images) -> None:
    one = visit()
    page, press = one.page, one.page.keyboard.press
    reached = set()
    for _ in range(8):
        press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"theme", "help-button", "add", "choose"} <= reached
    with page.expect_file_chooser() as chooser:
        one.settle()  # a key may overtake the word to Chromium that the chooser is awaited
        press("o")
    chooser.value.set_files([str(images["image.png"]), str(images["16-bit.dcm"])])
    one.wait_read(2)

    assert one.text("position") == "1 of 2"
    press("n")
    assert one.text("position") == "2 of 2" and "dcm" in one.text("file-name")
    press("i")
    assert page.locator("#invert").get_attribute("aria-pressed") == "true"
    before = one.text("zoom")
    press("+")
    assert one.text("zoom") != before
    press("0")
    assert one.text("zoom") == before
    press("h")
    page.wait_for_selector("#heat-bar:not([hidden])")

    page.focus("#previous")
    for _ in range(40):  # onto the image, through its tools
        press("Tab")
        if page.evaluate("document.activeElement.id") == "canvas":
            break
    assert page.evaluate("document.activeElement.id") == "canvas"
    still, centre = one.pixels(), one.text("centre-out")
    press("ArrowRight")
    assert (one.pixels() != still).any() and one.text("centre-out") == centre
    press("Shift+ArrowUp")
    assert one.text("centre-out") != centre
    press("r")
    assert one.text("centre-out") == centre

    press("?")
    assert page.locator("#help").is_visible()
    press("Escape")
    assert page.locator("#help").is_hidden()
    assert page.evaluate("document.activeElement.id") == "canvas"


def test_the_focus_is_seen(visit: Open, images: Images) -> None:
    one = visit()
    one.add(images["image.png"])
    seen = 0
    for _ in range(60):
        one.page.keyboard.press("Tab")
        width, name = one.page.evaluate(
            """() => {
                const now = document.activeElement;
                const shown = now.name === "tool" ? now.nextElementSibling : now;
                return [parseFloat(getComputedStyle(shown).outlineWidth), now.tagName];
            }"""
        )
        if name == "BODY":
            break
        assert width >= 2, one.page.evaluate("document.activeElement.outerHTML")[:200]
        seen += 1
    assert seen >= 20


def test_single_keys_can_be_switched_off(visit: Open, images: Images) -> None:
    one = visit()
    one.add(images["image.png"])
    one.page.click("#help-button")
    one.page.click("#keys-on")
    one.page.click("#help-close")
    one.page.keyboard.press("i")
    assert one.page.locator("#invert").get_attribute("aria-pressed") == "false"
    one.page.focus("#canvas")
    one.page.keyboard.press("i")  # what has the focus may listen
    assert one.page.locator("#invert").get_attribute("aria-pressed") == "true"


def test_results_are_told_to_screen_readers(visit: Open, images: Images) -> None:
    one = visit()
    one.add(images["image.png"], images["broken.jpg"])
    status = one.page.locator("#announce")
    assert status.get_attribute("aria-live") == "polite"
    assert "Images read: 1. Not readable: 1." in status.inner_text()
    one.page.keyboard.press("p")
    one.page.locator(".image").first.click()
    assert "Decision: " in status.inner_text()
    assert "256 pixels" in one.page.locator("#canvas").get_attribute("aria-label")


def test_a_phone_needs_no_sideways_scrolling(visit: Open, images: Images) -> None:
    one = visit(size=PHONE, touch=True)
    assert one.sideways() == 0
    one.add(images["image.png"], images["16-bit.dcm"], images["broken.jpg"])
    one.page.click("#heat")
    one.page.wait_for_selector("#heat-bar:not([hidden])")
    assert one.sideways() == 0
    one.page.set_viewport_size({"width": 320, "height": 568})  # 1280 pixels at 400 %
    assert one.sideways() == 0


def test_targets_are_large_enough_for_fingers(visit: Open, images: Images) -> None:
    one = visit(size=PHONE, touch=True)
    one.add(images["image.png"])
    small = one.page.evaluate(
        """() => [...document.querySelectorAll("button, select, summary")]
            .filter(one => one.offsetParent)
            .filter(one => { const box = one.getBoundingClientRect();
                             return Math.min(box.width, box.height) < 36; })
            .map(one => one.outerHTML.slice(0, 100))"""
    )
    assert small == []


def test_two_fingers_zoom(visit: Open, images: Images) -> None:
    one = visit(size=PHONE, touch=True)
    one.add(images["image.png"])
    one.page.locator("#canvas").scroll_into_view_if_needed()
    box = one.page.locator("#canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = int(one.text("zoom").split()[0])
    touch = one.page.context.new_cdp_session(one.page)
    for kind, apart in (("touchStart", 30), ("touchMove", 60), ("touchMove", 90)):
        points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    one.settle()
    assert int(one.text("zoom").split()[0]) == pytest.approx(3 * before, rel=0.1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system_and_the_button(visit: Open, scheme: str) -> None:
    one = visit(scheme=scheme)

    def lightness() -> int:
        colour = one.page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour[4:-1].split(","))

    at_first = lightness()
    assert (at_first > 600) == (scheme == "light")
    one.page.click("#theme")
    assert (lightness() > 600) != (scheme == "light")


def test_a_token_is_asked_for_once(visit: Open, images: Images, token: str) -> None:
    one = visit("guarded", ready=False)
    one.page.wait_for_selector("#token-form:not([hidden])")
    assert "needs its token" in one.text("halt-message")
    assert violations(one.page) == []
    one.page.fill("#token", "wrong")
    one.page.keyboard.press("Enter")
    one.page.get_by_text("not the right one").wait_for()
    one.page.fill("#token", token)
    one.page.keyboard.press("Enter")
    one.page.wait_for_selector("body[data-ready]", state="attached")
    assert one.page.locator("#halt").is_hidden()
    one.add(images["image.png"])
    assert one.page.locator(".decided").is_visible()
    assert token not in one.page.content()
