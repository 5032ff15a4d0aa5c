"""8-bit integers: kept only where they decide as before, and faster."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import cxr.apply.onnx.quantise as quantise
from cxr.apply.onnx import Int8, OnnxEngine, export_int8, onnx_bytes
from cxr.bundle import read_bundle
from cxr.errors import DataError, UsageError

Speed = Callable[..., float]


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine's speed of the moment."""
    monkeypatch.setattr(quantise, "_speed", lambda *given: 1.5)


@pytest.fixture
def data(films: list[Path], tmp_path: Path) -> Path:
    """A table of the six images, two of them to be decided."""
    rows = []
    for i, film in enumerate(films):
        shutil.copy(film, tmp_path / film.name)
        label, split = ("NORMAL", "PNEUMONIA")[i % 2], "valid" if i < 2 else "train"
        rows.append(f"{film.name},{label},{split}")
    table = tmp_path / "images.csv"
    table.write_text("\n".join(["path,label,split", *rows]) + "\n")
    return table


def test_written_where_nothing_moves(
    tiny_model: Path, data: Path, tmp_path: Path, fast: None
) -> None:
    found = export_int8(tiny_model, tmp_path / "m.onnx", data, "valid")
    assert found.kept and (found.images, found.moved) == (2, 0)
    assert 0 < found.largest_change < 0.05
    assert "in 8-bit integers 0 of 2 decisions move, a calibrated" in found.in_words()
    network = onnx.load(tmp_path / "m.onnx")
    operations = {node.op_type for node in network.graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= operations
    assert {entry.key for entry in network.metadata_props} >= {"classes", "threshold"}
    small, large = (tmp_path / "m.onnx").stat().st_size, tiny_model.stat().st_size
    assert small < large / 2


def test_all_images_unless_a_split_is_named(
    tiny_model: Path, data: Path, tmp_path: Path, fast: None
) -> None:
    assert export_int8(tiny_model, tmp_path / "m.onnx", data).images == 6
    with pytest.raises(UsageError, match="no split 'test' in the data; there are: train, valid"):
        export_int8(tiny_model, tmp_path / "m.onnx", data, "test")


def test_ranges_are_those_of_the_training_part(
    tiny_model: Path, data: Path, tmp_path: Path, fast: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def noted(plain: bytes, images: np.ndarray, config: object) -> bytes:
        seen.append(len(images))
        return plain

    monkeypatch.setattr(quantise, "quantised", noted)
    assert export_int8(tiny_model, tmp_path / "m.onnx", data, "valid").largest_change == 0
    assert seen == [4]


@pytest.mark.parametrize(("speed", "moved"), [(0.9, 0), (1.5, 3)])
def test_not_written_where_it_is_slower_or_decides_otherwise(
    tiny_model: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    speed: float,
    moved: int,
) -> None:
    monkeypatch.setattr(quantise, "_speed", lambda *given: speed)
    bundle = read_bundle(tiny_model)
    if moved:
        bundle.network.head.linear.bias.data += 5 * bundle.network.head.linear.bias.new([1, -1])
        other = onnx_bytes(bundle.network, bundle.config)
        monkeypatch.setattr(quantise, "quantised", lambda *given: other)
    found = export_int8(tiny_model, tmp_path / "m.onnx", data)
    assert not found.kept and found.as_dict()["kept"] is False
    assert bool(found.moved) == bool(moved)
    assert not (tmp_path / "m.onnx").exists()


def test_two_networks_that_differ_by_what_is_known(tiny_model: Path) -> None:
    bundle = read_bundle(tiny_model)
    plain = onnx_bytes(bundle.network, bundle.config)
    bundle.network.head.linear.bias.data += bundle.network.head.linear.bias.new([100, 0])
    shifted = onnx_bytes(bundle.network, bundle.config)
    images = np.random.default_rng(0).integers(0, 256, (5, 64, 64), dtype=np.uint8)
    found = quantise.compared(plain, shifted, images, 0, bundle.config)
    before = OnnxEngine(plain).run(images).logits / bundle.config.temperature
    ill = 1 / (1 + np.exp(before[:, 0] - before[:, 1]))
    assert found.moved == (ill >= bundle.config.threshold).sum() > 0
    assert found.largest_change == pytest.approx(ill.max(), abs=1e-5)
    assert found.speed_one > 0 and found.speed_many > 0


def test_not_into_a_model_file(tiny_model: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not into a model"):
        export_int8(tiny_model, tmp_path / "m.cxr", data)


def test_bad_files_are_counted(tiny_model: Path, data: Path, tmp_path: Path, fast: None) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nothing more")
    with data.open("a") as table:
        table.write("broken.png,NORMAL,valid\n")
    found = export_int8(tiny_model, tmp_path / "m.onnx", data, "valid")
    assert (found.images, found.unreadable) == (
        2,
        1,
    ) and "(1 could not be read)" in found.in_words()
    data.write_text("path,label\nbroken.png,NORMAL\n")
    with pytest.raises(DataError, match="none of 1 images can be read"):
        export_int8(tiny_model, tmp_path / "m.onnx", data)


def test_as_a_dictionary() -> None:
    found = Int8(10, 0, 0, 0.01, 1.2, 1.1)
    assert found.as_dict()["kept"] is True and found.as_dict()["speed_one"] == 1.2
