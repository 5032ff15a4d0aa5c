"""The Open Inference Protocol, version 2, over REST with tensors in JSON.

https://github.com/open-inference/open-inference-protocol
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import __version__
from . import tasks as work
from .http import Refusal, Reply, Request, as_json, read_body
from .live import Model

if TYPE_CHECKING:
    from .app import Service

INPUT, LOGITS, PROBABILITIES = "image", "logits", "probabilities"
OUTPUTS = (LOGITS, PROBABILITIES)
PLATFORMS = {"onnx": "onnxruntime_onnx", "torch": "pytorch_cxr"}
MAX_ID = 128


class Inference:
    def __init__(self, service: Service) -> None:
        self.service = service

    async def server(self, request: Request) -> Reply:
        return as_json({"name": "cxr", "version": __version__, "extensions": []})

    async def live(self, request: Request) -> Reply:
        return as_json({"live": True})

    async def ready(self, request: Request) -> Reply:
        return self._ready({})

    async def ready_model(self, request: Request) -> Reply:
        return self._ready({"name": self.service.live.name})

    def _ready(self, said: dict[str, Any]) -> Reply:
        ready = not self.service.stopping
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return as_json({**said, "ready": ready}, status)

    async def metadata(self, request: Request) -> Reply:
        model = self.service.live.model
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
        service, limits = self.service, self.service.limits
        if request.media_type not in ("", "application/json"):
            raise Refusal(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "tensors are taken as application/json"
            )
        service.desk.check_room()
        body = await read_body(request, limits.tensor_body, limits.body_seconds, service.memory)
        model = service.live.model
        asked = parse(body)
        pixels = image_of(asked, model.predictor.config.size, limits.pending)
        names = outputs_of(asked)
        request.images = len(pixels)
        job = await service.desk.see(model, pixels, work.tensors)
        request.batch = job.batch
        if isinstance(job.result, Exception):
            raise job.result
        return as_json(answer(asked, model, names, job.result))


def parse(body: bytes) -> dict[str, Any]:
    """Raises Refusal unless the body is one JSON object."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise wrong("the body is not JSON") from error
    if not isinstance(asked, dict):
        raise wrong("the body must be a JSON object")
    known = {"id", "parameters", "inputs", "outputs"}
    if unknown := set(asked) - known:
        raise wrong(f"unknown field {_shown(min(unknown))}; known: {', '.join(sorted(known))}")
    if not isinstance(asked.get("id", ""), str) or len(asked.get("id", "")) > MAX_ID:
        raise wrong(f"id must be text of at most {MAX_ID} characters")
    if not isinstance(asked.get("parameters", {}), dict):
        raise wrong("parameters must be an object")
    return asked


def image_of(asked: dict[str, Any], size: int, most: int) -> np.ndarray:
    """The tensor `image` as uint8 (n, S, S)."""
    inputs = asked.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise wrong(f"inputs must be a list of one tensor, named {INPUT}")
    (tensor,) = inputs
    if tensor.get("name") != INPUT:
        raise wrong(f"unknown input {_shown(tensor.get('name'))}; the only one is {INPUT}")
    if tensor.get("datatype") != "UINT8":
        raise wrong(f"datatype {_shown(tensor.get('datatype'))} is not UINT8")
    shape = tensor.get("shape")
    if not _is_shape(shape, size):
        raise wrong(f"shape {_shown(shape)} is not [n, 1, {size}, {size}]")
    if not 1 <= shape[0] <= most:
        raise wrong(f"{shape[0]} images; 1 to {most} are taken at once")
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
        raise wrong(f"data has {len(flat):,} values; the shape has {n:,}")
    if not all(type(value) is int for value in flat):
        raise wrong("data must be whole numbers from 0 to 255")
    try:
        return np.frombuffer(bytes(flat), np.uint8).reshape(shape)
    except ValueError as error:
        raise wrong("data must be whole numbers from 0 to 255") from error


def _flat(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise wrong("data must be a list, flat or nested as the shape is")
    for _ in range(3):
        if not data or not isinstance(data[0], list):
            break
        if not all(isinstance(one, list) for one in data):
            raise wrong("data is nested unevenly")
        data = [value for one in data for value in one]
    return data


def outputs_of(asked: dict[str, Any]) -> tuple[str, ...]:
    """Names of the outputs wanted, in order; all where none are named."""
    wanted = asked.get("outputs")
    if wanted is None or wanted == []:
        return OUTPUTS
    if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
        raise wrong("outputs must be a list of objects with a name")
    names = [one.get("name") for one in wanted]
    for name in names:
        if name not in OUTPUTS:
            raise wrong(f"unknown output {_shown(name)}; known: {', '.join(OUTPUTS)}")
    if len(set(names)) < len(names):
        raise wrong("an output is named twice")
    return tuple(names)


def answer(
    asked: dict[str, Any], model: Model, names: tuple[str, ...], results: Any
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
    said = {"model_name": model.name, "model_version": model.predictor.digest, "outputs": outputs}
    return {**said, "id": asked["id"]} if "id" in asked else said


def wrong(reason: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, reason)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else text[:59] + "…"
