"""What a refusal may mean, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Check

SLIGHT = 0.1  # logits: more than machines differ, less than networks do
AGAIN = (
    "Get the file again from where it came from, and compare the SHA-256 with the one there; do "
    "not use this copy."
)
# The first that stands in the reason speaks.
BY_REASON = (
    ("pickle", ""),  # the reason says what to do
    ("model format", ""),
    ("signature", "Ask whoever signed the model. " + AGAIN),
    (
        "the classes are not those",
        "The names of the classes were exchanged or changed after the model was written, so "
        "that a finding might be called its opposite. " + AGAIN,
    ),
    (
        "manifest.json",
        "A part of the file was changed after cxr wrote it, by damage or on purpose. " + AGAIN,
    ),
    ("model.onnx", "Make it anew from the weights: cxr export MODEL --onnx MODEL."),
    ("CRC", "The file was damaged on its way here. " + AGAIN),
    ("damaged", "The file was damaged on its way here, or is something else. " + AGAIN),
)


def advice_on(refused: str, checks: Sequence[Check]) -> tuple[str, ...]:
    """Sentences, for a file that is `refused` or by which nothing could be tried."""
    tried = [check for check in checks if check.passed is not None]
    wrong = [check for check in tried if not check.passed]
    if checks and not tried:
        return (
            "Nothing here can run the network, so it was not tried: where cxr[train] is "
            "installed, run cxr export MODEL --onnx MODEL, which adds what onnxruntime runs.",
        )
    if not wrong:
        found = next((said for word, said in BY_REASON if refused and word in refused), "")
        return (found,) if found else ()
    if len(wrong) < len(tried):
        return (_one_of_two(wrong[0].runtime),)
    differences = [check.difference for check in wrong]
    if any(difference is None for difference in differences):
        return (
            "The network does not run here, or gives what is no number: weights that do not "
            "belong to it, too little memory, or a backbone that this timm builds otherwise. "
            + AGAIN,
        )
    if max(d for d in differences if d is not None) < SLIGHT:
        return (
            "A slight difference: the file is whole, but the versions of torch and timm, or the "
            "processor, compute otherwise than where it was written. Compare cxr doctor there and "
            "here, install the same versions, or export the model again here and measure it anew "
            "with cxr evaluate.",
        )
    return (
        "A large difference: the weights or the configuration are not the ones that were written "
        "together, or this version of timm builds the backbone otherwise. Compare cxr doctor here "
        "and where it was written. " + AGAIN,
    )


def _one_of_two(runtime: str) -> str:
    if runtime.startswith("torch"):
        return (
            "onnxruntime gives what was written, so the file is whole: torch or timm here compute "
            "otherwise. Predict and serve with --runtime onnx, or install the versions of torch "
            "and timm that the model was trained with."
        )
    return (
        "torch gives what was written, so model.onnx is of another network, or this onnxruntime "
        "computes otherwise. Make it anew from the weights: cxr export MODEL --onnx MODEL."
    )
