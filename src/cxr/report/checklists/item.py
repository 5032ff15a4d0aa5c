"""A reporting checklist: what each item asks for, and who can answer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .facts import RunFacts


@dataclass(frozen=True)
class Answer:
    """What a run knows about an item, in plain text, and the file that says so."""

    text: str
    source: str


Writer = Callable[[RunFacts], Answer | None]


@dataclass(frozen=True)
class Item:
    """One item. `topic` and `hint` are in our own words; only the numbers are the guideline's.

    `writers` give what a run knows, `all_of_it` says whether that is the whole item. `hint` says
    what a human should write where they do not.
    """

    number: str
    topic: str
    hint: str
    writers: tuple[Writer, ...] = ()
    all_of_it: bool = False


@dataclass(frozen=True)
class Checklist:
    """`key` names its file. `checked` says how far our list of items was verified."""

    key: str
    name: str
    reference: str
    doi: str
    checked: str
    sections: Mapping[str, tuple[Item, ...]]

    @property
    def items(self) -> tuple[Item, ...]:
        return tuple(item for items in self.sections.values() for item in items)


def human(number: str, topic: str, hint: str) -> Item:
    """No run knows it."""
    return Item(number, topic, hint)


def part(number: str, topic: str, hint: str, *writers: Writer) -> Item:
    """A run knows some of it; a human must add what `hint` says."""
    return Item(number, topic, hint, writers)


def whole(number: str, topic: str, hint: str, *writers: Writer) -> Item:
    """A run knows all of it, where its files are there."""
    return Item(number, topic, hint, writers, all_of_it=True)
