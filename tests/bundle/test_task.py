"""What a model is asked, and how it decides."""

from __future__ import annotations

import pytest

from cxr.bundle.task import Task

TWO = ("NORMAL", "PNEUMONIA")


@pytest.mark.parametrize(
    ("task", "kind", "index"),
    [
        (Task(TWO, positive="PNEUMONIA"), "binary", 1),
        (Task(TWO, positive="NORMAL"), "binary", 0),
        (Task(TWO), "multi_class", None),
        (Task(("a", "b", "c")), "multi_class", None),
        (Task(("a", "b", "c"), positive="c"), "multi_class", 2),
        (Task(TWO, multi_label=True), "multi_label", None),
        (Task(TWO, multi_label=True, positive="PNEUMONIA"), "multi_label", 1),
    ],
)
def test_kind_and_positive_index(task: Task, kind: str, index: int | None) -> None:
    assert task.kind == kind and task.positive_index == index
    assert task.binary is (kind == "binary")


def test_the_positive_class_from_its_threshold_on() -> None:
    task = Task(TWO, positive="PNEUMONIA", threshold=0.25)
    assert [task.decide([1 - p, p]) for p in (0.2499, 0.25)] == ["NORMAL", "PNEUMONIA"]
    first = Task(TWO, positive="NORMAL", threshold=0.9)
    assert [first.decide([p, 1 - p]) for p in (0.89, 0.9)] == ["PNEUMONIA", "NORMAL"]


def test_the_most_probable_class_is_another_question() -> None:
    task = Task(TWO, positive="PNEUMONIA", threshold=0.25)
    assert task.decide([0.7, 0.3]) == "PNEUMONIA" and task.most_probable([0.7, 0.3]) == "NORMAL"
    assert task.operating_thresholds == {"PNEUMONIA": 0.25}
    assert Task(("a", "b", "c")).operating_thresholds == {}


def test_each_label_from_its_own_threshold_on() -> None:
    task = Task(("a", "b", "c"), multi_label=True, thresholds=(0.2, 0.9, 0.5))
    assert task.decided([0.2, 0.89, 0.6]) == [0, 2] and task.decide([0.2, 0.89, 0.6]) == "a; c"
    assert task.operating_thresholds == {"a": 0.2, "b": 0.9, "c": 0.5}
    assert task.most_probable([0.2, 0.89, 0.6]) == "b; c"


def test_the_likeliest_of_several_classes() -> None:
    task = Task(("a", "b", "c"), positive="a", threshold=0.1)
    assert task.decide([0.3, 0.2, 0.5]) == "c"
    assert task.class_of_interest([0.3, 0.2, 0.5]) == 0
    assert Task(("a", "b", "c")).class_of_interest([0.3, 0.2, 0.5]) == 2


def test_all_labels_from_one_half_on() -> None:
    task = Task(("a", "b", "c"), multi_label=True)
    assert task.decide([0.5, 0.49, 0.9]) == "a; c"
    assert task.decide([0.1, 0.1, 0.1]) == ""
