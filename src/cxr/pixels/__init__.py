"""One file (JPEG, PNG, DICOM and others) to one grey array: one way for training and serving."""

from .decode import DecodedSet, decode_all
from .dicom.decode import decoder_fault, is_dicom
from .dicom.facts import read_dicom_facts
from .limits import MAX_PIXELS, MIN_SIDE
from .load import load_grey
from .memory import refuse_cut, release
from .overview import Overview, load_overview
from .resize import resize
from .stored import StoredFacts
from .threads import available_cpus, map_in_order

__all__ = [
    "MAX_PIXELS",
    "MIN_SIDE",
    "DecodedSet",
    "Overview",
    "StoredFacts",
    "available_cpus",
    "decode_all",
    "decoder_fault",
    "is_dicom",
    "load_grey",
    "load_overview",
    "map_in_order",
    "read_dicom_facts",
    "refuse_cut",
    "release",
    "resize",
]
