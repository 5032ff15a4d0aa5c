"""The model behind HTTP.

    POST /predict     the image file (JPEG, PNG, DICOM...) as the body, or a form with parts `file`
    POST /explain     the same, with where the model looked
    POST /image       the same, to the image itself in its full depth of grey
    GET  /model       what the model is
    GET  /            the page to view images and predictions; /docs, /openapi.json, /metrics
    /v2/...           the Open Inference Protocol

Nothing that was sent is written to disk or to a log. Errors are {"detail": reason}.
"""

from .app import Service, make_app
from .limits import Limits
from .monitoring import EventLog
from .server import Server, ServerSettings, listen, serve_model

__all__ = [
    "EventLog",
    "Limits",
    "Server",
    "ServerSettings",
    "Service",
    "listen",
    "make_app",
    "serve_model",
]
