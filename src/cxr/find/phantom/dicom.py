"""An image as a DICOM file whose every header says that no person was examined."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .image import PhantomImage

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

BITS = 12


def write_dicom(path: Path, image: PhantomImage, seed: int) -> None:
    """Writes a 12-bit image (`render_image(..., bits=12)`) as CR or DX, explicit little endian.

    The same image always gets the same identifiers. An `inverted` image is stored as MONOCHROME1.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    def uid(kind: str) -> str:
        return generate_uid(entropy_srcs=["cxr phantom", str(seed), image.name, kind])

    dataset = Dataset()
    dataset.SOPClassUID = _storage_class(image)
    dataset.SOPInstanceUID = uid("instance")
    dataset.StudyInstanceUID = uid("study")
    dataset.SeriesInstanceUID = uid("series")
    _describe(dataset, image)
    _add_pixels(dataset, image)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)


def _storage_class(image: PhantomImage) -> str:
    from pydicom import uid

    return str(
        uid.ComputedRadiographyImageStorage
        if image.modality == "CR"
        else uid.DigitalXRayImageStorageForPresentation
    )


def _describe(dataset: Dataset, image: PhantomImage) -> None:
    dataset.PatientName = "SYNTHETIC^PHANTOM"
    dataset.PatientID = image.patient
    dataset.PatientBirthDate = ""
    dataset.PatientSex = image.sex
    dataset.PatientAge = f"{image.age:03d}Y"
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "SYNTHETIC: no person was examined"
    dataset.StudyDate, dataset.StudyTime = "20000101", "000000"
    dataset.StudyID, dataset.AccessionNumber = str(image.number + 1), ""
    dataset.StudyDescription = "SYNTHETIC chest X-ray"
    dataset.ImageComments = "SYNTHETIC: computed phantom, not for diagnosis"
    dataset.ReferringPhysicianName = ""
    dataset.InstitutionName = f"SYNTHETIC site {image.site}"
    dataset.Manufacturer = "cxr phantom"
    dataset.Modality = image.modality
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    dataset.BodyPartExamined = "CHEST"
    dataset.ViewPosition = image.view
    dataset.PatientOrientation = ["L", "F"]
    dataset.ImageLaterality = "U"
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.BurnedInAnnotation = "YES"


def _add_pixels(dataset: Dataset, image: PhantomImage) -> None:
    top = 2**BITS - 1
    pixels = top - image.pixels if image.inverted else image.pixels
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if image.inverted else "MONOCHROME2"
    dataset.PresentationLUTShape = "INVERSE" if image.inverted else "IDENTITY"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, BITS, BITS - 1
    dataset.PixelRepresentation = 0
    dataset.PixelSpacing = [image.spacing_mm, image.spacing_mm]
    dataset.ImagerPixelSpacing = [image.spacing_mm, image.spacing_mm]
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    dataset.WindowCenter, dataset.WindowWidth = (top + 1) // 2, top + 1
    dataset.PixelData = pixels.astype(np.dtype("<u2")).tobytes()
