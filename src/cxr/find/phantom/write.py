"""The phantom as a folder on disk: class folders or Kaggle's three, a manifest and a README."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..._io import Progress, atomic_path, write_text
from ...errors import UnknownName, UsageError
from .dicom import BITS, write_dicom
from .image import NORMAL, PNEUMONIA, PhantomImage, render_image
from .patients import PhantomSpec, Stream, has_pneumonia, image_indices, stream

SUFFIXES = {"jpeg": ".jpeg", "png": ".png", "dicom": ".dcm"}
FORMATS = (*SUFFIXES, "mixed")
LAYOUTS = ("classes", "splits")
# Patients of each class in turn: 70 % train, 10 % val, 20 % test, each split early in the order.
TURNS = ("train", "test", "train", "val", "train", "train", "test", "train", "train", "train")
COMMENT = "SYNTHETIC: computed chest phantom, no person was examined; not for diagnosis"
JPEG_QUALITY = 92

README = """\
SYNTHETIC chest X-rays
=====================

Every image in this folder was computed by `cxr phantom`. No person was examined, nothing here
is a real radiograph, and nothing learnt from it is fit for a patient. The word SYNTHETIC is burnt
into each image and stands in each file's comment or header.

Use them to try a pipeline, to test software and to learn. A good score on these images says that
the pipeline works, not that a model works.

{n} images of {patients} patients, seed {seed}, {size} pixels high. A patient has one label; the
file name begins with the patient (phantom0012_003 is image 3 of patient phantom0012).
manifest.csv gives for each image: path, label, patient, {split}view, age, sex, site, finding,
severity (0 to 1).
The same seed gives the same pixels on every machine; the compressed files may differ in bytes.
"""


class _ImageJob(NamedTuple):
    patient: int
    image: int
    format: str
    folder: Path
    split: str


def write_phantom(
    out: Path | str,
    *,
    n_images: int = 400,
    seed: int = 0,
    format: str = "jpeg",
    layout: str = "classes",
    size: int = 256,
) -> Path:
    """Writes `n_images` synthetic images with manifest.csv and README.txt; returns `out`.

    `layout="classes"`: NORMAL/ and PNEUMONIA/; `"splits"`: these two in train/, val/ and test/,
    no patient in two of them. `format`: jpeg, png, dicom, or mixed (each image any of the three).
    `size` is the height in pixels. The folder appears whole or not at all.

    Raises UsageError for a wrong option or when `out` exists and is not an empty folder, and
    StorageError when it cannot be written.
    """
    out = Path(out)
    spec = PhantomSpec(seed=seed, size=size)
    _check(out, n_images, format, layout)
    jobs = list(_jobs(spec, n_images, format, layout))
    if out.is_dir():
        out.rmdir()
    with atomic_path(out) as folder:
        for split in ("train", "val", "test") if layout == "splits" else ("",):
            for label in (NORMAL, PNEUMONIA):
                (folder / split / label).mkdir(parents=True)
        rows = _write_images(folder, spec, jobs)
        _write_manifest(folder / "manifest.csv", rows)
        patients = len({job.patient for job in jobs})
        split = "split, " if layout == "splits" else ""
        text = README.format(n=n_images, patients=patients, seed=seed, size=size, split=split)
        write_text(folder / "README.txt", text)
    return out


def _check(out: Path, n_images: int, format: str, layout: str) -> None:
    if n_images < 1:
        raise UsageError(f"cannot write {n_images} images; ask for 1 or more")
    if format not in FORMATS:
        raise UnknownName("format", format, FORMATS)
    if layout not in LAYOUTS:
        raise UnknownName("layout", layout, LAYOUTS)
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"{out} exists and is not an empty folder; name a new one")


def _jobs(spec: PhantomSpec, n_images: int, format: str, layout: str) -> Iterator[_ImageJob]:
    n_patients = {True: 0, False: 0}
    last, split = -1, ""
    for patient, image in image_indices(spec, n_images):
        positive = has_pneumonia(spec, patient)
        if patient != last and layout == "splits":
            split = TURNS[n_patients[positive] % len(TURNS)]
            n_patients[positive] += 1
        last = patient
        yield _ImageJob(
            patient,
            image,
            _format_of(spec, patient, image, format),
            Path(split) / (PNEUMONIA if positive else NORMAL),
            split,
        )


def _format_of(spec: PhantomSpec, patient: int, image: int, format: str) -> str:
    if format != "mixed":
        return format
    draw = stream(spec, Stream.FORMAT, patient, image).random()
    return list(SUFFIXES)[int(draw * len(SUFFIXES))]


def _write_images(
    folder: Path, spec: PhantomSpec, jobs: list[_ImageJob]
) -> list[dict[str, object]]:
    """Threads, because numpy lets go of the interpreter while it works."""

    def one(job: _ImageJob) -> dict[str, object]:
        bits = BITS if job.format == "dicom" else 8
        drawn = render_image(job.patient, job.image, spec, bits=bits)
        path = job.folder / f"{drawn.name}{SUFFIXES[job.format]}"
        _write_image(folder / path, drawn, job.format, spec.seed)
        return _row(path, drawn, job.split)

    _keep_memory()
    rows = []
    with (
        Progress("drawing synthetic images", total=len(jobs)) as progress,
        ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool,
    ):
        for row in pool.map(one, jobs):
            rows.append(row)
            progress.advance()
    return rows


def _keep_memory() -> None:
    """An image makes hundreds of arrays of about 1 MB; glibc gives such blocks back to the system
    at once and pays to get them again (a third of the time), until one larger block has been freed.
    """
    np.empty(30 * 2**20, dtype=np.uint8)


def _write_image(path: Path, image: PhantomImage, format: str, seed: int) -> None:
    if format == "dicom":
        write_dicom(path, image, seed)
        return
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    file = Image.fromarray(image.pixels)
    if format == "jpeg":
        file.save(path, "JPEG", quality=JPEG_QUALITY, comment=COMMENT.encode())
    else:
        chunk = PngInfo()
        chunk.add_text("Comment", COMMENT)
        file.save(path, "PNG", pnginfo=chunk, compress_level=4)


def _row(path: Path, image: PhantomImage, split: str) -> dict[str, object]:
    return {
        "path": path.as_posix(),
        "label": image.label,
        "patient": image.patient,
        **({"split": split} if split else {}),
        "view": image.view,
        "age": image.age,
        "sex": image.sex,
        "site": image.site,
        "finding": image.finding,
        "severity": image.severity,
    }


def _write_manifest(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
