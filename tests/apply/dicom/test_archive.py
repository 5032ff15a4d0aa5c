"""An archive that is busy, closed, slow, talkative or no archive at all."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cxr.apply.dicom import Archive, archive, session
from cxr.errors import DownloadError, UsageError


class Server(ThreadingHTTPServer):
    """Answers each request by the next of `answers`: (status, body); the last one stays."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.answers, self.seen = [(200, b"[]")], []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/dicom-web"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append(self.headers)
        answers = self.server.answers
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", self.path)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(archive, "FIRST_WAIT_MS", 1)
    one = Server()
    thread = threading.Thread(target=one.serve_forever, args=(0.01,))
    thread.start()
    yield one
    one.shutdown()
    thread.join()
    one.server_close()


def test_the_token_is_sent(server, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    assert Archive(server.url, token).studies("20240101", 5) == []
    assert {headers["Authorization"] for headers in server.seen} == {"Bearer s3cret"}


def test_a_busy_archive_is_asked_again(server):
    server.answers = [(503, b""), (429, b""), (200, b"[]")]
    assert list(Archive(server.url).images("1.2")) == []
    assert len(server.seen) == 3


def test_but_not_for_ever(server):
    server.answers = [(503, b"SECRET")]
    with pytest.raises(DownloadError, match="too busy, after 3 tries"):
        list(Archive(server.url).images("1.2"))
    assert len(server.seen) == session.ATTEMPTS


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((401, b"SECRET"), "status 401; check --token-file"),
        ((500, b"SECRET"), "status 500"),
        ((200, b"<html>SECRET</html>"), "does not answer as a DICOMweb service"),
        ((200, b'[{"0020000E": 3}]'), "does not answer as a DICOMweb service"),
        ((200, b"3"), "does not answer as a DICOMweb service"),
        ((302, b""), "cannot be reached .TooManyRedirects"),
    ],
)
def test_what_goes_wrong_is_one_line(server, answer, reason):
    server.answers = [answer]
    with pytest.raises(DownloadError, match=reason) as caught:
        list(Archive(server.url).images("1.2"))
    assert "SECRET" not in str(caught.value) and "\n" not in str(caught.value)


def test_an_answer_without_end_is_cut_off(server, monkeypatch):
    monkeypatch.setattr(session, "MAX_RESPONSE", 1000)
    server.answers = [(200, b"[" + b" " * 5000 + b"]")]
    with pytest.raises(DownloadError, match="that is no image"):
        list(Archive(server.url).images("1.2"))


def test_nobody_there(server):
    server.shutdown()
    server.server_close()
    with pytest.raises(DownloadError, match="cannot be reached"):
        list(Archive(server.url).images("1.2"))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("pacs.example/dicom-web", "is no address"),
        ("ftp://pacs.example", "is no address"),
        ("https://", "is no address"),
        ("https://[", "is no address"),
        ("https://me:hidden@pacs.example/", "--token-file"),
        ("http://pacs.example/", "in the clear"),
    ],
)
def test_addresses_that_are_refused(url, reason, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret")
    with pytest.raises(UsageError, match=reason) as caught:
        Archive(url, token)
    assert "hidden" not in str(caught.value) and "s3cret" not in str(caught.value)


def test_a_connection_in_the_clear_is_said(capsys):
    Archive("http://pacs.example/")
    assert "not encrypted" in capsys.readouterr().err


@pytest.mark.parametrize("words", [b"", b"two tokens", b"\xff\xfe"])
def test_token_files_that_hold_none(words, tmp_path):
    token = tmp_path / "token"
    token.write_bytes(words)
    with pytest.raises(UsageError, match="token"):
        Archive("https://pacs.example/", token)
