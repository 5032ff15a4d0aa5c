"""Films that wait to be read: so many and so many bytes, no more."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Condition

MAX_FILMS, MAX_BYTES = 64, 512 * 1024**2


@dataclass(frozen=True)
class Film:
    """`number` counts what was received: the name of a film in the log, where no other is safe."""

    number: int
    data: bytes
    ae_title: str
    host: str


class Inbox:
    """First in, first out, between the threads that receive and the one that reads."""

    def __init__(self, max_films: int = MAX_FILMS, max_bytes: int = MAX_BYTES) -> None:
        self.max_films, self.max_bytes = max_films, max_bytes
        self._films: deque[Film] = deque()
        self._bytes, self._open = 0, True
        self._changed = Condition()

    def __len__(self) -> int:
        return len(self._films)

    def offer(self, film: Film) -> bool:
        """False when there is no room, or no longer."""
        with self._changed:
            fits = self._bytes + len(film.data) <= self.max_bytes
            if not (self._open and fits and len(self._films) < self.max_films):
                return False
            self._films.append(film)
            self._bytes += len(film.data)
            self._changed.notify()
            return True

    def take(self) -> Film | None:
        """The next film, waited for; None when closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._films or not self._open)
            if not self._films:
                return None
            film = self._films.popleft()
            self._bytes -= len(film.data)
            return film

    def close(self, *, discard: bool = False) -> int:
        """Takes no more. Returns how many films were discarded."""
        with self._changed:
            self._open = False
            lost = len(self._films) if discard else 0
            if discard:
                self._films.clear()
                self._bytes = 0
            self._changed.notify_all()
            return lost
