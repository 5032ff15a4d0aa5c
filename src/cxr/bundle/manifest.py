"""`manifest.json`: the size and the SHA-256 of every other member, so that none can change alone.

It guards against damage and against half an edit, not against whoever makes it anew: that takes a
signature, which is made over the bytes of the manifest (`signature`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ..errors import BundleError
from .config import parse_config
from .format import CONFIG, MANIFEST, SIGNATURE, WITH_MANIFEST, format_of

UNLISTED = {MANIFEST, SIGNATURE}  # itself, and what is made over it


def manifest_bytes(members: Mapping[str, bytes]) -> bytes:
    """The manifest of `members`, of which those that it cannot list are left out."""
    number = format_of(parse_config(members[CONFIG]))
    manifest = {"format": number, "members": sizes_and_hashes(members)}
    return (json.dumps(manifest, indent=2) + "\n").encode()


def sizes_and_hashes(members: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """`size` in bytes and `sha256` in hexadecimal digits of each member, by name."""
    return {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in sorted(members.items())
        if name not in UNLISTED
    }


def check_manifest(members: Mapping[str, bytes]) -> None:
    """Raises BundleError unless `members` are those of the manifest, byte for byte.

    Files of format 1 have no manifest; there the checksums of the archive are all there is.
    """
    number = format_of(parse_config(members[CONFIG]))
    if MANIFEST not in members:
        if number >= WITH_MANIFEST:
            raise BundleError(f"not a whole cxr model: {MANIFEST} missing")
        if SIGNATURE in members:
            raise BundleError(f"{SIGNATURE} is there without {MANIFEST}, which it is made over")
        return
    # Written anew and compared: no other way of saying the same is let through.
    expected = manifest_bytes(members)
    if members[MANIFEST] != expected:
        raise BundleError(_difference(members[MANIFEST], json.loads(expected)))


def _difference(found: bytes, expected: dict[str, Any]) -> str:
    """The first thing that is wrong, in words."""
    try:
        manifest = json.loads(found)
    except (ValueError, RecursionError):
        manifest = None
    listed = manifest.get("members") if isinstance(manifest, dict) else None
    if not isinstance(listed, dict):
        return f"{MANIFEST} is damaged"
    actual = expected["members"]
    for name in sorted(set(actual) - set(listed)):
        return f"{name} is not in {MANIFEST}: it was added"
    for name in sorted(set(listed) - set(actual)):
        return f"{name[:40]!r} is in {MANIFEST} and missing: it was taken away"
    for name in actual:
        if listed[name] != actual[name]:
            return f"{name} is not the one of {MANIFEST}: it was changed"
    return f"{MANIFEST} is not as cxr writes it"
