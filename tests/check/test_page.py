from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cxr import __version__
from cxr.check import Finding, summary, write_findings
from cxr.check.page import IMAGES_A_FINDING, IMAGES_A_PAGE, OPEN, SHOWN, page
from cxr.check.result import CheckResult, DataFacts
from cxr.find.quarantine import read_quarantine

EVIL = '<script>alert("x")</script>'


class Reader(HTMLParser):
    """What a browser would see: tags with their attributes, and the text outside the style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "path":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and data.strip():
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def result(tmp_path: Path) -> Callable[..., CheckResult]:
    """`result(finding, ...)`: of a set of two classes in tmp_path / "data"."""
    facts = DataFacts(
        name="data",
        root=tmp_path / "data",
        images=1234,
        patients=567,
        classes={"NORMAL": 1000, "PNEUMONIA": 234},
        splits={"train": 1000, "valid": 234},
        checked="2025-01-31",
        seconds=10.0,
    )
    return lambda *findings: CheckResult(findings, facts)


def broken(n: int = 1) -> list[Finding]:
    return [
        Finding("unreadable", "error", f"{i} is broken", Path("a") / f"{i}.png", action="mend it")
        for i in range(n)
    ]


def write_image(
    root: Path, name: str, shape: tuple[int, int] = (300, 200), shade: int = 120
) -> str:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.full(shape, shade, np.uint8)
    grey[: shape[0] // 2] = 30
    Image.fromarray(grey).save(path)
    return name


def images_in(text: str) -> list[Image.Image]:
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)
    return [Image.open(io.BytesIO(base64.b64decode(one))) for one in found]


def showing(*names: str, **given: Any) -> Finding:
    examples = [{"path": name, "caption": f"image {i}"} for i, name in enumerate(names)]
    return Finding("shown", "warning", "look", evidence={"examples": examples}, **given)


# The files ------------------------------------------------------------------------------------


def test_writes_all_three_files(result, tmp_path):
    whole = Finding("patients-across-splits", "error", "m")
    copy, fine = (Finding(kind, kind, "m", Path("b.png")) for kind in ("warning", "info"))
    written = write_findings(result(*broken(2), whole, copy, fine), tmp_path / "new" / "out")
    assert written == tmp_path / "new" / "out" / "check.html" and written.is_file()
    rows = read_quarantine(written.parent / "quarantine.csv")
    assert [(row.path, row.code, row.severity) for row in rows] == [
        ("a/0.png", "unreadable", "error"),
        ("a/1.png", "unreadable", "error"),
        ("b.png", "warning", "warning"),
    ]


def test_the_record_is_whole_and_says_what_it_is(result, tmp_path):
    page = write_findings(result(*broken(SHOWN + 5), Finding("x", "info", "m")), tmp_path)
    read = json.loads(page.with_name("check.json").read_text(encoding="utf-8"))
    assert set(read) == {"cxr", "format", "quick", "data", "summary", "findings"}
    assert (read["cxr"], read["format"], len(read["findings"])) == (__version__, 1, SHOWN + 6)
    assert read["data"] == {
        "name": "data",
        "fingerprint": "",
        "images": 1234,
        "patients": 567,
        "classes": {"NORMAL": 1000, "PNEUMONIA": 234},
        "splits": {"train": 1000, "valid": 234},
        "checked": "2025-01-31",
    }
    counted = {name: read["summary"][name] for name in ("error", "warning", "info")}
    assert counted == {"error": SHOWN + 5, "warning": 0, "info": 1}
    assert (read["summary"]["seconds"], read["summary"]["images_per_second"]) == (10.0, 123.4)


def test_nothing_says_where_the_data_lie(result, tmp_path):
    page = write_findings(result(*broken(3), showing("a/0.png")), tmp_path / "out")
    for path in page.parent.iterdir():
        assert str(tmp_path) not in path.read_text(encoding="utf-8")


def test_numbers_that_json_does_not_know(result, tmp_path):
    evidence = {
        "auroc": {"value": float("nan"), "n": np.int64(3)},
        "ratio": np.float32(0.5),
        "places": (np.int64(1), float("inf")),
    }
    page = write_findings(result(Finding("x", "info", "m", evidence=evidence)), tmp_path)
    read = json.loads(page.with_name("check.json").read_text(encoding="utf-8"))
    assert read["findings"][0]["evidence"] == {
        "auroc": {"value": None, "n": 3},
        "ratio": 0.5,
        "places": [1, None],
    }


def test_the_list_knows_each_file_by_its_content(result, tmp_path):
    import hashlib

    (tmp_path / "data").mkdir()
    name = 'Thorax, "AP" ä.png'
    (tmp_path / "data" / name).write_bytes(b"half an image")
    found = [Finding("unreadable", "error", "m", Path(path)) for path in (name, "gone.png")]
    page = write_findings(result(*found), tmp_path / "out")
    there, gone = read_quarantine(page.with_name("quarantine.csv"))
    assert (there.path, there.bytes) == (name, 13)
    assert there.sha256 == hashlib.sha256(b"half an image").hexdigest()
    assert (gone.bytes, gone.sha256) == (None, None)


def test_every_copy_under_several_labels_is_listed_once(result, tmp_path):
    """Whether the finding comes once for all copies or once for each of them."""
    names = ["A/1.png", "B/1.png", "B/2.png"]

    def torn(name: str) -> Finding:
        copies = [other for other in names if other != name]
        return Finding("copy-across-labels", "error", name, Path(name), evidence={"copies": copies})

    for findings in ([torn("A/1.png")], [torn(name) for name in names]):
        page = write_findings(result(*findings), tmp_path / "out")
        rows = read_quarantine(page.with_name("quarantine.csv"))
        assert [row.path for row in rows] == names


def test_a_long_message_does_not_break_the_list(result, tmp_path):
    page = write_findings(
        result(Finding("x", "error", "m" * (csv.field_size_limit() + 1), Path("a.png"))), tmp_path
    )
    assert len(read_quarantine(page.with_name("quarantine.csv"))) == 1
    assert page.stat().st_size < 50_000


# The page -------------------------------------------------------------------------------------


def test_what_the_data_set_is_comes_first(result):
    seen = Reader(page(result(*broken(2)))).text
    for words in (
        "A research tool, not a medical device",
        "Check of the data set data",
        "2 errors and no warnings: mend what the errors name before you train.",
        "Images 1,234 Patients 567",
        "NORMAL 1,000 PNEUMONIA 234",
        "train 1,000 valid 234",
        f"2025-01-31, cxr {__version__} 10 s, 123 images/s",
        "2 files have errors and stand in quarantine.csv",
        "cxr train DATA --run runs/a --quarantine FOLDER/quarantine.csv",
    ):
        assert words in seen
    assert seen.index("Check of") < seen.index("What to do next") < seen.index("0 is broken")


def test_without_patients_splits_or_time(result):
    clean = result()
    facts = replace(clean.facts, patients=None, splits={}, seconds=None, classes={})
    seen = Reader(page(CheckResult((), facts))).text
    assert "Patients not known" in seen and "Splits" not in seen and "images/s" not in seen
    assert "No errors and no warnings: training can start." in seen
    assert "--quarantine" not in seen


def test_everything_is_escaped(result, tmp_path):
    (tmp_path / "data").mkdir()
    given = {"examples": [{"path": EVIL, "caption": EVIL}], "auroc_by": {EVIL: {"value": 0.7}}}
    evil = Finding(EVIL, "warning", EVIL, Path(EVIL), EVIL, given, EVIL)
    named = result(*[evil] * 20)
    text = page(replace(named, facts=replace(named.facts, name=EVIL, classes={EVIL: 1})))
    assert "<script" not in text and "&lt;script&gt;" in text
    assert not Reader(text).all("script")


def test_braces_in_a_message_stay(result):
    said = "{{ facts.root }} {% raw %} $lead"
    assert said in Reader(page(result(Finding("x", "info", said)))).text


def test_loads_nothing(result, tmp_path):
    write_image(tmp_path / "data", "1.png")
    text = page(result(*broken(), showing("1.png")))
    assert not re.search(r"url\(|@import|https?:", text)
    assert "default-src 'none'; img-src data:" in text
    seen = Reader(text)
    assert all((one["src"] or "").startswith("data:image/jpeg") for one in seen.all("img"))
    ids = {attributes.get("id") for _, attributes in seen.tags}
    links = [one["href"] or "" for one in seen.all("a")]
    assert links and all(link[0] == "#" and link[1:] in ids for link in links)


def test_headings_have_an_order(result):
    seen = Reader(page(result(*broken(), Finding("x", "warning", "m"), Finding("y", "info", "m"))))
    levels = [int(tag[1]) for tag, _ in seen.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert [len(seen.all(tag)) for tag in ("main", "header", "nav", "footer")] == [1, 1, 1, 1]


def test_codes_are_said_in_words(result):
    found = [Finding(code, "info", "m") for code in ("unreadable", "private-births", "new_check")]
    seen = Reader(page(result(*found))).text
    for words in ("Files that cannot be read", "Private data: births", "New check"):
        assert words in seen


@pytest.mark.parametrize(
    ("severities", "short", "sentence"),
    [
        ([], "no errors and no warnings", "No errors and no warnings: training can start."),
        (["info"], "no errors and no warnings", "No errors and no warnings: training can start."),
        (["error"], "1 error", "1 error and no warnings: mend what the errors name"),
        (["warning"], "1 warning", "No errors and 1 warning: training can start; weigh"),
        (["warning", "error", "warning"], "1 error, 2 warnings", "1 error and 2 warnings: mend"),
    ],
)
def test_the_verdict(result, severities, short, sentence):
    findings = [Finding("x", severity, "m") for severity in severities]
    assert summary(findings) == short
    assert sentence in Reader(page(result(*findings))).text


# How much of it is shown ----------------------------------------------------------------------


def test_findings_of_many_files_are_folded(result):
    n = SHOWN + 7
    text = page(result(*broken(n)))
    before, folded = text.split("<details>")
    assert before.count("is broken") == OPEN["cards"]
    assert folded.count("is broken") == SHOWN - OPEN["cards"]
    seen = Reader(text).text
    assert f"{n - OPEN['cards']} more" in seen and "7 more are in check.json" in seen
    assert seen.count("What to do: mend it") == 1
    assert "<details>" not in page(result(*broken(OPEN["cards"])))


def test_images_are_limited(result, tmp_path):
    names = [
        write_image(tmp_path / "data", f"{i}.png", (40, 40)) for i in range(IMAGES_A_FINDING + 5)
    ]
    assert len(images_in(page(result(showing(*names))))) == IMAGES_A_FINDING
    many = [replace(showing(*names), code=f"code{i}") for i in range(30)]
    assert len(images_in(page(result(*many)))) == IMAGES_A_PAGE


def test_the_page_stays_small_whatever_was_found(result, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    for i in range(12):
        noise = rng.integers(0, 256, (400, 400), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "data" / f"{i}.png")
    names = [f"{i}.png" for i in range(12)]
    found = [
        replace(showing(*names), code=f"code{i % 20}", message="word " * 1000, action=f"do {j}")
        for i in range(20)
        for j in range(300)
    ]
    assert len(page(result(*found)).encode()) < 3_000_000  # noise is the worst of images


# Images and bars ----------------------------------------------------------------------------


def test_thumbnails_keep_the_shape_and_the_greys(result, tmp_path):
    write_image(tmp_path / "data", "tall.png", (600, 300), shade=200)
    write_image(tmp_path / "data", "small.png", (48, 64))
    tall, small = images_in(page(result(showing("tall.png", "small.png"))))
    assert (tall.size, small.size) == ((80, 160), (64, 48))
    assert tall.mode == "L"
    assert abs(tall.getpixel((40, 20)) - 30) < 6 and abs(tall.getpixel((40, 140)) - 200) < 6


def test_each_image_has_a_caption_and_its_name(result, tmp_path):
    write_image(tmp_path / "data", "NORMAL/1.png")
    shown = replace(showing("NORMAL/1.png"), path=Path("NORMAL/1.png"))
    seen = Reader(page(result(shown)))
    assert len(seen.all("img")) == 1  # the file itself is among the images already
    assert seen.all("img")[0]["alt"] == "image 0"
    assert "image 0 NORMAL/1.png" in seen.text


def test_a_copy_stands_beside_its_original(result, tmp_path):
    names = [write_image(tmp_path / "data", name) for name in ("one.png", "two.png", "three.png")]
    copy = Finding(
        "copy", "warning", "m", Path(names[1]), evidence={"copies": [names[0], names[2]]}
    )
    assert [one["alt"] for one in Reader(page(result(copy))).all("img")] == ["two.png", "one.png"]


@pytest.mark.parametrize("content", [None, b"", b"\x89PNG\r\n\x1a\n broken", b"%PDF-1.4"])
def test_a_damaged_file_has_a_placeholder(result, tmp_path, content):
    (tmp_path / "data").mkdir()
    if content is not None:
        (tmp_path / "data" / "1.png").write_bytes(content)
    seen = Reader(page(result(Finding("unreadable", "error", "broken", Path("1.png")))))
    assert not seen.all("img") and "no image" in seen.text
    labels = [one.get("aria-label") for one in seen.all("div")]
    assert "no image in 1.png" in labels


def test_an_auroc_is_drawn_from_chance_to_certainty(result):
    evidence = {
        "auroc": {"value": 0.75, "low": 0.7, "high": 0.8, "n": 5232},
        "auroc_by": {
            "borders": {"value": 0.45, "low": 0.4, "high": 0.55, "n": 10},
            "point": {"value": 1.0, "low": None, "high": None, "n": None},
            "undefined": {"value": None, "low": None, "high": None, "n": 0},
        },
    }
    text = page(result(Finding("x", "warning", "m", evidence=evidence)))
    assert "left:40.0%;width:20.0%" in text and "left:50.0%" in text
    assert "left:0.0%;width:10.0%" in text  # below chance lies at the end of the scale
    seen = Reader(text).text
    assert "AUROC 0.75 (0.70 to 0.80), n=5,232" in seen
    assert "borders AUROC 0.45 (0.40 to 0.55), n=10 point AUROC 1.00" in seen
    assert "undefined" not in seen


# Contrast -------------------------------------------------------------------------------------


def themes(text: str) -> list[dict[str, str]]:
    light, dark = (
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", text, re.DOTALL)[:2]
    )
    return [light, light | dark]


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read(result, theme):
    """Every colour of text on every ground has the 4.5 : 1 of WCAG AA; drawn things have 3 : 1."""
    colours = themes(page(result()))[theme]

    def contrast(one: str, other: str) -> float:
        high, low = sorted((luminance(colours[name]) for name in (one, other)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for ground in ("paper", "card", "tint"):
        for ink in ("ink", "soft", "accent", "error", "warning", "info"):
            assert contrast(ink, ground) >= 4.5, (ink, ground)
    assert contrast("ink", "band") >= 3
