from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from cxr.errors import DataError
from cxr.report.checklists import (
    ANSWERED,
    CHECKLISTS,
    NOT_PROVIDED,
    PARTLY,
    RunFacts,
    read_run_facts,
    write_checklists,
)
from cxr.report.checklists.checklist import fill, to_markdown

FIGURE = {"value": 0.96, "low": 0.94, "high": 0.98, "n": 100}
FACTS = RunFacts(
    settings={
        "data": "/home/somebody/secret",
        "weights": "/home/somebody/w.pth",
        "epochs": 2,
        "split": "patient",
        "valid_pct": 0.2,
        "seed": 7,
        "threshold": "youden",
        "class_weights": "balanced",
        "quarantine": "/home/somebody/quarantine.csv",
    },
    metrics={
        "about": {},
        "valid": {
            "n": 100,
            "n_patients": 60,
            "classes": ["NORMAL", "ILL"],
            "positive": "ILL",
            "intervals": {"level": 0.95, "method": "bootstrap", "resamples": 2000, "seed": 7},
            "confusion_matrix": [[40, 2], [3, 55]],
            "auroc": FIGURE,
            "sensitivity": FIGURE,
            "specificity": {"value": None, "reason": "no image without it"},
        },
    },
    environment={"python": "3.12", "versions": {"cxr": "0.1.0", "timm": "1.0"}, "device": "cpu"},
    model={
        "classes": ["NORMAL", "ILL"],
        "backbone": "resnet18",
        "size": 128,
        "resize_method": "squish",
        "dropout": 0.25,
        "temperature": 1.25,
        "threshold": 0.4,
        "positive": "ILL",
        "weights_source": "ImageNet",
    },
    flow={
        "found": 503,
        "left_out": [{"why": "unreadable", "n": 3}],
        "splits": {
            "train": {"n": 400, "n_patients": 240, "classes": {"ILL": {"n": 230, "n_patients": 9}}},
            "valid": {
                "n": 100,
                "n_patients": 60,
                "classes": {"ILL": {"n": 58, "n_patients": None}},
            },
        },
    },
    patients={"known": 500, "unknown": 0, "shared": 0},
    population="children of one hospital",
)


def found(key: str, facts: RunFacts) -> dict[str, dict[str, Any]]:
    (checklist,) = [one for one in CHECKLISTS if one.key == key]
    return {item["number"]: item for item in fill(checklist, facts)["items"]}


def answers(facts: RunFacts) -> str:
    return json.dumps([fill(one, facts) for one in CHECKLISTS], ensure_ascii=False)


def test_the_items_are_numbered_as_the_guidelines_number_them() -> None:
    numbers = {one.key: [item.number for item in one.items] for one in CHECKLISTS}
    main = {key: {int(re.sub(r"\D", "", n)) for n in some} for key, some in numbers.items()}
    assert numbers["claim_2024"] == [str(n) for n in range(1, 45)]
    assert main["tripod_ai"] == set(range(1, 28)) and len(numbers["tripod_ai"]) == 52
    assert main["stard_ai"] == set(range(1, 41)) and len(numbers["stard_ai"]) == 48
    assert all(len(set(some)) == len(some) for some in numbers.values())


@pytest.mark.parametrize("checklist", CHECKLISTS, ids=lambda one: one.key)
def test_every_item_says_what_to_write(checklist: Any) -> None:
    for item in checklist.items:
        assert item.topic and item.hint.endswith((".", "?")), item
        assert item.complete <= bool(item.answers)


def test_of_nothing_known_nothing_is_claimed() -> None:
    for checklist in CHECKLISTS:
        whole = fill(checklist, RunFacts())
        assert whole["counts"] == {ANSWERED: 0, PARTLY: 0, NOT_PROVIDED: len(checklist.items)}
        assert {item["answer"] for item in whole["items"]} == {""}


def test_what_the_run_knows_is_told_with_its_source() -> None:
    claim = found("claim_2024", FACTS)
    assert claim["19"]["status"] == ANSWERED
    assert "At random by patient, 20% to validation" in claim["19"]["answer"]
    assert "Training: 400 images of 240 patients" in claim["19"]["answer"]
    assert claim["19"]["from"] == ["config.yaml", "manifest.csv"]
    assert claim["8"]["status"] == PARTLY
    assert "Of 503 images found, left out: 3 unreadable." in claim["8"]["answer"]
    assert "sensitivity 0.960 (0.940 to 0.980), n = 100" in claim["38"]["answer"]
    assert "specificity" not in claim["38"]["answer"]  # undefined
    assert "ILL: 3 called NORMAL, 55 called ILL" in claim["39"]["answer"]
    assert "they are no untouched test" in claim["32"]["answer"]
    assert {claim[n]["status"] for n in ("5", "11", "13", "18", "33", "34", "44")} == {NOT_PROVIDED}
    assert "cxr evaluate" in claim["33"]["hint"]
    assert "ILL from 0.4 on" in found("tripod_ai", FACTS)["15"]["answer"]
    assert "divided by 1.25" in found("tripod_ai", FACTS)["12g"]["answer"]


def test_what_was_not_done_is_not_claimed() -> None:
    claim = found("claim_2024", FACTS)
    assert {claim["30"]["status"], claim["31"]["status"]} == {NOT_PROVIDED}
    assert found("tripod_ai", FACTS)["14"]["status"] == NOT_PROVIDED
    done = replace(
        FACTS,
        stress={"summary": "Worst: blur.", "changes": [{}, {}]},
        explanation={"method": "Grad-CAM", "sanity": {"randomised": {"passed": False, "n": 20}}},
        metrics={
            "valid": {
                **FACTS.metrics["valid"],
                "subgroups": {
                    "sex": {
                        "groups": [{"name": "F"}, {"name": "M"}, {"name": "X", "refused": "few"}],
                        "worst": {"auroc": {"name": "F", "value": 0.9}},
                    }
                },
            }
        },
    )
    claim = found("claim_2024", done)
    assert "Worst: blur." in claim["30"]["answer"]
    assert "did NOT change as they should (n = 20)" in claim["31"]["answer"]
    fairness = found("tripod_ai", done)["14"]["answer"]
    assert "by sex (2 groups measured, 1 too small), lowest AUROC 0.900 in F" in fairness


@pytest.mark.parametrize(
    ("patients", "said"),
    [
        ({"known": 9, "unknown": 0, "shared": 0}, "Patients: none has images in more than one"),
        ({"known": 9, "unknown": 2, "shared": 0}, "as far as known (2 images without a patient)"),
        ({"known": 9, "unknown": 0, "shared": 4}, "Images. 4 patients have images in more"),
        ({"known": 0, "unknown": 9, "shared": 0}, "Images. No patient is known"),
    ],
)
def test_the_level_of_the_split_is_what_the_table_shows(patients: Any, said: str) -> None:
    assert said in found("claim_2024", replace(FACTS, patients=patients))["20"]["answer"]


def test_words_that_nobody_chose_are_no_population() -> None:
    by_default = replace(FACTS, population="500 images from 'x'; not described further")
    assert found("claim_2024", by_default)["7"]["status"] == NOT_PROVIDED
    assert found("claim_2024", FACTS)["7"]["answer"] == "children of one hospital."


def test_no_place_on_a_disk_is_told() -> None:
    assert "somebody" not in answers(FACTS)


def test_any_one_file_may_be_missing() -> None:
    for one in fields(RunFacts):
        empty = "" if one.name == "population" else {}
        assert NOT_PROVIDED in answers(replace(FACTS, **{one.name: empty}))


def test_a_page_shows_the_counts_and_any_text_as_text() -> None:
    name = "<b>a</b> | [x](y)\n# z"
    facts = replace(FACTS, population=name)
    for checklist in CHECKLISTS:
        whole = fill(checklist, facts)
        page = to_markdown(whole)
        counts = whole["counts"]
        assert f"{len(checklist.items)} items: {counts[ANSWERED]} answered" in page
        tokens = MarkdownIt("commonmark").enable("table").parse(page)
        types = {child.type for token in tokens for child in token.children or ()}
        assert not types & {"html_inline", "link_open", "image"}
        cells = [token.content for token in tokens if token.type == "inline"]
        assert (
            sum(cell.startswith(f"**{NOT_PROVIDED}.**") for cell in cells) == counts[NOT_PROVIDED]
        )
        rows = [row for row in page.splitlines() if row.startswith("|")]
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}


def write_run(folder: Path, manifest: str) -> Path:
    folder.mkdir()
    (folder / "config.yaml").write_text("split: random\nvalid_pct: 0.2\nseed: 1\n")
    (folder / "metrics.json").write_text(json.dumps(FACTS.metrics))
    (folder / "manifest.csv").write_text(manifest)
    (folder / "report.json").write_text(json.dumps({"population": "x", "parts": {"stress": {}}}))
    return folder


def test_a_run_folder_is_read(tmp_path: Path) -> None:
    table = (
        "path,label,patient,split,age,sex\n"
        "a,ILL,p1,train,3,F\nb,NORMAL,p2,train,97,M\nc,ILL,p1,valid,3,F\nd,ILL,,valid,,\n"
        "e,ILL,p9,,1,F\n"
    )
    run = write_run(tmp_path / "run", table)
    facts = read_run_facts(run, stress={"summary": "Fine.", "changes": []})
    assert facts.patients == {"known": 3, "unknown": 1, "shared": 1}
    assert facts.flow["found"] == 5
    assert facts.flow["left_out"] == [{"why": "unreadable or in no part", "n": 1}]
    assert facts.flow["splits"]["train"] == {"n": 2, "n_patients": 2, "classes": {}}
    train = {"age": "median 46.5, 3 to 90 years", "sex": "F: 1, M: 1"}
    assert facts.described["train"] == train  # an age above 90 could tell who it is
    assert facts.described["valid"]["sex"] == "F: 1, 1 not known"
    assert facts.population == "x" and facts.split == "valid"
    assert "p1" not in answers(facts)


def test_several_labels_without_patients(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "path,A,B,split\na,1,0,train\nb,,1,valid\nc,1,1,valid\n")
    facts = read_run_facts(run)
    assert facts.patients == {"known": 0, "unknown": 3, "shared": 0}
    assert "NaN" not in answers(facts)


def test_an_empty_folder_gives_empty_checklists(tmp_path: Path) -> None:
    assert read_run_facts(tmp_path) == RunFacts()


@pytest.mark.parametrize(
    ("name", "text"), [("metrics.json", "[]"), ("metrics.json", "{"), ("config.yaml", "- 1")]
)
def test_a_file_that_is_something_else_is_named(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=name):
        read_run_facts(tmp_path)


def test_what_is_written(tmp_path: Path) -> None:
    paths = write_checklists(tmp_path, FACTS)
    names = ["claim_2024.md", "tripod_ai.md", "stard_ai.md", "checklists.json"]
    assert paths == [tmp_path / "checklists" / name for name in names]
    record = json.loads(paths[-1].read_text(encoding="utf-8"))
    assert [one["key"] for one in record["checklists"]] == ["claim_2024", "tripod_ai", "stard_ai"]
    for one, path in zip(record["checklists"], paths, strict=False):
        assert sum(one["counts"].values()) == len(one["items"])
        assert path.read_text(encoding="utf-8") == to_markdown(one)
