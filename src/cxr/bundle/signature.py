"""The signature in a model file: Ed25519 (RFC 8032) over the bytes of its manifest.

The manifest holds the SHA-256 of every other member, so the signature covers them all. It says
that the holder of a key wrote this very model; whose key it is, a reader must know from elsewhere:
`signature.json` carries the public key, which anybody could have put there.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import BundleError
from .format import MANIFEST, SIGNATURE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def signer(members: Mapping[str, bytes]) -> str | None:
    """The fingerprint of the key that signed, of `members` as `read_members` gives them."""
    return fingerprint(check_signature(members)) if SIGNATURE in members else None


def check_signature(members: Mapping[str, bytes]) -> Ed25519PublicKey:
    """The key that signed. Raises BundleError when the signature is not one over the manifest."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        texts = json.loads(members[SIGNATURE])
        raw = base64.b64decode(texts["public_key"], validate=True)
        signature = base64.b64decode(texts["signature"], validate=True)
        public = Ed25519PublicKey.from_public_bytes(raw)
        if members[SIGNATURE] != signature_bytes(public, signature):
            raise ValueError("it is not as cxr writes it")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BundleError(f"{SIGNATURE} is damaged ({error})") from error
    try:
        public.verify(signature, members[MANIFEST])
    except InvalidSignature as error:
        raise BundleError(
            "its signature is not one over this model: the model, or the signature, was changed"
        ) from error
    return public


def fingerprint(public: Ed25519PublicKey) -> str:
    """`SHA256:` and base64, of the key as DER; openssl gives the same:

    `openssl pkey -pubin -in KEY.pub -outform DER | openssl dgst -sha256 -binary | base64`
    """
    from cryptography.hazmat.primitives import serialization as form

    der = public.public_bytes(form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo)
    return f"SHA256:{base64.b64encode(hashlib.sha256(der).digest()).decode()}"


def signature_bytes(public: Ed25519PublicKey, signature: bytes) -> bytes:
    raw = {"public_key": public.public_bytes_raw(), "signature": signature}
    texts = {name: base64.b64encode(data).decode() for name, data in raw.items()}
    return (json.dumps(texts, indent=2) + "\n").encode()
