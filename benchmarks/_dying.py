"""`cxr` with a fault in the writing of a file: `_dying.py EVENT PATTERN COUNT ARGUMENTS...`

Every file of a run comes under its final name by a rename. At the COUNTth rename to a name like
PATTERN the process kills itself (-9): `half`, as if only half of the file were written; `before`
or `after` the rename, which is before the folder is on the disk, too. Or the rename and all the
writing after it fails: `full` (no space left) or `readonly`.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

FAULTS = {"full": errno.ENOSPC, "readonly": errno.EROFS}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def install(event: str, pattern: str, count: int) -> None:
    replace, seen = os.replace, iter(range(1, 1 << 30))

    def faulty(source: Any, target: Any, **options: Any) -> None:
        name = Path(os.fsdecode(target)).name
        if not fnmatch(name, pattern) or next(seen) < count:
            return replace(source, target, **options)
        if event in FAULTS:
            raise OSError(FAULTS[event], os.strerror(FAULTS[event]), os.fsdecode(target))
        if event == "half" and Path(source).is_file():
            os.truncate(source, Path(source).stat().st_size // 2)
        if event == "after":
            replace(source, target, **options)
        return die()

    os.replace = faulty


if __name__ == "__main__":
    event, pattern, count = sys.argv[1:4]
    sys.argv[1:4] = []
    install(event, pattern, int(count))
    from cxr.cli import main

    main()
