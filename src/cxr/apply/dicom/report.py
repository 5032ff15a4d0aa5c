"""A statement as a structured report: TID 1500, Comprehensive SR.

Templates: DICOM PS3.16, TID 1500 (report), 1501 (one group a finding), 4019 (algorithm), 1004
(device observer); built with highdicom.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ... import __version__
from ..._io import quiet_pydicom
from ..._io.extras import needed_for
from .codes import SCHEME, finding_code, private_code, text, uid
from .source import MAKER, REQUIRED_EMPTY, Source
from .statement import DIGITS, LONG_STRING, NOTICE, Statement, copy_attributes

if TYPE_CHECKING:
    from highdicom.sr import (
        AlgorithmIdentification,
        CodedConcept,
        ComprehensiveSR,
        ContainerContentItem,
        ContentItem,
        MeasurementReport,
        MeasurementsAndQualitativeEvaluations,
        ObservationContext,
    )
    from pydicom.dataset import Dataset

    from ..decision.prediction import Prediction

SERIES_NUMBER = 9901
MAX_FINDINGS = 100
PROBABILITY = ("PROBABILITY", "Calibrated probability of the finding")
SCORE = ("SCORE", "Score of the finding from 0 to 1, not calibrated")
THRESHOLD = ("THRESHOLD", "Probability from which the finding is decided")
DECISION = ("DECISION", "Decision of the model")
CONFIDENT = ("CONFIDENT", "Model is confident of its answer")
UNLIKE = ("UNLIKE", "Image is unlike the training images")
SEEN = ("FRAME", "Part of the image that the model saw")
REASON = ("REASON", "Why the answer is not to be relied on")
POPULATION = ("POPULATION", "Images that the model was trained on")
USE = ("USE", "Permitted use")


def make_report(statement: Statement) -> ComprehensiveSR:
    """A report of the image's study in a series of its own, unverified and preliminary."""
    with needed_for("a DICOM report"):
        from highdicom.sr import ComprehensiveSR
    quiet_pydicom()
    report = ComprehensiveSR(
        evidence=[_evidence(statement.source)],
        content=_content(statement)[0],
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description=text(f"cxr report: {statement.notice}", LONG_STRING),
        coding_schemes=[_scheme()],
        specific_character_set="ISO_IR 192",
        **statement.identity("report", SERIES_NUMBER, statement.prediction.caution),
    )
    copy_attributes(report, statement.source.subject)
    return report


def _evidence(source: Source) -> Dataset:
    """The image as highdicom needs it, without a patient (see `copy_attributes`)."""
    from pydicom.dataset import Dataset

    image = Dataset()
    for keyword in REQUIRED_EMPTY:
        setattr(image, keyword, "")
    image.SOPClassUID, image.SOPInstanceUID = source.sop_class, source.sop_instance
    image.SeriesInstanceUID, image.StudyInstanceUID = source.series, source.study
    return image


def _scheme() -> object:
    from highdicom.coding_schemes import CodingSchemeIdentificationItem

    return CodingSchemeIdentificationItem(
        SCHEME, name="Codes of cxr", responsible_organization=MAKER
    )


def _content(statement: Statement) -> MeasurementReport:
    from highdicom.sr import CodedConcept, MeasurementReport

    report = MeasurementReport(
        observation_context=_observer(statement),
        procedure_reported=CodedConcept("399208008", "SCT", "Plain chest X-ray"),
        imaging_measurements=[_measurements(name, statement) for name in _likeliest(statement)],
    )
    report[0].ContentSequence.append(_whole_image_evaluations(statement))
    return report


def _likeliest(statement: Statement) -> list[str]:
    """Of very many classes the likeliest, or the report would be no help to anyone."""
    names, calibrated = statement.findings, statement.prediction.calibrated
    likeliest = set(sorted(names, key=calibrated.__getitem__, reverse=True)[:MAX_FINDINGS])
    return [name for name in names if name in likeliest]


def _observer(statement: Statement) -> ObservationContext:
    from highdicom.sr import (
        DeviceObserverIdentifyingAttributes,
        ObservationContext,
        ObserverContext,
    )
    from pydicom.sr.codedict import codes

    device = DeviceObserverIdentifyingAttributes(
        uid=uid("device", statement.digest),
        name=f"cxr {statement.model_name}",
        manufacturer_name=MAKER,
        model_name=statement.model_name,
        serial_number=statement.digest,
    )
    return ObservationContext(observer_device_context=ObserverContext(codes.DCM.Device, device))


def _measurements(name: str, statement: Statement) -> MeasurementsAndQualitativeEvaluations:
    """One finding: how probable, from which probability on it is decided, and what was decided.

    No probability of an image that was not judged, or is out of distribution."""
    from highdicom.sr import (
        Measurement,
        MeasurementsAndQualitativeEvaluations,
        QualitativeEvaluation,
        SourceImageForMeasurementGroup,
        TrackingIdentifier,
    )
    from pydicom.sr.codedict import codes

    def number(concept: tuple[str, str], value: float) -> Measurement:
        return Measurement(
            name=private_code(*concept), value=round(value, DIGITS), unit=codes.UCUM.NoUnits
        )

    source, threshold = statement.source, statement.threshold(name)
    figure = PROBABILITY if statement.predictor.config.calibrated else SCORE
    share = statement.prediction.calibrated[name]
    measurements = [number(figure, share)] if statement.prediction.judged else []
    measurements += [] if threshold is None else [number(THRESHOLD, threshold)]
    decided = codes.SCT.Present if statement.is_present(name) else codes.SCT.Absent
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid("finding", source.sop_instance, statement.digest, name),
            text(f"{statement.first}cxr {statement.model_name}: {name}", 200),
        ),
        finding_type=finding_code(name),
        algorithm_id=_algorithm(statement),
        measurements=measurements,
        qualitative_evaluations=[QualitativeEvaluation(private_code(*DECISION), decided)],
        source_images=[SourceImageForMeasurementGroup(source.sop_class, source.sop_instance)],
    )


def _algorithm(statement: Statement) -> AlgorithmIdentification:
    from highdicom.sr import AlgorithmIdentification

    config = statement.predictor.config
    return AlgorithmIdentification(
        name=f"cxr {statement.model_name}",
        version=f"{__version__}, model sha256 {statement.digest}",
        parameters=[f"{text(config.backbone, 100)} at {config.size} pixels"],
        manufacturer=MAKER,
    )


def _whole_image_evaluations(statement: Statement) -> ContainerContentItem:
    """TID 1500's Qualitative Evaluations: whether to rely on it and why not, its use."""
    from highdicom.sr import (
        CodedConcept,
        ContainerContentItem,
        ContentSequence,
        RelationshipTypeValues,
    )

    container = ContainerContentItem(
        name=CodedConcept("C0034375", "UMLS", "Qualitative Evaluations"),
        relationship_type=RelationshipTypeValues.CONTAINS,
    )
    container.ContentSequence = ContentSequence(
        [*_sentences(statement), *_flags(statement.prediction)]
    )
    return container


def _flags(prediction: Prediction) -> Iterator[ContentItem]:
    from highdicom.sr import CodeContentItem, RelationshipTypeValues

    for concept, value in (
        (CONFIDENT, prediction.confident),
        (UNLIKE, prediction.out_of_distribution),
    ):
        yield CodeContentItem(
            private_code(*concept), _yes_or_no(value), RelationshipTypeValues.CONTAINS
        )


def _yes_or_no(value: bool | None) -> CodedConcept:
    from pydicom.sr.codedict import codes

    if value is None:
        return codes.SCT.Undetermined
    return codes.SCT.Yes if value else codes.SCT.No


def _sentences(statement: Statement) -> Iterator[ContentItem]:
    from highdicom.sr import RelationshipTypeValues, TextContentItem

    from ...bundle.card import DISCLAIMER

    sentences = {
        REASON: statement.prediction.caution,
        SEEN: statement.seen,
        POPULATION: statement.predictor.config.population,
        USE: f"{NOTICE}. {DISCLAIMER}",
    }
    for concept, sentence in sentences.items():
        if sentence:
            yield TextContentItem(
                private_code(*concept), text(sentence, 4000), RelationshipTypeValues.CONTAINS
            )
