"""The decision curve (Vickers and Elkin, 2006): net benefit at each threshold one might choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._io.html import Html, element
from .. import chart
from ..words import percent

Json = Mapping[str, Any]


def render(split: Json) -> Html | None:
    curve = split["metrics"].get("decision_curve")
    if not curve or not curve.get("thresholds"):
        return None
    known = [
        (at, one, every)
        for at, one, every in zip(
            curve["thresholds"], curve["model"], curve["treat_all"], strict=True
        )
        if one["value"] is not None
    ]
    if len(known) < 2:
        return None
    drawn = _drawing(known, curve)
    return element("div", drawn, _words(known, curve), class_="charts")


def _drawing(known: Sequence[tuple[float, Json, Any]], curve: Json) -> Html:
    xs = [at for at, _, _ in known]
    model = [(at, one["value"]) for at, one, _ in known]
    top = max(max(one.get("high", one["value"]) for _, one, _ in known), 0.05) * 1.05
    floor = -0.15 * top
    x_ticks = [(tick, text) for tick, text in chart.UNIT if xs[0] <= tick <= xs[-1]]
    axes = chart.Axes(
        (xs[0], xs[-1]), (floor, top), x_ticks, chart.even_ticks(floor, top, 6),
        "Probability from which one acts", "Net benefit",
    )  # fmt: skip
    marks = [chart.line(axes, [(xs[0], 0), (xs[-1], 0)], "guess")]
    if all("low" in one for _, one, _ in known):
        ends = [[max(one[end], floor) for _, one, _ in known] for end in ("low", "high")]
        marks.append(chart.band(axes, xs, *ends))
    everyone = [(at, _number(every)) for at, _, every in known if _number(every) >= floor]
    if len(everyone) > 1:
        marks.append(chart.line(axes, everyone, "s1"))
    marks.append(chart.line(axes, [(at, max(value, floor)) for at, value in model], "s0"))
    return chart.chart(
        axes, marks, title="Decision curve",
        alt=f"Decision curve of {curve['positive']}, {curve['n']:,} images.",
        legend=[("s0", "act on the model"), ("band", "95% interval"), ("s1", "act on everyone"),
                ("guess", "act on no one")],
    )  # fmt: skip


def _words(known: Sequence[tuple[float, Json, Any]], curve: Json) -> Html:
    better = _better(known, curve)
    if better:
        found = (
            f"On these images acting on the model is better than acting on everyone or on no one "
            f"from a threshold of {better[0]:.2f} to {better[-1]:.2f}, at the lower end of the "
            "interval."
        )
    else:
        found = "At no threshold is the model surely better than acting on everyone or on no one."
    how = (
        "Net benefit counts found cases, less false alarms weighed by the threshold: acting at 0.2 "
        "means that one missed case is as bad as four false alarms. It holds where "
        f"{_share(curve)}."
    )
    return element("div", element("p", found, class_="key"), element("p", how), class_="beside")


def _share(curve: Json) -> str:
    share, stated = curve.get("prevalence"), curve.get("prevalence_stated")
    if share is None:
        return f"{curve['positive']} is as common as in these images"
    return f"{percent(share)} have {curve['positive']}, {'as stated' if stated else 'as here'}"


def _better(known: Sequence[tuple[float, Json, Any]], curve: Json) -> list[float]:
    """Thresholds where the lead over both others is surely above 0."""
    if "gain" in curve:
        pairs = zip(curve["thresholds"], curve["gain"], strict=True)
        return [at for at, one in pairs if one["value"] is not None and one.get("low", 0) > 0]
    return [
        at for at, one, every in known if one.get("low", one["value"]) > max(_number(every), 0.0)
    ]


def _number(value: Any) -> float:
    """`treat_all` may be a list of numbers or of figures."""
    return float(value["value"] if isinstance(value, Mapping) else value)
