"""Results in DICOM: a structured report and a heat map, to a folder, by DICOMweb or by C-STORE.

Needs the libraries of `cxr[dicom]`, which are imported where they are used.
"""

from .archive import Archive, answer_studies
from .listener import Listener, ListenSettings
from .peer import Peer
from .results import DicomResults, make_results, save_results, write_results

__all__ = [
    "Archive",
    "DicomResults",
    "ListenSettings",
    "Listener",
    "Peer",
    "answer_studies",
    "make_results",
    "save_results",
    "write_results",
]
