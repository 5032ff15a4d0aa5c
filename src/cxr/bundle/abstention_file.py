"""`trust.npz`, a member of the model file: numbers and a JSON text, checked before use."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ..errors import BundleError
from .abstention import (
    DESCRIPTIONS,
    GRID,
    AbstentionRules,
    ConformalRule,
    FeatureDistribution,
    NotFitted,
    OutOfDistributionDetector,
)
from .archive import Arrays, npz_bytes, read_npz

MAX_TEXT = 64 << 10
MAX_REASON = 2000
ABOUT, LIMITS, PATIENTS = "about", "abstention.limits", "abstention.patients"
FIELDS = ("centre", "scale", "axes", "shrink")


def abstention_bytes(abstention: AbstentionRules) -> bytes:
    """An uncompressed .npz, the same bytes for the same rules."""
    arrays: Arrays = {}
    about = {
        "abstention": _about(abstention.conformal),
        "unlike": _about(abstention.out_of_distribution),
    }
    if isinstance(abstention.conformal, ConformalRule):
        arrays[LIMITS] = abstention.conformal.limits.astype(np.float64)
        arrays[PATIENTS] = abstention.conformal.patients.astype(np.int64)
    if isinstance(abstention.out_of_distribution, OutOfDistributionDetector):
        for name, part in abstention.out_of_distribution.distributions.items():
            for field in FIELDS:
                arrays[f"{name}.{field}"] = getattr(part, field).astype(np.float32)
    text = json.dumps(about, ensure_ascii=False, allow_nan=False)
    arrays[ABOUT] = np.frombuffer(text.encode(), np.uint8)
    return npz_bytes(arrays)


def _about(rule: ConformalRule | OutOfDistributionDetector | NotFitted) -> dict[str, Any]:
    if isinstance(rule, NotFitted):
        return {"refused": rule.reason[:MAX_REASON]}
    if isinstance(rule, ConformalRule):
        return {"alpha": rule.alpha}
    parts = {name: [part.middle, part.spread] for name, part in rule.distributions.items()}
    return {
        "limit": rule.limit,
        "false_alarms": rule.false_alarms,
        "n_images": rule.n_images,
        "parts": parts,
    }


def read_abstention(data: bytes, n_classes: int, multi_label: bool) -> AbstentionRules:
    """Raises BundleError for anything but finite rules for so many classes."""
    arrays = read_npz(data, "trust.npz")
    about = _text(arrays)
    abstention = AbstentionRules(
        _conformal(arrays, about.get("abstention"), n_classes, multi_label),
        _out_of_distribution(arrays, about.get("unlike")),
    )
    if arrays:
        raise _wrong(f"it also holds {min(arrays)[:40]!r}")
    return abstention


def check_fits(
    abstention: AbstentionRules | None, features: np.ndarray, middle: np.ndarray
) -> None:
    """Raises BundleError when the rules are for other numbers than the network gives of an image:
    `features` (n, F) and `middle` (n, M)."""
    widths = {"features": features.shape[1], "middle": middle.shape[1], "layout": GRID**2}
    detector = None if abstention is None else abstention.out_of_distribution
    if not isinstance(detector, OutOfDistributionDetector):
        return
    for name, part in detector.distributions.items():
        if len(part.centre) != widths[name]:
            raise _wrong(
                f"{name} is for {len(part.centre)} numbers, the model gives {widths[name]}"
            )


def _wrong(what: str) -> BundleError:
    return BundleError(f"trust.npz is not in order: {what}")


def _text(arrays: Arrays) -> dict[str, Any]:
    raw = arrays.pop(ABOUT, None)
    if not isinstance(raw, np.ndarray) or raw.dtype != np.uint8 or raw.ndim != 1:
        raise _wrong(f"no text {ABOUT!r}")
    if raw.size > MAX_TEXT:
        raise _wrong(f"a text of {raw.size:,} bytes, at most {MAX_TEXT:,} are allowed")
    try:
        about = json.loads(raw.tobytes())
    except (ValueError, RecursionError) as error:
        raise _wrong("its text is not valid JSON") from error
    if not isinstance(about, dict) or set(about) != {"abstention", "unlike"}:
        raise _wrong("its text does not name both rules")
    return about


def _not_fitted(about: object, rule: str) -> NotFitted | None:
    if not isinstance(about, dict):
        raise _wrong(f"{rule} is not an object")
    if "refused" not in about:
        return None
    reason = about["refused"]
    if set(about) != {"refused"} or not isinstance(reason, str) or len(reason) > MAX_REASON:
        raise _wrong(f"{rule} is refused without a reason")
    return NotFitted(reason)


def _conformal(
    arrays: Arrays, about: object, n_classes: int, multi_label: bool
) -> ConformalRule | NotFitted:
    missing = _not_fitted(about, "abstention")
    if missing is not None:
        return missing
    alpha = _number(about, "alpha", 0, 1)
    shape = (n_classes, 2) if multi_label else (n_classes,)
    limits = _array(arrays, LIMITS, np.float64, shape, gaps=multi_label)
    return ConformalRule(alpha, limits, _array(arrays, PATIENTS, np.int64, shape))


def _out_of_distribution(arrays: Arrays, about: object) -> OutOfDistributionDetector | NotFitted:
    missing = _not_fitted(about, "unlike")
    if missing is not None:
        return missing
    known = about.get("parts") if isinstance(about, dict) else None
    if not isinstance(known, dict) or not known or not set(known) <= set(DESCRIPTIONS):
        raise _wrong(f"unlike has no parts, or others than {', '.join(DESCRIPTIONS)}")
    return OutOfDistributionDetector(
        {name: _distribution(arrays, name, figures) for name, figures in known.items()},
        limit=_number(about, "limit", 1e-6, 1e6),
        false_alarms=_number(about, "false_alarms", 0, 1),
        n_images=int(_number(about, "n_images", 1, 1e12)),
    )


def _distribution(arrays: Arrays, name: str, figures: object) -> FeatureDistribution:
    if not isinstance(figures, list) or len(figures) != 2:
        raise _wrong(f"{name} has no median and spread")
    numbers = dict(zip(("middle", "spread"), figures, strict=True))
    axes = _array(arrays, f"{name}.axes", np.float32, None)
    if axes.ndim != 2:
        raise _wrong(f"{name}.axes has {axes.ndim} dimensions, expected 2")
    m, d = axes.shape
    scale = _array(arrays, f"{name}.scale", np.float32, (d,))
    shrink = _array(arrays, f"{name}.shrink", np.float32, (m,))
    if not (scale > 0).all() or not ((shrink >= 0) & (shrink <= 1)).all():
        raise _wrong(f"{name} has a scale that is not positive, or a variance that cannot be")
    return FeatureDistribution(
        _array(arrays, f"{name}.centre", np.float32, (d,)),
        scale,
        axes,
        shrink,
        _number(numbers, "middle", -1e6, 1e6),
        _number(numbers, "spread", 1e-6, 1e6),
    )


def _array(
    arrays: Arrays, name: str, kind: type, shape: tuple[int, ...] | None, gaps: bool = False
) -> np.ndarray:
    """Takes one array out of `arrays`. `gaps` allows NaN."""
    array = arrays.pop(name, None)
    if not isinstance(array, np.ndarray):
        raise _wrong(f"{name} is missing")
    if array.dtype != kind or (shape is not None and array.shape != shape):
        wanted = f"{np.dtype(kind)} {shape or ''}".strip()
        raise _wrong(f"{name} is {array.dtype} {array.shape}, expected {wanted}")
    if np.isinf(array).any() or (not gaps and np.isnan(array).any()):
        raise _wrong(f"{name} holds values that are not finite")
    return array


def _number(about: object, name: str, low: float, high: float) -> float:
    value = about.get(name) if isinstance(about, dict) else None
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return float(value)
    raise _wrong(f"{name} must be a number from {low:g} to {high:g}")
