"""Files damaged at random: cut short, continued by another file, or with bytes overwritten."""

from __future__ import annotations

import random


def damaged(rng: random.Random, data: bytes, other: bytes) -> bytes:
    kind = rng.randrange(3)
    if kind == 0:
        return data[: rng.randrange(len(data))]
    if kind == 1:
        return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]
    spoilt = bytearray(data)
    reach = rng.choice((len(data), min(600, len(data))))
    for _ in range(rng.choice((1, 8, 64))):
        spoilt[rng.randrange(reach)] = rng.randrange(256)
    return bytes(spoilt)
