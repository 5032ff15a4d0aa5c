"""Copies of DICOM images without what tells whose they are; each copy is proved before it counts.

The header follows the Basic Application Level Confidentiality Profile of DICOM PS3.15 (see
`profile`), with pseudonyms under a secret key. The originals are only read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..._io import Progress, atomic_path, quiet_pydicom
from ..._io.dicom_header import has_dicom_preamble, refuse_deflated
from ...errors import CxrError, DataError, ImageError, StorageError, UnknownName, UsageError
from ...pixels import load_grey
from ...pixels.dicom.decode import has_dicom_suffix
from ...pixels.load import read_file
from ..methods.text_detection import Box, text_regions
from ..private.values import PIXELS, is_registered, private_values
from .apply import Pseudonyms, apply_profile, blank, mark, paint_over
from .proof import pixel_digest, prove

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

WAYS = ("refuse", "blank", "keep")
UNKNOWN = "unknown"  # folder of the images without a patient identifier
TRIES = 3
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID")


@dataclass(frozen=True)
class LeftOut:
    """A file of which no copy was written, and why."""

    path: Path
    reason: str


@dataclass
class Deidentified:
    """What `deidentify` did: the copies (in order), how many were blanked, and what is missing."""

    written: dict[Path, None] = field(default_factory=dict)
    blanked: int = 0
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def patients(self) -> int:
        """Folders of patients; images without a patient identifier share one."""
        return len({path.parent.parent for path in self.written})


def deidentify(
    source: Path | str, out: Path | str, *, key: bytes | None = None, pixels: str = "refuse"
) -> Deidentified:
    """Writes `out/<patient>/<study>/<instance>.dcm`, all three pseudonyms, for each DICOM image.

    source: a file, or a folder that is gone through with all that is in it.
    key: secret of the pseudonyms, default the user's own (`cxr.find.secret.pseudonym_key`).
    pixels: what to do with images with burnt-in text, as `text_regions` or the header has it:
        "refuse" leaves them out; "blank" paints over the regions; "keep" does not look.

    Files that are no single-frame DICOM image, cannot be read or fail the proof are left out, each
    with its reason. Raises UsageError for a source that is not there, an unknown word for `pixels`,
    or one of the two folders inside the other, and StorageError when `out` cannot be written.
    """
    source, out = Path(source), Path(out)
    _check(source, out, pixels)
    pseudonyms = Pseudonyms(key or _own_key())
    done = Deidentified()
    files = sorted(_files(source)) if source.is_dir() else [source]
    with Progress("de-identifying", len(files), unit="files") as progress:
        for path in files:
            try:
                _copy(path, out, pseudonyms, pixels, done)
            except StorageError:
                raise
            except CxrError as error:
                reason = error.reason if isinstance(error, ImageError) else str(error)
                done.left_out.append(LeftOut(path, reason))
            progress.advance()
    return done


def _check(source: Path, out: Path, pixels: str) -> None:
    from ...find.files import missing_folder

    if pixels not in WAYS:
        raise UnknownName("way with burnt-in text", pixels, WAYS)
    if not source.exists():
        raise missing_folder(source)
    one, other = source.resolve(), out.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise UsageError(f"{out} and {source} lie in one another; write the copies elsewhere")


def _own_key() -> bytes:
    from ...find.secret import pseudonym_key

    return pseudonym_key()


def _files(folder: Path) -> Iterator[Path]:
    """Every file below, but hidden ones and what links lead to."""
    from ...find.files import entries_of, is_own_folder

    for entry in entries_of(folder):
        if is_own_folder(entry):
            yield from _files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


def _copy(path: Path, out: Path, pseudonyms: Pseudonyms, pixels: str, done: Deidentified) -> None:
    data = _read(path)
    with _pydicom("read"):
        dataset = _image(data)
        values = private_values(dataset)
    regions = [] if pixels == "keep" else _regions(dataset, data, path, pixels)
    with _pydicom("rewrite"):
        if regions:
            blank(dataset, regions)
        digest = pixel_digest(dataset)
        apply_profile(dataset, pseudonyms, values)
        mark(dataset, blanked=bool(regions))
        _renew_meta(dataset)
    target = _target(out, dataset)
    if target in done.written:
        raise DataError("another file has the same SOP Instance UID; keep one of the two")
    with _without_empty_folders(target), atomic_path(target) as temporary:
        with _pydicom("write"):
            dataset.save_as(temporary, enforce_file_format=True)
        with _pydicom("prove"):
            prove(temporary, values, digest)
    done.written[target] = None
    done.blanked += bool(regions)


@contextmanager
def _without_empty_folders(target: Path) -> Iterator[None]:
    """Where nothing was written, the folders of patient and study that were made for it go."""
    try:
        yield
    except CxrError:
        with suppress(OSError):
            for folder in (target.parent, target.parent.parent):
                folder.rmdir()
        raise


def _read(path: Path) -> bytes:
    data = read_file(path)
    if not (has_dicom_preamble(data) or has_dicom_suffix(path)):
        raise DataError("not a DICOM file")
    refuse_deflated(data, path)
    return data


@contextmanager
def _pydicom(step: str) -> Iterator[None]:
    """What pydicom raises or warns of quotes values: only the kind of error is passed on."""
    try:
        quiet_pydicom()
        yield
    except (CxrError, OSError):
        raise
    except Exception as error:  # pydicom raises nearly anything on broken input
        raise DataError(
            f"damaged or not supported: pydicom cannot {step} it ({type(error).__name__})"
        ) from None


def _image(data: bytes) -> Dataset:
    import pydicom
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    dataset = pydicom.dcmread(BytesIO(data), force=True)
    if not any(tag in dataset for tag in PIXELS):
        raise DataError("DICOM without an image")
    for keyword in _NEEDED:
        if not dataset.get(keyword):
            raise DataError(f"without {keyword}; export it again")
    if "TransferSyntaxUID" not in dataset.file_meta:  # written without file meta information
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    if not is_registered(dataset.file_meta.TransferSyntaxUID.encode()):
        raise DataError("its transfer syntax is not one of the standard's; save it in another")
    for group in range(0x6000, 0x6020, 2):
        if (group, 0x0102) in dataset and dataset[group, 0x0102].value:
            raise DataError("an overlay hides in unused bits of the pixels; export it without")
    return dataset


def _regions(dataset: Dataset, data: bytes, path: Path, pixels: str) -> list[Box]:
    """What to paint over. Raises DataError when there is text that may not or cannot be."""
    with _pydicom("decode"):
        grey = load_grey(data, name=str(path))
        stated = str(dataset.get("BurnedInAnnotation") or "").strip().upper() == "YES"
    regions = _all_text(grey)
    if pixels == "refuse" and (regions or stated):
        raise DataError(
            ("text seems to be" if regions else "the header says that text is")
            + " burnt into the pixels; look at it, then use --pixels blank or keep"
        )
    if stated and not regions:
        raise DataError(
            "the header says that text is burnt into the pixels, but none was found to blank; "
            "look at it, then use --pixels keep"
        )
    return regions


def _all_text(grey: np.ndarray) -> list[Box]:
    """Lines of text, also those that show only once the first ones are painted over."""
    regions: list[Box] = []
    for _ in range(TRIES):
        new = text_regions(grey)
        if not new:
            return regions
        grey = grey.copy()
        for region in new:
            paint_over(grey, region)
        regions += new
    raise DataError("text is found wherever the image is blanked; look at it by hand")


def _renew_meta(dataset: Dataset) -> None:
    """File meta information and preamble from nothing: they name the sender, or hold anything."""
    from pydicom.dataset import FileMetaDataset

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta, dataset.preamble = meta, bytes(128)


def _target(out: Path, dataset: Dataset) -> Path:
    patient = str(dataset.PatientID) or UNKNOWN
    return out / patient / str(dataset.StudyInstanceUID) / f"{dataset.SOPInstanceUID}.dcm"
