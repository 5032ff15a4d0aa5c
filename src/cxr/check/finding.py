"""What every check returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing, about the data.

    `code` names the check ("unreadable"); `message` says what was found; `path` is the file, or
    `group` the class, patient or set, that it is about; `evidence` holds the figures behind it, in
    JSON types; `action` says what to do next.
    """

    code: str
    severity: Severity
    message: str
    path: Path | None = None
    group: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    action: str = ""

    def to_dict(self) -> dict[str, Any]:
        """In JSON types, the path with forward slashes on every platform."""
        path = None if self.path is None else self.path.as_posix()
        return asdict(self) | {"path": path, "evidence": dict(self.evidence)}
