"""What the model says of one image as a structured report: TID 1500, Comprehensive SR.

Templates: DICOM PS3.16, TID 1500 (report), 1501 (one group a finding), 4019 (algorithm), 1004
(device observer); built with highdicom.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .codes import SCHEME, finding, own, text
from .extra import extra, quiet
from .facts import (
    DIGITS,
    LONG_STRING,
    NOTICE,
    adopt,
    answer,
    arguments,
    asked,
    is_present,
    model_name,
    threshold_of,
    version,
)
from .source import MAKER, Source
from .uids import uid

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
    from ..predictor import Predictor

SERIES_NUMBER = 9901
MAX_FINDINGS = 100
DESCRIPTION = f"cxr report: {NOTICE}"
PROBABILITY = ("PROBABILITY", "Calibrated probability of the finding")
THRESHOLD = ("THRESHOLD", "Probability from which the finding is decided")
DECISION = ("DECISION", "Decision of the model")
CONFIDENT = ("CONFIDENT", "Model is confident of its answer")
UNLIKE = ("UNLIKE", "Image is unlike the training images")
REASON = ("REASON", "Why the answer is not to be relied on")
POPULATION = ("POPULATION", "Images that the model was trained on")
USE = ("USE", "Permitted use")


def make_report(predictor: Predictor, source: Source, prediction: Prediction) -> ComprehensiveSR:
    """A report of the image's study in a series of its own, unverified and preliminary."""
    with extra("a DICOM report"):
        from highdicom.sr import ComprehensiveSR
    quiet()
    report = ComprehensiveSR(
        evidence=[_evidence(source)],
        content=_content(predictor, source, prediction)[0],
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description=text(DESCRIPTION, LONG_STRING),
        coding_schemes=[_scheme()],
        specific_character_set="ISO_IR 192",
        **arguments(
            "report", SERIES_NUMBER, predictor, source, *answer(prediction), prediction.reason
        ),
    )
    adopt(report, source.subject)
    return report


def _evidence(source: Source) -> Dataset:
    """The image as highdicom asks for it, without a patient (see `facts.adopt`)."""
    from pydicom.dataset import Dataset

    from .source import REQUIRED_EMPTY

    film = Dataset()
    for keyword in REQUIRED_EMPTY:
        setattr(film, keyword, "")
    film.SOPClassUID, film.SOPInstanceUID = source.sop_class, source.sop_instance
    film.SeriesInstanceUID, film.StudyInstanceUID = source.series, source.study
    return film


def _scheme() -> object:
    from highdicom.coding_schemes import CodingSchemeIdentificationItem

    return CodingSchemeIdentificationItem(
        SCHEME, name="Codes of cxr", responsible_organization=MAKER
    )


def _content(predictor: Predictor, source: Source, prediction: Prediction) -> MeasurementReport:
    from highdicom.sr import CodedConcept, MeasurementReport

    report = MeasurementReport(
        observation_context=_observer(predictor),
        procedure_reported=CodedConcept("399208008", "SCT", "Plain chest X-ray"),
        imaging_measurements=[
            _group(name, predictor, source, prediction) for name in _findings(predictor, prediction)
        ],
    )
    report[0].ContentSequence.append(_of_whole_image(predictor, prediction))
    return report


def _findings(predictor: Predictor, prediction: Prediction) -> list[str]:
    """Of very many classes the likeliest, or the report would be no help to anyone."""
    names = list(asked(predictor))
    likeliest = sorted(names, key=prediction.calibrated.__getitem__, reverse=True)[:MAX_FINDINGS]
    return [name for name in names if name in set(likeliest)]


def _observer(predictor: Predictor) -> ObservationContext:
    from highdicom.sr import (
        DeviceObserverIdentifyingAttributes,
        ObservationContext,
        ObserverContext,
    )
    from pydicom.sr.codedict import codes

    device = DeviceObserverIdentifyingAttributes(
        uid=uid("device", predictor.digest),
        name=f"cxr {model_name(predictor)}",
        manufacturer_name=MAKER,
        model_name=model_name(predictor),
        serial_number=predictor.digest,
    )
    return ObservationContext(observer_device_context=ObserverContext(codes.DCM.Device, device))


def _group(
    name: str, predictor: Predictor, source: Source, prediction: Prediction
) -> MeasurementsAndQualitativeEvaluations:
    """One finding: how probable, from where on it is decided, and what was decided."""
    from highdicom.sr import (
        Measurement,
        MeasurementsAndQualitativeEvaluations,
        QualitativeEvaluation,
        SourceImageForMeasurementGroup,
        TrackingIdentifier,
    )
    from pydicom.sr.codedict import codes

    def number(concept: tuple[str, str], value: float) -> Measurement:
        return Measurement(name=own(*concept), value=round(value, DIGITS), unit=codes.UCUM.NoUnits)

    threshold = threshold_of(predictor)
    measurements = [number(PROBABILITY, prediction.calibrated[name])]
    measurements += [] if threshold is None else [number(THRESHOLD, threshold)]
    decided = codes.SCT.Present if is_present(name, predictor, prediction) else codes.SCT.Absent
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid("finding", source.sop_instance, predictor.digest, name),
            text(f"cxr {model_name(predictor)}: {name}", 200),
        ),
        finding_type=finding(name),
        algorithm_id=_algorithm(predictor),
        measurements=measurements,
        qualitative_evaluations=[QualitativeEvaluation(own(*DECISION), decided)],
        source_images=[SourceImageForMeasurementGroup(source.sop_class, source.sop_instance)],
    )


def _algorithm(predictor: Predictor) -> AlgorithmIdentification:
    from highdicom.sr import AlgorithmIdentification

    config = predictor.config
    return AlgorithmIdentification(
        name=f"cxr {model_name(predictor)}",
        version=version(predictor),
        parameters=[f"{text(config.backbone, 100)} at {config.size} pixels"],
        manufacturer=MAKER,
    )


def _of_whole_image(predictor: Predictor, prediction: Prediction) -> ContainerContentItem:
    """TID 1500's Qualitative Evaluations: whether to trust the answer, what it may serve."""
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
        [*_verdicts(prediction), *_sentences(predictor, prediction)]
    )
    return container


def _verdicts(prediction: Prediction) -> Iterator[ContentItem]:
    from highdicom.sr import CodeContentItem, RelationshipTypeValues

    for concept, value in (
        (CONFIDENT, prediction.confident),
        (UNLIKE, prediction.out_of_distribution),
    ):
        yield CodeContentItem(own(*concept), _yes_or_no(value), RelationshipTypeValues.CONTAINS)


def _yes_or_no(value: bool | None) -> CodedConcept:
    from pydicom.sr.codedict import codes

    if value is None:
        return codes.SCT.Undetermined
    return codes.SCT.Yes if value else codes.SCT.No


def _sentences(predictor: Predictor, prediction: Prediction) -> Iterator[ContentItem]:
    from highdicom.sr import RelationshipTypeValues, TextContentItem

    from ...bundle.card import DISCLAIMER

    said = {
        REASON: prediction.reason,
        POPULATION: predictor.config.population,
        USE: f"{NOTICE}. {DISCLAIMER}",
    }
    for concept, words in said.items():
        if words:
            yield TextContentItem(own(*concept), text(words, 4000), RelationshipTypeValues.CONTAINS)
