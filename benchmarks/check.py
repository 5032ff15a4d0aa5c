"""What `cxr check` finds: its time on a whole set, and faults planted in copies of real images.

    python benchmarks/check.py             # all parts
    python benchmarks/check.py --only flips

whole: the command on the data as it is: seconds, images a second, the first warning, how well the
framing tells the class before and after the cut to the lungs, and what a random split would leak
beside what it does leak.
flips: 2 % of the labels turned round; the share of them in the top 5 % of the ranking.
images: 2,000 images with 100 each turned by 90, 180 and 270 degrees, inverted, blank and cut to a
strip, and every image that scikit-image and scikit-learn carry, in colour and in grey (no chest
images); the share named, and the share of the untouched images accused.
Three seeds for each of the last two. The images need `scikit-image` (the extra `bench`).
"""

from __future__ import annotations

import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from _bench import add_trial_options, arguments, report
from cxr.check import check_data
from cxr.check.checks.label_errors import check_mislabelled
from cxr.check.checks.patients import check_patients
from cxr.check.scan import Scan, scan
from cxr.find import Manifest, read_manifest
from cxr.prepare import RandomSplitter

SEEDS = (0, 1, 2)
SHARE, TOP = 0.02, 0.05
IMAGES, EACH = 2_000, 100
ABOUT_THE_IMAGE = {
    *("blank", "faint", "small", "strip", "colour-image", "inverted", "on-its-side"),
    *("upside-down", "part-of-an-image", "unlike-the-others"),
}


def whole(data: Path) -> Iterator[dict[str, Any]]:
    start = time.perf_counter()
    findings = check_data(data)
    seconds = time.perf_counter() - start
    manifest = read_manifest(data)
    first = next(finding for finding in findings if finding.severity == "warning")
    framing = next((one.evidence for one in findings if one.code == "shortcut-framing"), {})
    codes = Counter(f"{finding.severity}: {finding.code}" for finding in findings)
    train, valid = RandomSplitter(0.2, seed=42)(manifest.paths())
    split = manifest.with_split(train=list(train), valid=list(valid))
    by_code = {one.code: one for one in check_patients(Scan(split, [], np.empty(0)))}
    patients = manifest.table["patient"]
    truly = patients.iloc[list(valid)].isin(set(patients.iloc[list(train)])).mean()
    yield {
        "contender": "whole",
        "images": len(manifest),
        "seconds": round(seconds, 1),
        "images_per_s": round(len(manifest) / seconds),
        "first_warning": first.code,
        "auroc": first.evidence.get("auroc"),
        "framing": framing.get("auroc"),
        "framing_after_cut": framing.get("auroc_after_cut"),
        "patients": by_code["patients"].evidence["patients"],
        "random_split_expected": by_code["random-split-leaks"].evidence["leaked_share"],
        "random_split_reported": by_code["patients-across-splits"].evidence["leaked_share"],
        "random_split_true": float(truly),
        "findings": dict(codes),
    }


def flips(data: Path) -> Iterator[dict[str, Any]]:
    manifest = read_manifest(data)
    scanned = scan(manifest)
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        wrong = rng.choice(len(manifest), round(SHARE * len(manifest)), replace=False)
        labels = manifest.table["label"].to_numpy(object).copy()
        labels[wrong] = [other(manifest, label) for label in labels[wrong]]
        flipped = replace(manifest, table=manifest.table.assign(label=labels))
        again = Scan(flipped, scanned.files, scanned.squares)
        again.__dict__["features"] = scanned.features
        (found,) = check_mislabelled(again)
        top = found.evidence["ranking"][: round(TOP * len(manifest))]
        names = {one["path"] for one in top}
        hits = sum(name in names for name in manifest.table["path"].iloc[wrong])
        yield {
            "contender": "flips",
            "seed": seed,
            "planted": len(wrong),
            "looked_at": len(top),
            "found": hits,
            "found_share": round(hits / len(wrong), 3),
        }


def other(manifest: Manifest, label: str) -> str:
    return next(name for name in manifest.classes if name != label)


def images(data: Path) -> Iterator[dict[str, Any]]:
    for seed in SEEDS:
        with TemporaryDirectory() as folder:
            kinds = plant(data, Path(folder), np.random.default_rng(seed))
            findings = check_data(folder)
        named = {
            finding.path.as_posix()
            for finding in findings
            if finding.path is not None and finding.code in ABOUT_THE_IMAGE
        }
        found: dict[str, list[bool]] = defaultdict(list)
        for name, kind in kinds.items():
            found[kind].append(name in named)
        missed = [name for name, kind in kinds.items() if kind != "image" and name not in named]
        for kind, hits in found.items():
            yield {
                "contender": kind,
                "seed": seed,
                "n": len(hits),
                "named": sum(hits),
                "share": round(float(np.mean(hits)), 4),
            }
        print("missed:", *missed[:20])


def plant(data: Path, folder: Path, rng: np.random.Generator) -> dict[str, str]:
    """Writes the set; what each file is."""
    manifest = read_manifest(data)
    rows = rng.permutation(len(manifest))[:IMAGES]
    changes = iter([kind for kind in SPOIL for _ in range(EACH)])
    kinds = {}
    for row in rows:
        name = manifest.table["path"].iloc[row]
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        kind = next(changes, "image")
        if kind == "image":
            shutil.copyfile(manifest.root / name, target)
        else:
            with Image.open(manifest.root / name) as image:
                SPOIL[kind](image.convert("L"), rng).save(target, quality=92)
        kinds[name] = kind
    classes = sorted({Path(name).parent for name in kinds})
    for i, path in enumerate(photographs()):
        with Image.open(path) as image:
            for mode in ("RGB", "L"):
                name = (classes[i % len(classes)] / f"photo{i}_{mode}.jpeg").as_posix()
                image.convert(mode).save(folder / name, quality=92)
                kinds[name] = f"photograph {mode}"
    for i, path in enumerate(other_dicom(data)):
        name = (classes[i % len(classes)] / f"other{i}.dcm").as_posix()
        shutil.copyfile(path, folder / name)
        kinds[name] = "other DICOM"
    return kinds


def other_dicom(data: Path) -> list[Path]:
    """Single-frame DICOM images of anything but a chest: a head, an abdomen, test patterns."""
    from pydicom.data import get_testdata_file

    beside = data.parent / "dicom"
    found = [beside / "voi_lut.dcm", beside / "modality_lut.dcm"]
    names = ("CT_small.dcm", "MR_small.dcm")
    return [*found, *(Path(str(get_testdata_file(name))) for name in names)]


def cut(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A band of 15 to 40 % of a side, as it is or in the middle of black."""
    side, across = image.size
    width = int(rng.uniform(0.15, 0.4) * side)
    start = int(rng.integers(0, side - width))
    box = (
        (start, 0, start + width, across) if rng.random() < 0.5 else (0, start, side, start + width)
    )
    if rng.random() < 0.5:
        return image.crop(box)
    black = Image.new("L", image.size)
    black.paste(image.crop(box), box[:2])
    return black


def blank(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    flat = rng.normal(rng.uniform(0, 255), 0.7, image.size[::-1])
    return Image.fromarray(np.clip(flat, 0, 255).astype(np.uint8))


SPOIL: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "turned 90": lambda image, rng: image.transpose(Image.Transpose.ROTATE_90),
    "turned 180": lambda image, rng: image.transpose(Image.Transpose.ROTATE_180),
    "turned 270": lambda image, rng: image.transpose(Image.Transpose.ROTATE_270),
    "inverted": lambda image, rng: image.point(lambda grey: 255 - grey),
    "blank": blank,
    "strip": cut,
}


def photographs() -> list[Path]:
    import skimage.data
    import sklearn.datasets

    folders = (
        Path(skimage.data.__file__).parent,
        Path(sklearn.datasets.__file__).parent / "images",
    )
    return [
        path
        for folder in folders
        for path in sorted(folder.iterdir())
        if path.suffix in (".png", ".jpg")
    ]


PARTS: dict[str, Callable[[Path], Iterator[dict[str, Any]]]] = {
    "whole": whole,
    "flips": flips,
    "images": images,
}


def main() -> None:
    parser = arguments(__doc__ or "")
    add_trial_options(parser, images=False)
    options = parser.parse_args()
    rows = []
    for name, part in PARTS.items():
        if options.only in (None, name):
            for row in part(options.data):
                print(row, flush=True)
                rows.append(row)
    report("check", rows, store=options.store and options.only is None)


if __name__ == "__main__":
    main()
