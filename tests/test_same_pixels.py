"""A model that sees lungs is given the same pixels, to the bit, wherever an image is read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cxr._io import progress_disabled
from cxr.apply import Predictor, load_learner
from cxr.apply.batch import predict_files
from cxr.apply.decision.prediction import Prediction
from cxr.apply.engine import Engine, NetworkOutputs
from cxr.apply.onnx import export_onnx
from cxr.apply.predictor import load_predictor
from cxr.apply.service import Limits
from cxr.apply.service.tasks import predictions
from cxr.apply.service.workers import WorkerPool
from cxr.backbones import Architecture, build_network
from cxr.bundle import BundleConfig, write_bundle
from cxr.config import FRAME_COLUMNS
from cxr.errors import ImageError
from cxr.find import Manifest, get_image_files, read_manifest
from cxr.find.phantom import write_phantom
from cxr.pixels import WHOLE, LungFrame, load_framed, load_grey
from cxr.pixels.frame import frames_of
from cxr.pixels.shards.read import open_shards
from cxr.pixels.shards.write import write_shards
from cxr.prepare import DataLoaders, RandomSplitter, Resize, dataloaders_from_manifest
from cxr.scale.predict import stages
from cxr.scale.predict.parts import packed
from cxr.scale.predict.stages import (
    PredictionPlan,
    PredictPixels,
    WorkerModel,
    decode,
    load_images,
)
from cxr.workflows.evaluate import predict_labelled

SIZE = 64
SIDES = {"jpeg": 900, "png": 480, "dicom": 300}


@dataclass(frozen=True)
class Listening:
    """An engine that keeps what its network is given."""

    engine: Engine
    name: str = "torch"
    given: list[np.ndarray] = field(default_factory=list)

    def run(self, pixels: np.ndarray) -> NetworkOutputs:
        self.given.extend(pixels)
        return self.engine.run(pixels)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Phantoms of three formats and sizes."""
    folder = tmp_path_factory.mktemp("images")
    for seed, (kind, side) in enumerate(SIDES.items()):
        with progress_disabled():
            write_phantom(folder / kind, n_images=4, seed=seed, format=kind, size=side)
        for path in get_image_files(folder / kind):
            target = folder / path.parent.name / f"{kind}-{path.name}"
            target.parent.mkdir(exist_ok=True)
            path.rename(target)
    return read_manifest(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network, _ = build_network(Architecture("test_efficientnet", 2, SIZE), None, seed=1)
    config = BundleConfig(
        ("NORMAL", "PNEUMONIA"), "test_efficientnet", SIZE, frame="lungs", positive="PNEUMONIA"
    )
    return write_bundle(tmp_path_factory.mktemp("model") / "model.cxr", network, config)


@pytest.fixture
def predictor(model: Path) -> Predictor:
    loaded = load_learner(model)
    return replace(loaded, engine=Listening(loaded.engine))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def expected(manifest: Manifest) -> tuple[np.ndarray, list[LungFrame]]:
    """uint8 (n, S, S) in the manifest's order, and where they lay."""
    images = [load_framed(path, SIZE, "squish", "lungs") for path in manifest.paths()]
    frames = [frame for _, frame in images]
    assert all(frame.found and frame.box != WHOLE.box for frame in frames)
    return np.stack([grey for grey, _ in images]), frames


def given_to(predictor: Predictor) -> np.ndarray:
    return np.stack(predictor.engine.given)  # type: ignore[attr-defined]


def in_order(dls: DataLoaders) -> tuple[np.ndarray, list[LungFrame]]:
    """All images of both sides, in the manifest's order."""
    sides = (dls.train.images, dls.valid.images)
    order = np.argsort(np.concatenate([images.rows for images in sides]))
    pixels = [images.gather(np.arange(len(images))).numpy()[:, 0] for images in sides]
    frames = [images.frames for images in sides if images.frames is not None]
    return np.concatenate(pixels)[order], frames_of(np.concatenate(frames)[order])


@pytest.mark.parametrize("sharded", [False, True])
def test_training_from_files_and_from_shards(
    sharded: bool, manifest: Manifest, expected: tuple[np.ndarray, list[LungFrame]], tmp_path: Path
) -> None:
    shards = None
    if sharded:
        write_shards(manifest, tmp_path / "shards", SIZE, frame="lungs", images_per_shard=5)
        shards = open_shards(tmp_path / "shards")
        manifest = shards.manifest()
    resize = Resize(SIZE, frame="lungs")
    for _ in range(2):  # decoded, then from the cache
        dls = dataloaders_from_manifest(manifest, RandomSplitter(0.5), resize, shards=shards)
        pixels, frames = in_order(dls)
        np.testing.assert_array_equal(pixels, expected[0])
        assert frames == expected[1]


def test_evaluation(
    predictor: Predictor, manifest: Manifest, expected: tuple[np.ndarray, list[LungFrame]]
) -> None:
    evaluated = predict_labelled(predictor, manifest, "all")
    np.testing.assert_array_equal(given_to(predictor), expected[0])
    assert evaluated.frames is not None and frames_of(evaluated.frames) == expected[1]
    table = evaluated.predictions.table[list(FRAME_COLUMNS)]
    assert table.to_numpy().tolist() == [[*frame.box, frame.score] for frame in expected[1]]


def test_batch_prediction(
    predictor: Predictor, manifest: Manifest, expected: tuple[np.ndarray, list[LungFrame]]
) -> None:
    rows = predict_files(predictor, manifest.paths())
    np.testing.assert_array_equal(given_to(predictor), expected[0])
    told = [[row[name] for name in FRAME_COLUMNS] for row in rows]
    assert told == [[*frame.box, frame.score] for frame in expected[1]]


def test_service(
    predictor: Predictor, manifest: Manifest, expected: tuple[np.ndarray, list[LungFrame]]
) -> None:
    live = SimpleNamespace(model=SimpleNamespace(predictor=predictor))
    pool = WorkerPool(live, Limits(workers=1))  # type: ignore[arg-type]

    async def answers() -> list[Prediction]:
        files = [path.read_bytes() for path in manifest.paths()]
        return [(await pool.predict([file], predictions))[0].result[0] for file in files]  # type: ignore[index]

    pool.open()
    try:
        told = asyncio.run(answers())
    finally:
        pool.close()
    np.testing.assert_array_equal(given_to(predictor), expected[0])
    assert [one.frame for one in told] == [frame.box for frame in expected[1]]


def test_onnx(
    model: Path, manifest: Manifest, expected: tuple[np.ndarray, list[LungFrame]], tmp_path: Path
) -> None:
    export_onnx(model, tmp_path / "onnx.cxr")
    served = load_predictor(tmp_path / "onnx.cxr", "onnx", threads=1)
    assert served.config.frame == "lungs"
    for path, grey, frame in zip(manifest.paths(), *expected, strict=True):
        pixels, found = served.framed(path)
        np.testing.assert_array_equal(pixels, grey)
        assert found == frame


def test_a_cluster(
    manifest: Manifest,
    expected: tuple[np.ndarray, list[LungFrame]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On processors, and where processors decode for GPUs."""
    plan = PredictionPlan(None, None, SIZE, "squish", "lungs", here="", job="")
    names = [str(path) for path in manifest.paths()]
    loaded = [image for _, image in load_images(plan, names)]
    np.testing.assert_array_equal([grey for grey, _ in loaded], expected[0])  # type: ignore[misc]
    assert [frame for _, frame in loaded] == expected[1]  # type: ignore[misc]

    pa = pytest.importorskip("pyarrow")
    broken = [*names, "gone.png"]
    monkeypatch.setattr(stages, "images_of_part", lambda plan, _, names: load_images(plan, names))
    monkeypatch.setattr(WorkerModel, "part", lambda self, number, n, images: list(images))
    batch = pa.table({"number": [0], "names": [packed(broken)]})
    *sent, (name, error) = PredictPixels(plan)(decode(batch, plan))
    assert name == "gone.png" and isinstance(error, ImageError)
    np.testing.assert_array_equal([grey for _, (grey, _) in sent], expected[0])
    assert [frame for _, (_, frame) in sent] == expected[1]


def test_dicom_results_start_from_the_decoded_image(
    model: Path, manifest: Manifest, expected: tuple[np.ndarray, list[LungFrame]]
) -> None:
    predictor = load_learner(model)
    for path, grey, frame in zip(manifest.paths(), *expected, strict=True):
        if path.name.startswith("dicom"):
            pixels, found = predictor.framed(load_grey(path.read_bytes()))
            np.testing.assert_array_equal(pixels, grey)
            assert found == frame
