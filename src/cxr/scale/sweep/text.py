"""A sweep in plain sentences, so that nobody reads noise as a gain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..._io.text import figure_text
from ...config import RunConfig
from .space import in_words

Facts = Mapping[str, Any]


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
    """From the whole result: what was found first, then how."""
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
    judged = sum(row["error"] is None for row in result["trials"])
    return (
        f"The best of {judged} settings has an AUROC of "
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
    verdict = "it is better" if lead["apart"] else "no difference is shown"
    return (
        f"Its lead over {whom}, trial {row['trial']} ({in_words(row['settings'])}), on the inner "
        f"images is {signed(lead)}: {verdict}."
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
