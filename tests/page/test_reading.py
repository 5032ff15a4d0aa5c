"""Images in, answers out: what a reader does, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.frames import BOX, frame_line

Open = Callable[..., Any]
Images = dict[str, Path]

RECORD = {
    "status": "confident",
    "not_judged": [],
    "thresholds": {"PNEUMONIA": 0.4},
    "most_probable": "PNEUMONIA",
    "decision": "PNEUMONIA",
    "probabilities": {"NORMAL": 0.2, "PNEUMONIA": 0.8},
    "calibrated": {"NORMAL": 0.06, "PNEUMONIA": 0.94},
    "probability": 0.94,
    "confident": True,
    "out_of_distribution": False,
    "reason": "",
}


def answer(visit: Any, path: str, *bodies: Any, status: int = 200, **headers: str) -> None:
    """What the server says to `path` from now on; of several, each once, then itself again."""
    left = list(bodies)

    def fulfil(route: Any) -> None:
        if not left:
            route.continue_()
            return
        body = left[0] if len(bodies) == 1 else left.pop(0)
        route.fulfill(status=status, body=json.dumps(body), headers=headers)

    visit.page.route(f"**/{path}", fulfil)


def grey_only(pixels: np.ndarray) -> bool:
    return bool((np.ptp(pixels[..., :3].astype(int), axis=2) <= 2).all())


def test_research_use_and_the_population_come_first(visit: Open) -> None:
    one = visit()
    notice = one.page.locator(".notice").first
    assert notice.bounding_box()["y"] == 0
    assert "Research use only." in notice.inner_text()
    assert "computed images of no patient at all" in notice.inner_text()
    assert one.page.locator("#choose").is_visible()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("image.jpg", "JPEG"), ("image.png", "PNG"), ("16-bit.png", "PNG"), ("16-bit.dcm", "DICOM")],
)
def test_a_dropped_image_is_read_and_shown(
    visit: Open, images: Images, name: str, kind: str
) -> None:
    one = visit()
    one.drop(images[name])
    assert one.text("image-size").endswith(kind)
    assert one.page.locator(".decided").inner_text() in ("NORMAL", "PNEUMONIA")
    assert "operating threshold for PNEUMONIA: 0.4." in one.text("decision")
    assert "Not judged: whether it is unlike the training images" in one.text("warnings")
    assert one.page.locator(".hundred, .classes").count() == 0, "no dots, no percentages"
    assert "%" not in one.text("decision")
    assert images[name].name in one.text("file-name")
    pixels = one.pixels()
    assert grey_only(pixels) and pixels[..., 0].std() > 20


def test_sixteen_bits_arrive_in_full(visit: Open, images: Images) -> None:
    one = visit()
    one.add(images["16-bit.dcm"])
    assert int(one.page.locator("#centre").get_attribute("max")) > 2000
    at_first = one.pixels()
    one.slide("width", 40)  # of 4,096: steps that 8 bits do not have
    one.slide("centre", 1500)
    assert one.text("width-out") == "40"
    assert len(np.unique(one.pixels()[..., 0])) > 30
    one.page.click("#reset")
    np.testing.assert_array_equal(one.pixels(), at_first)


def test_window_by_drag_preset_and_invert(visit: Open, images: Images) -> None:
    one = visit()
    one.add(images["16-bit.dcm"])
    box = one.page.locator("#canvas").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    first = one.pixels()
    one.page.mouse.move(*middle)
    one.page.mouse.down()
    one.page.mouse.move(middle[0], middle[1] - 60)
    one.page.mouse.up()
    assert one.pixels()[..., 0].mean() > first[..., 0].mean()  # up is brighter
    assert one.page.locator("#preset").input_value() == "custom"
    seen = []
    for preset in ("default", "lungs", "dense", "full"):
        one.page.select_option("#preset", preset)
        seen.append(one.pixels()[..., 0].mean())
    assert len(set(seen)) == 4 and seen[1] > seen[2]  # lungs brighter, bones darker
    one.page.select_option("#preset", "default")
    one.page.click("#invert")
    assert one.page.locator("#invert").get_attribute("aria-pressed") == "true"
    shown = first[..., 3] > 0
    np.testing.assert_allclose(one.pixels()[shown][:, 0], 255.0 - first[shown][:, 0], atol=2)


def test_zoom_and_pan(visit: Open, images: Images) -> None:
    one = visit()
    one.add(images["image.png"])
    fitted, shown = one.text("zoom"), one.pixels()
    one.page.hover("#canvas")
    one.page.mouse.wheel(0, -300)
    one.settle()
    assert one.text("zoom") != fitted and (one.pixels() != shown).any()
    one.page.click("#fit")
    assert one.text("zoom") == fitted
    one.page.get_by_text("Pan", exact=True).click()
    box = one.page.locator("#canvas").bounding_box()
    one.page.mouse.move(box["x"] + 200, box["y"] + 200)
    one.page.mouse.down()
    one.page.mouse.move(box["x"] + 300, box["y"] + 200)
    one.page.mouse.up()
    np.testing.assert_allclose(one.pixels()[:, 100:, 0], shown[:, :-100, 0], atol=2)


def test_a_broken_file_harms_no_other(visit: Open, images: Images) -> None:
    one = visit()
    one.drop(images["broken.jpg"], images["image.png"])
    assert one.states()[0] == "not readable"
    assert "cannot be read as an image" in one.text("warnings")
    one.page.locator(".image").nth(1).click()
    assert one.page.locator(".decided").is_visible()
    assert one.page.locator(".box.error").count() == 0


def test_what_is_no_image_at_all(visit: Open, tmp_path: Path) -> None:
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "words.txt").write_text("no image")
    one = visit()
    one.add(tmp_path / "empty.dcm", tmp_path / "words.txt")
    assert one.states() == ["not readable", "not readable"]
    assert "empty" in one.text("warnings")


def test_ten_at_once_two_at_a_time(visit: Open, images: Images) -> None:
    one = visit()
    going, most = set(), [0]

    def begin(request: Any) -> None:
        if request.method == "POST":
            going.add(request)
            most.append(len(going))

    one.page.on("request", begin)
    one.page.on("requestfinished", lambda request: going.discard(request))
    one.drop(*(images[f"{i}.png"] for i in range(10)))
    assert max(most) == 2
    assert "Images read: 10." in one.page.locator("#announce").inner_text()
    assert one.page.locator("#count").inner_text() == "(10)"
    assert all(state.split(": ")[-1] in ("NORMAL", "PNEUMONIA") for state in one.states())
    for i in (9, 0):  # the pixels of the first were let go meanwhile
        one.page.locator(".image").nth(i).click()
        one.page.wait_for_selector("#canvas:not([hidden])")
        assert one.text("position") == f"{i + 1} of 10"
        assert one.pixels()[..., 0].std() > 20


def test_heat_map_over_the_image(visit: Open, images: Images) -> None:
    one = visit()
    one.add(images["image.jpg"])
    assert grey_only(one.pixels())
    one.page.click("#heat")
    one.page.wait_for_selector("#heat-bar:not([hidden])")
    one.settle()  # the image makes room for the slider
    warm = one.pixels()
    assert not grey_only(warm)
    assert "not a lesion finder" in one.text("heat-note")
    assert "PNEUMONIA" in one.text("legend-text")
    one.slide("opacity", 100)
    assert one.text("opacity-out") == "100 %"
    full = one.pixels().astype(int)
    one.slide("opacity", 0)
    plain = one.pixels()
    assert grey_only(plain)
    assert np.abs(full - plain).sum() > np.abs(warm.astype(int) - plain).sum()
    one.page.click("#heat-hide")
    assert one.page.locator("#heat").inner_text() == "Show heat map"


def test_warnings_come_before_the_answer(visit: Open, images: Images) -> None:
    one = visit()
    reason = "unlike the training images (distance 3.1 times their limit)"
    answer(
        one,
        "predict",
        {
            **RECORD,
            "status": "out of distribution",
            "confident": False,
            "out_of_distribution": True,
            "reason": reason,
        },
    )
    one.add(images["image.png"])
    warning, decision = one.page.locator(".box.grave"), one.page.locator(".decided")
    assert warning.bounding_box()["y"] < decision.bounding_box()["y"]
    assert "distance 3.1 times" in warning.inner_text()
    assert "Disregard" in one.text("decision") and "of 100" not in one.text("decision")
    assert "Unlike" in one.page.locator("#announce").inner_text()
    assert one.states() == ["unlike the training images"]


def test_a_prediction_without_confidence(visit: Open, images: Images) -> None:
    one = visit()
    reason = "the prediction set holds several classes: it may be NORMAL or PNEUMONIA"
    answer(one, "predict", {**RECORD, "status": "abstains", "confident": False, "reason": reason})
    one.add(images["image.png"])
    assert "The model is not confident" in one.text("warnings")
    assert "it may be NORMAL or PNEUMONIA." in one.text("warnings")
    assert "abstains" in one.text("decision")


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.94, "about 94 would show PNEUMONIA"),
        (0.001, "fewer than 1 would show"),
        (0.9999, "more than 99"),
    ],
)
def test_natural_frequencies_are_never_none_nor_all(
    visit: Open, images: Images, share: float, words: str
) -> None:
    one = visit()
    shares = {"NORMAL": 1 - share, "PNEUMONIA": share}
    answer(one, "predict", {**RECORD, "calibrated": shares, "probability": share})
    one.add(images["image.png"])
    assert words in one.text("decision")


@pytest.mark.parametrize("kind", ["none", "unchanged"])
def test_no_frequency_without_calibration(visit: Open, images: Images, kind: str) -> None:
    one = visit()
    facts = one.page.evaluate("fetch('model').then(answer => answer.json())")
    answer(one, "model", {**facts, "calibration": kind})
    one.page.reload()
    one.page.wait_for_selector("body[data-ready]", state="attached")
    answer(one, "predict", RECORD)
    one.add(images["image.png"])
    assert "not calibrated" in one.text("decision") and "of 100" not in one.text("decision")
    assert one.page.locator(".hundred").count() == 0 and "%" not in one.text("decision")


def test_similar_training_images(visit: Open, images: Images) -> None:
    import base64

    shown = base64.b64encode(images["image.png"].read_bytes()).decode()
    case = {"label": "NORMAL", "distance": 0.25, "image": shown}
    one = visit()
    why = {**RECORD, "explained": "PNEUMONIA", "method": "a test", "heat": shown}
    answer(one, "explain", {**why, "similar": [case, case]})
    one.add(images["image.png"])
    assert one.page.locator("#similar").is_hidden()
    one.page.click("#heat")
    one.page.wait_for_selector("#similar:not([hidden])")
    assert one.page.locator("#similar-list li").all_inner_texts()[0].split() == [
        "NORMAL", "distance", "0.25",
    ]  # fmt: skip


def test_a_busy_server_is_asked_again(visit: Open, images: Images) -> None:
    one = visit()
    tries: list[str] = []

    def busy_once(route: Any) -> None:
        tries.append(route.request.url)
        if len(tries) == 1:
            body = json.dumps({"detail": "busy"})
            route.fulfill(status=429, body=body, headers={"Retry-After": "1"})
        else:
            route.continue_()

    one.page.route("**/predict", busy_once)
    one.add(images["image.png"], wait=False)
    one.page.get_by_text("server busy, again in 1 s").first.wait_for()
    one.wait_read(1)
    assert len(tries) == 2 and one.page.locator(".decided").is_visible()


def test_a_server_that_is_gone_and_comes_back(visit: Open, images: Images) -> None:
    one = visit()
    one.page.route("**/*", lambda route: route.abort("connectionrefused"))
    one.add(images["image.png"], images["image.jpg"], wait=False)
    one.page.wait_for_selector("#halt:not([hidden])")
    assert "does not answer" in one.text("halt-message")
    assert one.states() == ["waiting", "waiting"]
    one.page.unroute_all()
    one.page.click("#again")
    one.wait_read(2)
    assert one.page.locator("#halt").is_hidden()
    assert all(state.split(": ")[-1] in ("NORMAL", "PNEUMONIA") for state in one.states())


def test_too_large_a_file(visit: Open, images: Images) -> None:
    one = visit()
    answer(one, "predict", {"detail": "at most 64 MB are taken"}, status=413)
    one.add(images["image.png"])
    assert "too large" in one.text("warnings") and "At most 64 MB" in one.text("warnings")


def test_a_failed_server_may_be_tried_again(visit: Open, images: Images) -> None:
    one = visit()
    answer(one, "predict", {"detail": "failed"}, status=500)
    one.add(images["image.png"])
    assert one.states() == ["failed"]
    one.page.unroute_all()
    one.page.get_by_role("button", name="Try again").click()
    one.page.wait_for_selector(".decided")


def test_names_and_words_of_others_are_only_text(
    visit: Open, images: Images, tmp_path: Path
) -> None:
    path = tmp_path / "<img src=x onerror=alert(1)>.png"
    path.write_bytes(images["image.png"].read_bytes())
    one = visit()
    answer(one, "predict", {**RECORD, "status": "not judged", "not_judged": ["<b>bold</b>"]})
    one.add(path)
    assert path.name in one.text("file-name")
    assert "<b>bold</b>" in one.text("warnings")
    assert one.page.locator("main img, main b:has-text('bold')").count() == 0


def test_the_file_name_is_never_sent(visit: Open, images: Images, tmp_path: Path) -> None:
    path = tmp_path / "Mueller_Erika_1950.png"
    path.write_bytes(images["image.png"].read_bytes())
    one = visit()
    one.add(path)
    one.page.click("#heat")
    one.page.wait_for_selector("#heat-bar:not([hidden])")
    sent = [request for request in one.asked if request.method == "POST"]
    assert {request.url.rpartition("/")[2] for request in sent} == {"predict", "image", "explain"}
    for request in sent:
        told = f"{request.url} {request.all_headers()}"
        assert "Mueller" not in told
        assert request.all_headers()["content-type"] == "application/octet-stream"


def test_clear_forgets_all(visit: Open, images: Images) -> None:
    one = visit()
    one.add(images["image.png"], images["image.jpg"])
    one.page.click("#clear")
    assert one.page.locator(".image").count() == 0
    assert one.page.locator("#landing").is_visible() and one.page.locator("#about").is_visible()
    assert one.page.locator("#canvas").is_hidden()
    stored = "[localStorage.length, sessionStorage.length, document.cookie]"
    assert one.page.evaluate(stored) == [0, 0, ""]


def test_a_real_dicom_image(visit: Open, shared_data: Path) -> None:
    one = visit()
    one.add(shared_data / "dicom" / "chest_cr_monochrome1_jpeg2000.dcm")
    assert one.text("image-size").endswith("DICOM")
    assert one.pixels()[..., 0].std() > 20


def explained(one: Any, **changes: Any) -> None:
    """The heat map without any heat, so that what is drawn is the frame alone."""
    from base64 import b64encode
    from io import BytesIO

    from PIL import Image

    file = BytesIO()
    Image.new("L", (256, 256)).save(file, "PNG")
    heat = b64encode(file.getvalue()).decode()
    facts = {"explained": "PNEUMONIA", "method": "a test", "heat": heat, "similar": []}
    answer(one, "explain", {**RECORD, **facts, **changes})


@pytest.mark.parametrize("size", [(1300, 800), (400, 800)])
def test_the_frame_comes_and_goes_with_the_heat_map(
    visit: Open, images: Images, size: tuple[int, int]
) -> None:
    one = visit(size=size)
    seen = {"frame": BOX, "frame_score": 0.97}
    answer(one, "predict", {**RECORD, **seen})
    explained(one, **seen, outside_lungs=0.424)
    one.add(images["image.png"])
    plain = one.pixels()
    assert not frame_line(plain, 40).any()
    one.page.click("#heat")
    one.page.wait_for_selector("#heat-bar:not([hidden])")
    assert one.page.get_by_text("seen by the model").is_visible()
    assert "The frame holds what the model saw" in one.text("heat-note")
    assert "About 42 % of the colour lies outside the lungs." in one.text("heat-note")
    drawn = one.pixels()
    rows, columns = np.nonzero(frame_line(drawn, 40))
    image_rows, image_columns = np.nonzero(drawn[..., 3] > 0)
    for line, whole, (low, high) in (
        (rows, image_rows, (BOX[1], BOX[3])),
        (columns, image_columns, (BOX[0], BOX[2])),
    ):
        start, length = whole.min(), np.ptp(whole) + 1
        shares = (line.min() - start) / length, (line.max() + 1 - start) / length
        np.testing.assert_allclose(shares, (low, high), atol=4 / length)
    one.page.click("#heat-hide")
    assert not frame_line(one.pixels(), 40).any()
    assert one.sideways() == 0


def test_a_model_of_the_whole_image_has_no_frame(visit: Open, images: Images) -> None:
    one = visit()
    explained(one, frame=None, frame_score=None)
    one.add(images["image.png"])
    one.page.click("#heat")
    one.page.wait_for_selector("#heat-bar:not([hidden])")
    assert not one.page.get_by_text("seen by the model").is_visible()
    assert "frame" not in one.text("heat-note") and not frame_line(one.pixels(), 40).any()


@pytest.mark.parametrize("unlike", [False, True])
def test_an_image_without_lungs_says_so_first(visit: Open, images: Images, unlike: bool) -> None:
    one = visit()
    gap = "no lungs were found in the image, so the whole image was taken"
    status = "out of distribution" if unlike else "not judged"
    doubt = {"status": status, "not_judged": [gap], "confident": False}
    doubt |= {"out_of_distribution": unlike, "reason": "unlike them" if unlike else ""}
    whole = {"frame": [0, 0, 1, 1], "frame_score": 0.02}
    answer(one, "predict", {**RECORD, **doubt, **whole})
    explained(one, **whole)
    one.add(images["image.png"])
    titles = one.page.locator(".box h3").all_inner_texts()
    assert titles == ["Unlike the images this model was trained on"] * unlike + [
        f"Not judged: {gap}"
    ]
    assert one.states() == ["unlike the training images" if unlike else "not judged: PNEUMONIA"]
    assert "of 100 images" not in one.text("decision")
    brief = one.page.locator("#brief").text_content()  # shown on small screens
    assert brief == titles[0]
    one.page.click("#heat")
    one.page.wait_for_selector("#heat-bar:not([hidden])")
    assert not frame_line(one.pixels(), 40).any()
