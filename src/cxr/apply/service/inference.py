"""The Open Inference Protocol, version 2, over REST with tensors in JSON.

https://github.com/open-inference/open-inference-protocol
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import numpy as np

from ... import __version__
from . import tasks
from .http import Reply, Request, RequestRefused, UploadMemory, as_json, read_body
from .limits import Limits
from .live import LiveModel, ServedModel
from .schemas import OUTPUTS
from .workers import WorkerPool

INPUT = "image"
PLATFORMS = {"onnx": "onnxruntime_onnx", "torch": "pytorch_cxr"}
MAX_ID = 128


@dataclass(frozen=True)
class InferenceHandlers:
    """`is_ready`: whether requests are accepted, that is, the server is not stopping."""

    served: LiveModel
    workers: WorkerPool
    memory: UploadMemory
    limits: Limits
    is_ready: Callable[[], bool]

    async def server(self, request: Request) -> Reply:
        return as_json({"name": "cxr", "version": __version__, "extensions": []})

    async def live(self, request: Request) -> Reply:
        return as_json({"live": True})

    async def ready(self, request: Request) -> Reply:
        return self._ready({})

    async def ready_model(self, request: Request) -> Reply:
        return self._ready({"name": self.served.name})

    def _ready(self, fields: dict[str, Any]) -> Reply:
        ready = self.is_ready()
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return as_json({**fields, "ready": ready}, status)

    async def metadata(self, request: Request) -> Reply:
        model = self.served.model
        config, classes = model.predictor.config, len(model.predictor.config.classes)
        shape = [-1, 1, config.size, config.size]
        return as_json(
            {
                "name": model.name,
                "versions": [model.predictor.digest],
                "platform": PLATFORMS[model.predictor.runtime],
                "inputs": [{"name": INPUT, "datatype": "UINT8", "shape": shape}],
                "outputs": [
                    {"name": name, "datatype": "FP32", "shape": [-1, classes]} for name in OUTPUTS
                ],
            }
        )

    async def infer(self, request: Request) -> Reply:
        limits = self.limits
        if request.media_type not in ("", "application/json"):
            raise RequestRefused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "tensors are accepted as application/json"
            )
        self.workers.check_capacity()
        body = await read_body(request, limits.tensor_body, limits.body_seconds, self.memory)
        model = self.served.model
        message = parse(body)
        pixels = image_of(message, model.predictor.config.size, limits.pending)
        names = outputs_of(message)
        request.images = len(pixels)
        job = await self.workers.predict_pixels(model, pixels, tasks.tensors)
        request.batch = job.batch
        if isinstance(job.result, Exception):
            raise job.result
        return as_json(response_of(message, model, names, job.result))


def parse(body: bytes) -> dict[str, Any]:
    """Raises RequestRefused unless the body is one JSON object."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise bad_request("the body is not JSON") from error
    if not isinstance(message, dict):
        raise bad_request("the body must be a JSON object")
    known = {"id", "parameters", "inputs", "outputs"}
    if unknown := set(message) - known:
        raise bad_request(
            f"unknown field {_quoted(min(unknown))}; known: {', '.join(sorted(known))}"
        )
    if not isinstance(message.get("id", ""), str) or len(message.get("id", "")) > MAX_ID:
        raise bad_request(f"id must be text of at most {MAX_ID} characters")
    if not isinstance(message.get("parameters", {}), dict):
        raise bad_request("parameters must be an object")
    return message


def image_of(message: dict[str, Any], size: int, most: int) -> np.ndarray:
    """The tensor `image` as uint8 (n, S, S)."""
    inputs = message.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise bad_request(f"inputs must be a list of one tensor, named {INPUT}")
    (tensor,) = inputs
    if tensor.get("name") != INPUT:
        raise bad_request(f"unknown input {_quoted(tensor.get('name'))}; the only one is {INPUT}")
    if tensor.get("datatype") != "UINT8":
        raise bad_request(f"datatype {_quoted(tensor.get('datatype'))} is not UINT8")
    shape = tensor.get("shape")
    if not _is_shape(shape, size):
        raise bad_request(f"shape {_quoted(shape)} is not [n, 1, {size}, {size}]")
    if not 1 <= shape[0] <= most:
        raise bad_request(f"{shape[0]} images; 1 to {most} are accepted at once")
    return _values(tensor.get("data"), (shape[0], size, size))


def _is_shape(shape: Any, size: int) -> bool:
    return (
        isinstance(shape, list)
        and len(shape) == 4
        and all(type(side) is int for side in shape)
        and shape[1:] == [1, size, size]
    )


def _values(data: Any, shape: tuple[int, int, int]) -> np.ndarray:
    """Flat or nested, whole numbers from 0 to 255."""
    n = shape[0] * shape[1] * shape[2]
    flat = _flat(data)
    if len(flat) != n:
        raise bad_request(f"data has {len(flat):,} values; the shape has {n:,}")
    if not all(type(value) is int for value in flat):
        raise bad_request("data must be whole numbers from 0 to 255")
    try:
        return np.frombuffer(bytes(flat), np.uint8).reshape(shape)
    except ValueError as error:
        raise bad_request("data must be whole numbers from 0 to 255") from error


def _flat(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise bad_request("data must be a list, flat or nested as the shape is")
    for _ in range(3):
        if not data or not isinstance(data[0], list):
            break
        if not all(isinstance(one, list) for one in data):
            raise bad_request("data is nested unevenly")
        data = [value for one in data for value in one]
    return data


def outputs_of(message: dict[str, Any]) -> tuple[str, ...]:
    """Names of the outputs wanted, in order; all where none are named."""
    wanted = message.get("outputs")
    if wanted is None or wanted == []:
        return OUTPUTS
    if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
        raise bad_request("outputs must be a list of objects with a name")
    names = [one.get("name") for one in wanted]
    for name in names:
        if name not in OUTPUTS:
            raise bad_request(f"unknown output {_quoted(name)}; known: {', '.join(OUTPUTS)}")
    if len(set(names)) < len(names):
        raise bad_request("an output is named twice")
    return tuple(names)


def response_of(
    message: dict[str, Any], model: ServedModel, names: tuple[str, ...], results: Any
) -> dict[str, Any]:
    columns = dict(zip(OUTPUTS, zip(*results, strict=True), strict=True))
    outputs = []
    for name in names:
        values = np.stack(columns[name]).astype(np.float32)
        outputs.append(
            {
                "name": name,
                "datatype": "FP32",
                "shape": list(values.shape),
                "data": values.ravel().tolist(),
            }
        )
    response = {
        "model_name": model.name,
        "model_version": model.predictor.digest,
        "outputs": outputs,
    }
    return {**response, "id": message["id"]} if "id" in message else response


def bad_request(reason: str) -> RequestRefused:
    return RequestRefused(HTTPStatus.BAD_REQUEST, reason)


def _quoted(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else text[:59] + "…"
