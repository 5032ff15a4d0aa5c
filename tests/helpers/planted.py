"""DICOM files with private data in thirty attributes, nested items and private tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

# attribute -> (value, kind of finding)
PLANTED = {
    "PatientName": ("Quillfeather^Ottoline", "private-names"),
    "PatientID": ("MRN7734519", "private-identifiers"),
    "PatientBirthDate": ("19430217", "private-births"),
    "PatientBirthName": ("Zamborelli", "private-names"),
    "PatientMotherBirthName": ("Wexcombe", "private-names"),
    "OtherPatientIDs": ("ALT-55671", "private-identifiers"),
    "OtherPatientNames": ("Featherquill^Tilly", "private-names"),
    "PatientAddress": ("17 Larkspur Crescent", "private-addresses"),
    "PatientTelephoneNumbers": ("+442079460123", "private-addresses"),
    "PatientComments": ("sister of nurse Hobday", "private-text"),
    "AdditionalPatientHistory": ("fell off her horse Blizzard", "private-text"),
    "PatientAge": ("081Y", "private-facts"),
    "Occupation": ("lightkeeper 9", "private-text"),
    "MilitaryRank": ("commodore", "private-text"),
    "IssuerOfPatientID": ("TRUSTNORTH", "private-identifiers"),
    "AccessionNumber": ("ACC9917734", "private-identifiers"),
    "StudyID": ("ST40912", "private-identifiers"),
    "AdmissionID": ("ADM66512", "private-identifiers"),
    "StudyDate": ("20240131", "private-dates"),
    "SeriesDate": ("20240201", "private-dates"),
    "AcquisitionDateTime": ("20240202101112", "private-dates"),
    "StudyTime": ("091733", "private-dates"),
    "ReferringPhysicianName": ("Grimsdyke^Percival", "private-names"),
    "PerformingPhysicianName": ("Oyelaran^Bisi", "private-names"),
    "OperatorsName": ("Pemberton", "private-names"),
    "InstitutionName": ("St Swithin Infirmary", "private-institutions"),
    "InstitutionAddress": ("Harbour Road 3, Eastport", "private-addresses"),
    "InstitutionalDepartmentName": ("Ward Kestrel", "private-institutions"),
    "StationName": ("XRROOM42", "private-devices"),
    "DeviceSerialNumber": ("SN-889123", "private-devices"),
    "StudyDescription": ("seen after the Eastport fire", "private-text"),
    "StudyInstanceUID": ("1.2.826.0.99.5.1", "private-uids"),
    "SeriesInstanceUID": ("1.2.826.0.99.5.2", "private-uids"),
    "SOPInstanceUID": ("1.2.826.0.99.5.3", "private-uids"),
}
NESTED = "Underhill^Rosamund"
IN_PRIVATE_TAG = "Borogove^Mimsy"
IN_PRIVATE_SEQUENCE = "Slithytove"
NESTED_UID = "1.2.826.0.99.7.7"
IN_KEPT_ATTRIBUTE = "for Quillfeather only"
WORDS = (  # what must be nowhere in the bytes of a copy
    *(value for value, _ in PLANTED.values()),
    *("Quillfeather", "Ottoline", "Featherquill", "Tilly", "Grimsdyke", "Percival", "Oyelaran"),
    *("Underhill", "Rosamund", "Borogove", "Mimsy", IN_PRIVATE_SEQUENCE, NESTED_UID),
    *("SENDER_AET", "preamble secret", "WATSONMAKER", "1943-02-17"),
)


def planted(pixels: np.ndarray | None = None, **changes: Any) -> Dataset:
    """A CR image with all of it; `changes` are attributes set afterwards."""
    dataset = Dataset()
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "CR", "CHEST", "PA"
    dataset.SeriesDescription = "CHEST"  # a word that an attribute that is kept holds as well
    dataset.Manufacturer = "Acme"
    for keyword, (value, _) in PLANTED.items():
        setattr(dataset, keyword, value)
    _nest(dataset)
    _add_private(dataset)
    _add_pixels(dataset, np.full((120, 128), 700, np.uint16) if pixels is None else pixels)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.SourceApplicationEntityTitle = "SENDER_AET"
    dataset.preamble = b"preamble secret".ljust(128, b"\0")
    return dataset


def write(dataset: Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _nest(dataset: Dataset) -> None:
    """In sequences that go, that are emptied, and that stay: two levels deep."""
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledPerformingPhysicianName = "RP5512", NESTED
    dataset.RequestAttributesSequence = Sequence([request])
    inner = Dataset()
    inner.CodeValue, inner.CodingSchemeDesignator, inner.CodeMeaning = "121320", "DCM", "older"
    inner.PersonName, inner.DateTime = NESTED, "20240131091733"
    source = Dataset()
    source.ReferencedSOPClassUID = ComputedRadiographyImageStorage
    source.ReferencedSOPInstanceUID = NESTED_UID
    source.PurposeOfReferenceCodeSequence = Sequence([inner])
    dataset.SourceImageSequence = Sequence([source])
    dataset.ProcessingFunction = IN_KEPT_ATTRIBUTE


def _add_private(dataset: Dataset) -> None:
    block = dataset.private_block(0x0029, "WATSONMAKER", create=True)
    block.add_new(0x01, "LO", IN_PRIVATE_TAG)
    block.add_new(0x02, "UN", b"raw " + IN_PRIVATE_TAG.encode())
    item = Dataset()
    item.PatientName = IN_PRIVATE_SEQUENCE
    block.add_new(0x03, "SQ", Sequence([item]))


def _add_pixels(dataset: Dataset, pixels: np.ndarray) -> None:
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
    dataset.PixelData = pixels.astype("<u2").tobytes()
