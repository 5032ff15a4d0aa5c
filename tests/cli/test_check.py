"""`cxr check`: what it writes, says and returns."""

from __future__ import annotations

import json
import shutil

import pytest

from cxr.check import Finding
from cxr.cli import check as command
from cxr.cli.app import run
from cxr.config import RunConfig
from cxr.errors import DataError, UsageError
from cxr.find.quarantine import read_quarantine
from cxr.workflows.train import load_data, read_run_data
from helpers.images import NoiseImages


@pytest.fixture
def images(tmp_path):
    return NoiseImages(tmp_path / "data")


@pytest.fixture
def data(images):
    return images("A/1.png", "A/2.png", "B/3.png", "B/4.png")


def test_warnings_alone_are_a_success(data, tmp_path, capsys):
    assert run(["check", str(data), "--out", str(tmp_path / "out")]) == 0
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("data: 4 images; A 2, B 2; ") and first.endswith(" images/s")
    assert second.endswith(" warnings")
    assert "  No patient is known" in rest and "Errors" not in rest
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("check.json", "check.html", "quarantine.csv")
    }


LABELLED = ("A/1.png", "A/2.png", "B/3.png", "B/4.png")
CASES = {  # images, of which broken, options, what is said where they are refused
    "enough": (LABELLED, (), {}, None),
    "one class": (("A/1.png", "A/2.png"), (), {}, "only one class (A); training needs at least"),
    "no labels": (("1.png", "2.png"), (), {}, "none of 2 images has a label; put each class"),
    "a class of one patient": (
        ("A/IM-0001-01.png", "A/IM-0001-02.png", "B/IM-0002-01.png", "B/IM-0003-01.png"),
        (),
        {},
        "class 'A' has 2 images of 1 patient; training and validation need",
    ),
    "a class of one readable image": (LABELLED, ("A/2.png",), {}, "class 'A' has 1 image of 1"),
    "nothing readable": (LABELLED, LABELLED, {}, "all 4 images are quarantined"),
    "a broken image to spare": ((*LABELLED, "A/5.png"), ("A/5.png",), {}, None),
    "all for testing": (("test/A/1.png", "test/B/2.png"), (), {}, "class 'A' has 1 image"),
    "tests alone have pairs": (
        ("test/A/1.png", "test/A/2.png", "test/B/3.png", "test/B/4.png", "train/A/5.png"),
        (),
        {},
        "class 'A' has 1 image of 1 patient",
    ),
    "a random share of nothing": (LABELLED, (), {"split": "random"}, "leaves none to validate on"),
    "a random share of one": (
        (*LABELLED, "A/5.png", "B/6.png"),
        (),
        {"split": "random"},
        "only 1 readable image would be in valid, and 2 at least are needed",
    ),
    "no folders to split by": (LABELLED, (), {"split": "folders"}, "use PatientSplitter instead"),
    "folders": (
        ("train/A/1.png", "train/B/2.png", "val/A/3.png", "val/B/4.png"),
        (),
        {"split": "folders"},
        None,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_check_refuses_what_train_refuses_and_nothing_else(case, images, tmp_path, capsys):
    names, broken, options, refusal = CASES[case]
    data, out = images(*names), tmp_path / "out"
    for name in broken:
        (data / name).write_bytes(b"broken")
    given = [word for name, value in options.items() for word in (f"--{name}", value)]
    code = run(["check", str(data), "--out", str(out), *given])
    said = capsys.readouterr().out.splitlines()
    config = RunConfig(str(data), quarantine=str(out / "quarantine.csv"), size=64, **options)
    if refusal is None:
        assert code == (1 if broken else 0) and said[-1].startswith("next: cxr train")
        load_data(config, read_run_data(config).development)
        return
    assert code == 1 and said[0].startswith("cxr train refuses these data: ")
    assert refusal in said[0] and not any("next: cxr train" in line for line in said)
    assert str(tmp_path) not in said[0]
    with pytest.raises((DataError, UsageError)) as caught:
        load_data(config, read_run_data(config).development)
    assert said[0] == f"cxr train refuses these data: {caught.value}."


def test_an_error_is_exit_code_one_and_stands_first(data, tmp_path, capsys):
    (data / "A/broken.png").write_bytes(b"broken")
    out = tmp_path / "out"
    assert run(["check", str(data), "--out", str(out)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[1].startswith("1 error, ") and said[3:5] == [
        "Errors",
        "  Files that cannot be read",
    ]
    assert said[5].startswith("    A/broken.png cannot be read: not an image")
    assert said[-3:] == [
        f"page: {out / 'check.html'}",
        f"quarantine: 1 file with an error, which cxr train leaves out ({out / 'quarantine.csv'})",
        f"next: cxr train {data} --run runs/a --quarantine {out / 'quarantine.csv'}",
    ]
    assert said.index("Errors") < said.index("Warnings") < said.index("Good to know")


def test_the_next_command_reads_the_data_in_the_same_way(images, tmp_path, capsys, monkeypatch):
    data = images("1.png", "2.png", "3.png", "4.png")
    table = tmp_path / "the table.csv"
    table.write_text("file,who,Edema,Mass\n1.png,p,1,0\n2.png,q,0,1\n3.png,r,1,1\n4.png,s,0,0\n")
    monkeypatch.chdir(tmp_path)
    options = ["--image-root", str(data), "--path-column", "file", "--patient-column", "who"]
    assert run(["check", "the table.csv", *options, "--label-columns", "Edema,Mass"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("the table.csv: 4 images of 4 patients; Edema 2, Mass 2; ")
    assert said[-1] == (
        "next: cxr train 'the table.csv' --run runs/a --path-column file "
        f"--label-columns Edema,Mass --patient-column who --image-root {data}"
    )


def test_json_is_all_there_is_on_stdout(data, tmp_path, capsys):
    (data / "A/broken.png").write_bytes(b"broken")
    assert run(["check", str(data), "--out", str(tmp_path / "out"), "--json"]) == 1
    captured = capsys.readouterr()
    printed = json.loads(captured.out)
    written = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))
    assert captured.err == "" and written.items() <= printed.items()
    assert printed["data"]["classes"] == {"A": 3, "B": 2}
    assert printed["page"] == str(tmp_path / "out" / "check.html")
    assert printed["quarantine"] == str(tmp_path / "out" / "quarantine.csv")


def test_many_findings_do_not_flood_the_screen():
    found = [Finding("copy", "warning", f"copy {i}", action=f"do {i % 2}") for i in range(30)]
    said = list(command._code("Copies", found))
    assert said[0] == "  Copies (30)"
    assert said[-3:] == ["    and 27 more", "    -> do 0", "    -> do 1"] and len(said) == 7


def test_writes_into_the_working_directory(data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (data / "A/broken.png").write_bytes(b"broken")
    run(["check", "data"])
    assert (tmp_path / "check" / "check.html").is_file()
    rows = read_quarantine("check/quarantine.csv")
    assert [row.path for row in rows if row.severity == "error"] == ["A/broken.png"]
    assert capsys.readouterr().out.endswith("next: cxr train data --run runs/a\n")


def test_names_of_the_data_set(data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(data / "A")
    run(["check", "..", "--out", str(tmp_path / "out")])
    assert capsys.readouterr().out.startswith("data: 4 images")


@pytest.mark.parametrize(("split", "code"), [("random", 1), ("patient", 0)])
def test_a_split_is_judged_before_it_is_used(images, tmp_path, capsys, split, code):
    """Of two images of a patient one may train and the other validate, but not by patient."""
    names = [f"{label}/{i}{j}.png" for label in "AB" for i in range(5) for j in "xy"]
    data = images(*names)
    rows = "".join(f"{name},{name[0]},{name[:3]}\n" for name in names)
    (data / "manifest.csv").write_text("path,label,patient\n" + rows)
    given = ["--split", split, "--valid", "0.4", "--seed", "3", "--out", str(tmp_path / "out")]
    assert run(["check", str(data), *given]) == code
    said = capsys.readouterr().out
    assert ("Patients on both sides of the split" in said) == (split == "random")
    facts = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))["data"]
    assert facts["splits"] == {"train": 12, "valid": 8}


def test_a_test_part_stays_apart_from_a_split_that_is_judged(images, tmp_path, capsys):
    data = images(*(f"{part}/{label}/{i}.png" for part in ("train", "test") for label in "AB"
                   for i in range(5)))  # fmt: skip
    run(["check", str(data), "--split", "patient", "--out", str(tmp_path / "out")])
    facts = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))["data"]
    assert facts["splits"] == {"train": 8, "valid": 2, "test": 10}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--split", "patients"], "split 'patients' is not one of patient, random, folders"),
        (["--split", "random", "--valid", "1.5"], "valid_pct=1.5"),
        (["--label-column", "diagnosis"], "unknown label column 'diagnosis'"),
    ],
)
def test_wrong_options(data, tmp_path, capsys, options, said):
    (data / "t.csv").write_text("path,label\nA/1.png,A\nB/3.png,B\n")
    assert run(["check", str(data / "t.csv"), "--out", str(tmp_path / "out"), *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith(f"cxr: {said}")
    assert not (tmp_path / "out").exists()


def test_no_data_is_wrong_usage(tmp_path, capsys):
    assert run(["check", str(tmp_path / "absent")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_said_in_a_line(data, tmp_path, capsys):
    (tmp_path / "out").write_text("a file")
    assert run(["check", str(data), "--out", str(tmp_path / "out")]) == 1
    assert "cannot write" in capsys.readouterr().err.splitlines()[-1]


def test_the_copies_of_one_image_under_two_labels(data, tmp_path, capsys):
    shutil.copy(data / "A/1.png", data / "B/other.png")
    assert run(["check", str(data), "--out", str(tmp_path / "out")]) == 1
    rows = read_quarantine(tmp_path / "out" / "quarantine.csv")
    assert {row.path for row in rows if row.severity == "error"} == {"A/1.png", "B/other.png"}
