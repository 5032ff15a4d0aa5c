"""DICOM results of many files: reports and heat maps in a folder."""

from __future__ import annotations

from pathlib import Path

from ..predictor import Predictor
from .folder import GrowingFolder
from .listing import ImageList
from .run import job_of

PATTERNS = ("*-report.dcm", "*-heatmap.dcm")


def dicom_folder(
    predictor: Predictor, files: ImageList, folder: Path, *, restart: bool = False
) -> GrowingFolder:
    """Raises UsageError now, not after all predictions, when a library is missing."""
    from ..dicom.extra import extra

    with extra("DICOM results"):
        import highdicom  # noqa: F401
    return GrowingFolder(folder, job_of(predictor, files), PATTERNS, restart=restart)


def write_dicom(predictor: Predictor, files: ImageList, work: GrowingFolder) -> None:
    """`dicom.write_results` of those that have none yet; other files than DICOM are said."""
    from ..dicom import write_results

    def write(file: Path, _: str) -> None:
        write_results(predictor, file, work.folder)

    work.fill("DICOM result", files, write, ("" for _ in files))
