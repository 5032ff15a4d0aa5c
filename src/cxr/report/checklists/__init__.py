"""Reporting checklists, filled where the run knows the answer.

`write_checklists(run, read_run_facts(run))` writes them beside a run's other results. A checklist
is a data file of items; an answer is a function of the facts of a run.
"""

from __future__ import annotations

from pathlib import Path

from ... import __version__
from ..._io import write_json, write_text
from .checklist import ANSWERED, NOT_PROVIDED, PARTLY, fill, read_checklist, to_markdown
from .facts import RunFacts, read_run_facts

CHECKLISTS = tuple(read_checklist(key) for key in ("claim_2024", "tripod_ai", "stard_ai"))
FOLDER = "checklists"
FORMAT = 1


def write_checklists(folder: Path | str, facts: RunFacts) -> list[Path]:
    """Writes `checklists/{key}.md` for each checklist and `checklists/checklists.json`, last."""
    folder = Path(folder) / FOLDER
    filled = [fill(checklist, facts) for checklist in CHECKLISTS]
    paths = [write_text(folder / f"{one['key']}.md", to_markdown(one)) for one in filled]
    record = {"format": FORMAT, "generator": f"cxr {__version__}", "checklists": filled}
    return [*paths, write_json(folder / "checklists.json", record)]


__all__ = [
    "ANSWERED",
    "CHECKLISTS",
    "NOT_PROVIDED",
    "PARTLY",
    "RunFacts",
    "read_run_facts",
    "write_checklists",
]
