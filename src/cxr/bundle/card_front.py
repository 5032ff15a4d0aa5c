"""The front matter of a model card, as the Hugging Face Hub reads it."""

from __future__ import annotations

import re
from typing import Any

import yaml

from ..errors import UsageError
from .card_figures import Metrics, model_index

TAGS = ["chest-x-ray", "radiology", "medical-imaging", "transfer-learning", "research-use-only"]
LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
RULER = "---"


def front_matter(metrics: Metrics, split: str, license: str | None) -> str:
    """YAML between two rulers. A licence that nobody stated is left out, as the Hub allows."""
    if license is not None and not LICENSE.fullmatch(license):
        raise UsageError(
            f"license {license!r} is no identifier; one such as apache-2.0, cc-by-4.0 or other is "
            "needed"
        )
    index = model_index("chest-x-ray-classifier", metrics, split)
    facts: dict[str, Any] = {} if license is None else {"license": license}
    facts |= {"library_name": "cxr", "pipeline_tag": "image-classification", "tags": TAGS}
    if index:
        measured = index[0]["results"][0]["metrics"]
        facts |= {"metrics": [one["type"] for one in measured], "model-index": index}
    text = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=1000)
    return f"{RULER}\n{text}{RULER}"
