"""The secret by which identifiers become pseudonyms: the same person, the same name, no way back.

Patient identifiers are short, so a plain hash of one can be found again by trying them all. With
a key that is kept apart from the data it cannot (HMAC, RFC 2104).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

import platformdirs

from .._io import say, scratch_path
from ..errors import StorageError, UsageError

VARIABLE = "CXR_KEY_FILE"
KEY_BYTES = 32
SHORTEST = 16  # bytes of a key that the user brings
PREFIX = "dcm-"
DIGITS = 16  # hexadecimal; of a million people, two share a name once in 37 million data sets


def pseudonym(key: bytes, *identity: str) -> str:
    """`dcm-` and 16 hexadecimal digits of the HMAC-SHA-256 of the parts of an identity."""
    return PREFIX + hmac.new(key, "\0".join(identity).encode(), hashlib.sha256).hexdigest()[:DIGITS]


def pseudonym_key(path: Path | None = None) -> bytes:
    """The key in `path`, else in `$CXR_KEY_FILE`, else in the user's own `pseudonym.key`.

    A file that is not there yet is made, with 32 random bytes that only its owner may read, and
    one line says so; of several processes that make it at once, all get the same key. Who has the
    key and a list of identifiers can find which pseudonym is whose.

    Raises StorageError when the file cannot be read or made (pseudonyms that nobody could make
    again would fall apart unseen), UsageError when it holds fewer than 16 bytes.
    """
    file = Path(path or os.environ.get(VARIABLE) or default_key_file())
    try:
        if not file.exists():
            _make(file)
        key = file.read_bytes()
    except (OSError, StorageError) as error:
        raise StorageError(
            f"the key of pseudonyms cannot be kept in {file} "
            f"({getattr(error, 'strerror', None) or error}); name another file by {VARIABLE}"
        ) from error
    if len(key) < SHORTEST:
        raise UsageError(
            f"the key of pseudonyms in {file} has {len(key)} bytes, at least {SHORTEST} are "
            f"needed; remove the file or name another by {VARIABLE}"
        )
    return key


def default_key_file() -> Path:
    """In the platform's folder of the user's settings. Not created here."""
    return Path(platformdirs.user_config_dir("cxr", appauthor=False)) / "pseudonym.key"


def _make(file: Path) -> None:
    with scratch_path(file) as temporary:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(secrets.token_bytes(KEY_BYTES))
        with suppress(FileExistsError):  # another process was first: its key counts
            os.link(temporary, file)  # unlike a rename, never over a file that is there
            say(f"made the key of pseudonyms, {file}: keep it, and keep it to yourself")
