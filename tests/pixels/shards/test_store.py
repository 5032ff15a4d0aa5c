"""Where shards lie: folders and URIs."""

from __future__ import annotations

import hashlib

import pytest

from cxr.errors import StorageError, UsageError
from cxr.pixels.shards.store import LocalStore, RemoteStore, digest_of, open_store, read_bytes


def test_paths_and_file_uris_are_folders(tmp_path):
    assert open_store(tmp_path) == LocalStore(tmp_path)
    folder = tmp_path / "with a blank"
    assert open_store(folder.as_uri()) == LocalStore(folder)


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_what_is_put_is_read(tmp_path, kind):
    store = open_store(tmp_path / "deep" / "er" if kind == "local" else "memory://put/deep")
    assert store.size("a.bin") is None
    with pytest.raises(FileNotFoundError):
        read_bytes(store, "a.bin")
    for content in (b"first", b"second, longer"):
        source = tmp_path / "source"
        source.write_bytes(content)
        store.put(source, "a.bin")
        assert read_bytes(store, "a.bin") == content
        assert store.size("a.bin") == len(content)
        assert digest_of(store, "a.bin") == hashlib.sha256(content).hexdigest()


def test_a_storage_is_named_without_its_options():
    store = open_store("memory://bucket/images/?endpoint_override=secret.example")
    assert isinstance(store, RemoteStore)
    assert str(store) == "memory://bucket/images/"


def test_logins_in_a_uri_are_refused_and_not_shown():
    with pytest.raises(UsageError) as error:
        open_store("s3://key:hush@bucket/images")
    assert "hush" not in str(error.value)


def test_unknown_storages():
    with pytest.raises(UsageError, match=r"gopher://a/b cannot be opened"):
        open_store("gopher://a/b")


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "taken").write_text("")
    (tmp_path / "source").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        LocalStore(tmp_path / "taken").put(tmp_path / "source", "a")
