"""What 112,000 (NIH), 377,000 (MIMIC) and 10 million images take: memory, time and disk.

Each part of a job runs in a process of its own, with what it needs of the parts before; memory is
that process's peak, libraries and all (Linux and macOS). What each figure is stands beside it:

- measured: done here, with as many images as it says;
- measured*: the same work on stand-ins. One shard of real size stands for all (links to one file),
  so that the disk need not hold 164 GB: its bytes are in the system's own cache, and reading from
  a cold disk or a network is not in the figure. Tables, splits and orders are whole;
- computed: from the rate at the largest size that was measured, or from bytes an image.

    python benchmarks/outgrow.py
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from _bench import DATA, RESULTS, machine, run_contender, sample, versions

SIZES = {"NIH": 112_000, "MIMIC": 377_000, "10 million": 10_000_000}
SIDE, PER_SHARD, BS = 128, 4096, 64
IMAGE_BYTES = SIDE * SIDE
MOST_FILES = 377_000
"""Of empty files in folders; more are computed."""
BATCHES = 400


def peak_mb() -> float:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def measured(work: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    start = time.perf_counter()
    result = work()
    return {"seconds": time.perf_counter() - start, "mb": peak_mb()}, result


# Stand-ins --------------------------------------------------------------------------------------


def names(n: int) -> Any:
    """As NIH names its files, three images a patient."""
    import pyarrow as pa
    import pyarrow.compute as pc

    number = pa.array(np.arange(n))
    patient = pc.utf8_lpad(pc.cast(pc.divide(number, 3), pa.string()), 8, "0")
    image = pc.utf8_lpad(pc.cast(pa.array(np.arange(n) % 3), pa.string()), 3, "0")
    return pc.binary_join_element_wise(patient, image, "_"), patient


def table(n: int) -> Any:
    """A manifest of `n` images in shards, sick by patient."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    stem, patient = names(n)
    ill = (np.arange(n) // 3) % 4 == 0
    label = pc.if_else(pa.array(ill), "PNEUMONIA", "NORMAL")
    path = pc.binary_join_element_wise(label, pc.binary_join_element_wise(stem, ".jpeg", ""), "/")
    columns = {"path": path, "label": label, "patient": patient}
    frame = pd.DataFrame({k: pd.Series(pd.array(v, "str")) for k, v in columns.items()})
    rows = np.arange(n, dtype=np.int32)
    return frame.assign(
        shard=pd.array(rows // PER_SHARD, "Int32"),
        shard_row=pd.array(rows % PER_SHARD, "Int32"),
        crc32=pd.array(crc32s()[rows % PER_SHARD], "UInt32"),
        unreadable=pd.Series([None] * n, dtype=object),
    )


def one_shard() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (PER_SHARD, SIDE, SIDE), dtype=np.uint8)


def crc32s() -> np.ndarray:
    import zlib

    return np.array([zlib.crc32(image.data) for image in one_shard()], np.uint32)


def make_shards(n: int, folder: Path) -> None:
    """Shards that are all links to one file, or to a shorter one at the end."""
    from cxr._io import sha256_file
    from cxr.pixels.cache.record import DecodeSettings
    from cxr.pixels.shards.index import FORMAT, INDEX, MANIFEST, ShardIndex, shard_name

    folder.mkdir(parents=True)
    pixels = one_shard()
    counts = [min(PER_SHARD, n - start) for start in range(0, n, PER_SHARD)]
    digests = {}
    for count in set(counts):
        np.save(folder / f"of_{count}.npy", pixels[:count])
        digests[count] = sha256_file(folder / f"of_{count}.npy")
    for number, count in enumerate(counts):
        os.link(folder / f"of_{count}.npy", folder / f"{shard_name(number)}.npy")
    table(n).to_parquet(folder / MANIFEST, index=False)
    settings = DecodeSettings((SIDE, SIDE), "squish")
    index = ShardIndex(
        format=FORMAT,
        height=SIDE,
        width=SIDE,
        method="squish",
        versions=settings.versions,
        rows=n,
        images=n,
        images_per_shard=PER_SHARD,
        counts=tuple(counts),
        digests=tuple(digests[count] for count in counts),
        manifest=sha256_file(folder / MANIFEST),
        dataset="images",
        classes=("NORMAL", "PNEUMONIA"),
        multi_label=False,
        identity="",
        fingerprint="0" * 64,
        shuffle=None,
    )
    (folder / INDEX).write_bytes(index.to_json())


def make_folder(n: int, folder: Path) -> None:
    """Empty files: a manifest of class folders looks at names only."""
    for path in table(n)["path"].tolist():
        file = folder / path
        try:
            file.touch()
        except FileNotFoundError:
            file.parent.mkdir(parents=True)
            file.touch()


# The parts of a job -----------------------------------------------------------------------------


def read_folder(n: int, work: Path) -> dict[str, Any]:
    from cxr.find import read_manifest

    elsewhere("make_folder", n, work / "images")
    figures, manifest = measured(lambda: read_manifest(work / "images"))
    return figures | {"images": len(manifest)}


def read_index(n: int, work: Path) -> dict[str, Any]:
    from cxr.pixels.shards.read import open_shards

    elsewhere("make_shards", n, work / "shards")
    figures, manifest = measured(lambda: open_shards(work / "shards").manifest())
    disk = sum((work / "shards" / f).stat().st_size for f in ("shards.json", "manifest.parquet"))
    return figures | {"images": len(manifest), "disk_mb": disk / 1e6}


def split_by_patient(n: int, work: Path) -> dict[str, Any]:
    from cxr.pixels.shards.read import open_shards
    from cxr.prepare.from_manifest import manifest_items, named_splitter
    from cxr.prepare.items import split_items

    elsewhere("make_shards", n, work / "shards")
    manifest = open_shards(work / "shards").manifest()
    splitter = named_splitter("patient", 0.2, 42)
    figures, (train, _) = measured(lambda: split_items(manifest_items(manifest), splitter))
    return figures | {"images": n, "train": len(train)}


def full_order(n: int, work: Path) -> dict[str, Any]:
    import torch

    def draw() -> int:
        order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
        return len([which.numpy() for which in order.split(BS)])

    figures, steps = measured(draw)
    return figures | {"images": n, "steps": steps}


def windowed_order(n: int, work: Path) -> dict[str, Any]:
    from cxr.prepare.order import BatchIndices, Window

    starts = np.minimum(np.arange(-(-n // PER_SHARD) + 1) * PER_SHARD, n)

    def draw() -> int:
        n_steps = n // BS
        steps = BatchIndices(Window(32, starts).order(0), BS, range(n_steps))
        return sum(len(which) for which in steps)

    figures, drawn = measured(draw)
    return figures | {"images": n, "drawn": drawn}


def batches(n: int, work: Path, window: int | None) -> dict[str, Any]:
    """Loaders from shards, and BATCHES batches in the order of training."""
    import torch

    from cxr.pixels.shards.read import open_shards
    from cxr.prepare import Resize, dataloaders_from_manifest

    elsewhere("make_shards", n, work / "shards")
    torch.set_num_threads(1)
    source = open_shards(work / "shards")
    # The split has a line of its own: here every fifth patient validates.
    manifest = source.manifest()

    def halves(paths: Any) -> tuple[np.ndarray, np.ndarray]:
        valid = (np.arange(len(paths)) // 3) % 5 == 0
        return np.flatnonzero(~valid), np.flatnonzero(valid)

    made, dls = measured(
        lambda: dataloaders_from_manifest(
            manifest, halves, Resize(SIDE), bs=BS, shards=source, window=window
        )
    )
    ordered, steps = measured(dls.train.steps)
    steps = steps[:BATCHES]

    def run() -> int:
        return sum(len(dls.train.batch(which)[0]) for which in steps)

    figures, n_images = measured(run)
    return {
        "images": n,
        "seconds": figures["seconds"],
        "images_s": n_images / figures["seconds"],
        "mb": figures["mb"],
        "loaders_s": made["seconds"],
        "order_s": ordered["seconds"],
    }


def write(n: int, work: Path) -> dict[str, Any]:
    """`n` real images decoded and written by `cxr shards`, which costs most by far."""
    from cxr.find import read_manifest
    from cxr.pixels.shards.write import write_shards

    manifest = read_manifest(sample(DATA, n, work / "images"))
    figures, index = measured(lambda: write_shards(manifest, work / "out", SIDE))
    return figures | {"images": index.images, "images_s": index.images / figures["seconds"]}


PARTS: dict[str, Callable[[int, Path], dict[str, Any]]] = {
    "manifest of a folder": read_folder,
    "index and manifest of shards": read_index,
    "split by patient": split_by_patient,
    "order, of all at once": full_order,
    "order, window of 32 shards": windowed_order,
    "batches, all at once": lambda n, work: batches(n, work, None),
    "batches, window of 32 shards": lambda n, work: batches(n, work, 32),
}


def elsewhere(function: str, n: int, folder: Path) -> None:
    """In a process of its own, so that its memory is not counted."""
    code = f"import sys, outgrow; outgrow.{function}(int(sys.argv[1]), outgrow.Path(sys.argv[2]))"
    command = [sys.executable, "-c", code, str(n), str(folder)]
    subprocess.run(command, check=True, cwd=Path(__file__).parent)


# The table --------------------------------------------------------------------------------------


def status(part: str, n: int) -> str:
    if part == "manifest of a folder" and n > MOST_FILES:
        return "computed"
    return "measured*" if part.startswith("batches") else "measured"


def scaled(smaller: dict[str, Any], larger: dict[str, Any], n: int) -> dict[str, Any]:
    """On the line through two that were measured: libraries take their memory once."""
    steps = (n - larger["images"]) / (larger["images"] - smaller["images"])
    further = {key: larger[key] + steps * (larger[key] - smaller[key]) for key in ("seconds", "mb")}
    return {"images": n, **further}


def run_part(part: str, n: int) -> dict[str, Any]:
    row = run_contender(sys.executable, Path(__file__), part, ["--n", str(n)])
    return {k: v for k, v in row.items() if k not in ("contender", "process_s", "versions")}


def run_all(sizes: dict[str, int]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for part in PARTS:
        for name, n in sizes.items():
            how = status(part, n)
            figures = scaled(*rows[-2:], n) if how == "computed" else run_part(part, n)
            rows.append({"part": part, "set": name, "how": how, **figures})
            print(line(rows[-1]), flush=True)
    return rows


def line(row: dict[str, Any]) -> str:
    rate = f"{row['images_s']:>10,.0f} images/s" if "images_s" in row else ""
    return (
        f"{row['part']:30}{row['images']:>12,}{row['seconds']:>10.2f} s{row['mb']:>10,.0f} MB  "
        f"{row['how']:10}{rate}"
    )


def disk_notes(written: dict[str, Any]) -> list[str]:
    found = []
    for name, n in SIZES.items():
        gb, hours = n * IMAGE_BYTES / 1e9, n / written["images_s"] / 3600
        shards = -(-n // PER_SHARD)
        found.append(
            f"{name}: {n:,} images, {shards:,} shards, {gb:,.1f} GB of pixels (computed: "
            f"{IMAGE_BYTES:,} bytes an image); to write them {hours:,.2f} h (computed from "
            f"{written['images_s']:,.0f} images/s, measured on {written['images']:,} JPEGs of "
            "224 px; larger ones take longer)"
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--as", dest="part", choices=[*PARTS, "write"])
    parser.add_argument("--n", type=int)
    parser.add_argument("--scale", type=float, default=1, help="a share of the images, for a look")
    parser.add_argument("--no-store", dest="store", action="store_false")
    options = parser.parse_args()
    if options.part:
        with TemporaryDirectory() as work:
            part = PARTS.get(options.part, write)
            print(json.dumps(part(options.n, Path(work))))
        return
    sizes = {name: int(n * options.scale) for name, n in SIZES.items()}
    rows = run_all(sizes)
    written = run_part("write", int(2000 * min(1, options.scale * 10)))
    notes = disk_notes(written)
    print("\n".join(notes))
    if options.store:
        RESULTS.mkdir(exist_ok=True)
        kept = {
            "machine": machine(),
            "versions": versions(sys.executable),
            "notes": notes,
            "writing": written,
            "runs": rows,
        }
        (RESULTS / "outgrow.json").write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
