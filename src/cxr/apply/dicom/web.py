"""Images out of a DICOMweb archive (QIDO-RS, WADO-RS) and results into it (STOW-RS); PS3.18."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..._io import say
from ...errors import DownloadError, UsageError
from .codes import text
from .extra import extra, quiet
from .peer import is_loopback
from .source import IMAGE_CLASSES

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MODALITIES = ("CR", "DX")
CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 10, 60, 300
ATTEMPTS, FIRST_WAIT_MS = 3, 300
MAX_ANSWER = 256 * 1024**2  # bytes
STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"
SOP_CLASS, MODALITY = "00080016", "00080060"


@dataclass(frozen=True)
class Found:
    """One image in the archive, by its UIDs."""

    study: str
    series: str
    instance: str


class Archive:
    """A DICOMweb service. Certificates are always checked; no request is tried without end."""

    def __init__(self, url: str, token_file: Path | None = None) -> None:
        """Raises UsageError for an address or token that must not be used."""
        with extra("cxr dicomweb"):
            from dicomweb_client.api import DICOMwebClient
        quiet()
        logging.getLogger("dicomweb_client").disabled = True  # it may quote what a server says
        token = None if token_file is None else _read_token(token_file)
        _check_url(url, token is not None)
        self.url = url
        with _asking(url):
            self._client = DICOMwebClient(
                url.rstrip("/"),
                session=_session(token),
                timeout=(CONNECT_SECONDS, READ_SECONDS),
            )
        self._client.set_http_retry_params(True, ATTEMPTS, FIRST_WAIT_MS)

    def studies(self, date: str, limit: int) -> list[str]:
        """StudyInstanceUIDs with images of a day (20240131) or days (20240101-20240131)."""
        found: dict[str, None] = {}
        for modality in MODALITIES:
            filters = {"StudyDate": date, "ModalitiesInStudy": modality}
            search = partial(self._client.search_for_studies, search_filters=filters, limit=limit)
            found |= dict.fromkeys(study for (study,) in self._search(search, STUDY) if study)
        if len(found) >= limit:
            say(f"only the first {limit:,} studies are looked at; there may be more (--limit)")
        return list(found)[:limit]

    def films(self, study: str) -> Iterator[Found]:
        """CR and DX of a study; one line says what else there is and is left out."""
        left_out: Counter[str] = Counter()
        search = partial(self._client.search_for_series, study)
        for series, modality in self._search(search, SERIES, MODALITY):
            if modality not in MODALITIES or not series:
                left_out[modality or "?"] += 1
                continue
            search = partial(self._client.search_for_instances, study, series)
            for instance, sop_class in self._search(search, INSTANCE, SOP_CLASS):
                if sop_class in IMAGE_CLASSES:
                    yield Found(study, series, instance)
                else:
                    left_out[f"{modality} not for presentation"] += 1
        if left_out:
            counts = ", ".join(f"{text(kind, 30)} {n:,}" for kind, n in left_out.items())
            say(f"left out, only {' and '.join(MODALITIES)} images are read: {counts}")

    def _search(self, call: Callable[[], Any], *tags: str) -> list[tuple[str, ...]]:
        """The values of `tags` of each match."""
        with _asking(self.url):
            return [tuple(_value(item, tag) for tag in tags) for item in call()]

    def fetch(self, found: Found) -> bytes:
        """A DICOM file as the archive holds it, in its own transfer syntax."""
        from pydicom import dcmwrite

        dataset = self._ask(
            self._client.retrieve_instance,
            found.study,
            found.series,
            found.instance,
            media_types=(("application/dicom", "*"),),
        )
        file = BytesIO()
        try:
            dcmwrite(file, dataset, enforce_file_format=True)
        except Exception as error:  # damaged elements raise errors of many kinds
            raise DownloadError(f"{self.url} gave a damaged image; export it again") from error
        return file.getvalue()

    def store(self, study: str, instances: Sequence[Dataset]) -> None:
        """Raises DownloadError unless the archive says that it has them all."""
        answer = self._ask(self._client.store_instances, list(instances), study)
        failed: Any = answer.get("FailedSOPSequence")
        if failed:
            reason = failed[0].get("FailureReason")
            code = f" (reason {reason:04X}h)" if isinstance(reason, int) else ""
            raise DownloadError(f"{self.url} refused {len(failed)} of the results{code}")

    def _ask(self, call: Callable[..., Any], *values: Any, **named: Any) -> Any:
        with _asking(self.url):
            return call(*values, **named)


@contextmanager
def _asking(url: str) -> Iterator[None]:
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


def _check_url(url: str, has_token: bool) -> None:
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


def _read_token(file: Path) -> str:
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} holds no token that can be read; write it on one line") from error
    if not token or len(token.split()) != 1:
        raise UsageError(f"{file} must hold one token on one line")
    return token


def _session(token: str | None) -> Any:
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
            response._content = _all_of(response)
            return response

    return Bounded()


def _all_of(response: Any) -> bytes:
    parts, size, end = [], 0, time.monotonic() + WHOLE_SECONDS
    for part in response.iter_content(1 << 18):
        size += len(part)
        if size > MAX_ANSWER or time.monotonic() > end:
            response.close()
            raise DownloadError(
                f"an answer of more than {MAX_ANSWER // 1024**2} MB or {WHOLE_SECONDS} s; "
                "that is no image"
            )
        parts.append(part)
    return b"".join(parts)


def _value(item: dict[str, Any], tag: str) -> str:
    """The first value of DICOM JSON (PS3.18 F.2)."""
    values = item.get(tag, {}).get("Value") or [""]
    return str(values[0])
