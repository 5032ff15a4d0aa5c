"""HTTP to an archive: checked addresses, bounded answers, and one line for whatever goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from ..._io import say
from ..._io.network import is_loopback
from ...errors import DownloadError, UsageError

CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS = 10, 60, 300
ATTEMPTS, FIRST_WAIT_MS = 3, 300
MAX_RESPONSE = 256 * 1024**2  # bytes


def check_url(url: str, has_token: bool) -> None:
    try:
        parts = urlsplit(url)
        host, secret = parts.hostname or "", parts.username or parts.password
    except ValueError:
        raise UsageError(f"{url!r} is no address; write https://HOST/PATH") from None
    if secret:
        raise UsageError("no password in the address, where it is shown; use --token-file")
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise UsageError(f"{url!r} is no address of a DICOMweb service; write https://HOST/PATH")
    if parts.scheme == "http" and not is_loopback(host):
        if has_token:
            raise UsageError(f"{url} would carry the token in the clear; use https")
        say(f"the connection to {host} is not encrypted; send images of patients by https")


def bounded_session(token: str | None) -> Any:
    """A session that reads so many bytes in so much time and follows few redirections."""
    import requests

    session = requests.Session()
    session.max_redirects = 3
    if token is not None:
        session.auth = _bearer(token)  # and no password of a .netrc file
    session.mount("https://", _bounded_adapter())
    session.mount("http://", _bounded_adapter())
    return session


def _bearer(token: str) -> Callable[[Any], Any]:
    def sign(request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign


def _bounded_adapter() -> Any:
    from requests.adapters import HTTPAdapter

    class Bounded(HTTPAdapter):
        """requests limits the wait for each byte, not their number nor the whole time."""

        def send(self, request: Any, *values: Any, **named: Any) -> Any:
            response = super().send(request, *values, **{**named, "stream": True})
            response._content = _content_within_bounds(response)
            return response

    return Bounded()


def _content_within_bounds(response: Any) -> bytes:
    parts, size, end = [], 0, time.monotonic() + TOTAL_SECONDS
    for part in response.iter_content(1 << 18):
        size += len(part)
        if size > MAX_RESPONSE or time.monotonic() > end:
            response.close()
            raise DownloadError(
                f"a response of more than {MAX_RESPONSE // 1024**2} MB or {TOTAL_SECONDS} s; "
                "that is no image"
            )
        parts.append(part)
    return b"".join(parts)


@contextmanager
def explained_errors(url: str) -> Iterator[None]:
    """Whatever goes wrong between here and the archive is one line, without what it answered."""
    import requests
    from retrying import RetryError  # type: ignore[import-untyped]

    try:
        yield
    except requests.HTTPError as error:
        code = error.response.status_code if error.response is not None else "no"
        hint = "; check --token-file" if code in (401, 403) else ""
        raise DownloadError(f"{url} answered with status {code}{hint}") from error
    except RetryError as error:
        raise DownloadError(
            f"{url} is too busy, after {ATTEMPTS} tries; try again later"
        ) from error
    except requests.exceptions.SSLError as error:
        raise DownloadError(
            f"{url}: its certificate is not trusted; name your hospital's authority by the "
            "variable REQUESTS_CA_BUNDLE"
        ) from error
    except requests.Timeout as error:
        raise DownloadError(f"{url} does not answer in time; try again later") from error
    except (ValueError, KeyError, TypeError, AttributeError, EOFError) as error:
        raise DownloadError(
            f"{url} does not answer as a DICOMweb service does ({type(error).__name__}); "
            "check the address, as in https://pacs.example/dicom-web"
        ) from error
    except requests.RequestException as error:
        raise DownloadError(f"{url} cannot be reached ({type(error).__name__})") from error
