"""Images that wait to be read: so many and so many bytes, no more."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Condition

MAX_IMAGES, MAX_BYTES = 64, 512 * 1024**2


@dataclass(frozen=True)
class Film:
    """`number` counts what was received: the name of an image in the log, where no other is
    safe."""

    number: int
    data: bytes
    ae_title: str
    host: str


class Inbox:
    """First in, first out, between the threads that receive and the one that reads."""

    def __init__(self, max_images: int = MAX_IMAGES, max_bytes: int = MAX_BYTES) -> None:
        self.max_images, self.max_bytes = max_images, max_bytes
        self._images: deque[Film] = deque()
        self._bytes, self._open = 0, True
        self._changed = Condition()

    def __len__(self) -> int:
        return len(self._images)

    def offer(self, film: Film) -> bool:
        """False when there is no room, or no longer."""
        with self._changed:
            fits = self._bytes + len(film.data) <= self.max_bytes
            if not (self._open and fits and len(self._images) < self.max_images):
                return False
            self._images.append(film)
            self._bytes += len(film.data)
            self._changed.notify()
            return True

    def take(self) -> Film | None:
        """The next image, waited for; None when closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._images or not self._open)
            if not self._images:
                return None
            film = self._images.popleft()
            self._bytes -= len(film.data)
            return film

    def close(self, *, discard: bool = False) -> int:
        """Takes no more. Returns how many images were discarded."""
        with self._changed:
            self._open = False
            lost = len(self._images) if discard else 0
            if discard:
                self._images.clear()
                self._bytes = 0
            self._changed.notify_all()
            return lost
