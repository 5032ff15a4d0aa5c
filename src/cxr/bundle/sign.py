"""Signing a model file, and requiring that a given key signed it (see `signature`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .._io.files import storage_error
from ..errors import BundleError, UsageError
from .format import MANIFEST, SIGNATURE
from .members import read_members, refusing
from .read import open_bundle
from .signature import fingerprint, signature_bytes, signer
from .write import sealed, write_members

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PUBLIC = ".pub"
MAX_KEY = 16 << 10


def new_key(path: Path | str) -> tuple[Path, str]:
    """Writes a private key to `path` and its public half beside it, `path`.pub.

    Both are PEM (PKCS 8, not encrypted, and SubjectPublicKeyInfo), as openssl writes them. Only
    the owner may read the private one (on Windows the folder's rules hold). Returns the name of
    the public one and the fingerprint.
    Raises UsageError when either is there already, StorageError when they cannot be written.
    """
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = Path(path)
    public_path = path.with_name(path.name + PUBLIC)
    for taken in (path, public_path):
        if taken.exists():
            raise UsageError(f"{taken} is there already and is not written over; name another file")
    key = Ed25519PrivateKey.generate()
    plain = form.NoEncryption()
    private_pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, plain)
    public = key.public_key()
    public_pem = public.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    _write_new(path, private_pem, mode=0o600)
    _write_new(public_path, public_pem, mode=0o644)
    return public_path, fingerprint(public)


def sign_bundle(path: Path | str, key: Path | str) -> str:
    """Puts `signature.json` into the model file `path`, in place of one that is there.

    A file of an older format is brought to the newest one first. Returns the fingerprint.
    Raises UsageError for a key that cannot be used, BundleError when the file is refused,
    StorageError when it cannot be written; it then stays as it was.
    """
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = _key_from(key, lambda data: form.load_pem_private_key(data, password=None))
    if not isinstance(private, Ed25519PrivateKey):
        raise UsageError(f"{key} is no private Ed25519 key; make one with: cxr sign --new-key KEY")
    with refusing(path):
        members = sealed(read_members(Path(path)))
    public = private.public_key()
    members[SIGNATURE] = signature_bytes(public, private.sign(members[MANIFEST]))
    write_members(path, members)
    return fingerprint(public)


def require_signature(source: Path | str | Mapping[str, bytes], public_key: Path | str) -> str:
    """The fingerprint, when `source` is signed with the private half of the file `public_key`.

    `source` is a model file, or what `read_members` gave of it: so what is used is what was
    checked. Raises BundleError when it is not signed, signed by another key, or refused;
    UsageError when the key cannot be used.
    """
    wanted = fingerprint(read_public_key(public_key))
    if not isinstance(source, Mapping):
        with refusing(source):
            return require_signature(read_members(Path(source)), public_key)
    signed_by = signer(source)
    if signed_by is None:
        raise BundleError(f"not signed; only models signed by {wanted} are accepted here")
    if signed_by != wanted:
        raise BundleError(f"signed by another key, {signed_by}; accepted is only {wanted}")
    return signed_by


@dataclass(frozen=True)
class SignatureVerdict:
    """What can be said of a whole model file. `signed_by` and `wanted` are fingerprints."""

    path: Path
    signed_by: str | None
    wanted: str | None
    has_manifest: bool

    @property
    def accepted(self) -> bool:
        return self.wanted is None or self.signed_by == self.wanted

    @property
    def sentence(self) -> str:
        whole = "whole" if self.has_manifest else "whole by its checksums (of format 1: no hashes)"
        if self.signed_by is None:
            missing = "" if self.wanted is None else f", which {self.wanted} should have done"
            return f"{self.path}: {whole}; not signed{missing}"
        if self.wanted is None:
            return f"{self.path}: {whole}; signed by {self.signed_by}; --key KEY.pub tells whose"
        if self.accepted:
            return f"{self.path}: {whole}; signed by {self.signed_by}, the key asked for"
        return f"{self.path}: {whole}; signed by another key, {self.signed_by}, not {self.wanted}"


def verify_signature(path: Path | str, public_key: Path | str | None = None) -> SignatureVerdict:
    """Raises BundleError when the file is refused, or its signature is not one over it; UsageError
    for a key that cannot be used."""
    wanted = None if public_key is None else fingerprint(read_public_key(public_key))
    members = open_bundle(path).members
    return SignatureVerdict(Path(path), signer(members), wanted, MANIFEST in members)


def read_public_key(path: Path | str) -> Ed25519PublicKey:
    """Raises UsageError when the file holds no public Ed25519 key as PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    public = _key_from(path, load_pem_public_key)
    if not isinstance(public, Ed25519PublicKey):
        raise UsageError(f"{path} is no public Ed25519 key; give the file that ends in {PUBLIC}")
    return public


def _key_from(path: Path | str, load: Callable[[bytes], object]) -> object:
    """None for what is no key at all."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        with Path(path).open("rb") as file:
            return load(file.read(MAX_KEY))
    except OSError as error:
        raise UsageError(f"the key {path} cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it wants a password
        return None


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Never over a file that is there, not even one that came in between."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, mode)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "xb", opener=opener) as file:
            file.write(data)
    except OSError as error:
        raise storage_error(error, path) from error
