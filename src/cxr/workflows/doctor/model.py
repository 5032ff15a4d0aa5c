"""A model file explained: what it says, who signed it, whether it works here, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from ..._io import sha256_file
from ..._io.files import finite_or_none
from ..._io.markdown import one_line
from ...apply.engine import Engine
from ...bundle.config import BundleConfig, parse_config
from ...bundle.format import (
    CONFIG,
    FORMAT,
    MANIFEST,
    ONNX,
    SIMILAR,
    WEIGHTS,
    WITH_MANIFEST,
    format_of,
)
from ...bundle.golden import TOLERANCE
from ...bundle.read import Contents, open_bundle
from ...bundle.sign import SignatureVerdict, read_public_key, verify_signature
from ...errors import BundleError
from .machine import is_installed

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


@dataclass(frozen=True)
class Check:
    """The golden images by one runtime: the largest `difference` of any logit from those that the
    file expects, or None and in `said` why it was not measured. `passed` None: it could not be
    tried here."""

    runtime: str
    difference: float | None
    passed: bool | None
    said: str = ""
    tolerance: float = TOLERANCE


@dataclass(frozen=True)
class Examination:
    """`facts` by name, in the order to be shown; `refused` why the file is not used, or "".

    signature: whether the key that was given signed it; None where none was given.
    """

    facts: dict[str, Any]
    checks: tuple[Check, ...]
    refused: str
    advice: tuple[str, ...]
    signature: SignatureVerdict | None = None

    @property
    def accepted(self) -> bool:
        return not self.refused and (self.signature is None or self.signature.accepted)


def examine(path: Path | str, key: Path | str | None = None) -> Examination:
    """With `key`, a public key, also whether that one signed it.

    Raises UsageError when there is no such file or key; a file that is refused is an answer.
    """
    path = Path(path)
    if key is not None:
        read_public_key(key)
    try:
        contents = open_bundle(path)
        facts = _facts(contents)
        signature = None if key is None else verify_signature(path, key)
    except BundleError as error:
        facts = {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
        return Examination(facts, (), one_line(error), advice_on(str(error), ()))
    checks = tuple(_checks(contents))
    failed = [f"{check.runtime}: {check.said}" for check in checks if check.passed is False]
    refused = f"{path} is refused: {'; '.join(failed)}" if failed else ""
    return Examination(facts, checks, refused, advice_on(refused, checks), signature)


def _facts(contents: Contents) -> dict[str, Any]:
    from ...bundle.manifest import sizes_and_hashes
    from ...bundle.signature import signer

    config, members = contents.config, contents.members
    return {
        "bytes": contents.path.stat().st_size,
        "sha256": contents.digest,
        "format": _format(format_of(parse_config(members[CONFIG]))),
        "members": sizes_and_hashes(members),
        "hashes": "as in manifest.json" if MANIFEST in members else "nothing to hold them against",
        "signature": signer(members) or "none",
        "classes": list(config.classes),
        "labels": "none, one or several" if config.multi_label else "one of the classes",
        "backbone": config.backbone,
        "preprocessing": f"grey, {config.input}",
        "calibration": _calibration(config),
        "threshold": _threshold(config),
        "population": config.population,
        "training data": config.training_data,
        "trust": _rules(contents),
        "similar cases": _similar(contents),
    }


def _format(number: int) -> str:
    if number == FORMAT:
        return f"{FORMAT}, the newest"
    without = "" if number >= WITH_MANIFEST else ": no hashes of members"
    return f"{number}, older than {FORMAT}{without}; cxr sign brings it to {FORMAT}"


def _calibration(config: BundleConfig) -> str:
    if config.calibration is not None:
        return "vector: a factor and a bias for each class"
    return "none" if config.temperature == 1 else f"temperature {config.temperature:.3g}"


def _threshold(config: BundleConfig) -> str:
    if config.task.kind == "multi_label":
        limits = config.task.operating_thresholds
        if len(set(limits.values())) == 1:
            return f"{next(iter(limits.values())):.3g} for each class"
        return ", ".join(f"{at:.3g} for {name}" for name, at in limits.items())
    if config.task.kind == "multi_class":
        return "none: the likeliest class"
    return f"{config.threshold:.3g} for {config.positive}"


def _rules(contents: Contents) -> list[str]:
    from ...apply.decision.confidence import rules_in_words
    from ...apply.decision.rules import DecisionRules

    return rules_in_words(DecisionRules(contents.config, contents.abstention))


def _similar(contents: Contents) -> str:
    from ...bundle.similar import read_similar

    data = contents.members.get(SIMILAR)
    if data is None:
        return "none"
    cases = read_similar(data, len(contents.config.classes), contents.config.multi_label)
    return f"{len(cases):,}, with small images of patients"


def _checks(contents: Contents) -> Iterator[Check]:
    """By torch, and by onnxruntime if the file holds what that runs."""
    if is_installed("torch") and is_installed("timm"):
        yield _check(f"torch {metadata.version('torch')}", _by_torch, contents)
    else:
        yield Check("torch", None, None, "not installed here")
    if ONNX in contents.members:
        yield _check(f"onnxruntime {metadata.version('onnxruntime')}", _by_onnx, contents)


def _by_torch(contents: Contents) -> Engine:
    from ...apply.engine import TorchEngine
    from ...bundle.network import network_from

    return TorchEngine(network_from(contents.config, contents.members[WEIGHTS]))


def _by_onnx(contents: Contents) -> Engine:
    from ...apply.onnx import OnnxEngine

    config = contents.config
    data = contents.members[ONNX]
    return OnnxEngine(data, size=config.size, n_classes=len(config.classes))


def _check(runtime: str, build: Callable[[Contents], Engine], contents: Contents) -> Check:
    try:
        outputs = build(contents).run(contents.golden.images)
    except BundleError as error:
        return Check(runtime, None, False, one_line(error))
    except Exception as error:  # runtimes raise errors of many kinds for what they cannot run
        return Check(runtime, None, False, one_line(f"the network does not run ({error})"))
    difference = finite_or_none(contents.golden.difference(outputs.logits))
    try:
        contents.check(*outputs)
    except BundleError as error:
        return Check(runtime, difference, False, one_line(error))
    return Check(runtime, difference, True)


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
        known = next((said for word, said in BY_REASON if refused and word in refused), "")
        return (known,) if known else ()
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
