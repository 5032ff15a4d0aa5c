from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cxr.check.scan import SIDE, file_facts
from cxr.pixels import load_grey


def test_facts_of_a_file(images):
    path = images("A/1.png") / "A" / "1.png"
    facts = file_facts(path)
    assert (facts.bytes, facts.height, facts.width) == (path.stat().st_size, 32, 32)
    assert facts.error is None and facts.pixels


def test_equal_images_have_equal_digests_whatever_their_format(images):
    folder = images("A/1.png") / "A"
    with Image.open(folder / "1.png") as image:
        image.save(folder / "2.bmp")
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "3.png")
    one, same, mirrored = (file_facts(folder / name).pixels for name in ("1.png", "2.bmp", "3.png"))
    assert one == same != mirrored


def test_shape_is_part_of_the_image(tmp_path):
    flat = np.full((16, 64), 7, np.uint8)
    Image.fromarray(flat).save(tmp_path / "wide.png")
    Image.fromarray(flat.reshape(32, 32)).save(tmp_path / "square.png")
    wide, square = (file_facts(tmp_path / name) for name in ("wide.png", "square.png"))
    assert wide.pixels != square.pixels


def test_what_cannot_be_read(tmp_path):
    (tmp_path / "x.png").write_bytes(b"no image")
    facts = file_facts(tmp_path / "x.png")
    assert facts.bytes == 8 and "signature" in facts.error
    assert (facts.pixels, facts.height, facts.width) == (None, None, None)
    assert file_facts(tmp_path / "absent.png").bytes is None


def test_scan_keeps_the_order(images, scan_of):
    data = images("A/1.png", "A/2.png", "B/1.png")
    scanned = scan_of(data)
    assert scanned.names == ["A/1.png", "A/2.png", "B/1.png"]
    assert [facts.pixels for facts in scanned.files] == [
        file_facts(data / name).pixels for name in scanned.names
    ]
    np.testing.assert_array_equal(scanned.flags, [[1, 0], [1, 0], [0, 1]])
    assert scanned.counted == "images"


def test_groups_are_patients_or_single_images(images, scan_of):
    data = images("1.png", "2.png", "3.png", "4.png")
    (data / "t.csv").write_text("path,label,patient\n1.png,A,p\n2.png,B,\n3.png,A,p\n4.png,B,\n")
    scanned = scan_of(data / "t.csv")
    first, second, third, fourth = scanned.groups
    assert first == third and len({first, second, fourth}) == 3
    assert scanned.counted == "patients"


@pytest.mark.parametrize("patients", ["a,b", "image 1,image 0"])
def test_no_name_of_a_patient_is_taken_for_an_image(images, scan_of, patients):
    data = images("1.png", "2.png", "3.png")
    one, two = patients.split(",")
    (data / "t.csv").write_text(f"path,label,patient\n1.png,A,{one}\n2.png,B,{two}\n3.png,A,\n")
    assert len(set(scan_of(data / "t.csv").groups)) == 3


def test_squares_and_features_of_what_is_readable(images, scan_of):
    data = images("A/1.png", "A/2.png", "B/3.png")
    (data / "A/2.png").write_bytes(b"no image")
    scanned = scan_of(data)
    assert scanned.readable.tolist() == [True, False, True]
    assert scanned.squares.shape == (3, SIDE, SIDE)
    np.testing.assert_array_equal(scanned.squares[0], load_grey(data / "A/1.png", SIDE))
    assert not scanned.squares[1].any()
    assert np.isnan(scanned.features[1]).all() and np.isfinite(scanned.features[[0, 2]]).all()
    assert np.isfinite(scanned.components[[0, 2]]).all() and np.isnan(scanned.components[1]).all()


def test_squares_of_a_large_set_lie_in_a_file(images, scan_of, monkeypatch):
    data = images(*(f"A/{i}.png" for i in range(4)))
    in_memory = scan_of(data)
    monkeypatch.setattr("cxr.check.scan.IN_MEMORY", 3 * SIDE**2)
    on_disk = scan_of(data)
    assert isinstance(on_disk.squares, np.memmap) and not isinstance(in_memory.squares, np.memmap)
    np.testing.assert_array_equal(on_disk.squares, in_memory.squares)
    np.testing.assert_array_equal(on_disk.features, in_memory.features)
