"""What a server without torch needs: the size of its packages, and the time until it is ready.

    python benchmarks/slim.py MODEL.cxr

Makes a virtual environment from this checkout with the extra [serve] alone (with uv, by the
versions in constraints.txt), adds up what it holds, and starts `cxr serve` in it on a copy of the
model that holds the network as ONNX. `ready_s` is from starting the program to the first answer of
/v2/health/ready; `first_s` to the first prediction; the first start of all, which still writes
Python's bytecode unless --compile, is given apart. `import_only_s` is Python alone importing what a
server needs: no server of these packages can start in less. Linux.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _bench import report
from _load import Client, raw_request
from _serve import READY, image_files, prepare, serve_arguments
from _watch import Watched, free_port, is_ready, limit_cores

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "torchvision", "timm", "pandas", "scipy", "sklearn", "matplotlib", "pyarrow")
TARGET_MB, TARGET_S = 400, 2
FLOOR = "import onnxruntime, numpy, uvicorn, httptools, uvloop, simplejpeg"


def checkout(folder: Path) -> Path:
    """What an install is built from, where building leaves nothing behind."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


def install(folder: Path, source: Path, uv: str, compile_all: bool) -> Path:
    """The environment's python."""
    python = folder / "bin" / "python"
    run([uv, "venv", "-q", "--python", sys.executable, str(folder)])
    wanted = [uv, "pip", "install", "-q", "--python", str(python)]
    wanted += ["-c", str(ROOT / "constraints.txt"), f"cxr[serve] @ {source.as_uri()}"]
    run([*wanted, *(["--compile-bytecode"] if compile_all else [])])
    return python


def run(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd="/").stdout


def packages(python: Path) -> Path:
    say = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(run([str(python), "-c", say]).strip())


def megabytes(folder: Path) -> float:
    """Of the files, bytecode left out: what is installed, however often it has run."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files if path.suffix != ".pyc") / 1e6


def largest(folder: Path, n: int = 8) -> dict[str, float]:
    sizes = {path.name: megabytes(path) for path in folder.iterdir() if path.is_dir()}
    return dict(sorted(sizes.items(), key=lambda item: -item[1])[:n])


def start(python: Path, model: Path, image: bytes, log: Path) -> dict[str, float]:
    """One start, one prediction, and the end."""
    port = free_port()
    command = [str(python.with_name("cxr")), "serve", str(model), "--port", str(port)]
    with log.open("wb") as out:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd="/")
    try:
        if not is_ready(process, port, READY):
            sys.exit(log.read_text(errors="replace"))
        ready = time.perf_counter() - begun
        answer = Client(port, [raw_request(image)], keep=True).closed_loop(1, 1)
        first = time.perf_counter() - begun
        if answer.of_status != [200] or "decision" not in json.loads(answer.answers[0]):
            sys.exit(f"no prediction: {answer}")
        loaded = [
            name for name in HEAVY if f"/{name}/" in Path(f"/proc/{process.pid}/maps").read_text()
        ]
        if loaded:
            sys.exit(f"the server has loaded {', '.join(loaded)}")
        return {"ready_s": ready, "first_s": first, "rss_mb": Watched(process.pid).rss_mb()}
    finally:
        process.terminate()
        process.wait(30)


def floor(python: Path) -> float:
    begun = time.perf_counter()
    run([str(python), "-c", FLOOR])
    return time.perf_counter() - begun


def measure(python: Path, model: Path, image: bytes, work: Path, starts: int) -> dict[str, Any]:
    folder = packages(python)
    missing = [name for name in HEAVY if (folder / name).exists()]
    if missing:
        sys.exit(f"[serve] installs {', '.join(missing)}, which a server must not need")
    found: dict[str, Any] = {"packages_mb": megabytes(folder), "largest_mb": largest(folder)}
    first = start(python, model, image, work / "log")
    found |= {"cold_ready_s": first["ready_s"]}
    rounds = [start(python, model, image, work / "log") for _ in range(starts)]
    found |= {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    found["ready_max_s"] = max(one["ready_s"] for one in rounds)
    found["import_only_s"] = statistics.median(floor(python) for _ in range(starts))
    return found


def notes(found: dict[str, Any]) -> list[str]:
    sizes = ", ".join(f"{name} {mb:.0f}" for name, mb in found["largest_mb"].items())
    return [
        f"packages: {found['packages_mb']:.0f} MB (target under {TARGET_MB}); largest: {sizes}",
        f"ready after {found['ready_s']:.2f} s (target under {TARGET_S}), the very first time "
        f"{found['cold_ready_s']:.2f} s; {found['rss_mb']:.0f} MB resident after one prediction",
    ]


def main() -> None:
    parser = serve_arguments(__doc__ or "")
    parser.add_argument("--uv", default=shutil.which("uv") or "uv")
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="bytecode written on installing")
    parser.add_argument("--keep", type=Path, help="keep the environment in this folder")
    options = parser.parse_args()
    limit_cores(2)
    with TemporaryDirectory() as folder:
        work = Path(folder)
        image = image_files(options.data, 1)[0].read_bytes()
        served = prepare(options.model, work)
        python = install(options.keep or work / "slim", checkout(work), options.uv, options.compile)
        found = measure(python, served, image, work, options.starts)
    report("slim", [{"contender": "cxr[serve]", **found}], notes=notes(found), store=options.store)


if __name__ == "__main__":
    main()
