"""Writes fastai_splits.json: what fast.ai's RandomSplitter picks for some sizes and seeds.

Run with a Python that has fastai: `python tests/reference/make_split_reference.py`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import fastai
from fastai.data.transforms import RandomSplitter

CASES = [
    (n, valid_pct, seed)
    for n in (5, 64, 5232)
    for valid_pct in (0.1, 0.2, 0.33)
    for seed in (0, 42, 2**31)
    if int(n * valid_pct) > 0
]


def digest(indices: list[int]) -> str:
    return hashlib.sha256(",".join(map(str, indices)).encode()).hexdigest()


def case(n: int, valid_pct: float, seed: int) -> dict[str, object]:
    train, valid = (
        [int(index) for index in side] for side in RandomSplitter(valid_pct, seed=seed)(range(n))
    )
    return {
        "n": n,
        "valid_pct": valid_pct,
        "seed": seed,
        "train_sha256": digest(train),
        "valid_sha256": digest(valid),
        "valid_first": valid[:5],
        "train_first": train[:5],
    }


if __name__ == "__main__":
    out = Path(__file__).with_name("fastai_splits.json")
    cases = {"fastai": fastai.__version__, "cases": [case(*values) for values in CASES]}
    out.write_text(json.dumps(cases, indent=1) + "\n", encoding="utf-8")
