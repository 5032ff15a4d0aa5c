"""Every DICOM file that comes with pydicom: its pixels as pydicom decodes them, shown as the
standard says, or a refusal that names why."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi, apply_windowing

from cxr.errors import ImageError
from cxr.pixels import MIN_SIDE, load_grey

FOLDER = Path(pydicom.data.__file__).parent / "test_files"
FILES = [
    path.relative_to(FOLDER).as_posix()
    for path in sorted(FOLDER.rglob("*"))
    if path.is_file() and path.read_bytes()[128:132] == b"DICM"
]
# Of each, a file is among FILES whose pixels come out right.
SYNTAXES = {
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLosslessSV1,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.RLELossless,
    uid.JPEGLSLossless,
}


def refusal(dataset: Dataset, stored: np.ndarray | None) -> str | None:
    """Why a file is refused, as a pattern; None where it is not."""
    if dataset.file_meta.get("TransferSyntaxUID") == uid.DeflatedExplicitVRLittleEndian:
        return "deflated DICOM is not read"
    if "PixelData" not in dataset:
        return "without an image"
    if "Rows" not in dataset:
        return "without Rows and Columns"
    if min(dataset.Rows, dataset.Columns) < MIN_SIDE:
        return "is too small"
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames > 1:
        return f"holds {frames} frames"
    # pydicom cannot decode it either.
    return r"pydicom: |pixel data \d+x\d+" if stored is None else None


def shown(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """As `displayed` documents it, in floating point, pixel by pixel."""
    photometric = dataset.PhotometricInterpretation
    if photometric == "PALETTE COLOR":
        return luma(apply_color_lut(stored, dataset) / 256.0)
    if stored.ndim == 3:
        return luma(stored / 2.0 ** (dataset.BitsStored - 8))
    values = apply_modality_lut(stored, dataset).astype(float)
    padding = stored == dataset.get("PixelPaddingValue", np.inf)
    if "VOILUTSequence" in dataset:
        grey = (
            apply_voi(values.astype(int), dataset) / 2 ** dataset.VOILUTSequence[0].LUTDescriptor[2]
        )
    elif "WindowWidth" in dataset:
        grey = apply_windowing(values, dataset)
        ends = apply_windowing(np.array([-1e9, 1e9]), dataset)
        grey = (grey - ends[0]) / (ends[1] - ends[0])
    else:
        low, high = np.quantile(values[~padding], (0.005, 0.995), method="inverted_cdf")
        grey = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    if photometric == "MONOCHROME1":
        grey = 1 - grey
    return np.where(padding, 0, grey * 255)


def luma(rgb: np.ndarray) -> np.ndarray:
    """Rec. 601."""
    return np.floor(rgb) @ (0.299, 0.587, 0.114)


def decoded(dataset: Dataset) -> np.ndarray | None:
    try:
        return dataset.pixel_array
    except Exception:
        return None


def read(name: str) -> tuple[Dataset, np.ndarray | None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom on the oddities of its own files
        dataset = pydicom.dcmread(FOLDER / name)
        return dataset, decoded(dataset)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", FILES)
def test_right_pixels_or_the_reason(name: str) -> None:
    dataset, stored = read(name)
    why = refusal(dataset, stored)
    if why is None:
        assert stored is not None
        assert np.abs(load_grey(FOLDER / name) - shown(stored, dataset)).max() <= 1
        return
    with pytest.raises(ImageError) as caught:
        load_grey(FOLDER / name)
    assert re.search(why, caught.value.reason)


def test_each_transfer_syntax_is_among_them() -> None:
    right, all_of_them = set(), set()
    for name in FILES:
        dataset, stored = read(name)
        syntax = dataset.file_meta.get("TransferSyntaxUID")
        all_of_them.add(syntax)
        if refusal(dataset, stored) is None:
            right.add(syntax)
    assert right == SYNTAXES
    assert all_of_them - right - {None} == {uid.DeflatedExplicitVRLittleEndian}
