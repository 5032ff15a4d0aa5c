"""How many processes train together, and who starts them."""

from __future__ import annotations

from ..errors import UsageError

Size = int | tuple[int, int]


def group_size(given: str) -> Size:
    """`4`, or `1-4` for (least, most) as there is room. Raises UsageError for anything else."""
    least, dash, most = given.partition("-")
    numbers = [part.strip() for part in ((least, most) if dash else (least,))]
    if not all(number.isdecimal() for number in numbers):
        raise UsageError(f"--workers {given}: give a number, or with --engine ray a range as 1-4")
    size = [int(number) for number in numbers]
    if size[0] < 1 or size != sorted(size):
        raise UsageError(f"--workers {given}: give a number above 0, or the least and the most")
    return size[0] if size[0] == size[-1] else (size[0], size[-1])


def on_this_machine(size: Size) -> int:
    """Raises UsageError for a range: here nothing comes or goes."""
    if isinstance(size, int):
        return size
    least, most = size
    raise UsageError(
        f"--workers {least}-{most}: a range goes with --engine ray; give a number, or add that"
    )


def without(arguments: list[str], option: str) -> list[str]:
    """The command line without `option VALUE` and `option=VALUE`."""
    kept = [one for one in arguments if not one.startswith(f"{option}=")]
    if option in kept:
        at = kept.index(option)
        del kept[at : at + 2]
    return kept
