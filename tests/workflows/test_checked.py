"""A run knows what was found in its data, and never takes another data set's check for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr._io import progress_disabled, read_json
from cxr.check import inspect_data, write_findings
from cxr.config import RunConfig
from cxr.errors import UsageError
from cxr.find import read_manifest
from cxr.find.phantom import write_phantom
from cxr.workflows import checked
from cxr.workflows.checked import check_of, decoded_scan, read_check
from cxr.workflows.train import decode_test, load_data, read_run_data


@pytest.fixture(scope="module", autouse=True)
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def framed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of PNEUMONIA are framed wider; one image is also under the other class, one broken."""
    data = write_phantom(
        tmp_path_factory.mktemp("data") / "images", n_images=100, seed=3, size=128, layout="classes"
    )
    (data / "manifest.csv").unlink(missing_ok=True)
    for path in data.rglob("PNEUMONIA/*"):
        with Image.open(path) as image:
            wide = np.pad(np.asarray(image.convert("L")), 20)
        Image.fromarray(wide).save(path)
    one = sorted(data.rglob("NORMAL/*"))[0]
    (one.parent.parent / "PNEUMONIA" / f"other_{one.name}").write_bytes(one.read_bytes())
    sorted(data.rglob("PNEUMONIA/*"))[5].write_bytes(b"broken")
    return data


def checked_by(config: RunConfig):
    with progress_disabled():
        data = read_run_data(config)
        dls = load_data(config, data.development)
        data = decode_test(config, data)
    return check_of(config, data, dls)


@pytest.mark.parametrize("frame", ["lungs", "whole"])
def test_without_a_check_the_quick_part_is_made(framed, frame, capsys):
    check = checked_by(RunConfig(str(framed), size=96, frame=frame))
    assert check["quick"] is True
    found = {one["code"]: one for one in check["findings"]}
    assert found["shortcut-framing"]["severity"] == "warning"
    assert found["shortcut-framing"]["evidence"]["auroc"]["value"] > 0.95
    assert found["copy-across-labels"]["severity"] == found["unreadable"]["severity"] == "error"
    json.dumps(check)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("quick check of the data: 3 errors, ")
    assert first.endswith("; cxr check DATA looks for more")
    assert second.startswith("error: ")


def test_it_sees_what_training_decoded(framed):
    config = RunConfig(str(framed), size=96)
    with progress_disabled():
        data = read_run_data(config)
        dls = load_data(config, data.development)
    scan = decoded_scan(data, dls)
    rows = data.rows[dls.valid.images.rows]
    np.testing.assert_array_equal(scan.cut[rows], dls.valid.images.pixels[dls.valid.images.rows])
    assert [scan.frames[row].row() for row in rows] == dls.valid.images.frames.tolist()
    assert [scan.manifest.splits()[row] for row in rows] == ["valid"] * len(rows)
    assert sum(facts.error is not None for facts in scan.files) == 1


def test_the_check_of_the_very_data_is_used_where_its_list_is(framed, tmp_path, capsys):
    with progress_disabled():
        write_findings(inspect_data(framed), tmp_path)
    config = RunConfig(str(framed), size=96, quarantine=str(tmp_path / "quarantine.csv"))
    check = checked_by(config)
    assert check == read_json(tmp_path / "check.json") and check["quick"] is False
    assert "cxr check of the data: " in capsys.readouterr().err


def test_that_of_other_data_is_not(framed, tmp_path, images):
    with progress_disabled():
        write_findings(inspect_data(images("A/1.png", "A/2.png", "B/3.png", "B/4.png")), tmp_path)
    config = RunConfig(str(framed), size=96, quarantine=str(tmp_path / "quarantine.csv"))
    assert checked_by(config)["quick"] is True


@pytest.mark.parametrize(("limit", "value"), [("MOST", 50), ("MOST_BYTES", 96**2 * 50)])
def test_of_very_many_images_no_quick_check_is_made(limit, value, framed, monkeypatch):
    monkeypatch.setattr(checked, limit, value)
    assert checked_by(RunConfig(str(framed), size=96)) is None


def test_a_check_of_other_data_is_refused_where_it_is_given(framed, tmp_path, images):
    other = images("A/1.png", "A/2.png", "B/3.png", "B/4.png")
    with progress_disabled():
        write_findings(inspect_data(other), tmp_path)
    path = tmp_path / "check.json"
    assert read_check(path, read_manifest(other)) == read_json(path)
    with pytest.raises(UsageError, match="is about other images or labels than these; run cxr"):
        read_check(path, read_manifest(framed))


@pytest.fixture
def images(tmp_path):
    from helpers.images import NoiseImages

    return NoiseImages(tmp_path / "other")
