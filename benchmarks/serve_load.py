"""`cxr serve` under load, beside the same model in the process itself and behind other servers.

    python benchmarks/serve_load.py MODEL.cxr --peer-python PYTHON_WITH_TORCH_AND_LITSERVE

On two processors, which server and client share; real images as bodies; 32 clients, each of which
waits for its answer (capacity), then one client alone (idle latency), then a client that waits for
nobody, at 80 % of that server's own capacity, evenly spaced and at random (Poisson). `cxr` gets the
image as the body, `cxr_form` and all peers get it as multipart/form-data from the same client.
`in_process` is `Predictor.predictions` with no HTTP, by images decoded ahead in threads and by
threads that each do everything, whichever is faster; it has both processors for itself. `fastapi`
is a plain handler with Pillow and eager torch (`fastapi_threads`: not async), `litserve` the same
in LitServe, `litserve_batch` with its dynamic batches, `litserve_onnx` LitServe over the file that
cxr exports, in grey. `differ` counts images, each asked once, whose answer is another class than
from `cxr`: the peers resize as their users would. Each server is alone while it is measured; every
other round goes through them backwards. Linux.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from _bench import available_cpus, medians_of, report, run_contender, versions
from _load import Client, Measured, arrivals, form_request, raw_request
from _serve import PEERS, READY, cxr_server, image_files, prepare, serve_arguments
from _watch import free_port, limit_cores, serving

IN_PROCESS = "in_process"
WARM_UP, CHUNKS = 200, (32, 64, 128)
LOAD = 0.8  # of capacity, for the latency under load
Command = list[str]


def peer_commands(python: str, work: Path, model: Path) -> dict[str, Callable[[int], Command]]:
    """The command of each peer for a port."""

    def of(script: str, given: Path, *more: str) -> Callable[[int], Command]:
        return lambda port: [python, str(PEERS / script), str(given), str(port), *more]

    return {
        "fastapi": of("plain_fastapi.py", model),
        "fastapi_threads": of("plain_fastapi.py", model, "threads"),
        "litserve": of("litserve_torch.py", model),
        "litserve_batch": of("litserve_torch.py", model, "batch"),
        "litserve_onnx": of("litserve_onnx.py", work / "model.onnx"),
        "litserve_onnx_2": of("litserve_onnx.py", work / "model.onnx", "2"),
    }


def measure_server(
    command: Callable[[int], Command], ready: str, requests: Sequence[bytes], n: int, options: Any
) -> tuple[dict[str, Any], list[str]]:
    """(its figures, its answers to the images, each asked once)."""
    port = free_port()
    with serving(command(port), port, ready) as watched:

        def client(keep: bool = False) -> Client:
            return Client(port, requests, watched, keep=keep)

        client().closed_loop(options.clients, WARM_UP)
        idle = client(keep=True).closed_loop(1, len(requests))
        full = client().closed_loop(options.clients, n)
        figures = {**full.figures(), **idle_figures(idle)}
        rate = LOAD * figures["requests_per_s"]
        for name, seed in (("even", None), ("random", 0)):
            loaded = client().open_loop(arrivals(rate, options.seconds, seed))
            figures |= open_figures(loaded, name, figures["idle_p50_ms"])
    return figures, [answered(json.loads(body)) for body in idle.answers]


def answered(body: dict[str, Any]) -> str:
    """The most probable class, as cxr and as the peers call it."""
    return str(body.get("most_probable", body.get("prediction", "")))


def idle_figures(idle: Measured) -> dict[str, Any]:
    return {
        "idle_p50_ms": idle.latency_ms(0.5),
        "idle_p99_ms": idle.latency_ms(0.99),
        "idle_errors": idle.errors.total() + sum(status != 200 for status in idle.of_status),
    }


def open_figures(loaded: Measured, name: str, idle_ms: float) -> dict[str, Any]:
    """At 80 % of capacity; `late` is how much after its moment the client itself sent, at most in
    99 % of requests: it is part of the latencies."""
    worst = loaded.latency_ms(0.99)
    return {
        f"{name}_p50_ms": loaded.latency_ms(0.5),
        f"{name}_p99_ms": worst,
        f"{name}_x_idle": worst / idle_ms,
        f"{name}_faults": loaded.errors.total() + sum(s != 200 for s in loaded.of_status),
        f"{name}_late_ms": 1000 * float(np.quantile(loaded.lateness, 0.99)),
    }


def measure_in_process(model: Path, data: Path, images: int, n: int) -> dict[str, Any]:
    """The best of a few ways, each tried on a part of the images, then on all of them."""
    from cxr.apply.predictor import load_predictor

    bodies = [path.read_bytes() for path in image_files(data, images)]
    cores = available_cpus()
    whole = load_predictor(model, "onnx")
    alone = load_predictor(model, "onnx", threads=1)
    ways: dict[str, Callable[[int], None]] = {}
    for chunk in CHUNKS:
        ways[f"decoded ahead, {chunk} at once"] = lambda n, c=chunk: ahead(whole, bodies, n, c)
        ways[f"{cores} threads, {chunk} at once"] = lambda n, c=chunk: beside(
            alone, bodies, n, c, cores
        )
    trial = max(256, n // 10)
    rates = {name: rate(way, trial) for name, way in ways.items()}
    rates = {name: max(first, rate(ways[name], trial)) for name, first in rates.items()}
    best = max(rates, key=rates.__getitem__)
    return {"requests": n, "requests_per_s": rate(ways[best], n), "way": best, "tried": rates}


def rate(way: Callable[[int], None], n: int) -> float:
    start = time.perf_counter()
    way(n)
    return n / (time.perf_counter() - start)


def ahead(predictor: Any, bodies: Sequence[bytes], n: int, chunk: int) -> None:
    """As `cxr predict` goes through files: threads decode while the network runs."""
    from cxr.pixels import map_in_order

    images, batch = (bodies[i % len(bodies)] for i in range(n)), []
    for pixels in map_in_order(predictor.pixels, images, available_cpus()):
        batch.append(pixels)
        if len(batch) == chunk:
            predictor.predictions(np.stack(batch))
            batch.clear()
    if batch:
        predictor.predictions(np.stack(batch))


def beside(predictor: Any, bodies: Sequence[bytes], n: int, chunk: int, threads: int) -> None:
    """Each thread decodes and runs the network, on one processor."""
    from concurrent.futures import ThreadPoolExecutor

    def work(start: int) -> None:
        images = [bodies[i % len(bodies)] for i in range(start, min(start + chunk, n))]
        predictor.predictions(np.stack([predictor.pixels(image) for image in images]))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(0, n, chunk)))


def compare(options: Any, work: Path) -> list[dict[str, Any]]:
    served = prepare(options.model, work, alone=True)
    images = [path.read_bytes() for path in image_files(options.data, options.images)]
    peers = peer_commands(options.peer_python, work, options.model)
    own = {name: lambda port: cxr_server(served, port) for name in ("cxr", "cxr_form")}
    names = [n for n in (IN_PROCESS, *own, *peers) if options.only in (None, n)]
    rows: list[dict[str, Any]] = []
    for i in range(options.repeats):
        for name in names if i % 2 == 0 else reversed(names):
            print(f"round {i + 1}: {name}", file=sys.stderr)
            if name == IN_PROCESS:
                given = [str(served), "--data", str(options.data), "--images", str(options.images)]
                given += ["--requests", str(options.requests)]
                rows.append(run_contender(sys.executable, Path(__file__), name, given))
                continue
            build = raw_request if name == "cxr" else form_request
            requests = [build(image) for image in images]
            if name in own:
                seen = measure_server(own[name], READY, requests, options.requests, options)
            else:
                seen = measure_server(
                    peers[name], "/health", requests, options.peer_requests, options
                )
            python = sys.executable if name in own else options.peer_python
            rows.append({"contender": name, **seen[0], "answers": seen[1]})
            rows[-1]["versions"] = versions(python)
    return with_differences(rows)


def with_differences(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answers = next((row["answers"] for row in rows if row["contender"] == "cxr"), None)
    for row in rows:
        theirs = row.pop("answers", None)
        if answers and theirs:
            row["differ"] = sum(a != b for a, b in zip(answers, theirs, strict=True))
    return rows


def notes(rows: list[dict[str, Any]], cores: int) -> list[str]:
    medians = medians_of(rows)
    lines = [f"{cores} processors, shared by server and client"]
    if (own := medians.get("cxr")) is None:
        return lines
    rate = own["requests_per_s"]
    if IN_PROCESS in medians:
        best = medians[IN_PROCESS]["requests_per_s"]
        left = cores - own["client_cores"]
        lines += [
            f"{rate / best:.0%} of the in-process rate (target 85 %) with the client on the same "
            "processors, as measured",
            f"{rate / best * cores / left:.0%} of it per processor time left by the client, which "
            f"took {own['client_cores']:.2f} of {cores} (its kernel part too): an estimate of a "
            "client on another machine",
        ]
    lines += [
        f"{rate / theirs['requests_per_s']:.1f} times the rate of {name}"
        for name, theirs in medians.items()
        if name not in ("cxr", IN_PROCESS)
    ]
    lines += [
        f"p99 at {LOAD:.0%} of capacity, requests {how}: {own[f'{name}_x_idle']:.1f} times "
        "the median of one client alone (target at most 3)"
        for name, how in (("even", "evenly spaced"), ("random", "at random moments"))
    ]
    faults = ("errors", "other_statuses", "refused", "idle_errors", "even_faults", "random_faults")
    lines.append(f"requests of cxr not answered with 200: {sum(own[f] for f in faults):.0f}")
    return lines


def main() -> None:
    parser = serve_arguments(__doc__ or "")
    parser.add_argument("--peer-python", default=sys.executable, help="has torch and litserve")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--peer-requests", type=int, default=3_000, help="to each slower server")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--images", type=int, default=300, help="different bodies")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each open loop")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--only", help="run this contender alone")
    parser.add_argument("--as", dest="contender", choices=[IN_PROCESS])
    options = parser.parse_args()
    cores = limit_cores(2)
    if options.contender:
        figures = measure_in_process(options.model, options.data, options.images, options.requests)
        print("\n" + json.dumps(figures))
        return
    with TemporaryDirectory() as work:
        rows = compare(options, Path(work))
    report("serve_load", rows, notes=notes(rows, cores), store=options.store)


if __name__ == "__main__":
    main()
