"""What every section is rendered from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .._io.html import Html


@dataclass(frozen=True)
class Report:
    """`data` is what `report.json` holds, `images` the files that it names."""

    data: Mapping[str, Any]
    images: Mapping[str, bytes]

    @property
    def splits(self) -> Mapping[str, Any]:
        return self.data["splits"]

    @property
    def headline(self) -> Mapping[str, Any]:
        """The metrics that the first sentence speaks of."""
        return self.splits[self.data["headline"]]["metrics"]

    def part(self, name: str) -> Any:
        """None where it was not given."""
        return self.data["parts"].get(name)


@dataclass(frozen=True)
class Section:
    """`render` gives None where there is nothing to say; then the section is left out."""

    anchor: str
    title: str
    render: Callable[[Report], Html | None]
