"""The JSON that goes in and out, as JSON Schema (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any, get_args

from ..decision.confidence import Status

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
TRUTH: Schema = {"type": "boolean"}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
BINARY: Schema = {"type": "string", "format": "binary"}
PNG: Schema = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}
OUTPUTS = ("logits", "probabilities")
NAMES: Schema = {"type": "array", "items": TEXT, "minItems": 1}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def described(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def objects(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """An object that has these and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def either(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def listed(schema: Schema, **bounds: int) -> Schema:
    return {"type": "array", "items": schema, **bounds}


PER_CLASS: Schema = {"type": "object", "additionalProperties": SHARE}
SHARE_OR_NULL: Schema = {**SHARE, "type": ["number", "null"]}
TRUTH_OR_NULL: Schema = {"type": ["boolean", "null"]}

PREDICTION: dict[str, Schema] = {
    "status": described(
        {"enum": list(get_args(Status))},
        "to be said first: out of distribution is unlike the training images, and not judged is "
        "an image of which something could not be judged; show no probability of either",
    ),
    "not_judged": described(listed(TEXT), "what could not be judged of this image, and why"),
    "decision": described(TEXT, "the answer at the operating thresholds"),
    "thresholds": described(
        PER_CLASS,
        "the operating threshold of each finding, on `calibrated`; empty where the most "
        "probable of several classes is the decision",
    ),
    "most_probable": described(
        TEXT, "the class of the highest probability, whatever the threshold"
    ),
    "probabilities": described(PER_CLASS, "as trained, before any calibration"),
    "calibrated": described(PER_CLASS, "the probabilities to read"),
    "probability": described(
        SHARE, "in `calibrated`, of the positive class, or without one of the most probable"
    ),
    "confident": described(TRUTH_OR_NULL, "whether the model is confident; null: not judged"),
    "out_of_distribution": described(
        TRUTH_OR_NULL, "whether the image is unlike the training images; null: not judged"
    ),
    "reason": described(
        TEXT, "why the model abstains; empty where nothing speaks against its answer"
    ),
    "frame": described(
        {"type": ["array", "null"], "items": SHARE, "minItems": 4, "maxItems": 4},
        "the box of the lungs that the model saw: x0, y0, x1, y1, as shares of width and height of "
        "the image; null for a model of whole images",
    ),
    "frame_score": described(
        {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "how probable upright lungs are; null for a model of whole images",
    ),
    "classes": described(NAMES, "in the order of the model"),
    "population": described(TEXT, "whom the model was trained on"),
    "research_use_only": {"const": True},
    "model": objects({"name": TEXT, "digest": described(TEXT, "SHA-256 of the model file")}),
}
EXPLANATION: dict[str, Schema] = {
    "explained": described(TEXT, "the class whose score the heat map explains"),
    "method": described(TEXT, "how the heat map was computed"),
    "heat": described(PNG, "8-bit grey, over the whole image, its longer side at most 1024"),
    "outside_lungs": described(
        SHARE_OR_NULL, "how much of the heat lies outside the lungs, estimated; null: no heat"
    ),
    "between_lungs": described(SHARE_OR_NULL, "of these, between the lungs: heart, spine, hila"),
    "similar": described(
        listed(objects({"label": TEXT, "distance": NUMBER, "image": PNG})),
        "the nearest training images; empty unless the model file holds them",
    ),
}
MODEL: dict[str, Schema] = {
    "name": TEXT,
    "digest": described(TEXT, "SHA-256 of the model file"),
    "cxr": described(TEXT, "version of the server"),
    "classes": NAMES,
    "multi_label": TRUTH,
    "positive": described({"type": ["string", "null"]}, "the positive class, if there is one"),
    "thresholds": described(PER_CLASS, "the operating threshold of each finding, on `calibrated`"),
    "population": described(TEXT, "whom the model was trained on"),
    "disclaimer": TEXT,
    "rules": described(listed(TEXT), "the decision and abstention rules, in sentences"),
    "needs_token": TRUTH,
    "runtime": {"enum": ["onnx", "torch"]},
    "explain": TRUTH,
    "similar": TRUTH,
    "calibration": {"enum": ["none", "unchanged", "temperature", "vector"]},
    "prevalence": described({"type": ["number", "null"]}, "share of positive images in validation"),
}


def tensor(name: str, datatype: str, shape: Schema, data: Schema) -> Schema:
    return objects(
        {"name": {"const": name}, "datatype": {"const": datatype}, "shape": shape, "data": data}
    )


def image_tensor(size: int, frame: str, most: int) -> Schema:
    """The tensor `image`, with optional parameters, which are not read."""
    sides = [{"type": "integer", "minimum": 1, "maximum": most}, *({"const": s} for s in (1, size))]
    shape = {
        "type": "array",
        "prefixItems": [*sides, {"const": size}],
        "minItems": 4,
        "maxItems": 4,
        "description": f"[n, 1, {size}, {size}]",
    }
    grey = {"type": "integer", "minimum": 0, "maximum": 255}
    data = described(
        {"type": "array", "items": either(grey, {"type": "array"}), "minItems": 1},
        "row by row, flat or nested as the shape is; 0 black (air) to 255 white (bone), as "
        f"`cxr.load_grey(file, {size}, frame={frame!r})` gives it: whoever sends pixels cuts them",
    )
    schema = tensor("image", "UINT8", shape, data)
    schema["properties"]["parameters"] = {"type": "object"}
    return schema


def components(size: int, frame: str, pending: int) -> dict[str, Schema]:
    """All named schemas, for a model of images of `size` pixels, whole or cut to the lungs."""
    name = described(TEXT, "as it was sent with the form")
    named = objects({"name": name, **PREDICTION})
    failed = objects({"name": name, "error": TEXT})
    return {
        "Prediction": objects(PREDICTION),
        "Predictions": objects({"predictions": listed(either(named, failed), minItems=2)}),
        "Explanation": objects({**PREDICTION, **EXPLANATION}),
        "Model": objects(MODEL),
        "Error": objects({"detail": described(TEXT, "why")}),
        **_inference_components(size, frame, pending),
    }


def _inference_components(size: int, frame: str, pending: int) -> dict[str, Schema]:
    """Those of the Open Inference Protocol."""
    outputs = either(*(objects({"name": {"const": one}}) for one in OUTPUTS))
    shape = listed({"type": "integer"}, minItems=2, maxItems=2)
    floats = [tensor(one, "FP32", shape, listed(NUMBER)) for one in OUTPUTS]
    tensors = listed(
        objects({"name": TEXT, "datatype": TEXT, "shape": listed({"type": "integer"})})
    )
    request_id = {"type": "string", "maxLength": 128}
    request: dict[str, Schema] = {
        "id": request_id,
        "parameters": {"type": "object"},
        "inputs": listed(image_tensor(size, frame, pending), minItems=1, maxItems=1),
        "outputs": listed(outputs, maxItems=2, uniqueItems=True),
    }
    response: dict[str, Schema] = {
        "id": request_id,
        "model_name": TEXT,
        "model_version": described(TEXT, "SHA-256 of the model file"),
        "outputs": listed(either(*floats), minItems=1, maxItems=2),
    }
    metadata: dict[str, Schema] = {"name": TEXT, "versions": listed(TEXT), "platform": TEXT}
    return {
        "InferenceError": objects({"error": described(TEXT, "why"), "detail": TEXT}),
        "Server": objects({"name": TEXT, "version": TEXT, "extensions": listed(TEXT)}),
        "ModelMetadata": objects({**metadata, "inputs": tensors, "outputs": tensors}),
        "InferenceRequest": objects(request, ("id", "parameters", "outputs")),
        "InferenceResponse": objects(response, ("id",)),
    }
