"""The model that answers now, and the file that may replace it while the server runs."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import CxrError
from ..predictor import Predictor

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class ServedModel:
    """A predictor, with what every reply says of it."""

    predictor: Predictor
    name: str
    about: dict[str, Any] = field(init=False)
    loaded: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        config = self.predictor.config
        about = {
            "classes": list(config.classes),
            "population": config.population,
            "research_use_only": True,
            "model": {"name": self.name, "digest": self.predictor.digest},
        }
        object.__setattr__(self, "about", about)


def model_name(path: Path) -> str:
    """The file's stem in letters that are safe in an address."""
    return UNSAFE.sub("-", path.stem).strip(".-") or "model"


class LiveModel:
    """`model` may be another from one moment to the next: read it once for each request.

    `changed(outcome, reason)` is called at every attempt to replace it: "taken" or "refused".
    """

    def __init__(
        self,
        predictor: Predictor,
        name: str | None = None,
        reopen: Callable[[Path], Predictor] | None = None,
        changed: Callable[[str, str], None] = lambda outcome, reason: None,
    ) -> None:
        self.path = predictor.path
        self.name = name or model_name(self.path)
        self.model = ServedModel(predictor, self.name)
        self.refused = False  # the file on disk is not the model that answers
        self.changed = changed
        self._reopen = reopen
        self._stamp = self._last_seen = stamp_of(self.path)
        self._wake = asyncio.Event()
        self._reload_now = False

    def reload(self) -> None:
        """Look now, and read the file even if it seems unchanged. Only in the loop's thread."""
        self._reload_now = True
        self._wake.set()

    async def watch(self, seconds: float) -> None:
        """Looks at the file every so often, for as long as it is not cancelled."""
        if self._reopen is None:
            return
        while True:
            await self._pause(seconds)
            now = stamp_of(self.path)
            # Two looks that agree: whoever writes in place is not done yet.
            settled, self._last_seen = now == self._last_seen, now
            if self._reload_now or (now is not None and now != self._stamp and settled):
                self._reload_now, self._stamp = False, now
                await self._replace(self._reopen)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _replace(self, reopen: Callable[[Path], Predictor]) -> None:
        try:
            predictor = await asyncio.to_thread(reopen, self.path)
        except CxrError as error:
            self._refuse(str(error))
        except Exception as error:  # a model file must never take the server down
            self._refuse(type(error).__name__)
        else:
            self.refused = False
            if predictor.digest != self.model.predictor.digest:
                self.model = ServedModel(predictor, self.name)
                self.changed("taken", "")

    def _refuse(self, reason: str) -> None:
        self.refused = True
        self.changed("refused", reason)


def stamp_of(path: Path) -> Stamp | None:
    """Changes when the file does; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
