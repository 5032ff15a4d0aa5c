"""The description says exactly what the service does."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cxr.apply.predictor import Predictor
from cxr.apply.service import Limits, Service, make_app

TOKEN = secrets.token_urlsafe()


@pytest.fixture
def document(ask: Any) -> dict[str, Any]:
    return ask.get("/openapi.json").json


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in {"get", "post"} & set(item):
            yield method.upper(), path.replace("{model}", "tiny"), item[method]


def test_every_route_is_described(app: Service, document: dict[str, Any]) -> None:
    described = {(method, path) for method, path, _ in operations(document)}
    files = ("/static/", "/docs/")
    real = {(r.method, p) for p, r in app.routes.items() if not p.startswith(files)}
    assert described == real


def checker(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not here")
    return jsonschema.Draft202012Validator({**schema, "components": document["components"]})


def test_it_is_a_valid_description(document: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not here")
    assert document["openapi"] == "3.1.0"
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f"#/components/schemas/{name}" in text, name
    for line in text.split('"$ref": "')[1:]:
        assert line.split('"')[0].rpartition("/")[2] in document["components"]["schemas"]


def asked(films: list[Path], form: Any) -> list[tuple[str, str, bytes, dict[str, str], int]]:
    image = films[0].read_bytes()
    one, kind = form(("a", image))
    two, _ = form(("a", image), ("b", b"no image"))
    many, _ = form(*[("a", b"")] * 40)
    tensor = {"name": "image", "datatype": "UINT8", "shape": [1, 1, 64, 64], "data": [7] * 4096}
    infer = "/v2/models/tiny/infer"
    as_form = {"content_type": kind}
    return [
        ("POST", "/predict", image, {}, 200),
        ("POST", "/predict", one, as_form, 200),
        ("POST", "/predict", two, as_form, 200),
        ("POST", "/predict", many, as_form, 400),
        ("POST", "/predict", b"", {}, 422),
        ("POST", "/predict", image, {"content_encoding": "gzip"}, 415),
        ("POST", "/predict", image, {"content_length": "999999999999"}, 413),
        ("POST", "/predict", image, {"host": "elsewhere"}, 403),
        ("POST", "/explain", one, as_form, 200),
        ("POST", "/explain", one, {**as_form, "accept": "image/png"}, 200),
        ("POST", "/image", image, {}, 200),
        ("POST", "/image", b"x", {}, 422),
        ("POST", infer, json.dumps({"inputs": [tensor], "id": "1"}).encode(), {}, 200),
        ("POST", infer, b"{}", {}, 400),
        *(
            ("GET", path, b"", {}, 200)
            for path in ("/", "/docs", "/openapi.json", "/model", "/metrics", "/v2")
        ),
        *(
            ("GET", f"/v2/{path}", b"", {}, 200)
            for path in ("health/live", "health/ready", "models/tiny", "models/tiny/ready")
        ),
    ]


def test_answers_are_as_described(
    ask: Any, document: dict[str, Any], films: list[Path], form: Any
) -> None:
    described = {(method, path): found for method, path, found in operations(document)}
    seen = set()
    for method, path, body, headers, status in asked(films, form):
        found = ask(method, path, body, **headers)
        assert found.status == status, (path, found.body[:200])
        seen.add((method, path))
        answer = described[method, path]["responses"][str(status)]
        kind = found.headers["content-type"].partition(";")[0]
        schema = answer["content"][kind]["schema"]
        if kind == "application/json":
            checker(document, schema).validate(found.json)
        for name, header in answer.get("headers", {}).items():
            assert header["required"] and found.headers[name.lower()]
    assert seen == set(described)


def test_a_full_server_answers_as_described(predictor: Predictor, asking: Any) -> None:
    with asking(make_app(predictor, limits=Limits(pending=0, background=0))) as ask:
        document = ask.get("/openapi.json").json
        for path in ("/predict", "/explain", "/image"):
            found = ask.post(path, b"x")
            answer = document["paths"][path]["post"]["responses"][str(found.status)]
            assert found.status == 429 and "Retry-After" in answer["headers"]


def test_with_a_token_401_takes_the_place_of_403(predictor: Predictor, asking: Any) -> None:
    with asking(make_app(predictor, TOKEN)) as ask:
        document = ask.get("/openapi.json").json
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for _, path, found in operations(document):
        guarded = ask.app.routes[path].guarded
        assert ("401" in found["responses"]) == guarded == ("security" in found), path
        assert "403" not in found["responses"]


# What no schema can say: that bytes are an image, that data fills a shape.
UNSAYABLE = {"positive_data_acceptance"}


@pytest.mark.parametrize("secured", [False, True])
def test_schemathesis_finds_nothing(predictor: Predictor, serving: Any, secured: bool) -> None:
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not here")
    from schemathesis.checks import CHECKS, load_all_checks

    load_all_checks()
    left_out = [CHECKS.get_one(name) for name in UNSAYABLE]
    with serving(make_app(predictor, TOKEN if secured else None)) as client:
        schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{client.port}/openapi.json")
        headers = {"Authorization": f"Bearer {TOKEN}"} if secured else {}
        tried = run_all(schema, headers, left_out)
    assert tried > 20


def run_all(schema: Any, headers: dict[str, str], left_out: list[Any]) -> int:
    """Some cases of every operation."""
    from hypothesis import HealthCheck, Phase, given, settings

    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=4,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            nonlocal tried
            tried += 1
            case.call_and_validate(headers=headers, excluded_checks=left_out)

        check()
    return tried
