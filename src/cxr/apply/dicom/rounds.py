"""Every image of some studies in an archive: fetched, read, and answered into the archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import CxrError, ImageError
from .write import Results, make_results, save_results

if TYPE_CHECKING:
    from ..predictor import Predictor
    from .web import Archive, Found


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
    read or answered is a row with its reason; an archive that cannot be searched raises
    DownloadError.
    """
    for study in studies:
        for found in archive.films(study):
            yield {**asdict(found), **_answered(predictor, archive, found, store, out)}


def _answered(
    predictor: Predictor, archive: Archive, found: Found, store: bool, out: Path | None
) -> dict[str, Any]:
    try:
        data = archive.fetch(found)
        if not store and out is None:
            [prediction] = predictor.predictions(predictor.pixels(data)[None])
            return {**asdict(prediction), "error": None}
        return _handed_on(make_results(predictor, data), archive, found, store, out)
    except CxrError as error:
        return {"error": error.reason if isinstance(error, ImageError) else str(error)}


def _handed_on(
    results: Results, archive: Archive, found: Found, store: bool, out: Path | None
) -> dict[str, Any]:
    files = [] if out is None else save_results(results, out)
    if store:
        archive.store(found.study, results.instances)
    return {
        **asdict(results.prediction),
        "stored": store,
        "files": [str(file) for file in files],
        "error": None,
    }
