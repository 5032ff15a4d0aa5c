"""Prometheus' text format, read by an independent parser; and the log of the HTTP server."""

from __future__ import annotations

import io
import json
import logging

import pytest

from cxr.apply.service.monitoring import (
    CLIENT_GONE,
    Counter,
    EventLog,
    Gauge,
    Histogram,
    UvicornHandler,
    exposition,
)


def test_an_independent_parser_reads_the_same() -> None:
    parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not here")
    odd = 'a "quoted"\\ name\nof two lines'
    counter = Counter("x_total", "Counted.", ("of", "status"))
    counter.add(odd, "200")
    counter.add(odd, "200", n=2.5)
    plain = Counter("y_total", "Never counted.")
    histogram = Histogram("z_seconds", "Times.", (0.1, 1.0), ("route",))
    for value in (0.05, 0.1, 0.5, 7):
        histogram.add(value, "/")
    gauge = Gauge("g", "Now.", lambda: True, lambda: {"name": odd})
    text = exposition([counter, plain, histogram, gauge]).decode()
    found = {family.name: family for family in parser.text_string_to_metric_families(text)}
    assert {name: family.type for name, family in found.items()} == {
        **{"x": "counter", "y": "counter"},
        **{"z_seconds": "histogram", "g": "gauge"},
    }
    (one,) = found["x"].samples
    assert one.labels == {"of": odd, "status": "200"} and one.value == 3.5
    assert found["y"].samples[0].value == 0
    assert found["g"].samples[0].labels == {"name": odd} and found["g"].samples[0].value == 1
    times = {(s.name, s.labels.get("le")): s.value for s in found["z_seconds"].samples}
    assert times == {
        ("z_seconds_bucket", "0.1"): 2,
        ("z_seconds_bucket", "1"): 3,
        ("z_seconds_bucket", "+Inf"): 4,
        ("z_seconds_sum", None): pytest.approx(7.65),
        ("z_seconds_count", None): 4,
    }


def test_the_http_server_speaks_through_our_log() -> None:
    said = io.StringIO()
    handler = UvicornHandler(EventLog("info", said))
    for text in (CLIENT_GONE, "something else"):
        handler.handle(logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, text, None, None))
    (line,) = (json.loads(line) for line in said.getvalue().splitlines())
    assert (line["level"], line["said"]) == ("error", "something else")
