from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest

from cxr.config import RunConfig
from cxr.errors import CxrError, DataError, UsageError


def test_what_is_written_is_read(tmp_path: Path) -> None:
    config = RunConfig(
        data="Röntgen/a, b",
        weights=None,
        size=128,
        base_lr=1e-4,
        population="Kinder: 1 bis 5",
        label_columns=("Edema", "Mass"),
        patient_pattern=None,
        quarantine="check/quarantine.csv",
        skip_quarantined="all",
    )
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml(), encoding="utf-8")
    assert RunConfig.read(path) == config


def test_every_setting_is_written() -> None:
    written = [line.split(":")[0] for line in RunConfig(data="x").to_yaml().splitlines()]
    assert written == [field.name for field in fields(RunConfig)]


def test_paths_become_text() -> None:
    config = RunConfig(
        data=Path("images"),  # type: ignore[arg-type]
        image_root=Path("a"),  # type: ignore[arg-type]
        quarantine=Path("q.csv"),  # type: ignore[arg-type]
    )
    assert (config.data, config.image_root, config.quarantine) == ("images", "a", "q.csv")


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        RunConfig(data="x").size = 32  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data", None),
        ("data", 3),
        ("backbone", None),
        ("weights", 1),
        ("size", 31),
        ("size", 2049),
        ("size", 64.0),
        ("epochs", -1),
        ("epochs", "3"),
        ("epochs", True),
        ("freeze_epochs", 10_001),
        ("batch_size", 1),
        ("seed", -1),
        ("seed", 2**63),
        ("valid_pct", 0),
        ("valid_pct", 1.0),
        ("valid_pct", "0.2"),
        ("valid_pct", float("nan")),
        ("base_lr", 0.0),
        ("base_lr", 10),
        ("base_lr", float("inf")),
        ("augment", "yes"),
        ("threshold", 0.5),
        ("label_columns", "Edema"),
        ("quarantine", 3),
        ("skip_quarantined", None),
        ("skip_quarantined", "warnings"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=name) as caught:
        RunConfig(**{"data": "x", name: value})
    assert repr(value) in str(caught.value) and "\n" not in str(caught.value)


def test_the_ends_of_the_ranges_are_allowed() -> None:
    RunConfig(data="x", size=32, epochs=0, freeze_epochs=1, batch_size=2, seed=0, valid_pct=0.999)
    RunConfig(data="x", size=2048, epochs=10_000, seed=2**63 - 1, base_lr=1)


def test_nothing_to_train_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing would be trained"):
        RunConfig(data="x", epochs=0, freeze_epochs=0)


def test_an_unknown_setting_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown setting 'epoch'; did you mean epochs\?"):
        RunConfig.from_dict({"data": "x", "epoch": 3})
    with pytest.raises(UsageError, match=r"unknown setting 5 \(known: data, layout"):
        RunConfig.from_dict({"data": "x", 5: 3})  # type: ignore[dict-item]


def test_without_data_there_is_no_run() -> None:
    with pytest.raises(UsageError, match="data is missing"):
        RunConfig.from_dict({"epochs": 3})


def test_settings_of_an_older_run_are_read() -> None:
    """Those that came later keep their defaults, with which nothing was skipped."""
    config = RunConfig.from_dict({"data": "x", "epochs": 3})
    assert (config.quarantine, config.skip_quarantined) == (None, "errors")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"data",
        b"- data\n- x",
        b"data: [",
        b"\xff\xfe\xff",
        b"!!python/object/apply:os.mkdir [made-by-yaml]",
        b"data: " + b"[" * 5000,
    ],
)
def test_a_file_that_holds_no_settings_is_refused(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(CxrError) as caught:
        RunConfig.read(path)
    assert isinstance(caught.value, DataError) and str(path) in str(caught.value)
    assert [left.name for left in tmp_path.iterdir()] == ["config.yaml"]


def test_a_mistyped_value_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"split 'patients' is not one of .*mean patient\?$"):
        RunConfig("images", split="patients")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"frame 'x' is not one of lungs, whole$"):
        RunConfig("images", frame="x")  # type: ignore[arg-type]
