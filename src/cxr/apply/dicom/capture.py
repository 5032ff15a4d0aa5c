"""The heat map over the image as a secondary capture (PS3.3 A.8), built with highdicom."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ... import __version__
from ..._io.drawing import TextBlock, TextLine, scaled_to
from ..explain.overlay import onto_image, warmed
from .codes import text
from .extra import extra, quiet
from .facts import (
    LONG_STRING,
    NOTICE,
    adopt,
    answer,
    arguments,
    asked,
    is_trusted,
    model_name,
    threshold_of,
    trust_in_words,
)
from .source import Source

if TYPE_CHECKING:
    from highdicom.sc import SCImage
    from pydicom.dataset import Dataset

    from ..decision.prediction import Prediction
    from ..predictor import Predictor

SERIES_NUMBER = 9902
DESCRIPTION = f"cxr heat map: {NOTICE}"
MAX_TRUST = 300
LONGEST, NARROWEST = 1024, 640  # pixels
LETTER, HEADLINE, MARGIN = 20, 28, 14
WHITE, YELLOW = "#ebebeb", "#ffd600"


def make_capture(
    predictor: Predictor,
    source: Source,
    prediction: Prediction,
    film: np.ndarray,
    pixels: np.ndarray,
) -> SCImage:
    """Of the image (H, W) and of what the model saw of it (S, S)."""
    with extra("a DICOM heat map"):
        from highdicom.sc import SCImage
    quiet()
    heat, explained, method = predictor.heat_map(pixels)
    heat = onto_image(heat, film.shape, predictor.config.resize_method)
    lines = words(predictor, prediction, explained, method, bool(heat.any()))
    said = [line.text for line in lines]
    capture = SCImage(
        pixel_array=draw_capture(film, heat, [TextLine(NOTICE, HEADLINE, YELLOW)], lines),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),  # asked for; replaced below by what is known
        study_instance_uid=source.study,
        series_description=text(DESCRIPTION, LONG_STRING),
        specific_character_set="ISO_IR 192",
        **arguments("heat map", SERIES_NUMBER, predictor, source, *answer(prediction), *said),
    )
    capture.PatientOrientation = []
    capture.ConversionType = "WSD"  # made at a workstation
    capture.ImageType = ["DERIVED", "SECONDARY"]
    capture.DerivationDescription = text(f"Heat map for {explained}: {method}", 1024)
    capture.SourceImageSequence = [_reference(source)]
    # Nothing that is drawn here says who the patient is. The image's own pixels may: what the
    # source says of them stays true, and where it says nothing, nothing is claimed.
    adopt(capture, source.subject)
    adopt(capture, source.picture)
    return capture


def words(
    predictor: Predictor, prediction: Prediction, explained: str, method: str, any_heat: bool
) -> list[TextLine]:
    """What is burnt in below the image: nothing about the patient."""
    raises = "Coloured: raises" if any_heat else "Nothing here raises"
    colour = WHITE if is_trusted(prediction) else YELLOW
    model = f"model file {model_name(predictor)}, sha256 {predictor.digest[:16]}"
    return [
        TextLine(f"{text(trust_in_words(prediction), MAX_TRUST)}.", LETTER, colour),
        *(
            TextLine(line, LETTER, WHITE)
            for line in (
                f"{_decision(predictor, prediction)}.",
                f"{raises} the score of {text(explained, 80)} ({text(method, 120)}).",
                f"cxr {__version__}, {model}",
            )
        ),
    ]


def _decision(predictor: Predictor, prediction: Prediction) -> str:
    threshold = threshold_of(predictor)
    names = list(asked(predictor))
    name = names[0] if len(names) == 1 else max(names, key=prediction.calibrated.__getitem__)
    share = f"calibrated probability of {text(name, 80)} {prediction.calibrated[name]:.2f}"
    rule = "" if threshold is None else f", threshold {threshold:.2f}"
    return f"Decision: {text(prediction.decision, 160) or 'no finding'} ({share}{rule})"


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
    image: np.ndarray, heat: np.ndarray, above: Iterable[TextLine], below: Iterable[TextLine]
) -> np.ndarray:
    """RGB uint8 (h, w, 3): `image` (H, W) uint8 under `heat` (H, W) in 0..1, its longer side
    LONGEST, and the words on black above and below it, where they hide nothing."""
    warm = scaled_to(heat.astype(np.float32), LONGEST)
    covered = Image.fromarray(warmed(scaled_to(image, LONGEST), warm))
    width = max(covered.width, NARROWEST)
    block = partial(TextBlock, width=width, indent=MARGIN, margin=MARGIN, spacing=1.35)
    top, bottom = block(above), block(below)
    canvas = Image.new("RGB", (width, top.height + covered.height + bottom.height))
    canvas.paste(covered, ((width - covered.width) // 2, top.height))
    top.draw(canvas, 0)
    bottom.draw(canvas, top.height + covered.height)
    return np.asarray(canvas)
