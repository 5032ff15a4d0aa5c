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
REASONS = {
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


def document(
    model_name: str, size: int, limits: Limits, secured: bool, frame: str = "whole"
) -> Described:
    """For a model of images of `size` pixels, whole or cut to the lungs; `secured`: it needs a
    token."""
    own_paths = _own_paths(_Writer(secured), limits.files)
    paths = dict([*own_paths, *_inference_paths(secured, model_name)])
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
            "schemas": schemas.components(size, frame, limits.pending),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}} if secured else {},
        },
    }


@dataclass(frozen=True)
class _Writer:
    """Operations. With a token guarded ones are refused by 401, without one all by 403."""

    secured: bool
    error_schema: str = "Error"

    def get(self, summary: str, reply: Described, *refused: int, guarded: bool = True) -> Described:
        return {"get": self._operation(summary, reply, refused, guarded)}

    def post(self, summary: str, body: Described, reply: Described, *refused: int) -> Described:
        operation = self._operation(summary, reply, refused, True)
        return {"post": {**operation, "requestBody": {"required": True, "content": body}}}

    def _operation(
        self, summary: str, reply: Described, refused: tuple[int, ...], guarded: bool
    ) -> Described:
        locked = self.secured and guarded
        statuses = {*refused, *((401,) if locked else ()), *(() if self.secured else (403,))}
        responses = {"200": reply, **{str(one): self._refused(one) for one in sorted(statuses)}}
        security: Described = {"security": [{"token": []}]} if locked else {}
        return {"summary": summary, "responses": responses, **security}

    def _refused(self, status: int) -> Described:
        headers = {"headers": HEADERS[status]} if status in HEADERS else {}
        return {**_reply(REASONS[status], {JSON: ref(self.error_schema)}), **headers}


def _reply(description: str, content: dict[str, Described]) -> Described:
    kinds = {kind: {"schema": schema} for kind, schema in content.items()}
    return {"description": description, "content": kinds}


def _page(description: str = "A page.") -> Described:
    return _reply(description, {"text/html": TEXT})


def _own_paths(write: _Writer, files: int) -> Iterator[tuple[str, Described]]:
    yield (
        "/predict",
        write.post(
            "Predict one image, or several in a form",
            _images(files),
            _reply(
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
            _reply(
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
    yield "/model", write.get("What the model is", _reply("Facts.", {JSON: ref("Model")}))
    metrics = _reply("Text format 0.0.4.", {"text/plain": TEXT})
    yield "/metrics", write.get("Counts and times, for Prometheus", metrics)
    yield "/", write.get("The page to view images and predictions", _page(), guarded=False)
    yield "/docs", write.get("This description, to read", _page(), guarded=False)
    itself = _reply("OpenAPI 3.1.", {JSON: {"type": "object"}})
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
    reply = _reply(
        "Grey, little-endian uint16, row by row, high is white; the longer side at most 2048.",
        {"application/octet-stream": BINARY},
    )
    reply["headers"] = {
        name: {"schema": schema, "required": True} for name, schema in headers.items()
    }
    return reply


def _inference_paths(secured: bool, name: str) -> Iterator[tuple[str, Described]]:
    """The Open Inference Protocol, version 2."""
    write = _Writer(secured, "InferenceError")
    server = _reply("Facts.", {JSON: ref("Server")})
    yield "/v2", write.get("Which server this is", server, guarded=False)
    live = _reply("It does.", {JSON: objects({"live": TRUTH})})
    yield "/v2/health/live", write.get("Whether it runs", live, guarded=False)
    yield "/v2/health/ready", _ready(write, {"ready": TRUTH})
    model = "/v2/models/{model}"
    parameters = {
        "parameters": [
            {"name": "model", "in": "path", "required": True, "schema": {"enum": [name]}}
        ]
    }
    facts = _reply("Facts.", {JSON: ref("ModelMetadata")})
    yield model, {**write.get("The tensors of the model", facts, 404), **parameters}
    yield f"{model}/ready", {**_ready(write, {"name": TEXT, "ready": TRUTH}, 404), **parameters}
    infer = write.post(
        "Tensors in, tensors out",
        {JSON: {"schema": ref("InferenceRequest")}},
        _reply("Logits and calibrated probabilities.", {JSON: ref("InferenceResponse")}),
        *(*OF_BODY, 404),
    )
    yield f"{model}/infer", {**infer, **parameters}


def _ready(write: _Writer, fields: dict[str, Described], *refused: int) -> Described:
    content = {JSON: objects(fields)}
    yes, stopping = _reply("Yes.", content), _reply("Stopping.", content)
    described = write.get("Whether requests are accepted", yes, *refused, guarded=False)
    described["get"]["responses"]["503"] = stopping
    return described
