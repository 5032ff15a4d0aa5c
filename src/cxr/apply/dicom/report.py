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

    from ..reader import Reader, Record

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


def make_report(reader: Reader, source: Source, record: Record) -> ComprehensiveSR:
    """A report of the image's study in a series of its own, unverified and preliminary."""
    with extra("a DICOM report"):
        from highdicom.sr import ComprehensiveSR
    quiet()
    report = ComprehensiveSR(
        evidence=[_evidence(source)],
        content=_content(reader, source, record)[0],
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description=text(DESCRIPTION, LONG_STRING),
        coding_schemes=[_scheme()],
        specific_character_set="ISO_IR 192",
        **arguments("report", SERIES_NUMBER, reader, source, *answer(record), record.reason),
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


def _content(reader: Reader, source: Source, record: Record) -> MeasurementReport:
    from highdicom.sr import CodedConcept, MeasurementReport

    report = MeasurementReport(
        observation_context=_observer(reader),
        procedure_reported=CodedConcept("399208008", "SCT", "Plain chest X-ray"),
        imaging_measurements=[
            _group(name, reader, source, record) for name in _findings(reader, record)
        ],
    )
    report[0].ContentSequence.append(_of_whole_image(reader, record))
    return report


def _findings(reader: Reader, record: Record) -> list[str]:
    """Of very many classes the likeliest, or the report would be no help to anyone."""
    names = list(asked(reader))
    likeliest = sorted(names, key=record.calibrated.__getitem__, reverse=True)[:MAX_FINDINGS]
    return [name for name in names if name in set(likeliest)]


def _observer(reader: Reader) -> ObservationContext:
    from highdicom.sr import (
        DeviceObserverIdentifyingAttributes,
        ObservationContext,
        ObserverContext,
    )
    from pydicom.sr.codedict import codes

    device = DeviceObserverIdentifyingAttributes(
        uid=uid("device", reader.digest),
        name=f"cxr {model_name(reader)}",
        manufacturer_name=MAKER,
        model_name=model_name(reader),
        serial_number=reader.digest,
    )
    return ObservationContext(observer_device_context=ObserverContext(codes.DCM.Device, device))


def _group(
    name: str, reader: Reader, source: Source, record: Record
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

    threshold = threshold_of(reader)
    measurements = [number(PROBABILITY, record.calibrated[name])]
    measurements += [] if threshold is None else [number(THRESHOLD, threshold)]
    decided = codes.SCT.Present if is_present(name, reader, record) else codes.SCT.Absent
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid("finding", source.sop_instance, reader.digest, name),
            text(f"cxr {model_name(reader)}: {name}", 200),
        ),
        finding_type=finding(name),
        algorithm_id=_algorithm(reader),
        measurements=measurements,
        qualitative_evaluations=[QualitativeEvaluation(own(*DECISION), decided)],
        source_images=[SourceImageForMeasurementGroup(source.sop_class, source.sop_instance)],
    )


def _algorithm(reader: Reader) -> AlgorithmIdentification:
    from highdicom.sr import AlgorithmIdentification

    config = reader.config
    return AlgorithmIdentification(
        name=f"cxr {model_name(reader)}",
        version=version(reader),
        parameters=[f"{text(config.backbone, 100)} at {config.size} pixels"],
        manufacturer=MAKER,
    )


def _of_whole_image(reader: Reader, record: Record) -> ContainerContentItem:
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
    container.ContentSequence = ContentSequence([*_verdicts(record), *_sentences(reader, record)])
    return container


def _verdicts(record: Record) -> Iterator[ContentItem]:
    from highdicom.sr import CodeContentItem, RelationshipTypeValues

    for concept, value in ((CONFIDENT, record.confident), (UNLIKE, record.out_of_distribution)):
        yield CodeContentItem(own(*concept), _yes_or_no(value), RelationshipTypeValues.CONTAINS)


def _yes_or_no(value: bool | None) -> CodedConcept:
    from pydicom.sr.codedict import codes

    if value is None:
        return codes.SCT.Undetermined
    return codes.SCT.Yes if value else codes.SCT.No


def _sentences(reader: Reader, record: Record) -> Iterator[ContentItem]:
    from highdicom.sr import RelationshipTypeValues, TextContentItem

    from ...bundle.card import DISCLAIMER

    said = {
        REASON: record.reason,
        POPULATION: reader.config.population,
        USE: f"{NOTICE}. {DISCLAIMER}",
    }
    for concept, words in said.items():
        if words:
            yield TextContentItem(own(*concept), text(words, 4000), RelationshipTypeValues.CONTAINS)
