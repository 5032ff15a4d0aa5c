"""Files with bytes flipped, cut off or joined: each is decoded or reported, none ends the run.

`benchmarks/fuzz.py` does the same with thousands of files, in a process of its own.
"""

from __future__ import annotations

import random
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from PIL import Image

from cxr.check.checks.dicom import check_dicom
from cxr.check.checks.unreadable import check_unreadable
from cxr.check.scan import scan
from cxr.errors import ImageError
from cxr.find import read_manifest
from cxr.pixels import load_grey
from helpers.damage import damaged

FILES = 150
PYDICOM = Path(pydicom.data.__file__).parent / "test_files"
# One of each transfer syntax that is decoded.
SYNTAXES = (
    *("CT_small", "MR_small_RLE", "MR_small_implicit", "MR_small_bigendian", "JPGExtended"),
    *("MR_small_jp2klossless", "JPEG2000", "MR_small_jpeg_ls_lossless", "SC_rgb_jls_lossy_line"),
    *("SC_rgb_jpeg_gdcm", "SC_rgb_jpeg_dcmtk", "examples_palette"),
)


def encoded_image(kind: str, **options: object) -> bytes:
    noise = np.random.default_rng(4).integers(0, 256, (9, 11), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(noise).resize((110, 90), Image.Resampling.BICUBIC).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.timeout(60)
def test_each_damaged_file_is_decoded_or_reported(tmp_path: Path) -> None:
    sources = [(".dcm", (PYDICOM / f"{name}.dcm").read_bytes()) for name in SYNTAXES]
    sources += [
        (".jpeg", encoded_image("JPEG")),
        (".jpeg", encoded_image("JPEG", progressive=True)),
    ]
    sources += [(".png", encoded_image("PNG"))] * 2
    rng = random.Random(7)
    for i in range(FILES):
        (suffix, data), (_, other) = sources[i % len(sources)], rng.choice(sources)
        (tmp_path / f"{i:03}{suffix}").write_bytes(damaged(rng, data, other))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom says what it mends
        scanned = scan(read_manifest(tmp_path), workers=2)
        findings = check_unreadable(scanned)
        assert {finding.path for finding in check_dicom(scanned)} == {None}
        refused = {path.name for path in tmp_path.iterdir() if not readable(path)}
    assert len(scanned.names) == FILES
    assert {str(finding.path) for finding in findings} == refused
    assert not any("\n" in finding.message for finding in findings)
    assert FILES / 2 < len(refused) < FILES


def readable(path: Path) -> bool:
    try:
        load_grey(path)
    except ImageError:
        return False
    return True
