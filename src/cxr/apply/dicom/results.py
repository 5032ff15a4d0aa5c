"""From one DICOM image to its two results, in memory or in a folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..._io import atomic_path
from ..._io.extras import needed_for
from ...pixels import load_grey
from ...pixels.doubt import doubt_of
from ...pixels.load import read_file
from .capture import make_capture
from .codes import short_name
from .report import make_report
from .source import read_source
from .statement import Statement

if TYPE_CHECKING:
    from highdicom.sc import SCImage
    from highdicom.sr import ComprehensiveSR

    from ..decision.prediction import Prediction
    from ..predictor import Predictor


@dataclass(frozen=True)
class DicomResults:
    """`name` is for files: nothing about the patient can be read from it."""

    prediction: Prediction
    report: ComprehensiveSR
    capture: SCImage
    name: str

    @property
    def instances(self) -> tuple[ComprehensiveSR, SCImage]:
        return self.report, self.capture


def make_results(
    predictor: Predictor,
    data: bytes,
    prediction: Prediction | None = None,
    *,
    name: object = "DICOM object",
) -> DicomResults:
    """Of a DICOM file's bytes; the network is run where no `prediction` is given. `name` is for
    errors.

    Raises ImageError when the file is not one whole DICOM image whose study and patient can be
    read, UsageError when a library of `cxr[dicom]` is missing.
    """
    source = read_source(data, name)
    image = load_grey(data, name=str(name))
    pixels, frame = predictor.framed(image)
    frame = replace(frame, doubt=doubt_of(data, str(name)))
    if prediction is None:
        prediction = predictor.predictions(pixels[None], frames=[frame])[0]
    statement = Statement(predictor, source, prediction, frame)
    return DicomResults(
        prediction,
        make_report(statement),
        make_capture(statement, image, pixels),
        short_name(source.sop_instance, predictor.digest),
    )


def write_results(
    predictor: Predictor, file: Path, out_dir: Path, prediction: Prediction | None = None
) -> list[Path]:
    """`NAME-report.dcm` and `NAME-heatmap.dcm` in `out_dir`, which is made where need be.

    The same image and model get the same names and identifiers again (see `codes`). Errors as
    `make_results`, and StorageError.
    """
    return save_results(make_results(predictor, read_file(file), prediction, name=file), out_dir)


def save_results(results: DicomResults, out_dir: Path) -> list[Path]:
    with needed_for("DICOM results"):
        from pydicom import dcmwrite
    paths = [out_dir / f"{results.name}-{kind}.dcm" for kind in ("report", "heatmap")]
    for path, instance in zip(paths, results.instances, strict=True):
        with atomic_path(path) as temporary:
            dcmwrite(temporary, instance, enforce_file_format=True)
    return paths
