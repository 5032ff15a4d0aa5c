"""A reporting checklist: its items from a data file, filled with the answers of one run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ..._io.markdown import plain, table
from . import answers_data, answers_model, answers_results
from .facts import Answer, RunFacts

ANSWERED, PARTLY, NOT_PROVIDED = "answered", "partly", "NOT PROVIDED"
STATUSES = (ANSWERED, PARTLY, NOT_PROVIDED)
INTRODUCTION = (
    "Filled from the files of one run of cxr. What only people know is **NOT PROVIDED**, with what "
    "to write there; **to do** says what a partial answer lacks. Whether an answer is enough, you "
    "decide. The items are in our own words; the guideline's own text counts."
)


ANSWERS = {"data": answers_data, "model": answers_model, "results": answers_results}


@dataclass(frozen=True)
class Item:
    """One item. `topic` and `hint` are in our own words; only the numbers are the guideline's.

    `answers` give what a run knows, `complete` says whether that is the whole item. `hint` says
    what a human should write where they do not.
    """

    number: str
    topic: str
    hint: str
    answers: tuple[Callable[[RunFacts], Answer | None], ...] = ()
    complete: bool = False


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


def read_checklist(key: str) -> Checklist:
    """From `{key}.json` beside this module.

    An item's `answers` name functions: `data.left_out` is `left_out` of `answers_data`.
    """
    read = json.loads(files(__package__).joinpath(f"{key}.json").read_text(encoding="utf-8"))
    sections = {name: tuple(map(_item, items)) for name, items in read.pop("sections").items()}
    return Checklist(**read, sections=sections)


def _item(read: dict[str, Any]) -> Item:
    names = (name.split(".") for name in read.pop("answers", ()))
    return Item(**read, answers=tuple(getattr(ANSWERS[part], name) for part, name in names))


def fill(checklist: Checklist, facts: RunFacts) -> dict[str, Any]:
    """What `checklists.json` holds of a checklist, in JSON types."""
    items = [
        _fill_item(section, item, facts)
        for section, items in checklist.sections.items()
        for item in items
    ]
    return {
        "key": checklist.key,
        "name": checklist.name,
        "reference": checklist.reference,
        "doi": checklist.doi,
        "checked": checklist.checked,
        "counts": {one: sum(item["status"] == one for item in items) for one in STATUSES},
        "items": items,
    }


def _fill_item(section: str, item: Item, facts: RunFacts) -> dict[str, Any]:
    answers = [answer(facts) for answer in item.answers]
    known = [answer for answer in answers if answer is not None]
    status = NOT_PROVIDED
    if known:
        status = ANSWERED if item.complete and len(known) == len(answers) else PARTLY
    sources = dict.fromkeys(name for answer in known for name in answer.source.split(", "))
    return {
        "number": item.number,
        "section": section,
        "topic": item.topic,
        "status": status,
        "answer": " ".join(_sentence(answer.text) for answer in known),
        "from": list(sources),
        "hint": item.hint,
    }


def to_markdown(filled: Mapping[str, Any]) -> str:
    """The page of what `fill` gave."""
    counts, n = filled["counts"], len(filled["items"])
    lines = [
        f"# {filled['name']}",
        f"{filled['reference']}, doi:{filled['doi']}",
        f"**{n} items: {counts[ANSWERED]} answered, {counts[PARTLY]} answered in part, "
        f"{counts[NOT_PROVIDED]} NOT PROVIDED.**",
        INTRODUCTION,
        f"How far this list was checked: {filled['checked']}",
    ]
    for section in dict.fromkeys(item["section"] for item in filled["items"]):
        rows = [_row(item) for item in filled["items"] if item["section"] == section]
        lines += [f"## {section}", table(("item", "what to report", "answer", "from"), rows)]
    return "\n\n".join(lines) + "\n"


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    answer = plain(item["answer"])
    if item["status"] == NOT_PROVIDED:
        answer = f"**{NOT_PROVIDED}.** {item['hint']}"
    elif item["status"] == PARTLY:
        answer = f"{answer} **To do:** {item['hint']}"
    return item["number"], item["topic"], answer, ", ".join(item["from"])


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
