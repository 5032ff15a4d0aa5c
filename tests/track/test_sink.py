from __future__ import annotations

import errno

from cxr.track.sink import reason, without_login


class WrappedError(OSError):
    pass


def wrapped() -> BaseException:
    try:
        try:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        except OSError as error:
            raise WrappedError("pool exceeded " * 20) from error
    except OSError as error:
        return error


def test_the_systems_own_word():
    assert reason(wrapped()) == "Connection refused"
    assert reason(TimeoutError()) == "TimeoutError"


def test_else_the_beginning_in_one_line_without_a_login():
    assert reason(ValueError("at http://me:secret@there/a\n is nothing")) == (
        "at http://there/a is nothing"
    )
    assert reason(WrappedError("x" * 300)) == "x" * 200 + "..."
    assert without_login("postgresql://me@db/cxr a@b") == "postgresql://db/cxr a@b"
