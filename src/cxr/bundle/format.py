"""The format number of a model file, the names of its members, and how an older file is read.

To change the format:

1. A new field or member that may be left out, without which a file is what it was, needs no new
   number: a version that does not know it refuses the files that have it, by name.
2. For anything else raise FORMAT, and add to STEPS, under the old number, the function that turns
   the facts of an old `config.json` into those of the next number. It leaves `format` alone.
3. Add a line below, and a test that a file of the old number is still read.

A step is never changed again: files of its number are out there. There is no way back: an older
version refuses a newer file, and says that a newer cxr is needed.

1  `config.json`, `README.md`, `golden.npz`, `model.safetensors`, `trust.npz`
2  `manifest.json`, with the size and the SHA-256 of the other members, is in every file. The first
   versions, which read format 1 only, refuse such a file because they do not know that member.
   Nothing in `config.json` itself changed.
3  `frame` in `config.json`: whether the network sees the whole image, as in every model before, or
   the image cut to the lungs. A version that cut no image would be wrong about such a model.
4  `locator` in `config.json`: which lung locator cut the images that the network learnt from
   (`cxr.pixels.frame.locator_version`), null for a network of whole images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import BundleError

FORMAT = 4
WITH_MANIFEST = 2  # the first format that has one

WEIGHTS, CONFIG, CARD, GOLDEN = "model.safetensors", "config.json", "README.md", "golden.npz"
TRUST, ONNX, SIMILAR = "trust.npz", "model.onnx", "similar.npz"
MANIFEST, SIGNATURE = "manifest.json", "signature.json"
REQUIRED = (CONFIG, GOLDEN, WEIGHTS)

Facts = dict[str, Any]
Steps = Mapping[int, Callable[[Facts], Facts]]
LOCATOR_OF_FORMAT_3 = "c9f0f874403da658"  # the only one there was


def _with_locator(facts: Facts) -> Facts:
    return {**facts, "locator": LOCATOR_OF_FORMAT_3 if facts.get("frame") == "lungs" else None}


STEPS: Steps = {
    1: lambda facts: facts,
    2: lambda facts: {**facts, "frame": "whole"},
    3: _with_locator,
}


def migrate(facts: Facts, steps: Steps = STEPS, newest: int = FORMAT) -> Facts:
    """What an older `config.json` says, said as format `newest` says it; `facts` stays as it is.

    Raises BundleError for a number that no step leads on from.
    """
    number = format_of(facts, steps, newest)
    while number < newest:
        facts = {**steps[number](dict(facts)), "format": number + 1}
        number += 1
    return facts


def format_of(facts: Facts, steps: Steps = STEPS, newest: int = FORMAT) -> int:
    """Raises BundleError for a number that this version does not know."""
    number = facts.get("format")
    known = (*sorted(steps), newest)
    if isinstance(number, int) and not isinstance(number, bool) and number in known:
        return number
    raise BundleError(
        f"model format {number!r:.20} is not known to this version of cxr, which reads "
        f"{', '.join(map(str, known))}; install a newer cxr or export the model again"
    )
