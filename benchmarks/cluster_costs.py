"""Hours, bytes and money for 100,000 to 100 million images: the tables of docs/cluster.md.

Nothing runs on a cluster here. Measured are prediction and training on two cores
(results/predict.json, throughput.json), Ray against no Ray (results/ray_predict.json) and, by
--measure, what one core needs to decode images of several kinds (results/cluster_costs.json). The
rest is assumed: every option below, printed with the tables. No GPU was measured: a node with one
is reckoned as if only its cores, which decode, set the pace.

    python benchmarks/cluster_costs.py --measure    # minutes; the machine must do nothing else
    python benchmarks/cluster_costs.py              # prints the tables
    python benchmarks/cluster_costs.py --page docs/cluster.md    # and puts them into the page
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from _bench import DATA, RESULTS, report

IMAGES = (100_000, 1_000_000, 10_000_000, 100_000_000)
NODES = (1, 10, 50)
WAYS = {"cxr": "upper half", "cxr_full": "everything"}
SIZE = 128
MEASURED_CORES = 2
ORIGINAL = (1100, 1500)  # rows, columns, as in decode.py
DIGITAL = (3000, 2500)  # a flat panel, 16 bits a pixel
JPEG, DICOM = "JPEG, 1.65 megapixels", "DICOM, uncompressed"
DENSE = "DICOM, JPEG 2000 lossless"
KINDS = ("JPEG, 224 px", JPEG, DENSE, DICOM)
LONG = {"times-jpeg": JPEG, "times-dicom": DICOM, "times-jpeg2000": DENSE}


@dataclass(frozen=True)
class Kind:
    """bytes: of a file. decode_s: of one core, to SIZE px."""

    name: str
    bytes: float
    decode_s: float


@dataclass(frozen=True)
class Node:
    name: str
    cores: int
    price: float  # of an hour
    gpu: bool = False


@dataclass(frozen=True)
class Facts:
    """What was measured: `network_s` of one core for an image once decoded; images a second."""

    kinds: dict[str, Kind]
    predict: float
    network_s: float
    ray: float
    ray_measured: bool
    training: dict[str, float]


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    found.add_argument("--measure", action="store_true", help="how fast images are decoded")
    found.add_argument("--data", type=Path, default=DATA, help="folder with .jpeg images")
    found.add_argument("--trials", type=int, default=24, help="images of each kind")
    found.add_argument("--no-store", dest="store", action="store_false", help="keep no result")
    found.add_argument("--page", type=Path, help="put the tables between the page's markers")
    found.add_argument("--node-efficiency", type=float, default=0.7, help="many cores against two")
    found.add_argument(
        "--cluster-efficiency", type=float, default=0.9, help="many nodes against one"
    )
    found.add_argument("--ray-efficiency", type=float, default=0.85, help="where none is measured")
    found.add_argument("--link", type=float, default=10, help="Gbit/s of a node")
    found.add_argument("--server", type=float, default=25, help="Gbit/s of one file server")
    found.add_argument("--core-hour", type=float, default=0.05, help="price of a core for an hour")
    found.add_argument("--spot", type=float, default=0.5, help="share of that on spot machines")
    found.add_argument("--gpu-hour", type=float, default=1.5, help="price of the node with a GPU")
    found.add_argument("--gpu-cores", type=int, default=16, help="cores of that node")
    return found


def main() -> None:
    given = parser().parse_args()
    if given.measure:
        report("cluster_costs", list(measure(given.data, given.trials)), store=given.store)
    parts = tables(facts(given), given)
    for name, lines in parts.items():
        print(f"\n== {name}\n" + "\n".join(lines))
    if given.page:
        given.page.write_text(filled(given.page.read_text("utf-8"), parts), "utf-8")


# Measuring


def measure(data: Path, trials: int) -> Iterator[dict[str, Any]]:
    from cxr.pixels import load_grey

    paths = sorted(data.rglob("*.jpeg"))
    if not paths:
        sys.exit(f"no .jpeg images in {data}; name a folder with --data")
    chosen = paths[:: max(1, len(paths) // trials)][:trials]
    everything = sum(path.stat().st_size for path in paths) / len(paths)
    with TemporaryDirectory() as folder:
        for kind in KINDS:
            files = [made(kind, path, Path(folder)) for path in chosen]
            load_grey(files[0], SIZE)  # imports
            start = time.process_time()
            for file in files:
                load_grey(file, SIZE)
            seconds = (time.process_time() - start) / len(files)
            size = sum(file.stat().st_size for file in files) / len(files)
            size = everything if kind == KINDS[0] else size
            yield {"contender": kind, "bytes": size, "decode_s": seconds, "images": len(files)}


def made(kind: str, radiograph: Path, folder: Path) -> Path:
    """A file of this kind that shows `image`."""
    from PIL import Image

    if kind == KINDS[0]:
        return radiograph
    height, width = ORIGINAL if kind == JPEG else DIGITAL
    with Image.open(radiograph) as image:
        grey = image.convert("L").resize((width, height), Image.Resampling.BICUBIC)
    if kind == JPEG:
        out = folder / f"{radiograph.stem}.jpeg"
        grey.save(out, quality=90)
        return out
    # The grain of a detector in the lowest bits, without which compression finds too little.
    grain = np.random.default_rng(0).normal(0, 8, (height, width))
    pixels = np.clip(np.asarray(grey, np.float32) * 16 + grain, 0, 4095).astype(np.uint16)
    return write_dicom(pixels, folder / f"{radiograph.stem}.dcm", lossless=kind != DICOM)


def write_dicom(pixels: np.ndarray, out: Path, lossless: bool) -> Path:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import (
        DigitalXRayImageStorageForPresentation,
        ExplicitVRLittleEndian,
        JPEG2000Lossless,
        generate_uid,
    )

    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = (
        DigitalXRayImageStorageForPresentation
    )
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    image.Modality, image.PhotometricInterpretation = "DX", "MONOCHROME2"
    image.Rows, image.Columns = pixels.shape
    image.SamplesPerPixel, image.PixelRepresentation = 1, 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelData = pixels.tobytes()
    if lossless:
        image.compress(JPEG2000Lossless)
    image.save_as(out, enforce_file_format=True)
    return out


# Reckoning


def facts(given: argparse.Namespace) -> Facts:
    found = medians("cluster_costs")
    if found is None:
        sys.exit("results/cluster_costs.json is missing; run this with --measure first")
    kinds = {n: Kind(n, found[n]["bytes"], found[n]["decode_s"]) for n in KINDS}
    predict = medians("predict")["cxr"]["images_per_s"]
    ray, training = ray_share(), medians("throughput")
    return Facts(
        kinds=kinds,
        predict=predict,
        network_s=MEASURED_CORES / predict - kinds[KINDS[0]].decode_s,
        ray=given.ray_efficiency if ray is None else ray,
        ray_measured=ray is not None,
        training={n: training[n]["images_per_s"] for n in ("cxr", "cxr_full")},
    )


def medians(name: str) -> Any:
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text())["medians"] if file.is_file() else None


def ray_share() -> float | None:
    """The rate of `--engine ray`, its start included, by that of `local`, by ray_predict.py."""
    found = medians("ray_predict") or {}
    rates = {name: row.get("command_per_s") for name, row in found.items()}
    return rates["ray"] / rates["local"] if rates.get("ray") and rates.get("local") else None


def node_rate(facts: Facts, given: argparse.Namespace, kind: Kind, node: Node) -> float:
    """Images a second of one node, before its network link is asked."""
    core_s = kind.decode_s + (0 if node.gpu else facts.network_s)
    share = 1 if node.cores == MEASURED_CORES else given.node_efficiency
    return node.cores / core_s * share * facts.ray


def link_rate(gbit: float, kind: Kind) -> float:
    return gbit * 1e9 / 8 / kind.bytes


def seconds(facts: Facts, given: argparse.Namespace, kind: Kind, node: Node, n: int) -> float:
    """For one image, on `n` nodes, each with its own way to the storage."""
    one = min(node_rate(facts, given, kind, node), link_rate(given.link, kind))
    return 1 / (one * n * (given.cluster_efficiency if n > 1 else 1))


def nodes(given: argparse.Namespace) -> list[Node]:
    found = [Node(f"{c} cores", c, c * given.core_hour) for c in (2, 16, 64)]
    return [*found, Node(f"GPU, {given.gpu_cores} cores", given.gpu_cores, given.gpu_hour, True)]


# Tables


def tables(facts: Facts, given: argparse.Namespace) -> dict[str, list[str]]:
    found = {"assumptions": assumptions(facts, given), "rates": rates(facts, given)}
    for name, kind in LONG.items():
        found[name] = times(facts, given, facts.kinds[kind])
    return found | {
        "prices": prices(facts, given),
        "storage": storage(facts, given),
        "training": training(facts, given),
    }


def assumptions(facts: Facts, given: argparse.Namespace) -> list[str]:
    measured = "measured, the start of Ray included"
    source = measured if facts.ray_measured else "the target, not yet measured"
    return [
        f"- measured: {facts.predict:.0f} images/s on {MEASURED_CORES} cores, files of 224 px to "
        f"probabilities; one core needs {facts.network_s * 1e3:.1f} ms an image after decoding; "
        "cores unlike those of that machine (performance.md) differ",
        f"- through Ray {facts.ray:.2f} of that ({source})",
        f"- assumed: nodes with more than two cores give {given.node_efficiency:g} of what as many "
        "pairs of cores would, as they share memory and slow down when all are busy",
        f"- assumed: many nodes give {given.cluster_efficiency:g} of the sum of each (start, last "
        "images, lost machines); images do not depend on each other, so nothing else grows",
        f"- assumed: {given.link:g} Gbit/s between a node and the storage, and storage that serves "
        f"all nodes at once; one file server has {given.server:g} Gbit/s",
        f"- assumed: {given.core_hour:.2f} per core-hour, {given.gpu_hour:.2f} an hour for the "
        f"node with a GPU, on spot {given.spot:g} of that, in any currency: put in your own prices",
        "- **no GPU was measured**: its node is reckoned as if decoding on its cores were all the "
        "work, so its figures are upper bounds",
    ]


def rates(facts: Facts, given: argparse.Namespace) -> list[str]:
    head = ["images per second, one node", "MB an image", "ms to decode, one core"]
    lines = table(*head, *(node.name for node in nodes(given)))
    for kind in facts.kinds.values():
        cells = [rate_cell(facts, given, kind, node) for node in nodes(given)]
        lines.append(row(kind.name, number(kind.bytes / 1e6), number(kind.decode_s * 1e3), *cells))
    return lines


def rate_cell(facts: Facts, given: argparse.Namespace, kind: Kind, node: Node) -> str:
    rate, link = node_rate(facts, given, kind, node), link_rate(given.link, kind)
    bound = "≤ " if node.gpu else ""
    return f"{bound}{number(link)} (link)" if link < rate else f"{bound}{number(rate)}"


def times(facts: Facts, given: argparse.Namespace, kind: Kind) -> list[str]:
    lines = table("images", *(node.name for node in nodes(given)))
    for images in IMAGES:
        cells = []
        for node in nodes(given):
            found = [images * seconds(facts, given, kind, node, n) for n in NODES]
            cells.append(("≥ " if node.gpu else "") + " / ".join(map(duration, found)))
        lines.append(row(f"{images:,}", *cells))
    return lines


def prices(facts: Facts, given: argparse.Namespace) -> list[str]:
    lines = table(f"images, {NODES[1]} nodes: on demand / on spot", *(n.name for n in nodes(given)))
    for kind in (facts.kinds[name] for name in LONG.values()):
        for images in IMAGES:
            cells = []
            for node in nodes(given):
                hours = images * seconds(facts, given, kind, node, NODES[1]) * NODES[1] / 3600
                both = (hours * node.price, hours * node.price * given.spot)
                cells.append(("≥ " if node.gpu else "") + " / ".join(map(number, both)))
            lines.append(row(f"{images:,} {kind.name}", *cells))
    return lines


def storage(facts: Facts, given: argparse.Namespace) -> list[str]:
    lines = table("images: TB / time to read them from one file server", *LONG.values())
    for images in IMAGES:
        cells = []
        for kind in (facts.kinds[name] for name in LONG.values()):
            size, read = images * kind.bytes / 1e12, images / link_rate(given.server, kind)
            cells.append(f"{number(size)} / {duration(read)}")
        lines.append(row(f"{images:,}", *cells))
    return lines


def training(facts: Facts, given: argparse.Namespace) -> list[str]:
    lines = table("images", *(f"{name}, {c} cores" for name in WAYS.values() for c in (2, 16)))
    for images in IMAGES[:3]:
        cells = []
        for way in WAYS:
            two = images / facts.training[way]
            cells += [duration(two), duration(two / (16 / MEASURED_CORES * given.node_efficiency))]
        lines.append(row(f"{images:,}", *cells))
    return lines


def table(*head: str) -> list[str]:
    return [row(*head), row(*("---" for _ in head))]


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def number(value: float) -> str:
    """Two figures that count, or whole numbers: no more is known."""
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}"


def duration(seconds: float) -> str:
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{number(seconds / size)} {unit}"
    return f"{number(seconds)} s"


def filled(page: str, parts: dict[str, list[str]]) -> str:
    """`page` with each table between `<!-- NAME -->` and `<!-- /NAME -->`."""
    for name, lines in parts.items():
        there = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not there.search(page):
            sys.exit(f"the page has no place for {name}: <!-- {name} --> and <!-- /{name} -->")
        text = "\n".join(lines)
        page = there.sub(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", page)
    return page


if __name__ == "__main__":
    main()
