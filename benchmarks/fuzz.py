"""Damaged files: does anything crash, hang or swallow the memory, and is each of them reported?

    python benchmarks/fuzz.py --images 5000

The files are seeded copies of real JPEG images, PNG images made from them, and DICOM files of
many transfer syntaxes (the data folder's and pydicom's own), with bytes flipped, the end cut off,
or the start of one joined to the end of another. A process of its own reads each as `cxr check`
does; one that takes more than --limit seconds is ended and counts as hung, one that ends by itself
or raises anything but ImageError counts as crashed. Then `cxr check` runs on the folder, and each
file that was refused must be in its check.json. Peak memory is as the system counts it (Linux and
macOS); that of the undamaged files is given beside it.
"""

from __future__ import annotations

import json
import os
import queue
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from _bench import add_trial_options, arguments, report

CHECK = "from cxr.cli import main; main()"
IMAGES, LARGEST = 40, 600_000  # sources of a kind, bytes of a DICOM source
HEADER = 600  # bytes: half of the flips hit these, where the dimensions and tables are
DAMAGES = ("flipped", "truncated", "spliced")
Sources = dict[str, list[bytes]]


def sources(data: Path) -> Sources:
    """Whole files of each kind, by extension: each can be read."""
    files = sorted(data.rglob("*.jp*g"))
    if not files:
        sys.exit(f"no .jpeg files in {data}; name a folder with --data")
    files = files[:: max(1, len(files) // IMAGES)][:IMAGES]
    pngs = []
    for i, path in enumerate(files):
        with Image.open(path) as image:
            mode = ("L", "RGB", "P", "I;16")[i % 4]
            file = BytesIO()
            image.convert("L").convert(mode).save(file, "PNG")
            pngs.append(file.getvalue())
    return {
        ".jpeg": [path.read_bytes() for path in files],
        ".png": pngs,
        ".dcm": list(dicom_files(data.parent / "dicom")),
    }


def dicom_files(folder: Path) -> Iterator[bytes]:
    import pydicom.data

    from cxr.errors import ImageError
    from cxr.pixels import load_grey

    own = Path(pydicom.data.__file__).parent / "test_files"
    for path in [*sorted(folder.glob("*.dcm")), *sorted(own.glob("*.dcm"))]:
        if path.stat().st_size <= LARGEST:
            try:
                load_grey(path)
            except ImageError:
                continue
            yield path.read_bytes()


def flipped(rng: random.Random, data: bytes, _: bytes) -> bytes:
    found = bytearray(data)
    reach = len(data) if rng.random() < 0.5 else min(HEADER, len(data))
    for _ in range(rng.choice((1, 2, 8, 64))):
        found[rng.randrange(reach)] = rng.randrange(256)
    return bytes(found)


def truncated(rng: random.Random, data: bytes, _: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def spliced(rng: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


DAMAGE: dict[str, Callable[[random.Random, bytes, bytes], bytes]] = {
    name: globals()[name] for name in DAMAGES
}


def make_files(whole: Sources, n: int, folder: Path, seed: int = 0) -> None:
    """`n` damaged files, as many of each kind and damage, named after both."""
    rng = random.Random(seed)
    combinations = [(kind, damage) for damage in DAMAGES for kind in whole]
    anything = [data for files in whole.values() for data in files]
    for i in range(n):
        kind, damage = combinations[i % len(combinations)]
        others = anything if rng.random() < 0.3 else whole[kind]
        data = DAMAGE[damage](rng, rng.choice(whole[kind]), rng.choice(others))
        (folder / f"{damage}_{i:05}{kind}").write_bytes(data)


def read_files() -> None:
    """The process that reads: a path a line comes in, a line of JSON goes out."""
    import resource
    import warnings

    from cxr.check.scan import file_facts

    warnings.simplefilter("ignore")
    scale = 1e6 if sys.platform == "darwin" else 1e3
    for line in sys.stdin:
        start = time.perf_counter()
        error = file_facts(Path(line.rstrip("\n"))).error
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
        print(json.dumps({"error": error, "seconds": seconds, "peak_mb": peak}), flush=True)


class Reader:
    """A process that reads files; a new one takes the place of one that crashed or hung."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--as", "reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put("")

    def read(self, path: Path, limit: float) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(f"{path}\n")
            self.process.stdin.flush()
            line = self.answers.get(timeout=limit)
        except (queue.Empty, BrokenPipeError) as error:
            self.close()
            return {"fault": "hung" if isinstance(error, queue.Empty) else "crashed"}
        return json.loads(line) if line else {"fault": "crashed"}

    @property
    def lives(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def read_all(paths: list[Path], limit: float) -> dict[Path, dict[str, Any]]:
    reader, found = Reader(), {}
    reader.read(paths[0], 120)  # imports
    for path in paths:
        found[path] = reader.read(path, limit)
        if "fault" in found[path]:
            print(f"{found[path]['fault']}: {path.name}", file=sys.stderr)
            reader.close()
            reader = Reader()
            reader.read(paths[0], 120)
    reader.close()
    return found


def check(folder: Path, work: Path) -> tuple[float, int, set[str]]:
    """Seconds, exit code, and the files that check.json calls unreadable."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHECK, "check", str(folder), "--out", str(work / "check")],
        env=os.environ | {"CXR_KEY_FILE": str(work / "key"), "CXR_CACHE_DIR": str(work / "cache")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    seconds = time.perf_counter() - start
    listed = work / "check" / "check.json"
    if not listed.is_file():
        sys.exit(f"cxr check wrote nothing (exit code {done.returncode}): {done.stderr[-2000:]}")
    findings = json.loads(listed.read_text())["findings"]
    named = {one["path"] for one in findings if one["code"] == "unreadable"}
    for one in findings:  # damage can turn an image into a report without an image
        if one["code"] == "dicom-without-image":
            named |= set(one["evidence"]["files"])
    return seconds, done.returncode, named


def rows(found: dict[Path, dict[str, Any]]) -> list[dict[str, Any]]:
    """One for each kind of file and damage, and one for all."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, one in found.items():
        name = f"{path.suffix[1:]} {path.name.split('_')[0]}"
        for group in (name, "all"):
            groups.setdefault(group, []).append(one)
    return [
        {
            "contender": name,
            "files": len(group),
            "decoded": sum("error" in one and one["error"] is None for one in group),
            "refused": sum(one.get("error") is not None for one in group),
            "crashed": sum(one.get("fault") == "crashed" for one in group),
            "hung": sum(one.get("fault") == "hung" for one in group),
            "slowest_s": max(one.get("seconds", 0.0) for one in group),
        }
        for name, group in sorted(groups.items())
    ]


def main() -> None:
    parser = arguments(__doc__ or "")
    add_trial_options(parser)
    parser.set_defaults(images=5000)
    parser.add_argument("--as", dest="contender", choices=["reader"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=5.0, help="seconds a file")
    options = parser.parse_args()
    if options.contender:
        read_files()
        return
    with TemporaryDirectory() as place:
        work = Path(place)
        for name in ("whole", "damaged"):
            (work / name).mkdir()
        whole = sources(options.data)
        make_whole(whole, work / "whole")
        make_files(whole, options.images, work / "damaged", options.seed)
        before = read_all(sorted((work / "whole").iterdir()), options.limit)
        found = read_all(sorted((work / "damaged").iterdir()), options.limit)
        seconds, code, named = check(work / "damaged", work)
    refused = {path.name for path, one in found.items() if one.get("error") is not None}
    slowest = max(found, key=lambda path: found[path].get("seconds", 0.0))
    notes = [
        f"seed {options.seed}; sources: "
        + ", ".join(f"{len(files)} {kind}" for kind, files in whole.items()),
        f"slowest file: {slowest.name}, {found[slowest].get('seconds', 0.0):.2f} s",
        f"peak memory of the reading process: {peak(found):.0f} MB, "
        f"{peak(before):.0f} MB for the {len(before)} undamaged files",
        f"cxr check: exit code {code} after {seconds:.0f} s; of {len(refused):,} refused files "
        f"{len(refused & named):,} are in check.json, and {len(named - refused):,} others",
    ]
    report("fuzz", rows(found), notes=notes, store=options.store)
    if refused - named:
        print("missing:", *sorted(refused - named)[:10])


def make_whole(whole: Sources, folder: Path) -> None:
    for kind, files in whole.items():
        for i, data in enumerate(files):
            (folder / f"whole_{i:03}{kind}").write_bytes(data)


def peak(found: dict[Path, dict[str, Any]]) -> float:
    return max(one.get("peak_mb", 0.0) for one in found.values())


if __name__ == "__main__":
    main()
