"""The routes of a service of the model `tiny`: with and without the token."""

from __future__ import annotations

GUARDED = [
    ("POST", "/predict"),
    ("POST", "/explain"),
    ("POST", "/image"),
    ("GET", "/model"),
    ("GET", "/metrics"),
    ("GET", "/v2/models/tiny"),
    ("POST", "/v2/models/tiny/infer"),
]
OPEN = [
    *("/", "/docs", "/docs/docs.js", "/docs/docs.css", "/openapi.json"),
    *("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/tiny/ready"),
]
