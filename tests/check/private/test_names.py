"""Dates, numbers and names in file names and columns."""

from __future__ import annotations

import pytest

from cxr.check.private.names import kind_of_column, kinds_in_name


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("ward/20240131_chest.png", {"name-dates"}),
        ("31.01.2024.png", {"name-dates"}),
        ("2024-01-31/a.png", {"name-dates"}),
        ("scan_4711082.png", {"name-numbers"}),
        ("0004711082.png", {"name-numbers"}),
        ("1.2.840.113619.2.55.3.12.dcm", {"name-numbers"}),
        ("DOE^JANE.png", {"name-people"}),
        ("DOE^JANE 20240131 4711082.png", {"name-people", "name-dates", "name-numbers"}),
        ("IMG_000123.png", set()),
        ("20241399.png", {"name-numbers"}),  # no such month: a number
        ("a/000001.png", set()),
        ("d41d8cd98f00b204e9800998ecf8427e.png", set()),  # a digest
        ("train/PNEUMONIA/person63_bacteria_306.jpeg", set()),
        ("NORMAL/NORMAL2-IM-0383-0001.jpeg", set()),
        ("PNEUMONIA/BACTERIA-1083680-0001.jpeg", set()),
        ("images/00000013_005.png", set()),
        ("train/patient00001/study1/view1_frontal.jpg", set()),
        ("p10/p10000032/s50414267/02aa804e-bde0afdd-112c0b34-7bc16630-4e384014.jpg", set()),
        ("dcm-0123456789abcdef/2.25.225957226413281412303132523144103312354/a.dcm", set()),
    ],
)
def test_names_of_files(name: str, kinds: set[str]) -> None:
    assert kinds_in_name(name) == kinds


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        *(("Patient Name", "names"), ("surname", "names"), ("Name", "names")),
        *(
            ("Referring_Physician", "names"),
            ("DOB", "birth dates"),
            ("date_of_birth", "birth dates"),
        ),
        *(("MRN", "identifiers"), ("accession", "identifiers"), ("ZIP", "addresses")),
        *(("StudyDate", "dates"), ("Patient Age", None), ("Patient Gender", None)),
        *(("Image Index", None), ("Finding Labels", None), ("Follow-up #", None), ("path", None)),
        *(("Sex", None), ("Frontal/Lateral", None), ("AP/PA", None), ("dicom_id", None)),
    ],
)
def test_columns(column: str, kind: str | None) -> None:
    assert kind_of_column(column) == kind
