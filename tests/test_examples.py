"""The notebooks run as a learner would run them, on a small subset."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("name", ["five_steps", "transfer_learning"])
# nbclient's kernel manager leaves its own warnings behind; they are not ours to mend.
@pytest.mark.filterwarnings("default")
def test_notebook_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient import NotebookClient

    from cxr.find.phantom import write_phantom

    write_phantom(tmp_path / "phantom_films", n_images=80, seed=0)
    for variable, value in {"CXR_SIZE": "64", "CXR_EPOCHS": "1", "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(variable, value)
    notebook = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": tmp_path}}).execute()

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [o for o in outputs if "image/png" in o.get("data", {})]
    assert len(pictures) >= 3
    assert (tmp_path / "model.cxr").exists() == (name == "five_steps")
