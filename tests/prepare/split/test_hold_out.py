"""Series and clusters held out of tables without images, and of small images of two makes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxr._io import progress_disabled
from cxr.errors import DataError, UsageError
from cxr.find import Manifest, read_manifest
from cxr.prepare.split.hold_out import HeldOut, hold_out_acquisition, hold_out_series

Row = tuple[str, str, str | None]


def manifest_of(rows: Sequence[Row], root: Path = Path("images"), **columns: object) -> Manifest:
    table = pd.DataFrame(rows, columns=["path", "label", "patient"]).assign(**columns)
    return Manifest(table, root, tuple(sorted(set(table["label"]))), False, "")


def two_series() -> list[Row]:
    """20 healthy of series A, 20 of series B; 40 with pneumonia with two images each."""
    healthy = [(f"N/{s}-{i}.png", "NORMAL", f"{s}{i}") for s in "AB" for i in range(20)]
    pneumonia = [(f"P/ill{i}_{k}.png", "PNEUMONIA", f"ill{i}") for i in range(40) for k in range(2)]
    return [*healthy, *pneumonia]


def sides(held: HeldOut) -> tuple[set[str], set[str]]:
    development, shifted = (set(part.table["path"]) for part in (held.development, held.shifted))
    assert not development & shifted
    return development, shifted


def test_a_series_and_some_of_the_other_class() -> None:
    held = hold_out_series(manifest_of(two_series()), "B-*", others=30)
    development, shifted = sides(held)
    assert {path for path in shifted if path.startswith("N/")} == {
        f"N/B-{i}.png" for i in range(20)
    }
    assert sum(path.startswith("P/") for path in shifted) == 30
    assert len(development | shifted) == 120
    assert not set(held.development.patients()) & set(held.shifted.patients())
    assert held.facts["shifted"] == {
        "table": "shifted.csv",
        "n": 50,
        "n_patients": 35,
        "classes": {"NORMAL": 20, "PNEUMONIA": 30},
    }
    assert held.facts["matched"] == 20 and held.facts["others"] == 30
    assert held.facts["same_patient_added"] == 0


def test_the_seed_chooses_the_others_and_nothing_else() -> None:
    chosen = [
        sides(hold_out_series(manifest_of(two_series()), "B-*", others=20, seed=seed))[1]
        for seed in (1, 1, 2)
    ]
    assert chosen[0] == chosen[1] != chosen[2]
    healthy = [{path for path in some if path.startswith("N/")} for some in chosen]
    assert healthy[0] == healthy[2]


def test_others_leave_half_for_development(capsys: pytest.CaptureFixture[str]) -> None:
    held = hold_out_series(manifest_of(two_series()), "B-*")
    assert held.facts["others"] == 40
    assert "40 other images taken, not 600: half of them stay" in capsys.readouterr().err


def test_a_patient_goes_over_whole() -> None:
    rows = two_series()
    rows += [("N/A-again.png", "NORMAL", "B3"), ("P/late.png", "PNEUMONIA", "B4")]
    held = hold_out_series(manifest_of(rows), "B-*", others=10)
    _, shifted = sides(held)
    assert {"N/A-again.png", "P/late.png"} <= shifted
    assert held.facts["same_patient_added"] == 2
    assert not set(held.development.patients()) & set(held.shifted.patients())


def test_a_series_with_every_class_stands_alone() -> None:
    rows = [
        (f"{site}_{i}.png", ("NORMAL", "PNEUMONIA")[i % 2], f"{site}{i}")
        for site in ("here", "there")
        for i in range(10)
    ]
    _, shifted = sides(hold_out_series(manifest_of(rows), "there_*"))
    assert shifted == {f"there_{i}.png" for i in range(10)}


def test_folders_can_be_named() -> None:
    _, shifted = sides(hold_out_series(manifest_of(two_series()), "N/B*", others=4))
    assert "N/B-0.png" in shifted and "N/A-0.png" not in shifted


def test_images_for_testing_are_on_neither_side() -> None:
    rows = two_series()
    split = ["test" if path.endswith(("A-3.png", "B-3.png")) else "train" for path, *_ in rows]
    held = hold_out_series(manifest_of(rows, split=split), "B-*", others=10)
    development, shifted = sides(held)
    assert not {"N/A-3.png", "N/B-3.png"} & (development | shifted)
    assert held.facts["for_testing_left_out"] == 2
    assert "split" in held.development.table and "split" not in held.shifted.table


def test_unknown_patients_are_each_their_own() -> None:
    rows = [(path, label, None) for path, label, _ in two_series()]
    held = hold_out_series(manifest_of(rows), "B-*", others=10)
    assert held.facts["shifted"]["n"] == 30 and held.facts["shifted"]["n_patients"] is None


def test_three_classes_in_proportion() -> None:
    rows = two_series() + [(f"T/tb{i}.png", "TB", f"tb{i}") for i in range(20)]
    held = hold_out_series(manifest_of(rows), "B-*", others=50)
    classes = held.facts["shifted"]["classes"]
    assert classes["NORMAL"] == 20 and classes["TB"] == 10 and classes["PNEUMONIA"] == 40


def test_several_labels_need_a_yes_and_a_no_of_each() -> None:
    n = 40
    flags = pd.DataFrame(
        {
            "path": [f"{'s' if i < 10 else 'r'}{i}.png" for i in range(n)],
            "patient": [str(i) for i in range(n)],
            "Edema": [1.0] * 10 + [1.0, 0.0] * 15,  # the series has no image without it
            "Mass": [1.0, 0.0] * 18 + [np.nan] * 4,
        }
    )
    several = Manifest(flags, Path("images"), ("Edema", "Mass"), True, "")
    held = hold_out_series(several, "s*", others=6)
    assert held.facts["shifted"]["n"] == 16
    assert (held.shifted.table["Edema"] == 0).sum() == 6
    assert held.facts["shifted"]["classes"]["Edema"] == 10


@pytest.mark.parametrize(
    ("series", "options", "error", "said"),
    [
        ("C-*", {}, UsageError, "matches none of 120 file names, such as A-0.png"),
        ("b-*", {}, UsageError, "matches none"),
        ("*", {}, UsageError, "matches all 120 images"),
        ("B-*", {"others": 0}, UsageError, "others=0"),
        ("[AB]-*", {}, DataError, "'NORMAL' would have 0 patients for development"),
        ("B-7.png", {}, DataError, "'NORMAL' would have 1 patients in the shifted set"),
    ],
)
def test_what_is_refused_of_a_series(
    series: str, options: dict[str, int], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said.replace("[", r"\[")):
        hold_out_series(manifest_of(two_series()), series, **options)


def test_one_class_alone_and_nothing_but_testing() -> None:
    healthy = two_series()[:40]
    with pytest.raises(DataError, match="only one class"):
        hold_out_series(manifest_of(healthy), "B-*")
    with pytest.raises(DataError, match="all 120 images are for testing"):
        hold_out_series(manifest_of(two_series(), split="test"), "B-*")


# --- clusters of how the images are made


@pytest.fixture(scope="module")
def of_two_makes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 patients with two images; every fifth patient's are bright and coarse. Pneumonia is
    darker, whatever their make: that must not decide."""
    folder, rng = tmp_path_factory.mktemp("makes") / "images", np.random.default_rng(0)
    for patient in range(60):
        label, other_make = ("NORMAL", "PNEUMONIA")[patient % 2], patient % 5 == 0
        (folder / label).mkdir(parents=True, exist_ok=True)
        for k in range(2):
            grey = rng.normal(100 - 40 * (patient % 2) + 25 * other_make, 20, (32, 32))
            grey[::2] += 30 * other_make
            image = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
            image.save(folder / label / f"phantom{patient:04}_{k:03}.png")
    return folder


@pytest.fixture(scope="module")
def held_make(of_two_makes: Path) -> HeldOut:
    with progress_disabled():
        return hold_out_acquisition(read_manifest(of_two_makes), 4)


def test_the_other_make_is_held_out_whole(held_make: HeldOut) -> None:
    patients = {int(str(name).removeprefix("phantom")) for name in held_make.shifted.patients()}
    assert patients == set(range(0, 60, 5))
    assert not set(held_make.development.patients()) & set(held_make.shifted.patients())
    assert Counter(held_make.shifted.labels()) == {"NORMAL": 12, "PNEUMONIA": 12}
    assert held_make.facts["same_patient_added"] == 0
    assert held_make.facts["moved_most"]["mean"] > 1


def test_the_same_seed_divides_alike(of_two_makes: Path, held_make: HeldOut) -> None:
    with progress_disabled():
        again = hold_out_acquisition(read_manifest(of_two_makes), 4)
    assert again.facts == held_make.facts and sides(again) == sides(held_make)


def test_damaged_files_do_not_count(
    of_two_makes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = read_manifest(of_two_makes).table
    bad = tmp_path / "bad.png"
    bad.write_text("no image")
    paths = [(of_two_makes / path).as_posix() for path in rows["path"]]
    table = rows.assign(path=paths)
    extra = {"path": bad.as_posix(), "label": "NORMAL", "patient": "new"}
    table.loc[len(table)] = extra
    manifest = Manifest(table, Path("/"), ("NORMAL", "PNEUMONIA"), False, "")
    held = hold_out_acquisition(manifest, 4)
    assert held.facts["shifted"]["n"] == 24 and held.facts["development"]["n"] == 97
    assert "1 unreadable images do not count" in capsys.readouterr().err
    none = Manifest(table.assign(path=bad.as_posix()), Path("/"), manifest.classes, False, "")
    with pytest.raises(DataError, match=r"no image can be read \(first: .*bad\.png"):
        hold_out_acquisition(none, 4)


@pytest.mark.parametrize(
    ("clusters", "share", "said"),
    [
        (1, 0.2, "1 clusters; a whole number from 2 to 12"),
        (13, 0.2, "13 clusters"),
        (4, 1.0, r"share=1\.0: give a fraction"),
    ],
)
def test_what_is_refused_of_clusters(clusters: int, share: float, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        hold_out_acquisition(manifest_of(two_series()), clusters, share=share)


def test_too_few_patients_for_the_clusters(of_two_makes: Path) -> None:
    manifest = read_manifest(of_two_makes)
    few = manifest.select([0, 2, 60, 62])  # the folders come one after the other
    with pytest.raises(UsageError, match="8 clusters of 4 patients; ask for fewer"):
        hold_out_acquisition(few, 8)
    with pytest.raises(DataError, match="leaves 2 patients of each class on both sides"):
        hold_out_acquisition(few, 2)


# --- the files


def test_tables_are_read_again_as_they_were(of_two_makes: Path, tmp_path: Path) -> None:
    manifest = read_manifest(of_two_makes)
    held = hold_out_series(manifest, "phantom000*", others=4)
    facts = held.write(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "development.csv", "shifted.csv", "hold_out.json"
    }  # fmt: skip
    assert json.loads((tmp_path / "out" / "hold_out.json").read_text("utf-8")) == facts
    for part in (held.development, held.shifted):
        name = "shifted" if part is held.shifted else "development"
        root = facts["image_root"]
        again = read_manifest(tmp_path / "out" / facts[name]["table"], image_root=root)
        assert again.paths() == part.paths() and all(path.is_file() for path in again.paths())
        assert again.labels() == part.labels() and again.patients() == part.patients()
        assert again.fingerprint() == part.fingerprint()


def test_nothing_is_written_into_the_data(of_two_makes: Path) -> None:
    before = sorted(of_two_makes.rglob("*"))
    held = hold_out_series(read_manifest(of_two_makes), "phantom000*", others=4)
    with pytest.raises(UsageError, match="lies inside the data"):
        held.write(of_two_makes / "held")
    assert sorted(of_two_makes.rglob("*")) == before
