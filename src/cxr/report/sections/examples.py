"""Single images: where the model errs most, is most and least certain; and where it looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..._io.drawing import shrunk
from ..._io.html import Html, command, element, image, join
from ..._io.text import listed, percent_text
from ..content import Report

Json = Mapping[str, Any]
KINDS = {
    "top_losses": "Largest errors",
    "least_certain": "Least certain",
    "most_certain": "Most certain",
}
EACH, NEIGHBOURS = 8, 3
LARGE, SMALL = 480, 160  # pixels of the longer side: sharp at twice the size on the page


def render(report: Report) -> Html:
    explanation = report.result("explanation")
    if explanation is None:
        return element(
            "p", "No heat maps were made. For single images: ",
            command("cxr predict MODEL IMAGES --explain"), ".",
        )  # fmt: skip
    parts = [element("p", _method(explanation)), *_where(explanation), *_frames(explanation)]
    for kind, title in KINDS.items():
        if examples := (explanation["examples"].get(kind) or [])[:EACH]:
            cards = [_card(one, report) for one in examples]
            parts += [element("h3", title), element("div", *cards, class_="images")]
    return join(parts)


def _method(explanation: Json) -> str:
    test = explanation["sanity"].get("randomised") or {}
    text = f"Heat maps by {explanation['method']}: the warmer, the more a place raises the score."
    if test.get("passed") is None:
        return f"{text} They were not tested against a model with random weights."
    similar = test.get("similarity")
    how = f" (similarity {similar:.2f}" if similar is not None else " ("
    how += f" over {test['n']:,} images)" if similar is not None and "n" in test else ")"
    how = how if similar is not None else ""
    if test["passed"]:
        return f"{text} With random weights they change{how}, as they should."
    return f"{text} With random weights they hardly change{how}: do not read them as reasons."


def _where(explanation: Json) -> list[Html]:
    shares = [
        f"{percent_text(figure)} lies {place}"
        for key, place in (
            ("outside_lungs", "outside the lungs"),
            ("between_lungs", "between the lungs (part of that: heart, spine, roots of the lungs)"),
            ("on_borders", "on the borders of the image"),
        )
        if (figure := explanation.get(key)) and figure.get("value") is not None
    ]
    return [element("p", f"Of the heat, {listed(shares)}.")] if shares else []


def _frames(explanation: Json) -> list[Html]:
    """What the lines are, where a model of lungs has framed them."""
    if not any(one.get("frame") for some in explanation["examples"].values() for one in some):
        return []
    return [element("p", "The frame on an image holds the part that the model saw.")]


def _card(example: Json, report: Report) -> Html:
    images, positive = report.images, report.headline["positive"]
    right = example["predicted"] == example["label"]
    label = "as labelled" if right else f"labelled {example['label']}"
    parts = [
        _image(example, images, f"Heat map over {_name(example)}", LARGE),
        element("p", element("b", f"Predicted {example['predicted']}")),
        element("p", label, class_="good" if right else "wrong"),
        *_probability(example, positive),
        *_heat_outside(example),
        element("p", _breakable(_name(example)), class_="soft"),
    ]
    if near := (example.get("neighbours") or [])[:NEIGHBOURS]:
        parts += _neighbours(near, images)
    return element("div", *parts, class_="image")


def _probability(example: Json, positive: str | None) -> list[Html]:
    """The probability of the positive class or, without one, of the answer."""
    if example.get("probability") is None:
        return []
    of = example["predicted"] if positive is None else positive
    return [element("p", f"Probability of {of}: {example['probability']:.2f}", class_="soft")]


def _heat_outside(example: Json) -> list[Html]:
    """Of a model that sees lungs."""
    share = example.get("outside_lungs")
    lines = ["No lungs found: the model saw it whole"] if example.get("frame", ()) is None else []
    if share is not None:
        among = example.get("between_lungs")
        lines.append(
            f"Heat outside the lungs: {share:.0%}"
            + ("" if among is None else f", of which between them {among:.0%}")
        )
    return [element("p", line, class_="soft") for line in lines]


def _neighbours(near: Sequence[Json], images: Mapping[str, bytes]) -> list[Html]:
    labels = Counter(str(one["label"]) for one in near)
    shares = ", ".join(f"{n} {label}" for label, n in labels.most_common())
    items = [
        element("li", _image(one, images, f"Training image {_name(one)}, {one['label']}", SMALL))
        for one in near
    ]
    return [
        element("p", f"Most like it in training: {shares}", class_="soft"),
        element("ul", *items),
    ]


def _image(one: Json, images: Mapping[str, bytes], alt: str, side: int) -> Html:
    content = images.get(one.get("image") or "")
    if content is None:
        return element("span", _name(one), class_="none")
    return image(shrunk(content, side), alt)


def _breakable(name: str) -> Html:
    """A line may end after a folder."""
    folders, _, last = name.rpartition("/")
    return join([f"{folders}/", element("wbr"), last] if folders else [last])


def _name(one: Json) -> str:
    return str(one["path"])
