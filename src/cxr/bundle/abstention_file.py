"""`trust.npz`, a member of the model file: numbers and a JSON text, checked before use."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ..errors import BundleError
from .abstention import GRID, PARTS, Abstention, Likeness, Refusal, Trust, Unlike
from .npz import Arrays, npz_bytes, read_npz

MAX_TEXT = 64 << 10
MAX_REASON = 2000
ABOUT, LIMITS, PATIENTS = "about", "abstention.limits", "abstention.patients"
FIELDS = ("centre", "scale", "axes", "shrink")


def trust_bytes(trust: Trust) -> bytes:
    """An uncompressed .npz, the same bytes for the same rules."""
    arrays: Arrays = {}
    about = {"abstention": _about(trust.abstention), "unlike": _about(trust.unlike)}
    if isinstance(trust.abstention, Abstention):
        arrays[LIMITS] = trust.abstention.limits.astype(np.float64)
        arrays[PATIENTS] = trust.abstention.patients.astype(np.int64)
    if isinstance(trust.unlike, Unlike):
        for name, part in trust.unlike.parts.items():
            for field in FIELDS:
                arrays[f"{name}.{field}"] = getattr(part, field).astype(np.float32)
    text = json.dumps(about, ensure_ascii=False, allow_nan=False)
    arrays[ABOUT] = np.frombuffer(text.encode(), np.uint8)
    return npz_bytes(arrays)


def _about(rule: Abstention | Unlike | Refusal) -> dict[str, Any]:
    if isinstance(rule, Refusal):
        return {"refused": rule.reason[:MAX_REASON]}
    if isinstance(rule, Abstention):
        return {"alpha": rule.alpha}
    parts = {name: [part.middle, part.spread] for name, part in rule.parts.items()}
    return {
        "limit": rule.limit,
        "false_alarms": rule.false_alarms,
        "n_images": rule.n_images,
        "parts": parts,
    }


def read_trust(data: bytes, n_classes: int, multi_label: bool) -> Trust:
    """Raises BundleError for anything but finite rules for so many classes."""
    arrays = read_npz(data, "trust.npz")
    about = _text(arrays)
    abstention = about.get("abstention"), n_classes, multi_label
    trust = Trust(_abstention(arrays, *abstention), _unlike(arrays, about.get("unlike")))
    if arrays:
        raise _wrong(f"it also holds {min(arrays)[:40]!r}")
    return trust


def check_fits(trust: Trust | None, features: np.ndarray, middle: np.ndarray) -> None:
    """Raises BundleError when the rules are for other numbers than the network gives of an image:
    `features` (n, F) and `middle` (n, M)."""
    widths = {"features": features.shape[1], "middle": middle.shape[1], "layout": GRID**2}
    parts = trust.unlike.parts if trust and isinstance(trust.unlike, Unlike) else {}
    for name, part in parts.items():
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


def _refusal(about: object, rule: str) -> Refusal | None:
    if not isinstance(about, dict):
        raise _wrong(f"{rule} is not an object")
    if "refused" not in about:
        return None
    reason = about["refused"]
    if set(about) != {"refused"} or not isinstance(reason, str) or len(reason) > MAX_REASON:
        raise _wrong(f"{rule} is refused without a reason")
    return Refusal(reason)


def _abstention(
    arrays: Arrays, about: object, n_classes: int, multi_label: bool
) -> Abstention | Refusal:
    refusal = _refusal(about, "abstention")
    if refusal is not None:
        return refusal
    alpha = _number(about, "alpha", 0, 1)
    shape = (n_classes, 2) if multi_label else (n_classes,)
    limits = _array(arrays, LIMITS, np.float64, shape, gaps=multi_label)
    return Abstention(alpha, limits, _array(arrays, PATIENTS, np.int64, shape))


def _unlike(arrays: Arrays, about: object) -> Unlike | Refusal:
    refusal = _refusal(about, "unlike")
    if refusal is not None:
        return refusal
    known = about.get("parts") if isinstance(about, dict) else None
    if not isinstance(known, dict) or not known or not set(known) <= set(PARTS):
        raise _wrong(f"unlike has no parts, or others than {', '.join(PARTS)}")
    return Unlike(
        {name: _likeness(arrays, name, figures) for name, figures in known.items()},
        limit=_number(about, "limit", 1e-6, 1e6),
        false_alarms=_number(about, "false_alarms", 0, 1),
        n_images=int(_number(about, "n_images", 1, 1e12)),
    )


def _likeness(arrays: Arrays, name: str, figures: object) -> Likeness:
    if not isinstance(figures, list) or len(figures) != 2:
        raise _wrong(f"{name} has no median and spread")
    kept = dict(zip(("middle", "spread"), figures, strict=True))
    axes = _array(arrays, f"{name}.axes", np.float32, None)
    if axes.ndim != 2:
        raise _wrong(f"{name}.axes has {axes.ndim} dimensions, expected 2")
    m, d = axes.shape
    scale = _array(arrays, f"{name}.scale", np.float32, (d,))
    shrink = _array(arrays, f"{name}.shrink", np.float32, (m,))
    if not (scale > 0).all() or not ((shrink >= 0) & (shrink <= 1)).all():
        raise _wrong(f"{name} has a scale that is not positive, or a variance that cannot be")
    return Likeness(
        _array(arrays, f"{name}.centre", np.float32, (d,)),
        scale,
        axes,
        shrink,
        _number(kept, "middle", -1e6, 1e6),
        _number(kept, "spread", 1e-6, 1e6),
    )


def _array(
    arrays: Arrays, name: str, kind: type, shape: tuple[int, ...] | None, gaps: bool = False
) -> np.ndarray:
    """Takes one array out of `arrays`. `gaps` allows NaN."""
    found = arrays.pop(name, None)
    if not isinstance(found, np.ndarray):
        raise _wrong(f"{name} is missing")
    if found.dtype != kind or (shape is not None and found.shape != shape):
        wanted = f"{np.dtype(kind)} {shape or ''}".strip()
        raise _wrong(f"{name} is {found.dtype} {found.shape}, expected {wanted}")
    if np.isinf(found).any() or (not gaps and np.isnan(found).any()):
        raise _wrong(f"{name} holds values that are not finite")
    return found


def _number(about: object, name: str, low: float, high: float) -> float:
    value = about.get(name) if isinstance(about, dict) else None
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return float(value)
    raise _wrong(f"{name} must be a number from {low:g} to {high:g}")
