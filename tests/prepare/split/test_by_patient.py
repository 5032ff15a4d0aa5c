from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cxr.errors import DataError, UsageError
from cxr.find import read_manifest
from cxr.prepare.split import PatientSplitter


def population(n_patients=200, seed=0):
    """Patients of 1 to 6 images; one in four is of the class "A"."""
    rng = random.Random(seed)
    rows = []
    for patient in range(n_patients):
        label = "A" if patient % 4 == 0 else "B"
        rows += [(label, f"p{patient}")] * rng.randint(1, 6)
    rng.shuffle(rows)
    labels, patients = map(list, zip(*rows, strict=True))
    return labels, patients


def fractions(valid, labels):
    total, chosen = Counter(labels), Counter(labels[index] for index in valid)
    return {label: chosen[label] / total[label] for label in total}


@pytest.mark.parametrize("valid_pct", [0.1, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("seed", [0, 42])
def test_no_patient_on_both_sides_and_each_class_in_proportion(valid_pct, seed):
    labels, patients = population()
    train, valid = PatientSplitter(valid_pct, seed)(range(len(labels)), labels, patients)
    assert sorted(train + valid) == list(range(len(labels)))
    assert not {patients[i] for i in train} & {patients[i] for i in valid}
    for label, fraction in fractions(valid, labels).items():
        # Within half of the largest patient (6 images) of the wanted count.
        assert abs(fraction - valid_pct) * labels.count(label) <= 3


def test_real_images(shared_data, capsys):
    manifest = read_manifest(shared_data / "kermany224")
    labels, patients = manifest.labels(), manifest.patients()
    for valid_pct, seed in ((0.2, 42), (0.1, 1)):
        splitter = PatientSplitter(valid_pct, seed)
        train, valid = splitter(manifest.paths(), labels, patients, manifest.splits())
        assert len(train) + len(valid) == 5232
        assert not {patients[i] for i in train} & {patients[i] for i in valid}
        for fraction in fractions(valid, labels).values():
            assert fraction == pytest.approx(valid_pct, abs=0.01)
    assert splitter(manifest.paths()) == (train, valid)  # fast.ai's way: names tell the rest
    assert capsys.readouterr().err == ""


def test_the_order_of_the_images_does_not_matter():
    labels, patients = population()
    _, valid = PatientSplitter()(range(len(labels)), labels, patients)
    order = list(range(len(labels)))
    random.Random(1).shuffle(order)
    _, shuffled = PatientSplitter()(
        range(len(labels)), [labels[i] for i in order], [patients[i] for i in order]
    )
    assert {patients[i] for i in valid} == {patients[order[i]] for i in shuffled}


def test_seeds_differ():
    labels, patients = population()
    chosen = {
        tuple(PatientSplitter(seed=s)(range(len(labels)), labels, patients)[1]) for s in (1, 2)
    }
    assert len(chosen) == 2


def test_several_labels_in_proportion():
    rng = np.random.default_rng(0)
    patients = [f"p{n}" for n in rng.integers(0, 400, 1500)]
    flags = (rng.random((1500, 4)) < [0.4, 0.2, 0.05, 0.02]).astype(np.float32)
    flags[rng.random((1500, 4)) < 0.1] = np.nan
    _, valid = PatientSplitter(0.25)(range(1500), flags, patients)
    positive = np.nan_to_num(flags)
    share = positive[valid].sum(axis=0) / positive.sum(axis=0)
    np.testing.assert_allclose(share, 0.25, atol=0.04)
    nothing = positive.sum(axis=1) == 0
    assert nothing[valid].sum() / nothing.sum() == pytest.approx(0.25, abs=0.04)
    assert len(valid) / 1500 == pytest.approx(0.25, abs=0.02)


def test_lists_of_labels():
    labels = [["A"], ["A", "B"], ["B"], []] * 5
    patients = [f"p{index}" for index in range(20)]
    _, valid = PatientSplitter(0.2)(range(20), labels, patients)
    assert sum("A" in labels[index] for index in valid) == 2
    assert sum("B" in labels[index] for index in valid) == 2


def test_each_class_is_on_both_sides_however_few():
    labels = ["A"] * 10 + ["B"] * 100
    patients = ["a1"] * 8 + ["a2"] * 2 + [f"b{n}" for n in range(100)]
    _, valid = PatientSplitter(0.05)(range(110), labels, patients)
    assert {patients[i] for i in valid if labels[i] == "A"} == {"a2"}
    train, _ = PatientSplitter(0.95)(range(110), labels, patients)
    assert {patients[i] for i in train if labels[i] == "A"} == {"a2"}


def test_a_class_that_cannot_be_on_both_sides():
    labels = ["A", "A", "B", "B"]
    with pytest.raises(DataError, match=r"class 'A' has 1 patient in 2 images") as caught:
        PatientSplitter()(range(4), labels, ["secret", "secret", "b1", "b2"])
    assert "secret" not in str(caught.value)
    with pytest.raises(DataError, match=r"class .* cannot have a patient on both sides"):
        # p has A and B, q has B and C, r has C and A: any split leaves one class on one side.
        PatientSplitter(0.5)(
            range(6), ["A", "B", "B", "C", "C", "A"], ["p", "p", "q", "q", "r", "r"]
        )


def test_images_without_patient_are_split_by_themselves_with_a_line(capsys):
    labels = ["A", "B"] * 10
    patients = [None if index < 4 else f"p{index}" for index in range(20)]
    items = [Path(f"somewhere/{index}.png") for index in range(20)]
    train, valid = PatientSplitter()(items, labels, patients)
    assert sorted(train + valid) == list(range(20))
    assert "4 of 20 images have no patient" in capsys.readouterr().err
    PatientSplitter()(items, labels)
    assert "no patient is known" in capsys.readouterr().err


def test_moving_the_folder_does_not_move_images_to_the_other_side():
    def split(root):
        return PatientSplitter()([Path(root) / f"{i % 2}" / f"{i}.png" for i in range(20)])

    assert split("here") == split("over/there")


def test_labels_by_folder_as_in_fastai():
    items = [Path(f"{'AB'[i % 2]}/IM-{i // 4:04}-{i % 4:04}.png") for i in range(80)]
    _, valid = PatientSplitter(0.25)(items)
    assert Counter(items[i].parent.name for i in valid) == {"A": 10, "B": 10}


def test_test_images_are_on_neither_side():
    labels, patients = population()
    splits = ["test" if patient < "p3" else "train" for patient in patients]
    train, valid = PatientSplitter()(range(len(labels)), np.array(labels), patients, splits)
    assert sorted(train + valid) == [i for i, split in enumerate(splits) if split == "train"]


def test_fraction_is_checked():
    with pytest.raises(UsageError, match="between 0 and 1"):
        PatientSplitter(20)


def test_nothing_to_split():
    with pytest.raises(DataError, match="nothing to split: 2 images"):
        PatientSplitter()(["a", "b"], splits=["test", "test"])
    with pytest.raises(DataError, match="nothing to split"):
        PatientSplitter()([])
