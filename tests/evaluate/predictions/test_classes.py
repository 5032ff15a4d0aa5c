from __future__ import annotations

import pytest

from cxr.evaluate import positive_class


@pytest.mark.parametrize(
    ("classes", "positive"),
    [
        (("NORMAL", "PNEUMONIA"), "PNEUMONIA"),
        (("PNEUMONIA", "normal"), "PNEUMONIA"),
        (("covid", "Healthy"), "covid"),
        (("TB", "No Finding"), "TB"),
        (("tb", "no_finding"), "tb"),
        (("effusion", "no-effusion"), "effusion"),
        (("1", "0"), "1"),
        (("yes", "no"), "yes"),
        (("case", "control"), "case"),
        (("bacterial", "viral"), "viral"),
        (("negative", "normal"), "normal"),
        (("nodule", "normality"), "normality"),
        (("nothing", "something"), "something"),
    ],
)
def test_positive_class_is_the_finding(classes: tuple[str, str], positive: str) -> None:
    assert positive_class(classes) == positive


def test_positive_class_needs_two_classes() -> None:
    with pytest.raises(ValueError, match="expected 2"):
        positive_class(("a", "b", "c"))
