from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr.apply import load_learner
from cxr.apply.batch.image_results import explain_files, heat_map_names
from cxr.errors import UsageError
from helpers.frames import find_lungs, frame_line


def test_files_become_images_and_bad_ones_a_line(
    tiny_model: Path, films: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    written = explain_files(
        load_learner(tiny_model), [films[0], bad, films[0], films[-1]], tmp_path / "heat"
    )
    names = [films[0].name, f"{films[0].name}-2", films[-1].name]
    assert [path.name for path in written] == [f"{name}.heat.png" for name in names]
    assert sorted((tmp_path / "heat").iterdir()) == sorted(written)
    assert written[0].read_bytes() == written[1].read_bytes() != written[2].read_bytes()
    for path in written:
        Image.open(path).verify()
    assert "bad.png: not an image" in capsys.readouterr().err


def test_a_model_of_lungs_draws_its_frame_over_the_heat(
    write_model: Callable[..., Path],
    films: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    predictor = load_learner(write_model(frame="lungs"))
    lines = {}
    for finding in ("lungs", "none"):
        find_lungs(monkeypatch, finding)
        (path,) = explain_files(predictor, films[:1], tmp_path / finding)
        line = frame_line(np.asarray(Image.open(path)))
        middle = line.shape[1] // 2
        assert not line[:, :middle].any()  # the image alone stays as it is
        lines[finding] = line[:, middle:].sum()
    assert lines["lungs"] > 1000 and lines["none"] == 0


def test_an_old_folder_is_not_written_over(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "image.png").touch()
    with pytest.raises(UsageError, match="not an empty folder"):
        explain_files(load_learner(tiny_model), [], tmp_path)


def test_names_are_safe_and_unique() -> None:
    files = [Path("a/x.png"), Path("b/X.PNG"), Path("x.png-2"), Path("a b:é*.dcm"), Path("n" * 300)]
    names = list(heat_map_names(files))
    assert len({name.casefold() for name in names}) == len(files)
    assert names[0] == "x.png.heat.png" and names[3] == "a_b_é_.dcm.heat.png"
    assert all(len(name) < 150 and not set(name) & set('/\\:*?"<>| ') for name in names)
