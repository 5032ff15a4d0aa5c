from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cxr.errors import DataError, UnknownName, UsageError
from cxr.evaluate import compare_models
from cxr.track import compare_runs, find_runs, sort_runs, tracking
from cxr.train.resume.lock import locked


@pytest.fixture
def finished(run, finish):
    return finish(run)


def test_a_finished_run(run, finished):
    (found,), left_out = find_runs([run.parent])
    assert left_out == {}
    row = found.row()
    assert json.loads(json.dumps(row)) == row
    valid = finished.metrics["valid"]
    assert row == {
        "folder": str(run),
        "state": "finished",
        "backbone": "test_efficientnet",
        "size": 64,
        "images": 120,  # one more was left out of the split
        "epochs": 3,
        "seconds": 6.0,
        "date": row["date"],
        **{name: valid[name] for name in ("auroc", "error_rate", "sensitivity", "specificity")},
    }
    metrics = (run / "metrics.json").stat().st_mtime
    assert abs(datetime.fromisoformat(row["date"]).timestamp() - metrics) < 0.002


def test_the_log_knows_images_and_date_better(run, finished, config):
    with tracking(config, run, images={"train": 7, "valid": 3}) as track:
        track.finished(finished)
    os.utime(run / "metrics.json", (0, 0))
    (found,), _ = find_runs([run])
    assert found.images == 10
    assert (datetime.now(UTC) - datetime.fromisoformat(found.date)).total_seconds() < 60


def test_running_is_told_by_the_lock(run):
    assert find_runs([run])[0][0].state == "unfinished"
    with locked(run):
        assert find_runs([run])[0][0].state == "running"
        assert find_runs([run])[0][0].state == "running"  # which looking did not change
    (run / "run.lock").write_text('{"pid": 1, "host": "gone"}')  # as a killed process leaves it
    (found,), _ = find_runs([run])
    assert found.state == "unfinished" and found.epochs == 0
    assert found.row()["auroc"] is None and found.images == 120


def test_what_is_damaged_or_foreign_is_named_with_its_reason(run, finished, config):
    folders = run.parent
    (folders / "notes").mkdir()
    (folders / ".hidden").mkdir()
    (folders / "mlartifacts").mkdir()
    (folders / "mlflow.db").touch()
    for name, file, text in (
        ("yaml", "config.yaml", "a: [1"),
        ("list", "config.yaml", "[1]"),
        ("latin", "config.yaml", b"data: \xff\xfe\xf6"),
        ("json", "metrics.json", "{"),
        ("empty", "metrics.json", "{}"),
        ("history", "history.csv", "phase,epoch\n0,0\n"),
    ):
        (folders / name).mkdir()
        (folders / name / "config.yaml").write_text(config.to_yaml())
        content = text if isinstance(text, bytes) else text.encode()
        (folders / name / file).write_bytes(content)
    runs, left_out = find_runs([folders])
    assert [one.folder for one in runs] == [run]
    assert {path.rsplit(os.sep, 1)[-1]: why for path, why in left_out.items()} == {
        "notes": "no run: it has no config.yaml",
        "yaml": "config.yaml is damaged: it is not valid YAML",
        "list": "config.yaml is damaged: it holds no settings",
        "latin": "config.yaml is damaged: it is not valid YAML",
        "json": left_out[str(folders / "json")],
        "empty": "metrics.json is damaged: it holds no figures of the validation images",
        "history": "history.csv is damaged: it has no seconds",
    }
    assert "metrics.json is not valid JSON" in left_out[str(folders / "json")]


def test_a_run_named_twice_is_one_and_a_missing_folder_is_refused(run):
    assert len(find_runs([run, run.parent])[0]) == 1
    with pytest.raises(UsageError, match="nowhere is not a folder"):
        find_runs([run.parent / "nowhere"])


def test_order(run):
    (one,), _ = find_runs([run])
    made = [
        replace(one, folder=run.with_name(name), figures=figures, date=date, images=images)
        for name, auroc, error, date, images in (
            ("b", 0.9, 0.2, "2026-01-02", 5),
            ("c", None, None, "2026-01-03", None),
            ("a", 0.8, 0.1, "2026-01-01", 7),
        )
        for figures in (
            [{"auroc": {"value": auroc}, "error_rate": {"value": error}}] if auroc else [{}]
        )
    ]

    def order(by: str) -> str:
        return "".join(run.folder.name for run in sort_runs(made, by))

    assert (order("name"), order("date")) == ("abc", "cba")
    assert (order("auroc"), order("error_rate"), order("images")) == ("bac", "abc", "bac")
    with pytest.raises(UnknownName, match="near names: auroc"):
        sort_runs(made, "auroc_")


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
