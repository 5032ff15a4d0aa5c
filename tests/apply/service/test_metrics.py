"""What the service counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_what_is_counted(ask: Any, films: list[Path]) -> None:
    for _ in range(3):
        ask.post("/predict", films[0].read_bytes())
    ask.post("/predict", b"no image")
    ask.get("/anything")
    found = ask.get("/metrics")
    assert found.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = found.body.decode().splitlines()
    assert 'cxr_requests_total{route="/predict",method="POST",status="200"} 3' in lines
    assert 'cxr_requests_total{route="/predict",method="POST",status="422"} 1' in lines
    assert 'cxr_requests_total{route="other",method="GET",status="404"} 1' in lines
    assert 'cxr_request_seconds_count{route="/predict"} 4' in lines
    assert 'cxr_batch_images_bucket{le="1"} 3' in lines
    assert "cxr_unreadable_total 1" in lines and "cxr_pending_images 0" in lines
    assert sum(line.startswith("cxr_decisions_total{") for line in lines) == 1
