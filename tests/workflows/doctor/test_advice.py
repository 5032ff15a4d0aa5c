from __future__ import annotations

import pytest

from cxr.workflows.doctor import Check
from cxr.workflows.doctor.advice import advice_on


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        ("x is refused: a Python pickle, which can run", None),
        ("x is refused: model format 9 is not known", None),
        ("x is refused: its signature is not one over this model", "Ask whoever signed"),
        ("x is refused: a is not the one of manifest.json", "changed after cxr wrote it"),
        ("x is refused: model.safetensors is damaged (no header)", "damaged on its way"),
        ("x is refused: something else", None),
        ("", None),
    ],
)
def test_by_the_reason(refused: str, words: str | None) -> None:
    found = advice_on(refused, ())
    assert found == () if words is None else words in found[0]


def test_where_nothing_could_be_tried() -> None:
    (found,) = advice_on("", (Check("torch", None, None, "not installed here"),))
    assert "Nothing here can run the network" in found
    one = Check("onnxruntime 1", 0.0, True)
    assert advice_on("", (Check("torch", None, None), one)) == ()
