"""POST /predict, /explain and /image, and what GET /model says."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...bundle.card import DISCLAIMER
from ...bundle.config import BundleConfig
from ...errors import ImageError
from ..decision.confidence import rules_in_words
from ..decision.prediction import Prediction
from . import tasks as work
from .form import FORM, Upload, read_form
from .http import Refusal, Reply, Request, as_json, read_body
from .live import Model
from .workers import Job

if TYPE_CHECKING:
    from .app import Service

BYTES = b"application/octet-stream"


class Answers:
    def __init__(self, service: Service) -> None:
        self.service, self.limits = service, service.limits
        self.desk, self.measures = service.desk, service.measures

    async def predict(self, request: Request) -> Reply:
        self.desk.check_room()
        uploads = await self._uploads(request, min(self.limits.files, self.limits.pending))
        jobs = await self.desk.predict([one.data for one in uploads], work.predictions)
        request.images, request.batch = len(jobs), max(job.batch for job in jobs)
        if len(jobs) == 1:
            return as_json(self._one(jobs[0]))
        pairs = zip(uploads, jobs, strict=True)
        return as_json({"predictions": [self._named(*pair) for pair in pairs]})

    def _one(self, job: Job) -> dict[str, Any]:
        if isinstance(job.result, Exception):
            raise self._unusable(job.result)
        (prediction,) = job.result
        return self._told(prediction, job.model)

    def _named(self, upload: Upload, job: Job) -> dict[str, Any]:
        try:
            return {"name": upload.name, **self._one(job)}
        except Refusal as refusal:
            return {"name": upload.name, "error": refusal.reason}

    def _told(self, prediction: Prediction, model: Model) -> dict[str, Any]:
        self.measures.image(prediction)
        return {**vars(prediction), **model.said}

    def _unusable(self, error: Exception) -> Exception:
        if not isinstance(error, ImageError):
            return error
        self.measures.unreadable.add()
        return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, error.reason)

    async def explain(self, request: Request) -> Reply:
        model = self.service.live.model
        found = await self._aside(request, work.explain, model)
        if "image/png" in request.header(b"accept").lower():
            return Reply(await self.desk.aside(found.as_png), b"image/png")
        told = self._told(found.prediction, model)
        return as_json({**told, **await self.desk.aside(found.as_json)})

    async def film(self, request: Request) -> Reply:
        film = await self._aside(request, work.film)
        height, width = film.values.shape
        headers = (
            (b"x-image-width", b"%d" % width),
            (b"x-image-height", b"%d" % height),
            (b"x-image-max", b"%d" % film.maximum),
            (b"x-image-window", f"{film.centre:g},{film.width:g}".encode()),
            (b"x-image-kind", film.kind.encode()),
        )
        return Reply(film.values.astype("<u2").tobytes(), BYTES, headers=headers)

    async def _aside(self, request: Request, do: Any, *first: Any) -> Any:
        self.desk.check_aside()
        (upload,) = await self._uploads(request, 1)
        request.images = 1
        try:
            return await self.desk.aside(self.desk.gate.run, do, *first, upload.data)
        except ImageError as error:
            raise self._unusable(error) from error

    async def _uploads(self, request: Request, most: int) -> list[Upload]:
        kind = request.media_type
        if kind.startswith("multipart/") and kind != FORM:
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"of forms only {FORM} is taken")
        limits = self.limits
        body = await read_body(request, limits.body, limits.body_seconds, self.service.memory)
        if kind == FORM:
            return read_form(body, request.header(b"content-type"), most)
        return [Upload("", body)]

    async def model(self, request: Request) -> Reply:
        """For the page."""
        model = self.service.live.model
        predictor, config = model.predictor, model.predictor.config
        return as_json(
            {
                "name": model.name,
                "digest": predictor.digest,
                "cxr": __version__,
                "classes": list(config.classes),
                "multi_label": config.multi_label,
                "positive": config.positive,
                "threshold": config.threshold,
                "population": config.population,
                "disclaimer": DISCLAIMER,
                "rules": rules_in_words(predictor.rules),
                "needs_token": self.service.guard.expected is not None,
                "runtime": predictor.runtime,
                "explain": True,
                "similar": predictor.similar is not None,
                "calibration": calibration_of(config),
                "prevalence": config.training_data.get("prevalence"),
            }
        )


def calibration_of(config: BundleConfig) -> str:
    """`vector` or `temperature`; `unchanged` where validation showed that none was needed (a run
    that looked records its prevalence), `none` where nobody looked."""
    if config.calibration is not None:
        return str(config.calibration["kind"])
    if config.temperature != 1:
        return "temperature"
    return "none" if config.training_data.get("prevalence") is None else "unchanged"
