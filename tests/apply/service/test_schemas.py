"""The service does what /openapi.json says of it, whatever is sent: examples by schemathesis."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from cxr.apply.predictor import Predictor, load_predictor
from cxr.apply.service import make_app
from cxr.backbones import Architecture, build_network
from cxr.bundle import BundleConfig, write_bundle

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: [dev]")
from hypothesis import HealthCheck, given, seed, settings  # noqa: E402
from schemathesis import GenerationMode, checks  # noqa: E402
from schemathesis.python import asgi  # noqa: E402

SIZE, EXAMPLES, ALL = 32, 12, list(HealthCheck)
NAMES = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
checks.load_all_checks()
CHECKS = [checks.CHECKS.get_one(name) for name in NAMES]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    network, source = build_network(Architecture("test_efficientnet", 2, SIZE), None, seed=1)
    config = BundleConfig(
        classes=("NORMAL", "PNEUMONIA"),
        positive="PNEUMONIA",
        backbone="test_efficientnet",
        size=SIZE,
        weights_source=source,
    )
    return load_predictor(
        write_bundle(tmp_path_factory.mktemp("model") / "model.cxr", network, config), "torch"
    )


@pytest.fixture
def api(predictor: Predictor) -> Iterator[Any]:
    """The document of a server with a tiny model, its requests answered in this process.

    A server for each test: schemathesis ends one with the test that began it.
    """
    app = make_app(predictor, hosts=[asgi.HOST])
    yield schemathesis.openapi.from_asgi("/openapi.json", app)
    asgi.shutdown_lifespans()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_as_described(api: Any, mode: GenerationMode) -> None:
    """Of each operation, asked as it wants to be and otherwise."""
    operations = [found.ok() for found in api.get_all_operations()]
    assert {"POST /predict", "POST /explain", "POST /image"} <= {one.label for one in operations}
    for operation in operations:
        if operation.body or mode is GenerationMode.POSITIVE:

            @given(operation.as_strategy(generation_mode=mode))
            @seed(0)
            @settings(
                max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=ALL
            )
            def holds(case: Any) -> None:
                case.call_and_validate(checks=CHECKS)

            holds()


def film() -> bytes:
    file = BytesIO()
    Image.linear_gradient("L").save(file, "PNG")
    return file.getvalue()


def tensor() -> dict[str, Any]:
    shape = [1, 1, SIZE, SIZE]
    image = {"name": "image", "shape": shape, "datatype": "UINT8", "data": [7] * SIZE * SIZE}
    return {"id": "a", "inputs": [image]}


@pytest.mark.parametrize(
    ("path", "body", "kind", "accept"),
    [
        ("/predict", film(), "image/png", "application/json"),
        ("/predict", {"file": [film()]}, "multipart/form-data", "application/json"),
        ("/predict", {"file": [film(), film()]}, "multipart/form-data", "application/json"),
        ("/explain", film(), "image/png", "application/json"),
        ("/explain", film(), "image/png", "image/png"),
        ("/image", film(), "application/octet-stream", "*/*"),
        ("/v2/models/{model}/infer", tensor(), "application/json", "application/json"),
    ],
)
def test_good_answers_are_as_described(
    api: Any, path: str, body: Any, kind: str, accept: str
) -> None:
    """What examples made of rules alone never reach: they draw no image."""
    case = api[path]["POST"].Case(
        body=body,
        media_type=kind,
        headers={"Accept": accept},
        path_parameters={"model": "model"} if "{model}" in path else {},
    )
    assert case.call_and_validate(checks=CHECKS).status_code == 200
