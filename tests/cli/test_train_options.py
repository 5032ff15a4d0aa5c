"""`--workers`: a number, or a range for Ray."""

from __future__ import annotations

import pytest

from cxr.cli.train import on_this_machine, without, workers_of
from cxr.errors import UsageError


@pytest.mark.parametrize(
    ("given", "size"), [("1", 1), ("4", 4), ("1-4", (1, 4)), ("2-2", 2), (" 2 - 3", (2, 3))]
)
def test_a_number_or_a_range(given: str, size: object) -> None:
    assert workers_of(given) == size


@pytest.mark.parametrize("given", ["0", "-1", "4-2", "0-2", "two", "", "1-2-3", "1.5", "-", "1-"])
def test_anything_else_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match=r"--workers .*: give a number"):
        workers_of(given)


def test_a_range_is_for_ray() -> None:
    assert on_this_machine(3) == 3
    with pytest.raises(UsageError, match="goes with --engine ray"):
        on_this_machine((1, 4))


@pytest.mark.parametrize("given", [["--workers", "2"], ["--workers=2"]])
def test_the_command_of_the_others_has_no_workers(given: list[str]) -> None:
    rest = ["train", "images", "--run", "r"]
    assert without([*rest[:2], *given, *rest[2:]], "--workers") == rest
