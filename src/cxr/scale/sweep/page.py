"""A sweep as a table for machines, and as a page and plain sentences for people."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..._io import atomic_path, write_text
from ..._io.html import Html, Row, Scale, bars, bullets, document, element, join, remark, table
from ..._io.text import counted, figure_text
from ...config import RunConfig
from .plan import in_words

Facts = Mapping[str, Any]
TITLE = "Sweep of settings for a chest X-ray classifier"


def write_table(rows: Sequence[Facts], path: Path) -> Path:
    """`sweep.csv`, one row a trial; blank where there is no figure."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        flat = [_flat(row) for row in rows]
        writer = csv.DictWriter(file, list(flat[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(flat)
    return path


def _flat(row: Facts) -> dict[str, Any]:
    auroc, lead = row["auroc"] or {}, row["behind_best"] or {}
    return {
        "trial": row["trial"],
        **row["settings"],
        "auroc": auroc.get("value"),
        "auroc_low": auroc.get("low"),
        "auroc_high": auroc.get("high"),
        "behind_best": lead.get("value"),
        "behind_best_low": lead.get("low"),
        "behind_best_high": lead.get("high"),
        "apart_from_best": lead.get("apart"),
        "log_loss": row["log_loss"],
        "seconds": row["seconds"],
        "error": row["error"],
    }


def write_page(result: Facts, path: Path) -> Path:
    """`sweep.html`; everything given is escaped, nothing is loaded from anywhere."""
    first, *more = result["sentences"]
    body = [
        element("p", result["about"]["research_use_only"], class_="banner", role="note"),
        element(
            "div",
            element(
                "header",
                element("p", TITLE, class_="eyebrow"),
                element("h1", first),
            ),
            element(
                "main",
                _section("What may be said", bullets(more)),
                _section("Trials", _figure(result), _table(result)),
                _section("How it was done", bullets(_design(result))),
                _section("Whose images", element("p", result["population"])),
                element("footer", f"Written by {result['about']['generator']}."),
            ),
            class_="sheet",
        ),
    ]
    return write_text(path, document(TITLE, headline(result), join(body)))


def _section(title: str, *body: Html) -> Html:
    return element("section", element("h2", title), *body)


def _figure(result: Facts) -> Html:
    """The inner figure of each trial, the best at the top, and under all the outer one."""
    done = sorted(
        (row for row in result["trials"] if row["auroc"] is not None),
        key=lambda row: -row["auroc"]["value"],
    )
    shown = [_bar(f"{r['trial']}: {in_words(r['settings'])}", r["auroc"]) for r in done]
    outer = _bar(f"outer: trial {result['choice']['trial']}", result["outer"]["auroc"], "bad")
    lowest = min(row.figure.get("low", row.figure["value"]) for row in [*shown, outer])
    low = min(max(int(lowest * 10) / 10, 0.0), 0.9)
    caption = "AUROC with 95% interval: inner images for each trial, outer images for the best"
    return element(
        "figure",
        element("figcaption", caption),
        bars([*shown, outer], Scale(low, 1.0), (f"{low:.1f}", "1.0")),
    )


def _bar(label: str, figure: Facts, tone: str = "") -> Row:
    return Row(label, figure, figure_text(figure), tone)


def _table(result: Facts) -> Html:
    names = list(result["space"])
    header = ("Trial", *names, "Inner AUROC", "Behind the best", "Apart", "Training", "Failed")
    rows = [
        (row["trial"], *(str(row["settings"][name]) for name in names), *_cells(row))
        for row in result["trials"]
    ]
    note = "Behind the best: intervals for all pairs at once. Training: seconds, as they fell."
    return join([table(header, rows, "All trials"), remark(note)])


def _cells(row: Facts) -> tuple[str, ...]:
    if row["error"] is not None:
        return "", "", "", "", row["error"]
    lead = row["behind_best"]
    if lead["apart"] is None:
        behind, apart = "the best", ""
    else:
        behind, apart = signed(lead), "yes" if lead["apart"] else "no"
    seconds = "" if row["seconds"] is None else f"{row['seconds']:,.0f} s"
    return figure_text(row["auroc"]), behind, apart, seconds, ""


def _design(result: Facts) -> list[str]:
    data = result["data"]
    folds = data["inner_folds"]
    inner = (
        f"{data['inner_train']:,} to learn from and {data['inner_valid']:,} to rank it by"
        if folds == 1
        else f"{folds} folds; a trial is trained once for each and ranked by the mean"
    )
    return [
        f"Outer split of {data['images']:,} images ({data['split']}, seed {data['seed']}): "
        f"{data['outer_train']:,} training, {data['outer_valid']:,} validation images. It is the "
        "split that cxr train makes with these settings.",
        f"Inner split of the outer training images, by patient: {inner}. No trial had an outer "
        "validation image in its table.",
        "Judged by the AUROC, which asks nothing of the calibration; ties by the log loss.",
        "The choice was written down (chosen.json) before the last run, which trained the chosen "
        "setting on all outer training images and was measured on the outer validation images "
        "once.",
        f"Search: {result['search']}. Every run used "
        f"{counted(result['cpus_per_trial'], 'thread')} and the same seed, so "
        "that the number of workers changes nothing.",
    ]


# Sentences, so that nobody reads noise as a gain.


def caveats(config: RunConfig, patients: Sequence[str | None]) -> list[str]:
    """What a reader must know before the figures."""
    if not any(patients):
        return ["No patient is known: images of one patient may be on both sides of either split."]
    if config.split == "random":
        return [
            "The outer split is random by image: a patient may be on both sides, and then the "
            "outer figure is too good. The inner split is by patient all the same."
        ]
    return []


def sentences(result: Facts) -> list[str]:
    """From the whole result: the result first, then how."""
    return [
        headline(result),
        _inner(result),
        _optimism(result),
        *_rivals(result),
        *_equals(result),
        *_kept_epoch(result),
        *result["data"]["caveats"],
    ]


def headline(result: Facts) -> str:
    outer = result["outer"]
    whose = f" of {outer['n_patients']:,} patients" if isinstance(outer["n_patients"], int) else ""
    finished = sum(row["error"] is None for row in result["trials"])
    return (
        f"The best of {finished} settings has an AUROC of "
        f"{figure_text(outer['auroc'])} on {outer['n']:,} outer validation images{whose} that "
        "no trial had seen."
    )


def _inner(result: Facts) -> str:
    choice, data = result["choice"], result["data"]
    failed = sum(row["error"] is not None for row in result["trials"])
    folds = data["inner_folds"]
    which = f"{data['inner_valid']:,} inner validation images" if folds == 1 else f"{folds} folds"
    return (
        f"It is trial {choice['trial']} ({in_words(choice['settings'])}), chosen on {which} of the "
        f"outer training side alone, with an inner AUROC of {figure_text(choice['auroc'])}; "
        f"{failed or 'none'} of the {len(result['trials'])} trials failed."
    )


def _optimism(result: Facts) -> str:
    figure = result["optimism"]
    return (
        f"Inner less outer: {signed(figure)}. The inner figure of the best of many flatters as a "
        "rule, since it was picked for being high; the outer one is the one to report."
    )


def _rivals(result: Facts) -> Iterator[str]:
    choice = result["choice"]
    rows = {row["trial"]: row for row in result["trials"]}
    if choice["runner_up"] is not None:
        yield _lead("the runner-up", rows[choice["runner_up"]])
    default = choice["default"]
    settings = in_words(choice["default_settings"])
    if default == choice["trial"]:
        yield f"The best is the default setting ({settings})."
    elif default is None:
        yield (
            f"The default setting ({settings}) was not among the trials, so nothing is said of a "
            "gain over it."
        )
    elif rows[default]["error"] is not None:
        yield f"The default setting ({settings}) failed, so nothing is said of a gain over it."
    elif default != choice["runner_up"]:
        yield _lead("the default setting", rows[default])


def _lead(whom: str, row: Facts) -> str:
    lead = row["behind_best"]
    result = "it is better" if lead["apart"] else "no difference is shown"
    return (
        f"Its lead over {whom}, trial {row['trial']} ({in_words(row['settings'])}), on the inner "
        f"images is {signed(lead)}: {result}."
    )


def _equals(result: Facts) -> Iterator[str]:
    alike = result["choice"]["not_told_apart"]
    if alike:
        yield (
            f"The inner images cannot tell the best from {len(alike)} of the others: trial"
            f"{'s' if len(alike) > 1 else ''} {', '.join(alike)}. Intervals hold for all pairs of "
            "trials at once, over other patients, not over other random numbers in training."
        )


def _kept_epoch(result: Facts) -> Iterator[str]:
    epoch = result["outer"]["epoch"]
    if epoch is None:
        return
    line = (
        "As in every run, the threshold, the calibration and the epoch to keep "
        f"({epoch['taken']} of {epoch['of']}) were chosen on the images that the last run is "
        "measured on; of these only the epoch touches the AUROC"
    )
    last = epoch["auroc_at_last"]
    other = epoch["taken"] != epoch["of"] and last is not None
    yield f"{line}: at the last epoch it was {last:.3f}." if other else f"{line}."


def signed(figure: Facts, digits: int = 3) -> str:
    """`+0.012 (-0.003 to +0.027)`."""
    value = f"{figure['value']:+.{digits}f}"
    if "low" not in figure:
        return f"{value} ({figure.get('reason', 'no interval')})"
    return f"{value} ({figure['low']:+.{digits}f} to {figure['high']:+.{digits}f})"
