"""The heat map over the image as a secondary capture (PS3.3 A.8), built with highdicom."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ... import __version__
from ..._io import quiet_pydicom
from ..._io.drawing import TextBlock, TextLine, scaled_to
from ..._io.extras import needed_for
from ...pixels.frame import Box
from ..explain.overlay import FRAMED, WHOLE, onto_image, outlined, warmed
from .codes import text
from .source import Source
from .statement import LONG_STRING, Statement, copy_attributes

if TYPE_CHECKING:
    from highdicom.sc import SCImage
    from pydicom.dataset import Dataset

    from ..predictor import HeatMap

SERIES_NUMBER = 9902
MAX_RELIABILITY = 300  # characters
LONGEST, NARROWEST = 1024, 640  # pixels
LETTER, HEADLINE, MARGIN = 20, 28, 14
WHITE, YELLOW = "#ebebeb", "#ffd600"


def make_capture(statement: Statement, image: np.ndarray, pixels: np.ndarray) -> SCImage:
    """Of the image uint8 (H, W) and of what the network saw of it, uint8 (S, S)."""
    with needed_for("a DICOM heat map"):
        from highdicom.sc import SCImage
    quiet_pydicom()
    predictor, source = statement.predictor, statement.source
    heat_map = predictor.heat_map(pixels)
    box = statement.frame.box
    heat = onto_image(heat_map.values, image.shape, predictor.config.resize_method, box)
    lines = burnt_in_text(statement, heat_map, bool(heat.any()))
    contents = [line.text for line in lines]
    capture = SCImage(
        pixel_array=draw_capture(
            image, heat, [TextLine(statement.notice, HEADLINE, YELLOW)], lines, box
        ),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),  # required here; replaced below by what is known
        study_instance_uid=source.study,
        series_description=text(f"cxr heat map: {statement.notice}", LONG_STRING),
        specific_character_set="ISO_IR 192",
        **statement.identity("heat map", SERIES_NUMBER, *contents),
    )
    capture.PatientOrientation = []
    capture.ConversionType = "WSD"  # made at a workstation
    capture.ImageType = ["DERIVED", "SECONDARY"]
    derivation = f"Heat map for {heat_map.class_name}: {heat_map.method}"
    capture.DerivationDescription = text(derivation, 1024)
    capture.SourceImageSequence = [_reference(source)]
    # Nothing that is drawn here says who the patient is. The image's own pixels may: what the
    # source says of them stays true, and where it says nothing, nothing is claimed.
    copy_attributes(capture, source.subject)
    copy_attributes(capture, source.pixel_attributes)
    return capture


def burnt_in_text(statement: Statement, heat_map: HeatMap, any_heat: bool) -> list[TextLine]:
    """What stands below the image: nothing about the patient."""
    colour = WHITE if statement.is_reliable else YELLOW
    raises = "Coloured: raises" if any_heat else "Nothing here raises"
    method = text(heat_map.method, 120)
    model = f"model file {statement.model_name}, sha256 {statement.digest[:16]}"
    framed = [TextLine(FRAMED, LETTER, WHITE)] if statement.frame.found else []
    return [
        TextLine(f"{text(statement.reliability, MAX_RELIABILITY)}.", LETTER, colour),
        TextLine(f"{_decision(statement)}.", LETTER, WHITE),
        TextLine(
            f"{raises} the score of {text(heat_map.class_name, 80)} ({method}).", LETTER, WHITE
        ),
        *framed,
        TextLine(f"cxr {__version__}, {model}", LETTER, WHITE),
    ]


def _decision(statement: Statement) -> str:
    names, calibrated = statement.findings, statement.prediction.calibrated
    name = names[0] if len(names) == 1 else max(names, key=calibrated.__getitem__)
    kind = "calibrated probability" if statement.predictor.config.calibrated else "score"
    figures = []
    if statement.prediction.judged:
        figures = [f"{kind} of {text(name, 80)} {calibrated[name]:.2f}"]
    if (threshold := statement.threshold(name)) is not None:
        figures.append(f"operating threshold {threshold:.2f}")
    decision = f"Decision: {text(statement.prediction.decision, 160) or 'no finding'}"
    return f"{decision} ({', '.join(figures)})" if figures else decision


def _reference(source: Source) -> Dataset:
    from highdicom.sr import CodedConcept
    from pydicom.dataset import Dataset

    purpose: Any = CodedConcept("121322", "DCM", "Source image for image processing operation")
    item = Dataset()
    item.ReferencedSOPClassUID = source.sop_class
    item.ReferencedSOPInstanceUID = source.sop_instance
    item.PurposeOfReferenceCodeSequence = [purpose]
    return item


def draw_capture(
    image: np.ndarray,
    heat: np.ndarray,
    above: Iterable[TextLine],
    below: Iterable[TextLine],
    box: Box = WHOLE,
) -> np.ndarray:
    """RGB uint8 (h, w, 3): `image` (H, W) uint8 under `heat` (H, W) in 0..1, its longer side
    LONGEST, `box` (shares) outlined, and the text on black above and below it, where it hides
    nothing."""
    warm = scaled_to(heat.astype(np.float32), LONGEST)
    covered = Image.fromarray(outlined(warmed(scaled_to(image, LONGEST), warm), box))
    width = max(covered.width, NARROWEST)
    block = partial(TextBlock, width=width, indent=MARGIN, margin=MARGIN, spacing=1.35)
    top, bottom = block(above), block(below)
    canvas = Image.new("RGB", (width, top.height + covered.height + bottom.height))
    canvas.paste(covered, ((width - covered.width) // 2, top.height))
    top.draw(canvas, 0)
    bottom.draw(canvas, top.height + covered.height)
    return np.asarray(canvas)
