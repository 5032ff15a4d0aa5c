"""The service described for machines: OpenAPI 3.1, of which /docs is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ... import __version__
from ...bundle.card import DISCLAIMER
from . import schemas
from .limits import Limits
from .schemas import BINARY, TEXT, TRUTH, either, listed, objects, ref

Described = dict[str, Any]
JSON = "application/json"
WHY = {
    400: "The form or the JSON is damaged, holds too much, or names what does not exist.",
    401: "A valid bearer token is needed.",
    403: "The host name is not this machine's, or a page of another site sent it.",
    404: "There is no such model here.",
    408: "The body was not sent in time.",
    413: "Too large.",
    415: "A kind of body that is not accepted.",
    422: "Not a readable image.",
    429: "Busy: try again later.",
    503: "Stopping, or no reply in time: try again later.",
}
HEADERS: dict[int, Described] = {
    401: {"WWW-Authenticate": {"schema": {"const": "Bearer"}, "required": True}},
    429: {"Retry-After": {"schema": {"type": "integer"}, "description": "s", "required": True}},
    503: {"Retry-After": {"schema": {"type": "integer"}, "description": "s", "required": True}},
}
OF_BODY = (400, 408, 413, 415, 429, 503)
OF_IMAGE = (*OF_BODY, 422)


def document(model_name: str, size: int, limits: Limits, secured: bool) -> Described:
    """For a model of images of `size` pixels; `secured`: it needs a token."""
    writer = _Writer(secured)
    paths = dict(_plain(writer, limits.files))
    paths.update(_protocol(writer, model_name))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "cxr",
            "version": __version__,
            "summary": "A classifier of chest radiographs.",
            "description": DISCLAIMER,
        },
        "paths": paths,
        "components": {
            "schemas": schemas.components(size, limits.pending),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}} if secured else {},
        },
    }


@dataclass(frozen=True)
class _Writer:
    """Operations. With a token guarded ones are refused by 401, without one all by 403."""

    secured: bool
    error_schema: str = "Error"

    def get(
        self, summary: str, answer: Described, *refused: int, guarded: bool = True
    ) -> Described:
        return {"get": self._operation(summary, answer, refused, guarded)}

    def post(self, summary: str, body: Described, answer: Described, *refused: int) -> Described:
        found = self._operation(summary, answer, refused, True)
        return {"post": {**found, "requestBody": {"required": True, "content": body}}}

    def _operation(
        self, summary: str, answer: Described, refused: tuple[int, ...], guarded: bool
    ) -> Described:
        locked = self.secured and guarded
        statuses = {*refused, *((401,) if locked else ()), *(() if self.secured else (403,))}
        responses = {"200": answer, **{str(one): self._refused(one) for one in sorted(statuses)}}
        security: Described = {"security": [{"token": []}]} if locked else {}
        return {"summary": summary, "responses": responses, **security}

    def _refused(self, status: int) -> Described:
        headers = {"headers": HEADERS[status]} if status in HEADERS else {}
        return {**_answer(WHY[status], {JSON: ref(self.error_schema)}), **headers}


def _answer(description: str, content: dict[str, Described]) -> Described:
    kinds = {kind: {"schema": schema} for kind, schema in content.items()}
    return {"description": description, "content": kinds}


def _page(description: str = "A page.") -> Described:
    return _answer(description, {"text/html": TEXT})


def _plain(write: _Writer, files: int) -> Iterator[tuple[str, Described]]:
    yield (
        "/predict",
        write.post(
            "Predict one image, or several in a form",
            _images(files),
            _answer(
                "The prediction of one image; of several, each with its name, in the order sent.",
                {JSON: either(ref("Prediction"), ref("Predictions"))},
            ),
            *OF_IMAGE,
        ),
    )
    yield (
        "/explain",
        write.post(
            "Predict one image and show which parts raise the score",
            _images(1),
            _answer(
                "The prediction and the heat map; as image/png the heat map over the image.",
                {JSON: ref("Explanation"), "image/png": BINARY},
            ),
            *OF_IMAGE,
        ),
    )
    yield (
        "/image",
        write.post("The image itself in its full depth of grey", _images(1), _image(), *OF_IMAGE),
    )
    yield "/model", write.get("What the model is", _answer("Facts.", {JSON: ref("Model")}))
    metrics = _answer("Text format 0.0.4.", {"text/plain": TEXT})
    yield "/metrics", write.get("Counts and times, for Prometheus", metrics)
    yield "/", write.get("The page to view images and predictions", _page(), guarded=False)
    yield "/docs", write.get("This description, to read", _page(), guarded=False)
    itself = _answer("OpenAPI 3.1.", {JSON: {"type": "object"}})
    yield "/openapi.json", write.get("This description", itself, guarded=False)


def _images(most: int) -> Described:
    """The image as the body, or in a form."""
    raw = ("application/octet-stream", "image/jpeg", "image/png", "application/dicom")
    form = objects({"file": listed(BINARY, minItems=1, maxItems=most)})
    return {**{kind: {"schema": BINARY} for kind in raw}, "multipart/form-data": {"schema": form}}


def _image() -> Described:
    kinds = ["jpeg", "png", "tiff", "bmp", "webp", "gif", "dicom"]
    headers = {
        "X-Image-Width": {"type": "integer", "minimum": 1},
        "X-Image-Height": {"type": "integer", "minimum": 1},
        "X-Image-Max": {"type": "integer", "minimum": 0, "maximum": 65535},
        "X-Image-Window": {"type": "string", "description": "centre,width to show it by default"},
        "X-Image-Kind": {"enum": kinds},
    }
    answer = _answer(
        "Grey, little-endian uint16, row by row, high is white; the longer side at most 2048.",
        {"application/octet-stream": BINARY},
    )
    answer["headers"] = {
        name: {"schema": schema, "required": True} for name, schema in headers.items()
    }
    return answer


def _protocol(plain: _Writer, name: str) -> Iterator[tuple[str, Described]]:
    """The Open Inference Protocol, version 2."""
    write = _Writer(plain.secured, "InferenceError")
    server = _answer("Facts.", {JSON: ref("Server")})
    yield "/v2", write.get("Which server this is", server, guarded=False)
    live = _answer("It does.", {JSON: objects({"live": TRUTH})})
    yield "/v2/health/live", write.get("Whether it runs", live, guarded=False)
    yield "/v2/health/ready", _ready(write, {"ready": TRUTH})
    model = "/v2/models/{model}"
    parameters = {
        "parameters": [
            {"name": "model", "in": "path", "required": True, "schema": {"enum": [name]}}
        ]
    }
    facts = _answer("Facts.", {JSON: ref("ModelMetadata")})
    yield model, {**write.get("The tensors of the model", facts, 404), **parameters}
    yield f"{model}/ready", {**_ready(write, {"name": TEXT, "ready": TRUTH}, 404), **parameters}
    infer = write.post(
        "Tensors in, tensors out",
        {JSON: {"schema": ref("InferenceRequest")}},
        _answer("Logits and calibrated probabilities.", {JSON: ref("InferenceResponse")}),
        *(*OF_BODY, 404),
    )
    yield f"{model}/infer", {**infer, **parameters}


def _ready(write: _Writer, said: dict[str, Described], *refused: int) -> Described:
    answer = {JSON: objects(said)}
    found = write.get(
        "Whether requests are accepted", _answer("Yes.", answer), *refused, guarded=False
    )
    found["get"]["responses"]["503"] = _answer("Stopping.", answer)
    return found
