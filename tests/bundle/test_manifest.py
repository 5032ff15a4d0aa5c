from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from cxr.bundle import FORMAT
from cxr.bundle.manifest import check_manifest, manifest_bytes
from cxr.bundle.members import read_members
from cxr.errors import BundleError, UsageError

MEMBERS = {"config.json": b'{"format": 2}', "b": b"second", "a": b""}


def test_every_other_member_with_its_size_and_hash(model: Path) -> None:
    with zipfile.ZipFile(model) as archive:
        found = json.loads(archive.read("manifest.json"))
        others = {name: archive.read(name) for name in archive.namelist()[:-1]}
    assert archive.namelist()[-1] == "manifest.json"
    assert found == {
        "format": FORMAT,
        "members": {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in others.items()
        },
    }
    assert list(found["members"]) == sorted(others)


def test_the_members_that_are_read_are_those_of_the_manifest(model: Path) -> None:
    members = read_members(model)
    check_manifest(members)
    assert manifest_bytes(members) == members["manifest.json"]
    with pytest.raises(UsageError, match="no model file"):
        read_members(model.with_name("nothing.cxr"))


def test_what_is_listed_stands_in_one_order_and_without_what_is_made_over_it() -> None:
    again = {**dict(reversed(MEMBERS.items())), "manifest.json": b"x", "signature.json": b"y"}
    assert manifest_bytes(MEMBERS) == manifest_bytes(again)


def test_format_1_has_no_manifest_and_format_2_must() -> None:
    check_manifest({"config.json": b'{"format": 1}'})
    with pytest.raises(BundleError, match=r"manifest\.json missing"):
        check_manifest({"config.json": b'{"format": 2}'})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"b": b"Second"}, "b is not the one"),
        ({"b": b"second!"}, "b is not the one"),
        ({"c": b""}, "c is not in"),
        ({"config.json": b'{"format": 1}'}, r"config\.json is not the one"),
    ],
)
def test_one_member_cannot_change_alone(changes: dict[str, bytes], reason: str) -> None:
    members = {**MEMBERS, "manifest.json": manifest_bytes(MEMBERS)}
    check_manifest(members)
    with pytest.raises(BundleError, match=reason):
        check_manifest({**members, **changes})
