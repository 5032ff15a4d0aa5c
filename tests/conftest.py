"""Fixtures for every room."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
LONG = {
    "cli/test_train_workers.py",
    "scale/predict/test_run.py",
    "scale/sweep/test_run.py",
    "scale/train/test_run.py",
    "test_examples.py",
    "track/test_mlflow_sink.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that at the end no process waits for another's long one."""
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(here).as_posix() not in LONG)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's cache."""
    monkeypatch.setenv("CXR_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cxr-cache"))


@pytest.fixture(autouse=True)
def own_key(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or makes the user's key of pseudonyms."""
    key = tmp_path_factory.getbasetemp() / "pseudonym.key"
    key.write_bytes(bytes(range(32)))
    monkeypatch.setenv("CXR_KEY_FILE", str(key))


@pytest.fixture
def shared_data() -> Path:
    """Real X-rays and DICOM files, where this checkout has them beside it."""
    if not SHARED.is_dir():
        pytest.skip(f"real images are not here: {SHARED} is missing")
    return SHARED
