"""Markup, pages and bars."""

from __future__ import annotations

import re

import pytest

from cxr._io.html import Html, Scale, bar, element, join, style_sheet


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it, of two #rrggbb colours."""
    light = []
    for colour in (one, other):
        digits = colour.lstrip("#")
        digits = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        light.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(light) + 0.05) / (min(light) + 0.05)


def test_contrast_is_enough_by_day_by_night_and_in_print() -> None:
    css = style_sheet()
    palettes = [
        dict(re.findall(r"--([\w]+): (#[0-9a-f]{3,6})\b", block))
        for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    ]
    assert len(palettes) == 3
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    for palette in palettes:
        for ground in (palette["paper"], palette["card"]):
            for text in ("ink", "soft", "accent", "good", "bad", "warn"):
                assert contrast(palette[text], ground) >= 4.5, (text, ground)
            assert min(contrast(palette[f"s{i}"], ground) for i in range(7)) >= 3


def test_markup_is_kept_and_text_escaped() -> None:
    assert element("p", "a < b", Html("<b>c</b>"), title='"') == (
        '<p title="&quot;">a &lt; b<b>c</b></p>'
    )
    assert join(["&", Html("&amp;")]) == "&amp;&amp;"


def test_a_bar_ends_where_its_interval_does() -> None:
    drawn = bar({"value": 0.75, "low": 0.6, "high": 1.2}, Scale(0.5, 1.0, 0.5))
    assert "left:20.0%;width:80.00%" in drawn  # cut at the end of the scale
    assert 'class="value" style="left:50.0%"' in drawn and 'class="mark"' in drawn
    assert "range" not in bar({"value": 0.7}, Scale(0, 1))
