"""One file (JPEG, PNG, DICOM and others) to one grey array: one way for training and serving."""

from .decode import MAX_UNREADABLE, DecodedSet, decode_all, report_unreadable
from .dicom.decode import decoder_fault, is_dicom
from .dicom.facts import read_dicom_facts
from .doubt import load_for_prediction
from .frame import FRAME_MODES, WHOLE, LungFrame, locate_lungs, locate_many
from .limits import MAX_PIXELS, MIN_SIDE
from .load import load_framed, load_grey
from .overview import Overview, StoredFacts, load_overview
from .resize import resize
from .resources import available_cpus, map_in_order, refuse_cut, release

__all__ = [
    "FRAME_MODES",
    "MAX_PIXELS",
    "MAX_UNREADABLE",
    "MIN_SIDE",
    "WHOLE",
    "DecodedSet",
    "LungFrame",
    "Overview",
    "StoredFacts",
    "available_cpus",
    "decode_all",
    "decoder_fault",
    "is_dicom",
    "load_for_prediction",
    "load_framed",
    "load_grey",
    "load_overview",
    "locate_lungs",
    "locate_many",
    "map_in_order",
    "read_dicom_facts",
    "refuse_cut",
    "release",
    "report_unreadable",
    "resize",
]
