"""Images out of a DICOMweb archive (QIDO-RS, WADO-RS) and results into it (STOW-RS); PS3.18."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._io import quiet_pydicom, say
from ..._io.extras import needed_for
from ..._io.network import read_token
from ...errors import CxrError, DownloadError, ImageError
from .codes import text
from .results import DicomResults, make_results, save_results
from .session import (
    ATTEMPTS,
    CONNECT_SECONDS,
    FIRST_WAIT_MS,
    READ_SECONDS,
    bounded_session,
    check_url,
    explained_errors,
)
from .source import IMAGE_CLASSES

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from ..predictor import Predictor

MODALITIES = ("CR", "DX")
STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"
SOP_CLASS, MODALITY = "00080016", "00080060"


@dataclass(frozen=True)
class ArchivedImage:
    """One image in the archive, by its UIDs."""

    study: str
    series: str
    instance: str


class Archive:
    """A DICOMweb service. Certificates are always checked; no request is tried without end."""

    def __init__(self, url: str, token_file: Path | None = None) -> None:
        """Raises UsageError for an address or token that must not be used."""
        with needed_for("cxr dicomweb"):
            from dicomweb_client.api import DICOMwebClient
        quiet_pydicom()
        logging.getLogger("dicomweb_client").disabled = True  # it may quote what a server says
        token = None if token_file is None else read_token(token_file)
        check_url(url, token is not None)
        self.url = url
        with explained_errors(url):
            self._client = DICOMwebClient(
                url.rstrip("/"),
                session=bounded_session(token),
                timeout=(CONNECT_SECONDS, READ_SECONDS),
            )
        self._client.set_http_retry_params(True, ATTEMPTS, FIRST_WAIT_MS)

    def studies(self, date: str, limit: int) -> list[str]:
        """StudyInstanceUIDs with images of a day (20240131) or days (20240101-20240131)."""
        studies: dict[str, None] = {}
        for modality in MODALITIES:
            filters = {"StudyDate": date, "ModalitiesInStudy": modality}
            search = partial(self._client.search_for_studies, search_filters=filters, limit=limit)
            studies |= dict.fromkeys(study for (study,) in self._search(search, STUDY) if study)
        if len(studies) >= limit:
            say(f"only the first {limit:,} studies are looked at; there may be more (--limit)")
        return list(studies)[:limit]

    def images(self, study: str) -> Iterator[ArchivedImage]:
        """CR and DX of a study; one line says what else there is and is left out."""
        omitted: Counter[str] = Counter()
        search = partial(self._client.search_for_series, study)
        for series, modality in self._search(search, SERIES, MODALITY):
            if modality not in MODALITIES or not series:
                omitted[modality or "?"] += 1
                continue
            search = partial(self._client.search_for_instances, study, series)
            for instance, sop_class in self._search(search, INSTANCE, SOP_CLASS):
                if sop_class in IMAGE_CLASSES:
                    yield ArchivedImage(study, series, instance)
                else:
                    omitted[f"{modality} not for presentation"] += 1
        if omitted:
            counts = ", ".join(f"{text(kind, 30)} {n:,}" for kind, n in omitted.items())
            say(f"left out, only {' and '.join(MODALITIES)} images are read: {counts}")

    def _search(self, call: Callable[[], Any], *tags: str) -> list[tuple[str, ...]]:
        """The values of `tags` of each match."""
        with explained_errors(self.url):
            return [tuple(_value(item, tag) for tag in tags) for item in call()]

    def fetch(self, image: ArchivedImage) -> bytes:
        """A DICOM file as the archive holds it, in its own transfer syntax."""
        from pydicom import dcmwrite

        dataset = self._request(
            self._client.retrieve_instance,
            image.study,
            image.series,
            image.instance,
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
        response = self._request(self._client.store_instances, list(instances), study)
        failed: Any = response.get("FailedSOPSequence")
        if failed:
            reason = failed[0].get("FailureReason")
            code = f" (reason {reason:04X}h)" if isinstance(reason, int) else ""
            raise DownloadError(f"{self.url} refused {len(failed)} of the results{code}")

    def _request(self, call: Callable[..., Any], *values: Any, **named: Any) -> Any:
        with explained_errors(self.url):
            return call(*values, **named)


def _value(item: dict[str, Any], tag: str) -> str:
    """The first value of DICOM JSON (PS3.18 F.2)."""
    values = item.get(tag, {}).get("Value") or [""]
    return str(values[0])


def answer_studies(
    predictor: Predictor,
    archive: Archive,
    studies: Iterable[str],
    *,
    store: bool = False,
    out: Path | None = None,
) -> Iterator[dict[str, Any]]:
    """A row for each image: its UIDs, the fields of `Prediction`, `stored` and `files`; or `error`.

    Results are stored into the archive, written to `out`, both or neither. An image that cannot be
    read or stored is a row with its reason.
    Raises DownloadError when the archive cannot be searched.
    """
    for study in studies:
        for image in archive.images(study):
            yield {**asdict(image), **_answer_image(predictor, archive, image, store, out)}


def _answer_image(
    predictor: Predictor, archive: Archive, image: ArchivedImage, store: bool, out: Path | None
) -> dict[str, Any]:
    try:
        data = archive.fetch(image)
        if not store and out is None:
            pixels, frame = predictor.framed(data)
            [prediction] = predictor.predictions(pixels[None], frames=[frame])
            return {**prediction.as_json(), "error": None}
        return _hand_over(make_results(predictor, data), archive, image, store, out)
    except CxrError as error:
        return {"error": error.reason if isinstance(error, ImageError) else str(error)}


def _hand_over(
    results: DicomResults, archive: Archive, image: ArchivedImage, store: bool, out: Path | None
) -> dict[str, Any]:
    files = [] if out is None else save_results(results, out)
    if store:
        archive.store(image.study, results.instances)
    return {
        **results.prediction.as_json(),
        "stored": store,
        "files": [str(file) for file in files],
        "error": None,
    }
