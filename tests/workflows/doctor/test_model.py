from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load, save

from cxr._io import progress_disabled, sha256_file
from cxr.apply.onnx import export_onnx
from cxr.bundle.members import read_members
from cxr.bundle.sign import new_key, sign_bundle
from cxr.bundle.write import rewrite
from cxr.errors import UsageError
from cxr.workflows.doctor import Check, Examination, examine
from cxr.workflows.doctor.model import advice_on


def changed(model: Path, out: Path, name: str, data: bytes) -> Path:
    """With one member exchanged and the manifest made anew."""
    with progress_disabled():
        return rewrite(model, out, add={name: data})


def other_logits(model: Path, by: float) -> bytes:
    with np.load(io.BytesIO(read_members(model)["golden.npz"])) as golden:
        arrays = {**golden, "logits": golden["logits"] + np.float32(by)}
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def advised(examined: Examination) -> str:
    (sentence,) = examined.advice
    return sentence


def test_a_file_that_is_in_order(model: Path, tmp_path: Path) -> None:
    found = examine(model)
    assert found.refused == "" and found.advice == ()
    assert found.facts["sha256"] == sha256_file(model)
    assert found.facts["format"] == "4, the newest"
    assert set(found.facts["members"]) == set(read_members(model)) - {"manifest.json"}
    assert [(c.passed, c.runtime.split()[0]) for c in found.checks] == [(True, "torch")]
    signed = rewrite(model, tmp_path / "signed.cxr", add={})
    _, mark = new_key(tmp_path / "key")
    sign_bundle(signed, tmp_path / "key")
    assert examine(signed).facts["signature"] == mark
    with pytest.raises(UsageError, match="no model file"):
        examine(tmp_path / "nothing.cxr")


@pytest.mark.parametrize(("by", "words"), [(0.01, "A slight difference"), (1, "A large differ")])
def test_a_mismatch_is_measured_and_explained(
    by: float, words: str, model: Path, tmp_path: Path
) -> None:
    path = changed(model, tmp_path / "model.cxr", "golden.npz", other_logits(model, by))
    found = examine(path)
    (check,) = found.checks
    assert check.difference == pytest.approx(by, rel=0.01) and check.passed is False
    assert f"{path} is refused: torch" in found.refused and "self-test failed" in found.refused
    assert advised(found).startswith(words)
    assert found.facts["backbone"] == "test_efficientnet"  # still explained


def test_weights_that_do_not_run(model: Path, tmp_path: Path) -> None:
    tensors = load(read_members(model)["model.safetensors"])
    tensors["head.2.bias"] = tensors["head.2.bias"][:1]
    found = examine(changed(model, tmp_path / "m.cxr", "model.safetensors", save(tensors)))
    assert found.checks[0].difference is None
    assert "head.2.bias is (1,)" in found.refused and "does not run here" in advised(found)


@pytest.mark.parametrize("wrong", ["", "onnx", "weights"])
def test_both_runtimes_are_tried(wrong: str, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.cxr"
    export_onnx(model, path)
    if wrong == "onnx":
        changed(path, path, "model.onnx", b"not one")
    if wrong == "weights":
        tensors = load(read_members(model)["model.safetensors"])
        tensors["head.2.bias"] += 1
        changed(path, path, "model.safetensors", save(tensors))
    found = examine(path)
    torch, onnx = found.checks
    assert (torch.passed, onnx.passed) == (wrong != "weights", wrong != "onnx")
    assert bool(found.refused) == bool(wrong)
    if wrong == "onnx":
        assert "model.onnx is of another network" in advised(found)
    if wrong == "weights":
        assert "onnxruntime gives what was written" in advised(found)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("similar.npz", b"x", "similar.npz cannot be read"),
        ("trust.npz", b"x", "trust.npz cannot be read"),
        ("config.json", None, "the classes are not those"),
    ],
)
def test_a_file_that_is_refused(
    name: str, data: bytes | None, said: str, model: Path, tmp_path: Path
) -> None:
    if data is None:
        config = read_members(model)[name]
        data = config.replace(b"NORMAL", b"X").replace(b"PNEUMONIA", b"NORMAL")
    found = examine(changed(model, tmp_path / "model.cxr", name, data))
    assert said in found.refused and found.checks == ()
    if name == "config.json":
        assert "might be called its opposite" in advised(found)


WITHOUT_TORCH = """
import sys
HEAVY = {"torch", "torchvision", "timm", "pandas", "scipy", "sklearn", "matplotlib", "pyarrow",
         "onnx", "safetensors"}
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in HEAVY:
            raise ModuleNotFoundError(name)
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in HEAVY else found(name, *rest)
sys.meta_path.insert(0, Missing())
from cxr.bundle.sign import new_key, sign_bundle, verify_signature
from cxr.workflows.doctor import diagnose, examine
model, key = sys.argv[1:]
new_key(key)
sign_bundle(model, key)
assert verify_signature(model, key + ".pub").accepted
assert diagnose()["training"].startswith("not possible")
for check in examine(model).checks:
    sys.stdout.write(f"{check.runtime.split()[0]} {check.passed}\\n")
"""


def test_all_of_it_without_torch(model: Path, tmp_path: Path) -> None:
    path, key = tmp_path / "model.cxr", tmp_path / "key"
    export_onnx(model, path)
    command = [sys.executable, "-c", WITHOUT_TORCH, str(path), str(key)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == "" and done.stdout == "torch None\nonnxruntime True\n"


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        ("x is refused: a Python pickle, which can run", None),
        ("x is refused: model format 9 is not known", None),
        ("x is refused: its signature is not one over this model", "Ask whoever signed"),
        ("x is refused: a is not the one of manifest.json", "changed after cxr wrote it"),
        ("x is refused: model.safetensors is damaged (no header)", "damaged on its way"),
        ("x is refused: something else", None),
        ("", None),
    ],
)
def test_by_the_reason(refused: str, words: str | None) -> None:
    found = advice_on(refused, ())
    assert found == () if words is None else words in found[0]


def test_where_nothing_could_be_tried() -> None:
    (found,) = advice_on("", (Check("torch", None, None, "not installed here"),))
    assert "Nothing here can run the network" in found
    one = Check("onnxruntime 1", 0.0, True)
    assert advice_on("", (Check("torch", None, None), one)) == ()
