"""Results in DICOM: a structured report and a heat map, to a folder, by DICOMweb or by C-STORE.

Needs the libraries of `cxr[dicom]`, which are imported where they are used.
"""

from .listen import Listener, ListenSettings
from .peer import Peer
from .rounds import answer_studies
from .web import Archive
from .write import Results, make_results, save_results, write_results

__all__ = [
    "Archive",
    "ListenSettings",
    "Listener",
    "Peer",
    "Results",
    "answer_studies",
    "make_results",
    "save_results",
    "write_results",
]
