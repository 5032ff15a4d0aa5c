"""What is saved can be read elsewhere."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.frames import BOX, SCORE, frame_line

Open = Callable[..., Any]
Images = dict[str, Path]


@pytest.fixture
def shown(visit: Open, images: Images) -> Any:
    one = visit()
    one.add(images["image.png"], images["broken.jpg"])
    return one


def saved(one: Any, button: str) -> tuple[str, bytes]:
    with one.page.expect_download() as download:
        one.page.click(f"#{button}")
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_json(shown: Any, images: Images) -> None:
    name, data = saved(shown, "save-json")
    told = json.loads(data)
    assert name == "b image.cxr.json" and told["file"] == images["image.png"].name
    assert sum(told["calibrated"].values()) == pytest.approx(1, abs=1e-5)
    assert told["research_use_only"] is True and "not a medical device" in told["disclaimer"]
    assert re.fullmatch("[0-9a-f]{64}", told["model"]["digest"])


def test_all_results(shown: Any) -> None:
    name, data = saved(shown, "save-all")
    told = json.loads(data)
    assert name == "cxr-results.json" and len(told["images"]) == 2
    assert "decision" in told["images"][0] and "cannot be read" in told["images"][1]["error"]


def test_png_with_the_heat_map(shown: Any) -> None:
    plain = rgb(saved(shown, "save-png")[1])
    assert plain.shape == (1754, 1240, 3)
    shown.page.click("#heat")
    shown.page.wait_for_selector("#heat-bar:not([hidden])")
    warm = rgb(saved(shown, "save-png")[1])
    area = slice(400, 1000), slice(200, 1000)  # below what is not judged, which comes first
    assert (np.ptp(plain[area], axis=2) <= 2).all() and plain[area].std() > 20
    assert (np.ptp(warm[area], axis=2) > 20).any()


def rgb(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def test_pdf(shown: Any) -> None:
    name, data = saved(shown, "save-pdf")
    assert name == "b image.cxr.pdf" and data.startswith(b"%PDF-1.4")
    start = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", data)[1])
    rows = re.findall(rb"(\d{10}) (\d{5}) ([nf]) \n", data[start:])
    for number, (place, _, kind) in enumerate(rows):
        if kind == b"n":
            assert data[int(place) :].startswith(b"%d 0 obj" % number)
    image = re.search(rb"/DCTDecode /Length (\d+) >>\nstream\n", data)
    jpeg = data[image.end() : image.end() + int(image[1])]
    assert Image.open(io.BytesIO(jpeg)).size == (1240, 1754)
    content = re.search(rb"<< /Length (\d+) >>\nstream\n", data)
    words = data[content.end() : content.end() + int(content[1])]
    assert (
        words.endswith(b"ET")
        and b"Research use only." in words
        and b"Decision of the model" in words
    )


def test_the_sheet_speaks_of_a_heat_map_only_where_it_shows_one(shown: Any) -> None:
    shown.page.click("#heat")
    shown.page.wait_for_selector("#heat-bar:not([hidden])")
    assert b"not a lesion finder" in saved(shown, "save-pdf")[1]
    shown.page.click("#heat-hide")
    assert b"not a lesion finder" not in saved(shown, "save-pdf")[1]


def test_the_sheet_shows_the_frame_with_the_heat_map(visit: Open, images: Images) -> None:
    one = visit()
    one.page.route("**/predict", framed)
    one.page.route("**/explain", framed)
    one.add(images["image.png"])
    assert not frame_line(rgb(saved(one, "save-png")[1]), 40).any()
    one.page.click("#heat")
    one.page.wait_for_selector("#heat-bar:not([hidden])")
    assert frame_line(rgb(saved(one, "save-png")[1]), 40).sum() > 500
    assert b"what the model saw" in saved(one, "save-pdf")[1]
    assert json.loads(saved(one, "save-json")[1])["frame"] == list(BOX)


def framed(route: Any) -> None:
    """The server's answer, as a model of lungs would give it."""
    route.fulfill(json={**route.fetch().json(), "frame": BOX, "frame_score": SCORE})


def test_text_of_any_script_does_not_break_the_pdf(
    visit: Open, images: Images, tmp_path: Path
) -> None:
    path = tmp_path / "снимок (1) \\ 胸部 é.png" if Path("/").drive == "" else tmp_path / "胸部.png"
    path.write_bytes(images["image.png"].read_bytes())
    one = visit()
    one.add(path)
    _, data = saved(one, "save-pdf")
    start = int(re.search(rb"startxref\n(\d+)\n", data)[1])
    assert data[start:].startswith(b"xref\n0 8\n")
