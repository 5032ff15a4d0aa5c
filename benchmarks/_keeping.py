"""`cxr`, timing what keeping states costs: `_keeping.py RESULT ARGUMENTS...`

Into the file RESULT, as JSON: `held_s`, for which training waited, and `writer_cpu_s`, which the
thread that writes took from it at most; `states` that were kept.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cxr.train.resume.checkpoint_callback import CheckpointCallback

HELD, WRITING = ("after_batch", "after_epoch"), "_write"


def timed(name: str, clock: Callable[[], float], found: list[float]) -> None:
    plain = getattr(CheckpointCallback, name)

    def method(self: Any, *given: Any, **options: Any) -> Any:
        start = clock()
        try:
            return plain(self, *given, **options)
        finally:
            found.append(clock() - start)

    setattr(CheckpointCallback, name, method)


if __name__ == "__main__":
    result = Path(sys.argv.pop(1))
    held, writing = list[float](), list[float]()
    for name in HELD:
        timed(name, time.perf_counter, held)
    timed(WRITING, time.thread_time, writing)
    from cxr.cli import main

    try:
        main()
    finally:
        facts = {"held_s": sum(held), "writer_cpu_s": sum(writing), "states": len(writing)}
        result.write_text(json.dumps(facts))
