"""One HTTP request: only http and https, never from https back to http, errors sorted by use."""

from __future__ import annotations

import http.client
import ssl
import urllib.request
from collections.abc import Callable
from typing import IO, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from ..errors import DownloadError, UsageError

T = TypeVar("T")

RETRYABLE_STATUS = {408, 425, 429, 500, 502, 503, 504}
LONGEST_WAIT_S = 60.0
USER_AGENT = "Mozilla/5.0 (compatible; cxr)"  # some hosts turn away Python's own name


class TransientError(Exception):
    """What may go better next time. `wait_s` is how long the server wants us to wait."""

    def __init__(self, reason: object, wait_s: float = 0.0) -> None:
        super().__init__(str(reason) or type(reason).__name__)
        self.wait_s = min(wait_s, LONGEST_WAIT_S)


class RangeNotSatisfiable(Exception):
    """Status 416: the server has no such part of the file."""


def check_url(url: str) -> None:
    """Raises UsageError for anything but a plain http or https address."""
    try:
        parts = urlsplit(url)
        usable = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        )
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(
            f"cannot download from {shown(url)!r}; give an http:// or https:// address"
        )


def shown(url: str) -> str:
    """The address without user names and query, which may hold somebody's key."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(an address that cannot be read)"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            raise DownloadError(
                f"{shown(req.full_url)} redirects to {shown(newurl)}: a redirect from "
                f"{req.type} to {scheme or 'nothing'} is refused; give the final address with --url"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()  # build_opener would add file:, ftp: and data:
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
        _Redirects,
    ):
        opener.add_handler(handler())
    return opener


def get(url: str, headers: dict[str, str], timeout: float) -> http.client.HTTPResponse:
    """The open response to one GET.

    Raises DownloadError (final), TransientError or RangeNotSatisfiable.
    """
    request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT, **headers})
    try:
        response: http.client.HTTPResponse = translated(
            lambda: _opener().open(request, timeout=timeout), url
        )
    except HTTPError as error:
        with error:
            raise _sorted_status(error, url) from None
    if response.headers.get("Content-Encoding", "identity") != "identity":
        response.close()
        raise DownloadError(f"{shown(url)} sends a compressed stream although asked not to")
    return response


def translated(call: Callable[[], T], url: str) -> T:
    """`call()`, its network failures as TransientError, or DownloadError where no retry helps."""
    try:
        return call()
    except HTTPError:
        raise
    except (http.client.InvalidURL, ValueError) as error:  # perhaps of a redirect
        raise DownloadError(f"{shown(url)} is not a usable address ({error})") from error
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise DownloadError(
                f"{shown(url)}: its certificate cannot be trusted ({reason.verify_message})"
            ) from error
        raise TransientError(reason) from error


def _sorted_status(error: HTTPError, url: str) -> Exception:
    if error.code == 416:
        return RangeNotSatisfiable()
    if error.code in RETRYABLE_STATUS:
        wait = error.headers.get("Retry-After", "")
        return TransientError(f"HTTP {error.code}", float(wait) if wait.isdecimal() else 0.0)
    phrase = http.client.responses.get(error.code, "no known status")  # not the server's own words
    return DownloadError(f"{shown(url)} answers HTTP {error.code} ({phrase})")
