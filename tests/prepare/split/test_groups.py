from __future__ import annotations

from pathlib import Path

from cxr.prepare.split.groups import group_names


def test_a_pseudonym_goes_by_its_files_so_that_no_key_changes_the_split():
    items = [Path(f"data/A/{name}.dcm") for name in "dbcae"]
    one = group_names(items, ["dcm-7f", "dcm-01", "dcm-7f", None, "person4"])
    other = group_names(items, ["dcm-22", "dcm-99", "dcm-22", None, "person4"])
    assert one == other
    assert one[0] == one[2] and len(set(one)) == 4
