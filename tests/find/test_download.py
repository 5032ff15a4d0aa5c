"""A server that breaks off, lies, changes its mind and redirects: the file is whole or absent."""

from __future__ import annotations

import errno
import hashlib
import json
import random
import re
import shutil
import socket
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from cxr._io import progress_disabled
from cxr.errors import DownloadError, StorageError, UsageError
from cxr.find import _http
from cxr.find import download as module
from cxr.find.download import download

BODY = random.Random(42).randbytes(300_000)
OTHER = random.Random(43).randbytes(280_000)
SHA256 = hashlib.sha256(BODY).hexdigest()

Turn = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append(dict(self.headers.items()))
        turn = self.server.turns.pop(0) if self.server.turns else whole()
        turn(self)

    def answer(self, status: int, headers: dict[str, object], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close() then joins them

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.turns: list[Turn] = []
        self.seen: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/data.zip"

    def handle_error(self, *args: Any) -> None:  # the client may hang up on a lie
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(module, "BACKOFF_S", 0.0)
    with Server() as server, progress_disabled():
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def final(tmp_path: Path) -> Path:
    return tmp_path / "data.zip"


def whole(body: bytes = BODY, etag: str = '"v1"') -> Turn:
    """An honest server: goes on where asked if the file is still the same."""

    def turn(handler: Handler) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        if asked and handler.headers.get("If-Range") == etag:
            part_of(body, int(asked[1]), etag)(handler)
        else:
            handler.answer(200, {"Content-Length": len(body), "ETag": etag}, body)

    return turn


def part_of(body: bytes, start: int, etag: str = '"v1"', **replaced: object) -> Turn:
    headers = {
        "Content-Length": len(body) - start,
        "Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}",
        "ETag": etag,
    }
    named = {name.replace("_", "-"): value for name, value in replaced.items()}
    return lambda handler: handler.answer(206, {**headers, **named}, body[start:])


def breaks_off(at: int, **headers: object) -> Turn:
    """Announces the whole file, sends the first `at` bytes and hangs up."""
    named = {name.replace("_", "-"): value for name, value in headers.items()} or {"ETag": '"v1"'}
    return lambda handler: handler.answer(200, {"Content-Length": len(BODY), **named}, BODY[:at])


def status(code: int, **headers: object) -> Turn:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.answer(code, {"Content-Length": 0, **named})


def left_over(final: Path) -> set[str]:
    return {path.name for path in final.parent.iterdir()} - {final.name}


def test_a_whole_file(server: Server, final: Path) -> None:
    assert download(server.url, final, sha256=SHA256.upper(), size=len(BODY)) == final
    assert final.read_bytes() == BODY
    assert not left_over(final)
    assert "Range" not in server.seen[0]
    assert server.seen[0]["Accept-Encoding"] == "identity"


def test_an_empty_file(server: Server, final: Path) -> None:
    server.turns = [whole(b"")]
    assert download(server.url, final).read_bytes() == b""


def test_the_folder_is_made(server: Server, final: Path) -> None:
    assert download(server.url, final.parent / "a" / "b" / "c.zip").read_bytes() == BODY


def test_goes_on_after_a_break(server: Server, final: Path) -> None:
    server.turns = [breaks_off(100_000)]
    assert download(server.url, final, sha256=SHA256).read_bytes() == BODY
    assert server.seen[1]["Range"] == "bytes=100000-"
    assert server.seen[1]["If-Range"] == '"v1"'
    assert not left_over(final)


def test_goes_on_by_last_modified_where_the_etag_is_weak(server: Server, final: Path) -> None:
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    server.turns = [breaks_off(100_000, ETag='W/"v1"', Last_Modified=date)]
    download(server.url, final)
    assert server.seen[1]["If-Range"] == date


def test_starts_again_where_nothing_identifies_the_file(server: Server, final: Path) -> None:
    server.turns = [breaks_off(100_000, X_Nothing="1")]
    assert download(server.url, final).read_bytes() == BODY
    assert "Range" not in server.seen[1]


def test_the_next_run_goes_on(server: Server, final: Path) -> None:
    server.turns = [breaks_off(120_000)]
    with pytest.raises(DownloadError, match="120,000 bytes are kept: run the same command again"):
        download(server.url, final, retries=0)
    assert not final.exists()
    assert left_over(final) == {"data.zip.part", "data.zip.part.json"}
    assert download(server.url, final).read_bytes() == BODY
    assert server.seen[1]["Range"] == "bytes=120000-"


def test_a_run_stopped_before_the_rename_asks_for_nothing(server: Server, final: Path) -> None:
    server.turns = [breaks_off(120_000)]
    with pytest.raises(DownloadError):
        download(server.url, final, retries=0)
    with final.with_name("data.zip.part").open("ab") as part:
        part.write(BODY[120_000:])
    assert download(server.url, final, sha256=SHA256).read_bytes() == BODY
    assert len(server.seen) == 1


def test_another_address_does_not_go_on(server: Server, final: Path) -> None:
    server.turns = [breaks_off(120_000)]
    with pytest.raises(DownloadError):
        download(server.url + "?id=1", final, retries=0)
    assert download(server.url + "?id=2", final).read_bytes() == BODY
    assert "Range" not in server.seen[1]


@pytest.mark.parametrize("etag", ['"\x01"', '"é"', ""])
def test_an_etag_that_cannot_be_sent_back(server: Server, final: Path, etag: str) -> None:
    server.turns = [breaks_off(100_000, ETag=etag)]
    assert download(server.url, final).read_bytes() == BODY
    assert "Range" not in server.seen[1]


@pytest.mark.parametrize("note", ["", "[]", "{", '{"address": 3}', "nul"])
def test_a_damaged_note_starts_again(server: Server, final: Path, note: str) -> None:
    final.with_name("data.zip.part").write_bytes(b"rubbish")
    final.with_name("data.zip.part.json").write_text(note)
    assert download(server.url, final).read_bytes() == BODY


def test_a_server_that_ignores_range(server: Server, final: Path) -> None:
    server.turns = [breaks_off(100_000), breaks_off(len(BODY))]
    assert download(server.url, final).read_bytes() == BODY
    assert "Range" in server.seen[1]


def test_a_file_that_changed_between_tries(server: Server, final: Path) -> None:
    server.turns = [breaks_off(100_000), whole(OTHER, '"v2"')]
    assert download(server.url, final).read_bytes() == OTHER


@pytest.mark.parametrize(
    "second",
    [
        part_of(BODY[::-1], 100_000, '"v2"'),  # ignores If-Range
        part_of(OTHER, 100_000),  # the same ETag, another length
        part_of(BODY, 90_000),
        part_of(BODY, 100_000, Content_Range="bytes 100000-299999/*"),
        part_of(BODY, 100_000, Content_Range="nonsense"),
    ],
)
def test_a_part_that_does_not_fit_starts_again(server: Server, final: Path, second: Turn) -> None:
    server.turns = [breaks_off(100_000), second]
    assert download(server.url, final, sha256=SHA256).read_bytes() == BODY
    assert "Range" not in server.seen[2]


def test_416_starts_again(server: Server, final: Path) -> None:
    server.turns = [breaks_off(100_000), status(416, Content_Range="bytes */300000")]
    assert download(server.url, final).read_bytes() == BODY
    assert "Range" not in server.seen[2]


def test_416_for_ever_ends(server: Server, final: Path) -> None:
    server.turns = [status(416)] * 3
    with pytest.raises(DownloadError, match="416"):
        download(server.url, final, retries=2)


def test_500_then_200(server: Server, final: Path) -> None:
    server.turns = [status(500), status(503), status(429)]
    assert download(server.url, final).read_bytes() == BODY
    assert len(server.seen) == 4


def test_waits_longer_each_time_and_as_asked(
    server: Server, final: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(module.time, "sleep", waits.append)
    monkeypatch.setattr(module, "BACKOFF_S", 0.5)
    server.turns = [status(500)] * 3 + [
        status(503, Retry_After="7"),
        status(503, Retry_After="9999"),
    ]
    download(server.url, final)
    assert waits == [0.5, 1.0, 2.0, 7.0, 60.0]


def test_breaks_are_forgiven_while_bytes_come(
    server: Server, final: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MB", 1000)

    def next_piece(handler: Handler) -> None:
        start = int(handler.headers["Range"][6:-1])
        headers = {
            "Content-Length": len(BODY) - start,
            "Content-Range": f"bytes {start}-{len(BODY) - 1}/{len(BODY)}",
        }
        handler.answer(206, headers, BODY[start : start + 50_000])

    server.turns = [breaks_off(50_000), *[next_piece] * 5]
    assert download(server.url, final, sha256=SHA256, retries=1).read_bytes() == BODY


def test_nobody_listens(final: Path, server: Server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match="gave up after 3 tries"):
        download(f"http://127.0.0.1:{port}/x", final, retries=2)


def test_a_stalled_server_is_left_and_gone_on_with(server: Server, final: Path) -> None:
    over = threading.Event()

    def stalls(handler: Handler) -> None:
        breaks_off(100_000)(handler)
        handler.wfile.flush()
        over.wait(20)

    server.turns = [stalls]
    try:
        assert download(server.url, final, timeout=0.3).read_bytes() == BODY
    finally:
        over.set()
    assert server.seen[1]["Range"] == "bytes=100000-"


def test_404_is_final(server: Server, final: Path) -> None:
    server.turns = [status(404)]
    with pytest.raises(DownloadError, match=r"data\.zip answers HTTP 404 \(Not Found\)"):
        download(server.url, final)
    assert len(server.seen) == 1


def test_neither_204_nor_an_unasked_part_is_a_file(server: Server, final: Path) -> None:
    server.turns = [status(204)]
    with pytest.raises(DownloadError, match="HTTP 204"):
        download(server.url, final)
    server.turns = [part_of(BODY, 10)]
    with pytest.raises(DownloadError, match="changed"):
        download(server.url, final, retries=0)
    assert not final.exists()


def test_announces_more_than_it_sends(server: Server, final: Path) -> None:
    server.turns = [
        lambda handler: handler.answer(200, {"Content-Length": 300_001, "ETag": '"v1"'}, BODY),
        part_of(BODY, 300_000),
        lambda handler: handler.answer(200, {"Content-Length": 300_001, "ETag": '"v1"'}, BODY),
    ]
    with pytest.raises(DownloadError, match="broke off at 300,000 of 300,001 bytes"):
        download(server.url, final, retries=2)
    assert not final.exists()


def test_announces_less_than_it_sends(server: Server, final: Path) -> None:
    short: Turn = lambda handler: handler.answer(200, {"Content-Length": 1000}, BODY)  # noqa: E731
    server.turns = [short, short]
    with pytest.raises(DownloadError, match="wrong checksum"):
        download(server.url, final, sha256=SHA256)
    with pytest.raises(DownloadError, match="offers 1,000 bytes where 300,000 are expected"):
        download(server.url, final, size=len(BODY))
    assert not final.exists()
    assert not left_over(final)


def chunked(body: bytes, *, end: bool = True, times: int = 1) -> Turn:
    def turn(handler: Handler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.answer(200, {"Transfer-Encoding": "chunked", "Connection": "close"})
        for _ in range(times):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))
        if end:
            handler.wfile.write(b"0\r\n\r\n")

    return turn


def test_chunked(server: Server, final: Path) -> None:
    server.turns = [chunked(BODY, end=False), chunked(BODY)]
    assert download(server.url, final).read_bytes() == BODY
    assert len(server.seen) == 2


def test_a_stream_is_cut_at_the_expected_size(server: Server, final: Path) -> None:
    server.turns = [chunked(BODY, times=sys.maxsize)]  # ends when we hang up
    with pytest.raises(DownloadError, match="sends more than the 300,000 bytes"):
        download(server.url, final, size=len(BODY))
    server.turns = [chunked(BODY[:-1])]
    with pytest.raises(DownloadError, match="sent 299,999 bytes, 300,000 are expected"):
        download(server.url, final, size=len(BODY))
    assert not left_over(final)
    assert not final.exists()


def test_an_endless_stream_of_unknown_length_is_cut(
    server: Server, final: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST_UNKNOWN", 1000)
    server.turns = [chunked(BODY)]
    with pytest.raises(DownloadError, match="sends more than the 1,000 bytes"):
        download(server.url, final)


def test_a_length_that_nobody_tells_needs_a_checksum(server: Server, final: Path) -> None:
    silent: Turn = lambda handler: handler.answer(200, {}, BODY)  # noqa: E731
    server.turns = [silent, silent]
    with pytest.raises(DownloadError, match="--sha256"):
        download(server.url, final)
    assert download(server.url, final, sha256=SHA256).read_bytes() == BODY


def test_range_and_length_that_contradict_each_other(server: Server, final: Path) -> None:
    server.turns = [breaks_off(100_000), part_of(BODY, 100_000, Content_Length=200_005)]
    with pytest.raises(DownloadError, match="contradicts itself"):
        download(server.url, final)
    server.turns = [part_of(BODY, 100_000, Content_Range="bytes 100000-99/300000")]
    with pytest.raises(DownloadError, match="contradicts itself"):
        download(server.url, final)


def test_a_compressed_stream_is_refused(server: Server, final: Path) -> None:
    server.turns = [status(200, Content_Encoding="gzip")]
    with pytest.raises(DownloadError, match="compressed"):
        download(server.url, final)


def test_a_wrong_checksum_removes_the_part(server: Server, final: Path) -> None:
    wrong = "0" * 64
    with pytest.raises(DownloadError, match=f"expected sha256 {wrong}, got {SHA256}"):
        download(server.url, final, sha256=wrong)
    assert not left_over(final)
    assert not final.exists()


def test_a_failed_download_leaves_the_old_file(server: Server, final: Path) -> None:
    final.write_bytes(b"old")
    with pytest.raises(DownloadError):
        download(server.url, final, sha256="0" * 64)
    assert final.read_bytes() == b"old"


def test_a_file_with_the_right_checksum_is_not_fetched_again(server: Server, final: Path) -> None:
    final.write_bytes(BODY)
    assert download(server.url, final, sha256=SHA256) == final
    assert not server.seen


@pytest.mark.parametrize("text", ["", "abc", "g" * 64, SHA256 + "\n", "sha256:" + SHA256])
def test_what_is_no_checksum_is_refused(final: Path, text: str) -> None:
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        download("http://127.0.0.1/x", final, sha256=text)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "data:,hello",
        "data.zip",
        "",
        "http://",
        "http://user:secret@127.0.0.1/x",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/a\r\nX-Evil: 1",
        "http://127.0.0.1/é",
        "http://[::1/x",
    ],
)
def test_only_http_addresses(final: Path, url: str) -> None:
    with pytest.raises(UsageError, match="http:// or https://") as caught:
        download(url, final)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_port_that_is_none(server: Server, final: Path) -> None:
    with pytest.raises(DownloadError, match="not a usable address"):
        download("http://127.0.0.1:abc/x", final)


def test_a_redirect_is_followed_with_the_range(server: Server, final: Path) -> None:
    there = status(302, Location=server.url)
    server.turns = [there, breaks_off(100_000), there]
    assert download(server.url.replace("data", "here"), final).read_bytes() == BODY
    assert server.seen[3]["Range"] == "bytes=100000-"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x"])
def test_a_redirect_to_something_else_is_refused(server: Server, final: Path, target: str) -> None:
    server.turns = [status(302, Location=target)]
    with pytest.raises(DownloadError, match=r"refused|HTTP 302"):
        download(server.url, final)
    assert len(server.seen) == 1


@pytest.mark.parametrize("target", ["http://[::1/x", "http://127.0.0.1:abc/x", "http://a b/x"])
def test_a_redirect_to_no_address(server: Server, final: Path, target: str) -> None:
    server.turns = [status(302, Location=target)]
    with pytest.raises(DownloadError):
        download(server.url, final, retries=0)


def test_a_redirect_loop_ends(server: Server, final: Path) -> None:
    server.turns = [status(302, Location=server.url)] * 50
    with pytest.raises(DownloadError, match="HTTP 302"):
        download(server.url, final)
    assert len(server.seen) < 20


def test_a_redirect_from_https_to_http_is_refused() -> None:
    request = urllib.request.Request("https://example.org/a?key=secret")
    rule = _http._Redirects()
    with pytest.raises(DownloadError, match="from https to http is refused") as caught:
        rule.redirect_request(
            request, BytesIO(), 302, "", Message(), "http://example.org/a?k=secret"
        )
    assert "secret" not in str(caught.value)
    up = urllib.request.Request("http://example.org/a")
    followed = rule.redirect_request(up, BytesIO(), 302, "", Message(), "https://example.org/a")
    assert followed is not None
    assert followed.full_url == "https://example.org/a"


def test_a_key_in_the_query_is_not_shown_or_kept(server: Server, final: Path) -> None:
    server.turns = [breaks_off(100_000), status(403)]
    with pytest.raises(DownloadError, match="HTTP 403") as caught:
        download(server.url + "?key=secret", final)
    assert "secret" not in str(caught.value)
    assert "secret" not in final.with_name("data.zip.part.json").read_text()


def test_no_room_is_seen_before_the_download(
    server: Server, final: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(final.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=299_999))
    with pytest.raises(StorageError, match=r"needs another 0\.3 MB"):
        download(server.url, final)


def test_a_full_disk_keeps_the_part(
    server: Server, final: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.turns = [breaks_off(100_000)]
    with pytest.raises(DownloadError):
        download(server.url, final, retries=0)
    real_open = Path.open

    def full(path: Path, mode: str = "r", *args: Any, **more: Any) -> Any:
        file = real_open(path, mode, *args, **more)
        if mode == "ab":
            file.close()
            raise OSError(errno.ENOSPC, "No space left on device")
        return file

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(StorageError, match="100,000 bytes are kept"):
            download(server.url, final)
    assert json.loads(final.with_name("data.zip.part.json").read_text())["length"] == len(BODY)
    assert download(server.url, final, sha256=SHA256).read_bytes() == BODY
    assert server.seen[-1]["Range"] == "bytes=100000-"
