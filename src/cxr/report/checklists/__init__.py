"""Reporting checklists, filled where the run knows the answer.

`write_checklists(run, read_run_facts(run))` writes them beside a run's other results. A checklist
is a file of items; an answer is a function of the facts of a run.
"""

from __future__ import annotations

from pathlib import Path

from ... import __version__
from ..._io import write_json, write_text
from .claim_2024 import CLAIM_2024
from .facts import RunFacts, read_run_facts
from .fill import ANSWERED, NOT_PROVIDED, PARTLY, filled, to_markdown
from .item import Answer, Checklist, Item
from .stard_ai import STARD_AI
from .tripod_ai import TRIPOD_AI

CHECKLISTS = (CLAIM_2024, TRIPOD_AI, STARD_AI)
FOLDER = "checklists"
FORMAT = 1


def write_checklists(folder: Path | str, facts: RunFacts) -> list[Path]:
    """Writes `checklists/{key}.md` for each checklist and `checklists/checklists.json`, last."""
    folder = Path(folder) / FOLDER
    found = [filled(checklist, facts) for checklist in CHECKLISTS]
    paths = [write_text(folder / f"{one['key']}.md", to_markdown(one)) for one in found]
    record = {"format": FORMAT, "generator": f"cxr {__version__}", "checklists": found}
    return [*paths, write_json(folder / "checklists.json", record)]


__all__ = [
    "ANSWERED",
    "CHECKLISTS",
    "NOT_PROVIDED",
    "PARTLY",
    "Answer",
    "Checklist",
    "Item",
    "RunFacts",
    "read_run_facts",
    "write_checklists",
]
