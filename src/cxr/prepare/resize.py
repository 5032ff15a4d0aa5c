"""`Resize(128)`: what happens to every image on its way to a batch."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UsageError

METHODS = ("squish", "pad", "crop")


@dataclass(frozen=True)
class Resize:
    """Square images of `size` pixels.

    `squish` (default) shows the whole image and stretches it, `pad` keeps its proportions with
    black
    borders, `crop` keeps them by cutting: it can cut lungs off, so it is never the default here.
    """

    size: int
    method: str = "squish"

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or not 32 <= self.size <= 2048:
            raise UsageError(f"size {self.size!r} is not a whole number from 32 to 2048")
        if self.method not in METHODS:
            raise UsageError(f"resize method {self.method!r} is not one of {', '.join(METHODS)}")
