"""What goes wrong elsewhere, in one line that may be said."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .._io.markdown import one_line

LONGEST = 200


def reason(error: BaseException) -> str:
    """Short, without the login that an address may hold.

    Libraries wrap "Connection refused" into long sentences, several times: the system's own word
    is taken where there is one.
    """
    system = [one for one in _chain(error) if isinstance(one, OSError) and _is_own(one)]
    found = system[-1] if system else error
    said = (isinstance(found, OSError) and found.strerror) or str(found)
    text = without_login(one_line(said)) or type(found).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def without_login(text: str) -> str:
    return re.sub(r"//[^/\s@]*@", "//", text)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_own(error: BaseException) -> bool:
    return type(error).__module__ == "builtins"
