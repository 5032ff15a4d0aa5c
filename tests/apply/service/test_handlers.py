"""Images in, predictions out; damaged uploads are answered or refused, and never kept."""

from __future__ import annotations

import random
import struct
import zlib
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cxr.apply.decision.confidence import rules_in_words
from cxr.apply.explain.overlay import box_in_pixels
from cxr.apply.predictor import Predictor
from cxr.apply.service import Limits, Service, make_app
from cxr.errors import ImageError
from cxr.pixels import load_grey
from cxr.pixels.display import load_for_display
from helpers.damage import damaged
from helpers.frames import BOX, SCORE, find_lungs, frame_line

Form = Callable[..., tuple[bytes, str]]
UPLOADS = 300


def test_one_image_is_answered_as_the_predictor_does(
    ask: Any, predictor: Predictor, films: list[Path], form: Form
) -> None:
    for file in films:
        (prediction,) = predictor.predictions(predictor.pixels(file)[np.newaxis])
        body, kind = form((file.name, file.read_bytes()))
        for found in (
            ask.post("/predict", file.read_bytes()),
            ask.post("/predict", body, content_type=kind),
        ):
            assert found.status == 200, found.body
            said = found.json
            for key, value in prediction.as_json().items():
                value = list(value) if key == "not_judged" else value
                close = pytest.approx(value, abs=1e-6) if isinstance(value, float | dict) else value
                assert said.pop(key) == close
            assert said == {
                "classes": ["NORMAL", "PNEUMONIA"],
                "population": "not stated",
                "research_use_only": True,
                "model": {"name": "tiny", "digest": predictor.digest},
            }


def test_several_are_answered_in_order_with_the_bad_ones(
    ask: Any, films: list[Path], form: Form
) -> None:
    names = ["ä b.png", "broken", "c"]
    body, kind = form(
        *zip(names, [films[0].read_bytes(), b"no image", films[1].read_bytes()], strict=True)
    )
    found = ask.post("/predict", body, content_type=kind)
    assert found.status == 200
    first, broken, last = found.json["predictions"]
    assert [one["name"] for one in (first, broken, last)] == names
    assert set(broken) == {"name", "error"} and "not an image" in broken["error"]
    alone = ask.post("/predict", films[1].read_bytes()).json
    assert last["decision"] == alone["decision"]
    assert last["calibrated"] == pytest.approx(alone["calibrated"], abs=1e-5)


@pytest.mark.parametrize("body", [b"", b"not an image", b"\xff\xd8\xff damaged", b"\x89PNG\r\n"])
@pytest.mark.parametrize("path", ["/predict", "/explain", "/image"])
def test_what_is_no_image_is_told_why(ask: Any, path: str, body: bytes) -> None:
    found = ask.post(path, body)
    assert found.status == 422 and found.json["detail"]


def test_a_bomb_is_refused_by_its_head(ask: Any) -> None:
    head = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(10_000_000))), (b"IEND", b"")]
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    found = ask.post("/predict", bomb)
    assert found.status == 422 and "400 megapixels" in found.json["detail"]


def test_forms_are_bounded(
    predictor: Predictor, films: list[Path], form: Form, asking: Any
) -> None:
    image = films[0].read_bytes()
    with asking(make_app(predictor, limits=Limits(files=2))) as ask:
        for path, n in (("/predict", 3), ("/explain", 2), ("/image", 2)):
            body, kind = form(*[("a", image)] * n)
            assert ask.post(path, body, content_type=kind).status == 400
        body, kind = form(("a", image), field="image")
        misnamed = ask.post("/predict", body, content_type=kind)
        assert misnamed.status == 400 and "`file`" in misnamed.json["detail"]
        other = ask.post("/predict", body, content_type="multipart/mixed; boundary=x")
        assert other.status == 415


def test_an_explanation_lies_over_the_whole_image(ask: Any, predictor: Predictor) -> None:
    file = BytesIO()
    grey = np.random.default_rng(0).integers(0, 256, (30, 20), np.uint8)
    Image.fromarray(grey).resize((1000, 1500)).save(file, "PNG")
    found = ask.post("/explain", file.getvalue())
    assert found.status == 200
    said = found.json
    alone = ask.post("/predict", file.getvalue()).json
    assert said["calibrated"] == pytest.approx(alone["calibrated"], abs=1e-6)
    assert said["explained"] == "PNEUMONIA" and said["method"] and said["similar"] == []
    assert 0 <= said["between_lungs"] <= said["outside_lungs"] <= 1
    heat = Image.open(BytesIO(b64decode(said["heat"])))
    assert (heat.mode, heat.size) == ("L", (683, 1024))
    expected, _, _ = predictor.heat_map(predictor.pixels(file.getvalue()))
    down = np.asarray(heat.resize((64, 64), Image.Resampling.BOX)) / 255
    assert np.abs(down - expected).mean() < 0.03


def test_an_explanation_can_be_an_image(ask: Any, films: list[Path]) -> None:
    found = ask.post("/explain", films[0].read_bytes(), accept="image/png")
    assert found.status == 200 and found.headers["content-type"] == "image/png"
    image = Image.open(BytesIO(found.body))
    assert image.mode == "RGB" and image.width > 2 * load_grey(films[0]).shape[1]


def test_a_frame_is_sent_and_the_heat_lies_in_it(
    predictor: Predictor, films: list[Path], asking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(predictor.config, frame="lungs")
    of_lungs = replace(predictor, rules=replace(predictor.rules, config=config))
    find_lungs(monkeypatch)
    with asking(make_app(of_lungs)) as ask:
        said = ask.post("/explain", films[0].read_bytes()).json
        assert (said["frame"], said["frame_score"]) == (list(BOX), SCORE)
        assert ask.post("/predict", films[0].read_bytes()).json["frame"] == list(BOX)
        heat = np.asarray(Image.open(BytesIO(b64decode(said["heat"]))))
        left, top, right, bottom = box_in_pixels(BOX, heat.shape)
        assert heat[top:bottom, left:right].max() > 200
        heat = heat.copy()
        heat[top:bottom, left:right] = 0
        assert not heat.any()
        drawn = ask.post("/explain", films[0].read_bytes(), accept="image/png").body
        assert frame_line(np.asarray(Image.open(BytesIO(drawn)))).any()
        find_lungs(monkeypatch, "none")
        drawn = ask.post("/explain", films[0].read_bytes(), accept="image/png").body
        assert not frame_line(np.asarray(Image.open(BytesIO(drawn)))).any()


def test_an_image_comes_in_its_own_depth(ask: Any, films: list[Path]) -> None:
    for file in films:
        image = load_for_display(file, 2048)
        found = ask.post("/image", file.read_bytes())
        head = found.headers
        assert found.status == 200 and head["content-type"] == "application/octet-stream"
        shape = int(head["x-image-height"]), int(head["x-image-width"])
        assert np.array_equal(np.frombuffer(found.body, "<u2").reshape(shape), image.values)
        assert int(head["x-image-max"]) == image.maximum and head["x-image-kind"] == image.kind
        window = [float(part) for part in head["x-image-window"].split(",")]
        assert window == pytest.approx([image.centre, image.width], rel=1e-5)


def test_the_model_says_what_it_is(ask: Any, predictor: Predictor) -> None:
    said = ask.get("/model").json
    assert said["digest"] == predictor.digest and said["name"] == "tiny"
    assert said["classes"] == ["NORMAL", "PNEUMONIA"] and said["positive"] == "PNEUMONIA"
    assert said["thresholds"] == {"PNEUMONIA": 0.4} and said["needs_token"] is False
    assert (
        said["rules"] == rules_in_words(predictor.rules)
        and "not a medical device" in said["disclaimer"]
    )


def test_several_labels_and_odd_names(
    write_model: Callable[..., Path], films: list[Path], asking: Any
) -> None:
    from cxr.apply.predictor import load_predictor

    names = ("Ödem", "<b>", "C")
    model = load_predictor(write_model(classes=names, multi_label=True), "torch")
    with asking(make_app(model, name="more")) as ask:
        said = ask.post("/predict", films[0].read_bytes()).json
        assert ask.get("/v2/models/more").status == 200
        metrics = ask.get("/metrics").body.decode()
    assert tuple(said["calibrated"]) == names
    assert "cxr_decisions_total{decision=" in metrics


def test_a_reason_never_quotes_more_than_the_image(ask: Any, predictor: Predictor) -> None:
    with pytest.raises(ImageError) as caught:
        predictor.pixels(b"no image")
    assert ask.post("/predict", b"no image").json == {"detail": caught.value.reason}


def test_no_upload_is_our_failure(ask: Any, app: Service, films: list[Path], form: Any) -> None:
    rng = random.Random(11)
    sources = [file.read_bytes() for file in films]
    statuses: Counter[int] = Counter()
    for n in range(UPLOADS):
        body = damaged(rng, rng.choice(sources), rng.choice(sources))
        path, headers = rng.choice(["/predict"] * 4 + ["/image"]), {}
        if n % 3 == 0:
            body, kind = form(("a", body), ("b", b"x"))
            body, headers = damaged(rng, body, body), {"content_type": kind}
        found = ask.post(path, body, **headers)
        assert found.status in (200, 400, 422), (found.status, found.body[:200])
        assert found.status == 200 or found.json["detail"]
        statuses[found.status] += 1
    assert min(statuses[200], statuses[400], statuses[422]) > 5, statuses
    assert app.memory.used == app.workers.pending == app.workers.in_background == 0
