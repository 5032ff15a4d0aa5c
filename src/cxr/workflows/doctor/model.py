"""A model file explained: what it says, what its members are, and whether it works here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from ..._io import sha256_file
from ..._io.files import finite_or_none
from ..._io.markdown import one_line
from ...apply.engine import Engine
from ...bundle.config import BundleConfig
from ...bundle.format import FORMAT, MANIFEST, ONNX, SIMILAR, WEIGHTS
from ...bundle.golden import TOLERANCE
from ...bundle.read import Contents, open_bundle
from ...errors import BundleError
from .advice import advice_on
from .machine import is_installed


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
    """`facts` by name, in the order to be shown; `refused` why the file is not used, or ""."""

    facts: dict[str, Any]
    checks: tuple[Check, ...]
    refused: str
    advice: tuple[str, ...]


def examine(path: Path | str) -> Examination:
    """Raises UsageError when there is no such file; a file that is refused is an answer."""
    path = Path(path)
    try:
        contents = open_bundle(path)
        facts = _facts(contents)
    except BundleError as error:
        facts = {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
        return Examination(facts, (), one_line(error), advice_on(str(error), ()))
    checks = tuple(_checks(contents))
    failed = [f"{check.runtime}: {check.said}" for check in checks if check.passed is False]
    refused = f"{path} is refused: {'; '.join(failed)}" if failed else ""
    return Examination(facts, checks, refused, advice_on(refused, checks))


def _facts(contents: Contents) -> dict[str, Any]:
    from ...bundle.manifest import sizes_and_hashes
    from ...bundle.signature import signer

    config, members = contents.config, contents.members
    return {
        "bytes": contents.path.stat().st_size,
        "sha256": contents.digest,
        "format": _format(MANIFEST in members),
        "members": sizes_and_hashes(members),
        "hashes": "as in manifest.json" if MANIFEST in members else "nothing to hold them against",
        "signature": signer(members) or "none",
        "classes": list(config.classes),
        "labels": "none, one or several" if config.multi_label else "one of the classes",
        "backbone": config.backbone,
        "preprocessing": f"grey, {config.size} x {config.size} pixels, {config.resize_method}",
        "calibration": _calibration(config),
        "threshold": _threshold(config),
        "population": config.population,
        "training data": config.training_data,
        "trust": _rules(contents),
        "similar cases": _similar(contents),
    }


def _format(has_manifest: bool) -> str:
    if has_manifest:
        return f"{FORMAT}, the newest"
    return f"older than {FORMAT}: no hashes of members; cxr sign brings it to {FORMAT}"


def _calibration(config: BundleConfig) -> str:
    if config.calibration is not None:
        return "vector: a factor and a bias for each class"
    return "none" if config.temperature == 1 else f"temperature {config.temperature:.3g}"


def _threshold(config: BundleConfig) -> str:
    if config.multi_label:
        return "0.5 for each class"
    if config.positive is None or len(config.classes) != 2:
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
    found = read_similar(data, len(contents.config.classes), contents.config.multi_label)
    return f"{len(found):,}, with small images of patients"


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
        seen = build(contents).run(contents.golden.images)
    except BundleError as error:
        return Check(runtime, None, False, one_line(error))
    except Exception as error:  # runtimes raise errors of many kinds for what they cannot run
        return Check(runtime, None, False, one_line(f"the network does not run ({error})"))
    difference = finite_or_none(contents.golden.difference(seen.logits))
    try:
        contents.check(*seen)
    except BundleError as error:
        return Check(runtime, difference, False, one_line(error))
    return Check(runtime, difference, True)
