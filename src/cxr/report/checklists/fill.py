"""A checklist with the answers of one run: as JSON, and from that as a page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._io.markdown import plain, table
from .facts import RunFacts
from .item import Checklist, Item

ANSWERED, PARTLY, NOT_PROVIDED = "answered", "partly", "NOT PROVIDED"
STATUSES = (ANSWERED, PARTLY, NOT_PROVIDED)
INTRODUCTION = (
    "Filled from the files of one run of cxr. What only people know is **NOT PROVIDED**, with what "
    "to write there; **to do** says what a partial answer lacks. Whether an answer is enough, you "
    "decide. The items are in our own words; the guideline's own text counts."
)


def filled(checklist: Checklist, facts: RunFacts) -> dict[str, Any]:
    """What `checklists.json` holds of a checklist, in JSON types."""
    items = [
        _filled_item(section, item, facts)
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


def _filled_item(section: str, item: Item, facts: RunFacts) -> dict[str, Any]:
    answers = [writer(facts) for writer in item.writers]
    known = [answer for answer in answers if answer is not None]
    status = NOT_PROVIDED
    if known:
        status = ANSWERED if item.all_of_it and len(known) == len(answers) else PARTLY
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


def to_markdown(found: Mapping[str, Any]) -> str:
    """The page of what `filled` gave."""
    counts, n = found["counts"], len(found["items"])
    lines = [
        f"# {found['name']}",
        f"{found['reference']}, doi:{found['doi']}",
        f"**{n} items: {counts[ANSWERED]} answered, {counts[PARTLY]} answered in part, "
        f"{counts[NOT_PROVIDED]} NOT PROVIDED.**",
        INTRODUCTION,
        f"How far this list was checked: {found['checked']}",
    ]
    for section in dict.fromkeys(item["section"] for item in found["items"]):
        rows = [_row(item) for item in found["items"] if item["section"] == section]
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
