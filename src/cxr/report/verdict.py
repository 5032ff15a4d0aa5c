"""What the model may and may not be used for, as the figures and findings have it.

Every sentence rests on the end of an interval that speaks against the model, not on its middle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._io.text import listed, percent, percent_text, sentence
from .found_by_check import leaking, shortcuts
from .sentences import images_of_split, split_name, worst_groups
from .set_aside import not_holding, shared_patients
from .strength import ENOUGH, strength, too_few

Json = Mapping[str, Any]
WELL_CALIBRATED = 0.05  # mean gap between predicted and observed, upper end
COSTLY = 0.05  # accuracy lost under the worst change
SCREENED = 0.05  # prevalence at which a positive answer is looked at


def verdict_of(
    split: str, metrics: Json, results: Json, patients: Mapping[str, int]
) -> dict[str, Any]:
    """`headline`, a sentence; `doubt`, the gravest against it or ""; `may` and `may_not`, items.

    `patients`: how many there are with each class.
    """
    return {
        "headline": _headline(split, metrics, patients),
        "doubt": _doubt(split, metrics, results),
        "may": list(_may(metrics, results, patients)),
        "may_not": list(_may_not(split, metrics, results)),
    }


def _headline(split: str, metrics: Json, patients: Mapping[str, int]) -> str:
    if metrics["auroc"]["value"] is not None and too_few(patients):
        size = images_of_split(split, metrics)
        return f"{size}: too few to say how well it distinguishes {_what(metrics)}."
    words = strength(metrics["auroc"], patients)
    skill = f"Distinguishes {_what(metrics)} {words}"
    if not words:
        skill = f"Not shown to distinguish {_what(metrics)}"
    return f"{skill} on {split_name(split)} images."


def _what(metrics: Json) -> str:
    if metrics["positive"] is not None:
        negative = next(name for name in metrics["classes"] if name != metrics["positive"])
        return f"{metrics['positive']} from {negative}"
    noun = "findings" if metrics["multi_label"] else "classes"
    return f"{len(metrics['classes'])} {noun}"


def _doubt(split: str, metrics: Json, results: Json) -> str:
    """The gravest reason to doubt the first sentence, and the next."""
    doubts = []
    if leaking(metrics, results):
        doubts.append("training and measured images overlap, so that is too good")
    elif shared_patients(metrics):
        doubts.append("patients of these images are in training, too, so that may be too good")
    if split == "train":
        doubts.append("it was trained on these very images")
    if split == "valid":
        doubts.append("not yet shown on a test set")
    if not_holding(metrics):
        doubts.append("the figures on validation do not hold on test")
    if shortcuts(results):
        doubts.append("shortcuts in the data could explain part of it")
    return sentence("; ".join(doubts[:2]))


def _item(head: str, text: str) -> dict[str, str]:
    return {"head": head, "text": text}


def _may(metrics: Json, results: Json, patients: Mapping[str, int]) -> Iterator[dict[str, str]]:
    words = strength(metrics["auroc"], patients)
    if not words:
        few = too_few(patients)
        why = f" There are {few}; {ENOUGH} of each class are the least." if few else ""
        yield _item("Trying the software out", f"The figures carry no more than that.{why}")
        return
    low = f"{metrics['auroc']['low']:.3f}"
    yield _item(
        "Research on images like the ones measured",
        f"Even at the lower end of its interval, an AUROC of {low}, it ranks images {words}.",
    )
    yield _item(
        "Comparing methods",
        "Another model measured on the same images can be set against it image by image, with "
        "cxr compare.",
    )
    yield from _probabilities_hold(metrics)
    if _sane(results) and not _strays(results):
        yield _item(
            "Seeing what drove an answer",
            "Heat maps change when the weights are made random, so they show what the model learned"
            f"{_outside(results)}.",
        )


def _probabilities_hold(metrics: Json) -> Iterator[dict[str, str]]:
    gap = _calibration_gap(metrics, where_shown=True)
    if gap is not None and gap <= WELL_CALIBRATED:
        yield _item(
            "Reading its probabilities, on such images",
            f"Predicted and observed frequencies are {100 * gap:.1f} points apart on average, at "
            "the upper end of the interval.",
        )


def _may_not(split: str, metrics: Json, results: Json) -> Iterator[dict[str, str]]:
    yield _item(
        "Patients",
        "No diagnosis, no triage, no decision about anyone: it is a research tool and not a "
        "medical device.",
    )
    yield _elsewhere(split)
    if leaks := leaking(metrics, results):
        yield _item(
            "Quoting these figures",
            f"{_leak(leaks[0])} Mend the split and measure again.",
        )
    elif shared := shared_patients(metrics):
        yield _item("Quoting these figures", f"{shared} Split by patient and measure again.")
    if failing := not_holding(metrics):
        yield _item(
            "Quoting the figures on validation",
            f"They do not hold on the test images: {listed(failing)} too good.",
        )
    if cues := shortcuts(results):
        yield _reading_lungs(cues[0], metrics)
    yield from _other_images(results)
    yield from _screening(metrics)
    yield from _unlike_groups(metrics)
    gap = _calibration_gap(metrics)
    if gap is not None and gap > WELL_CALIBRATED:
        yield _item(
            "Risks read off its probabilities",
            f"Predicted and observed frequencies may be {100 * gap:.0f} points apart on average.",
        )
    yield from _heat_maps(results)
    if not results.get("abstention", {}).get(
        "out_of_distribution_checked", "abstention" in results
    ):
        yield _item(
            "Images of another kind",
            "Nothing here shows that it notices a lateral view, another body part or a photograph: "
            "it answers whatever it is given.",
        )


def _heat_maps(results: Json) -> Iterator[dict[str, str]]:
    if _sane(results) is False:
        yield _item(
            "Taking heat maps for reasons",
            "They hardly change when the weights are made random, so they do not show what the "
            "model learned.",
        )
    elif _strays(results):
        yield _item(
            "Taking heat maps for reasons",
            f"Most of what drives its answers lies where no disease is{_outside(results)}.",
        )


def _elsewhere(split: str) -> dict[str, str]:
    if split in ("train", "valid"):
        text = (
            "Nothing was measured there, nor on a test set. Models with such figures at home have "
            "lost much elsewhere: measure first, with cxr evaluate MODEL IMAGES --out FOLDER."
        )
    else:
        text = (
            "The figures hold where these images come from. Measure again in each new place, "
            "with cxr evaluate MODEL IMAGES --out FOLDER."
        )
    return _item("Other hospitals, machines or ages", text)


def _reading_lungs(best: Json, metrics: Json) -> dict[str, str]:
    own = metrics["auroc"]["value"]
    beside = f", the model itself {own:.3f}" if own is not None else ""
    return _item(
        "Saying that it reads the lungs",
        f"{sentence(best['title'])} The data answer yes: AUROC {best['auroc']['value']:.3f}"
        f"{beside}. A good figure does not prove that disease was recognised.",
    )


def _leak(group: Json) -> str:
    return sentence(group["about"][0]["message"] if group["about"] else group["title"])


def _other_images(results: Json) -> Iterator[dict[str, str]]:
    changes = results["stress"]["changes"] if "stress" in results else []
    if not changes:
        return
    worst = changes[0]
    moved = worst["difference"]["accuracy"]
    if moved.get("low") is not None and moved["high"] < 0 and -moved["low"] >= COSTLY:
        yield _item(
            "Images taken, stored or framed otherwise",
            f"Under {worst['name']} ({worst['strength']}) accuracy falls by "
            f"{100 * -moved['value']:.0f} points, perhaps by {100 * -moved['low']:.0f}.",
        )


def _screening(metrics: Json) -> Iterator[dict[str, str]]:
    if metrics["positive"] is None:
        return
    sensitivity, specificity = metrics["sensitivity"], metrics["specificity"]
    if sensitivity["value"] is None or specificity["value"] is None:
        return
    missed = 1 - sensitivity.get("low", sensitivity["value"])
    yield _item(
        f"Ruling {metrics['positive']} in or out",
        f"Of images with it, up to {percent(missed)} are missed.{_right_when_positive(metrics)}",
    )


def _right_when_positive(metrics: Json) -> str:
    """As the table under the operating point has it, where there is one."""
    rows = (metrics.get("operating_point") or {}).get("patients") or []
    ppv = next((row["ppv"] for row in rows if row["prevalence"] == SCREENED), {"value": None})
    if ppv["value"] is None:
        return ""
    right = f"a positive answer is right in {percent_text(ppv)}"
    return f" Where {percent(SCREENED)} have it, {right}."


def _unlike_groups(metrics: Json) -> Iterator[dict[str, str]]:
    head = "Saying that it serves all groups alike"
    columns = metrics.get("subgroups") or {}
    if not columns:
        yield _item(head, "The figures are not split by age, sex, hospital or any other group.")
        return
    worse = [text for name, some in columns.items() for text in worst_groups(name, some)]
    if worse:
        yield _item(head, worse[0])
    refused = [
        group["name"] for some in columns.values() for group in some["groups"] if "refused" in group
    ]
    if refused and not worse:
        yield _item(head, f"Too few images to evaluate: {', '.join(refused[:5])}.")


def _calibration_gap(metrics: Json, where_shown: bool = False) -> float | None:
    """Upper end of the expected calibration error, after scaling where that was cross-fitted;
    `where_shown`: None where it has no interval."""
    scaled = (metrics.get("calibration") or {}).get("after") or {}
    gap = scaled.get("ece") or metrics["ece"]
    if gap["value"] is None:
        return None
    return gap.get("high", None if where_shown else gap["value"])


def _sane(results: Json) -> bool | None:
    """Whether the heat maps passed the randomisation test; None where it was not run."""
    test = (results.get("explanation") or {}).get("sanity", {}).get("randomised") or {}
    return test.get("passed")


def _strays(results: Json) -> bool:
    """Whether more than half of the heat, by its interval, lies outside the lungs."""
    share = (results.get("explanation") or {}).get("outside_lungs") or {"value": None}
    return share["value"] is not None and share.get("low", share["value"]) > 0.5


def _outside(results: Json) -> str:
    share = (results.get("explanation") or {}).get("outside_lungs") or {"value": None}
    return (
        ""
        if share["value"] is None
        else f"; {percent_text(share)} of the heat is outside the lungs"
    )
