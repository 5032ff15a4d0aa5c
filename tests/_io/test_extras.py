"""Libraries of an extra that are not installed."""

from __future__ import annotations

import pytest

from cxr._io.extras import extra_of, needed_for
from cxr.errors import UsageError


@pytest.mark.parametrize(
    ("module", "package"),
    [("highdicom.sr", r'"cxr\[dicom\]"'), ("ray", r'"cxr\[ray\]"'), ("no_such_one", "no_such_one")],
)
def test_a_missing_library_is_one_line_that_says_what_to_install(module: str, package: str) -> None:
    with (
        pytest.raises(UsageError, match=rf"a report needs {module}, .* run: pip install {package}"),
        needed_for("a report"),
    ):
        raise ModuleNotFoundError(name=module)


def test_the_extra_of_a_module() -> None:
    assert (extra_of("torch.nn"), extra_of("os"), extra_of(None)) == ("train", None, None)
