"""Numbers and names as they stand in sentences, tables and figures: one way each, everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Figure = Mapping[str, Any]  # `value`, and `low` and `high` where there is an interval


def shorten(text: str, longest: int = 28) -> str:
    """On one line of at most so many letters; a class name on an axis, say."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def error_text(error: BaseException, longest: int | None = 200) -> str:
    """What an error says, on one line of at most so many letters; else what kind of error it is."""
    return " ".join(str(error).split())[:longest] or type(error).__name__


def listed(names: Sequence[str], word: str = "and", most: int | None = None) -> str:
    """`a, b and c`; of more than `most` names the rest is counted: `a, b and 3 more`."""
    shown = list(names[:most])
    if len(names) > len(shown):
        shown.append(f"{len(names) - len(shown):,} more")
    return f" {word} ".join(one for one in (", ".join(shown[:-1]), *shown[-1:]) if one)


def counted(n: int, noun: str) -> str:
    """`1 image`, `1,234 images`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def images_of_patients(counts: Mapping[str, Any]) -> str:
    """`1,046 images of 500 patients`, of `n` and `n_patients` where these are known."""
    images, patients = counted(counts["n"], "image"), counts.get("n_patients")
    return (
        f"{images} of {counted(patients, 'patient')}"
        if patients and isinstance(patients, int)
        else images
    )


def percent(share: float) -> str:
    """Whole percents, but never a 0% or 100% that is not so."""
    digits = 0 if 0.01 <= share <= 0.99 or share in (0, 1) else 1
    if digits and min(share, 1 - share) < 0.0005:
        digits = 2 if min(share, 1 - share) >= 0.00005 else 3
    return f"{100 * share:.{digits}f}%"


def percent_text(figure: Figure) -> str:
    """A share with its interval: `95% (93% to 96%)`."""
    value = percent(figure["value"])
    if "low" not in figure:
        return value
    return f"{value} ({percent(figure['low'])} to {percent(figure['high'])})"


def figure_text(figure: Figure, digits: int = 3) -> str:
    """`0.964 (0.958 to 0.969)`, or as much of it as is defined."""
    if figure.get("value") is None:
        return "undefined"
    value = f"{figure['value']:.{digits}f}"
    if "low" not in figure:
        return value
    return f"{value} ({figure['low']:.{digits}f} to {figure['high']:.{digits}f})"


def signed_text(figure: Figure, digits: int = 3) -> str:
    """A difference: `-0.232 (-0.264 to -0.202)`, with a true minus sign."""
    if figure.get("value") is None:
        return "undefined"
    text = f"{figure['value']:+.{digits}f}"
    if "low" in figure:
        text += f" ({figure['low']:+.{digits}f} to {figure['high']:+.{digits}f})"
    return text.replace("-", "\N{MINUS SIGN}")


def sentence(text: str) -> str:
    """With a capital and an end; nothing stays nothing."""
    text = text.strip()
    end = "" if not text or text[-1] in ".?!" else "."
    return f"{text[:1].upper()}{text[1:]}{end}"
