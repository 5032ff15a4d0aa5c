"""Hostile and broken model files: only BundleError may come out, soon, with file and reason."""

from __future__ import annotations

import hashlib
import io
import json
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from cxr.backbones import Architecture, build_network
from cxr.bundle import FORMAT, BundleConfig, read_bundle, write_bundle
from cxr.bundle.sign import new_key, require_signature, sign_bundle
from cxr.errors import BundleError

Members = dict[str, bytes]
pytestmark = pytest.mark.timeout(60)  # a whole file is read in a tenth of a second


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network, _ = build_network(Architecture("test_efficientnet", 2, 64), weights=None, seed=1)
    config = BundleConfig(("NORMAL", "PNEUMONIA"), "test_efficientnet", 64)
    return write_bundle(tmp_path_factory.mktemp("whole") / "model.cxr", network, config)


@pytest.fixture(scope="module")
def members(whole: Path) -> Members:
    """All but the manifest, which `pack` makes anew."""
    with zipfile.ZipFile(whole) as archive:
        names = [name for name in archive.namelist() if name != "manifest.json"]
        return {name: archive.read(name) for name in names}


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    return tmp_path / "hostile.cxr"


def sealed(members: Mapping[str, bytes]) -> Members:
    """With a manifest made anew, as whoever changes a file on purpose would."""
    listed = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in sorted(members.items())
    }
    manifest = json.dumps({"format": FORMAT, "members": listed}, indent=2) + "\n"
    return {**members, "manifest.json": manifest.encode()}


def pack(path: Path, members: Mapping[str, bytes], compress: str = "", seal: bool = True) -> Path:
    if seal:
        members = sealed(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            kind = zipfile.ZIP_DEFLATED if name == compress else zipfile.ZIP_STORED
            archive.writestr(name, data, compress_type=kind)
    return path


def refused(path: Path) -> str:
    with pytest.raises(BundleError) as caught:
        read_bundle(path)
    assert str(caught.value).startswith(f"{path} is refused: ")
    return str(caught.value)


def with_config(members: Members, **changes: Any) -> Members:
    config = json.loads(members["config.json"]) | changes
    return members | {"config.json": json.dumps(config).encode()}


def with_tensor(
    members: Members, change: Callable[[torch.Tensor], torch.Tensor], name: str = "head.2.weight"
) -> Members:
    tensors = load(members["model.safetensors"])
    tensors[name] = change(tensors[name])
    return members | {"model.safetensors": save(tensors)}


def test_repacked_members_are_read(hostile: Path, members: Members) -> None:
    """What is refused below is refused for what was changed, not for being packed again."""
    assert read_bundle(pack(hostile, members)).config.classes == ("NORMAL", "PNEUMONIA")


def test_truncated_anywhere(hostile: Path, whole: Path) -> None:
    data = whole.read_bytes()
    for share in (0, 0.0001, 0.01, 0.3, 0.9, 0.999):
        hostile.write_bytes(data[: int(share * len(data))])
        refused(hostile)
    hostile.write_bytes(data[:-1])
    refused(hostile)


@pytest.mark.parametrize("name", ["config.json", "README.md", "golden.npz", "model.safetensors"])
def test_a_flipped_byte_in_a_member(
    name: str, hostile: Path, whole: Path, members: Members
) -> None:
    data = bytearray(whole.read_bytes())
    start = data.index(members[name])
    for offset in (0, len(members[name]) // 2, len(members[name]) - 1):
        flipped = bytearray(data)
        flipped[start + offset] ^= 0x01
        hostile.write_bytes(flipped)
        assert f"Bad CRC-32 for file '{name}'" in refused(hostile)


def test_random_damage_to_the_headers(hostile: Path, whole: Path) -> None:
    """Local headers and the list of members, where no checksum watches."""
    rng, data = random.Random(5), whole.read_bytes()
    listing = data.rindex(b"PK\x05\x06")
    headers = [at for at in range(len(data) - 4) if data[at : at + 4] == b"PK\x03\x04"]
    first = data.index(b"PK\x01\x02", headers[-1])
    spots = [at + i for at in headers for i in range(40)] + list(range(first, listing + 22))
    outcomes = {"read": 0, "refused": 0}
    for _ in range(150):
        damaged = bytearray(data)
        for spot in rng.sample(spots, rng.choice((1, 2, 8))):
            damaged[spot] = rng.randrange(256)
        hostile.write_bytes(damaged)
        try:
            read_bundle(hostile)
            outcomes["read"] += 1
        except BundleError:
            outcomes["refused"] += 1
    assert outcomes["refused"] > 50


def test_damage_behind_a_right_checksum(hostile: Path, members: Members) -> None:
    """Whoever changes a member can mend its checksum: the parsers must stand on their own."""
    rng = random.Random(6)
    for name in ("config.json", "golden.npz", "model.safetensors"):
        for _ in range(25):
            damaged = bytearray(members[name])
            for _ in range(rng.choice((1, 3, 30))):
                damaged[rng.randrange(min(len(damaged), 2000))] = rng.randrange(256)
            pack(hostile, members | {name: bytes(damaged)})
            try:
                read_bundle(hostile)
            except BundleError:
                continue
            assert name != "model.safetensors" or damaged == members[name]


@pytest.mark.parametrize(
    "name",
    ["evil.py", "../evil.txt", "/etc/evil", "C:\\evil", "sub/config.json", "data.pkl", "a\nb"],
)
def test_an_extra_member(name: str, hostile: Path, members: Members) -> None:
    message = refused(pack(hostile, members | {name: b"x"}))
    assert "pickle" in message if name == "data.pkl" else "not a cxr model: it holds" in message
    assert "\n" not in message
    assert [path.name for path in hostile.parent.iterdir()] == ["hostile.cxr"]


def test_a_member_twice(hostile: Path, members: Members) -> None:
    pack(hostile, members)
    with zipfile.ZipFile(hostile, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", members["config.json"].replace(b"0.5", b"0.1"))
    assert "config.json is there twice" in refused(hostile)


@pytest.mark.parametrize("name", ["config.json", "golden.npz", "model.safetensors"])
def test_a_missing_member(name: str, hostile: Path, members: Members) -> None:
    left = {key: data for key, data in members.items() if key != name}
    assert f"not a whole cxr model: {name} missing" in refused(pack(hostile, left))


@pytest.mark.parametrize("name", ["config.json", "README.md", "golden.npz", "model.safetensors"])
def test_a_compressed_member(name: str, hostile: Path, members: Members) -> None:
    """Compressed, a few bytes could claim to be gigabytes."""
    assert f"{name} is compressed" in refused(pack(hostile, members, compress=name))


def test_no_name_goes_on_in_the_next_line(hostile: Path, members: Members) -> None:
    message = refused(pack(hostile, members | {"a\nb": b"x"}, compress="a\nb"))
    assert "a b is compressed" in message and "\n" not in message


def test_a_bomb_is_not_unpacked(hostile: Path, members: Members) -> None:
    bomb = members | {"model.safetensors": bytes(200 << 20)}
    pack(hostile, bomb, compress="model.safetensors")
    del bomb
    tracemalloc.start()
    refused(hostile)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize("claimed", [10**9, 2**32 - 2])
def test_a_member_that_claims_a_huge_size(claimed: int, hostile: Path, members: Members) -> None:
    data = bytearray(pack(hostile, members).read_bytes())
    entry = data.index(b"PK\x01\x02", data.index(members["model.safetensors"]))
    data[entry + 20 : entry + 28] = struct.pack("<II", claimed, claimed)
    hostile.write_bytes(data)
    assert "config.json claims" in refused(hostile)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t[:1],
        lambda t: t.T.contiguous(),
        lambda t: t.flatten(),
        lambda t: torch.zeros(0),
        lambda t: t.double(),
        lambda t: t.bfloat16(),
        lambda t: t.int(),
        lambda t: t.to(torch.float8_e4m3fn),
    ],
)
def test_wrong_shapes_and_types(
    change: Callable[[torch.Tensor], torch.Tensor], hostile: Path, members: Members
) -> None:
    message = refused(pack(hostile, with_tensor(members, change)))
    assert "head.2.weight is (" in message and "expected (2, " in message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["head.2.weight", "head.0.running_var"])
def test_weights_that_are_not_finite(
    value: float, name: str, hostile: Path, members: Members
) -> None:
    def spoil(tensor: torch.Tensor) -> torch.Tensor:
        tensor.view(-1)[0] = value
        return tensor

    message = refused(pack(hostile, with_tensor(members, spoil, name)))
    assert f"{name} holds values that are not finite" in message


def test_weights_that_overflow_on_the_way(hostile: Path, members: Members) -> None:
    """Each is finite, what the network makes of them is not."""
    spoilt = with_tensor(members, lambda t: torch.full_like(t, 3e38))
    assert "self-test failed" in refused(pack(hostile, spoilt))


def test_a_tensor_too_few_or_too_many(hostile: Path, members: Members) -> None:
    tensors = load(members["model.safetensors"])
    more = members | {"model.safetensors": save(tensors | {"extra": torch.zeros(1)})}
    assert "not those of the backbone" in refused(pack(hostile, more))
    del tensors["head.2.bias"]
    fewer = members | {"model.safetensors": save(tensors)}
    assert "not those of the backbone" in refused(pack(hostile, fewer))


@pytest.mark.parametrize(
    "data", [b"", bytes(8), b"\xff" * 100, struct.pack("<Q", 2**40) + b"{}", b"\x80\x04N."]
)
def test_weights_that_are_no_safetensors(data: bytes, hostile: Path, members: Members) -> None:
    message = refused(pack(hostile, members | {"model.safetensors": data}))
    assert "model.safetensors is damaged" in message


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_json_of_huge_depth(text: str, hostile: Path, members: Members) -> None:
    message = refused(pack(hostile, members | {"config.json": text.encode()}))
    assert "config.json is not valid JSON" in message


def test_json_that_is_not_utf8(hostile: Path, members: Members) -> None:
    message = refused(pack(hostile, members | {"config.json": b'{"format": 1, "\xff": 1}'}))
    assert "not UTF-8" in message


def test_swapped_golden_outputs(hostile: Path, members: Members) -> None:
    with np.load(io.BytesIO(members["golden.npz"])) as golden:
        arrays = dict(golden)
    file = io.BytesIO()
    np.savez(file, **arrays | {"logits": arrays["logits"][:, ::-1]})
    message = refused(pack(hostile, members | {"golden.npz": file.getvalue()}))
    assert "self-test failed: outputs differ by" in message


def test_swapped_classes_are_refused(hostile: Path, members: Members) -> None:
    """By the manifest, and where that was made anew by the names beside the golden outputs."""
    swapped = with_config(members, classes=["PNEUMONIA", "NORMAL"])
    whole = sealed(members)["manifest.json"]
    left = pack(hostile, swapped | {"manifest.json": whole}, seal=False)
    assert "config.json is not the one of manifest.json: it was changed" in refused(left)
    assert "the classes are not those that the outputs were named" in refused(
        pack(hostile, swapped)
    )


def test_only_a_signature_holds_against_who_makes_all_anew(
    hostile: Path, members: Members, tmp_path: Path
) -> None:
    """Names swapped in every place, all hashes made anew: nothing in the file can tell."""
    public, _ = new_key(tmp_path / "key")
    sign_bundle(pack(hostile, members), tmp_path / "key")
    require_signature(hostile, public)
    swapped = with_config(members, classes=["PNEUMONIA", "NORMAL"])
    with np.load(io.BytesIO(members["golden.npz"])) as golden:
        arrays = dict(golden) | {
            "classes": np.frombuffer(b'["PNEUMONIA", "NORMAL"]', np.uint8),
        }
    file = io.BytesIO()
    np.savez(file, **arrays)
    pack(hostile, swapped | {"golden.npz": file.getvalue()})
    assert read_bundle(hostile).config.classes == ("PNEUMONIA", "NORMAL")
    with pytest.raises(BundleError, match="not signed; only models signed by SHA256:"):
        require_signature(hostile, public)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": 5}, "model format 5 is not known"),
        ({"format": "1.0"}, "model format '1.0' is not known"),
        ({"hook": "os.system"}, "unknown fields: hook"),
        ({"classes": ["a", "b", "c"]}, "golden.npz does not hold this model's outputs"),
        ({"size": 96}, "images of this model's size"),
        ({"backbone": "resnet18"}, "not those of the backbone"),
        ({"backbone": "no_such_net"}, "'no_such_net' cannot be built"),
        ({"backbone": "resnet18.no_such_tag"}, "cannot be built"),
        ({"backbone": "hf-hub:someone/something"}, "cannot be built"),
        ({"backbone": "local-dir:/etc"}, "cannot be built"),
        ({"backbone": "../../etc/passwd"}, "cannot be built"),
        ({"temperature": 10**400}, "temperature must be"),
    ],
)
def test_a_changed_configuration(
    changes: dict[str, Any], reason: str, hostile: Path, members: Members
) -> None:
    assert reason in refused(pack(hostile, with_config(members, **changes)))


def test_a_small_file_that_names_a_huge_backbone(hostile: Path, members: Members) -> None:
    """1.8 billion weights would take 7 GB before anyone saw that they are not in the file."""
    huge = with_config(members, backbone="vit_gigantic_patch14_clip_224")
    assert "not those of the backbone" in refused(pack(hostile, huge))


def test_a_network_that_does_not_take_the_size(hostile: Path) -> None:
    """A vision transformer cannot cut images of 170 pixels into patches of 16."""
    network, _ = build_network(Architecture("test_vit", 2, 160), weights=None)
    config = BundleConfig(("a", "b"), "test_vit", 160)
    write_bundle(hostile, network, config)
    with zipfile.ZipFile(hostile) as archive:
        members = {name: archive.read(name) for name in archive.namelist()[:-1]}
    refused(pack(hostile, with_config(members, size=170)))


@pytest.mark.parametrize("before", [b"#!/bin/sh\necho hi\n", b"\xff\xd8\xff\xe0"])
def test_something_else_in_front(before: bytes, hostile: Path, whole: Path) -> None:
    """A file that is two things at once: zip readers skip what comes first."""
    hostile.write_bytes(before + whole.read_bytes())
    assert "does not begin as one" in refused(hostile)


@pytest.mark.parametrize("name", ["config.json", "README.md", "golden.npz", "model.safetensors"])
def test_a_swapped_member_is_not_the_one_of_the_manifest(
    name: str, hostile: Path, members: Members
) -> None:
    manifest = {"manifest.json": sealed(members)["manifest.json"]}
    other = members[name].replace(b"e", b"f", 1) if name != "config.json" else members[name] + b" "
    pack(hostile, members | {name: other} | manifest, seal=False)
    assert f"{name} is not the one of manifest.json: it was changed" in refused(hostile)


def test_members_added_and_taken_away(hostile: Path, members: Members) -> None:
    manifest = {"manifest.json": sealed(members)["manifest.json"]}
    pack(hostile, members | {"trust.npz": b"x"} | manifest, seal=False)
    assert "trust.npz is not in manifest.json: it was added" in refused(hostile)
    left = {name: data for name, data in members.items() if name != "README.md"}
    pack(hostile, left | manifest, seal=False)
    assert "'README.md' is in manifest.json and missing" in refused(hostile)
    pack(hostile, members, seal=False)
    assert "not a whole cxr model: manifest.json missing" in refused(hostile)


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (b"", "damaged"),
        (b"\xff", "damaged"),
        (b"[" * 60_000, "damaged"),
        (b'{"a":' * 10_000, "damaged"),
        (b'{"members": [["config.json", 1]]}', "damaged"),
        (b'{"members": {}}', "it was added"),
        (b'{"members": {"../../evil": {}}}', "it was added"),
        (bytes(1 << 20), "claims 1,048,576 bytes, too many"),
    ],
)
def test_manifests_that_are_none(
    manifest: bytes, reason: str, hostile: Path, members: Members
) -> None:
    message = refused(pack(hostile, members | {"manifest.json": manifest}, seal=False))
    assert "manifest.json" in message and reason in message


def test_a_manifest_says_it_in_one_way_only(hostile: Path, members: Members) -> None:
    """Two readers must not find two meanings: a key twice, other blanks, more than is asked."""
    manifest = sealed(members)["manifest.json"]
    for other in (
        manifest.replace(b"\n", b"\r\n"),
        manifest.replace(b'"format": 4', b'"format": 1, "format": 4'),
        manifest.replace(b'"format": 4', b'"format": 4, "note": ""'),
        manifest + b"\n",
    ):
        message = refused(pack(hostile, members | {"manifest.json": other}, seal=False))
        assert "manifest.json is not as cxr writes it" in message


def test_a_list_of_a_hundred_thousand_members_takes_no_memory(hostile: Path) -> None:
    """Each entry of 60 bytes would become an object ten times as large."""
    with zipfile.ZipFile(hostile, "w") as archive:
        archive.writestr("config.json", b"{}")
    data = hostile.read_bytes()
    listing, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    many = data[listing:end] * 100_000
    ending = bytearray(data[end:])
    ending[8:16] = struct.pack("<HHL", 65_535, 65_535, len(many))
    hostile.write_bytes(data[:listing] + many + ending)
    tracemalloc.start()
    message = refused(hostile)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "it lists 65,535 members" in message
    assert peak < 1e6


def test_overlapping_members(hostile: Path, members: Members) -> None:
    """Two entries of the list that share their bytes are the start of a bomb."""
    data = bytearray(pack(hostile, members).read_bytes())
    first = data.index(b"PK\x01\x02", data.rindex(b"PK\x03\x04"))
    second = data.index(b"PK\x01\x02", first + 4)
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    hostile.write_bytes(data)
    assert "damaged, or not a cxr model" in refused(hostile)


def test_a_newer_file_says_that_it_is_newer(hostile: Path, members: Members) -> None:
    """Before its members, which this version cannot know, are called foreign."""
    newer = with_config(members, format=5) | {"atlas.bin": b"x"}
    assert "model format 5 is not known" in refused(pack(hostile, newer))


def test_a_file_of_the_first_format_is_read(hostile: Path, members: Members) -> None:
    pack(hostile, with_config(members, format=1), seal=False)
    assert read_bundle(hostile).config == BundleConfig(
        ("NORMAL", "PNEUMONIA"), "test_efficientnet", 64
    )


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (b"", "signature.json is damaged"),
        (b"{}", "signature.json is damaged"),
        (b"[" * 4000, "signature.json is damaged"),
        (b'{"public_key": 1, "signature": 2}', "signature.json is damaged"),
        (b'{"public_key": "AAAA", "signature": ""}', "signature.json is damaged"),
        (bytes(5000), "signature.json claims 5,000 bytes"),
    ],
)
def test_signatures_that_are_none(
    signature: bytes, reason: str, hostile: Path, members: Members
) -> None:
    assert reason in refused(
        pack(hostile, sealed(members) | {"signature.json": signature}, seal=False)
    )


def test_a_signature_of_another_model(hostile: Path, members: Members, tmp_path: Path) -> None:
    new_key(tmp_path / "key")
    sign_bundle(pack(hostile, members), tmp_path / "key")
    with zipfile.ZipFile(hostile) as archive:
        signature = {"signature.json": archive.read("signature.json")}
    changed = sealed(with_config(members, threshold=0.1))
    pack(hostile, changed | signature, seal=False)
    assert "its signature is not one over this model" in refused(hostile)
    old = with_config(members, format=1)
    pack(hostile, old | signature, seal=False)
    assert "signature.json is there without manifest.json" in refused(hostile)
