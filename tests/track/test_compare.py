from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cxr.errors import DataError, UsageError
from cxr.evaluate import compare_models
from cxr.track import compare_runs


@pytest.fixture
def others(run, config, finish):
    """The run, one with other settings over its images, one over others, one that has begun."""
    finish(run)
    folders = [run]
    for name, seed, n in (("b", 1, 80), ("c", 2, 60), ("d", 0, 0)):
        folder = run.with_name(name)
        folder.mkdir()
        changed = replace(config, size=96 if name == "b" else 64)
        (folder / "config.yaml").write_text(changed.to_yaml())
        if n:
            finish(folder, seed, n)
        folders.append(folder)
    return folders


def test_settings_figures_and_pairs(others):
    a, b, c, d = others
    found = compare_runs(others, seed=3)
    assert json.loads(json.dumps(found)) == found
    assert found["runs"] == [str(folder) for folder in others]
    assert found["states"] == ["finished"] * 3 + ["unfinished"]
    assert found["settings"] == {"size": [64, 96, 64, 64]}
    for i, folder in enumerate(others[:3]):
        valid = json.loads((folder / "metrics.json").read_text())["valid"]
        assert found["figures"]["auroc"][i] == valid["auroc"]
    assert found["figures"]["auroc"][3] is None
    same, other, none = found["paired"]
    assert same == {"runs": [str(a), str(b)], **compare_models(a, b, split="valid", seed=3)}
    assert other["runs"] == [str(a), str(c)] and "60 are shared" in other["reason"]
    assert none["runs"] == [str(a), str(d)] and "no predictions" in none["reason"]


def test_fewer_than_two_and_what_is_no_run_are_refused(run, tmp_path):
    with pytest.raises(UsageError, match="1 run to compare"):
        compare_runs([run])
    with pytest.raises(DataError, match=rf"{tmp_path.name}: no run: it has no config\.yaml"):
        compare_runs([run, tmp_path])
