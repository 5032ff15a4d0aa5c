"""POST /predict, /explain and /image, and what GET /model says."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from ... import __version__
from ...bundle.card import DISCLAIMER
from ...bundle.config import BundleConfig
from ...errors import ImageError
from ..decision.confidence import rules_in_words
from ..decision.prediction import Prediction
from . import tasks
from .http import (
    FORM,
    Reply,
    Request,
    RequestRefused,
    Upload,
    UploadMemory,
    as_json,
    read_body,
    read_form,
)
from .limits import Limits
from .live import LiveModel, ServedModel
from .metrics import ServiceMetrics
from .workers import ImageJob, WorkerPool

BYTES = b"application/octet-stream"


@dataclass(frozen=True)
class PredictionHandlers:
    live: LiveModel
    workers: WorkerPool
    memory: UploadMemory
    metrics: ServiceMetrics
    limits: Limits
    needs_token: bool

    async def predict(self, request: Request) -> Reply:
        self.workers.check_capacity()
        uploads = await self._uploads(request, min(self.limits.files, self.limits.pending))
        jobs = await self.workers.predict([one.data for one in uploads], tasks.predictions)
        request.images, request.batch = len(jobs), max(job.batch for job in jobs)
        if len(jobs) == 1:
            return as_json(self._prediction_of(jobs[0]))
        pairs = zip(uploads, jobs, strict=True)
        return as_json({"predictions": [self._named(*pair) for pair in pairs]})

    def _prediction_of(self, job: ImageJob) -> dict[str, Any]:
        if isinstance(job.result, Exception):
            raise self._refused(job.result)
        (prediction,) = job.result
        return self._counted(prediction, job.model)

    def _named(self, upload: Upload, job: ImageJob) -> dict[str, Any]:
        try:
            return {"name": upload.name, **self._prediction_of(job)}
        except RequestRefused as refused:
            return {"name": upload.name, "error": refused.reason}

    def _counted(self, prediction: Prediction, model: ServedModel) -> dict[str, Any]:
        self.metrics.count_prediction(prediction)
        return {**vars(prediction), **model.about}

    def _refused(self, error: Exception) -> Exception:
        if not isinstance(error, ImageError):
            return error
        self.metrics.unreadable.add()
        return RequestRefused(HTTPStatus.UNPROCESSABLE_ENTITY, error.reason)

    async def explain(self, request: Request) -> Reply:
        model = self.live.model
        explanation = await self._in_background(request, tasks.explain, model)
        if "image/png" in request.header(b"accept").lower():
            return Reply(await self.workers.run_in_background(explanation.as_png), b"image/png")
        counted = self._counted(explanation.prediction, model)
        return as_json({**counted, **await self.workers.run_in_background(explanation.as_json)})

    async def image(self, request: Request) -> Reply:
        image = await self._in_background(request, tasks.display_image)
        height, width = image.values.shape
        headers = (
            (b"x-image-width", b"%d" % width),
            (b"x-image-height", b"%d" % height),
            (b"x-image-max", b"%d" % image.maximum),
            (b"x-image-window", f"{image.centre:g},{image.width:g}".encode()),
            (b"x-image-kind", image.kind.encode()),
        )
        return Reply(image.values.astype("<u2").tobytes(), BYTES, headers=headers)

    async def _in_background(self, request: Request, task: Any, *first: Any) -> Any:
        self.workers.check_background()
        (upload,) = await self._uploads(request, 1)
        request.images = 1
        run = self.workers.large_images.run
        try:
            return await self.workers.run_in_background(run, task, *first, upload.data)
        except ImageError as error:
            raise self._refused(error) from error

    async def _uploads(self, request: Request, most: int) -> list[Upload]:
        kind = request.media_type
        if kind.startswith("multipart/") and kind != FORM:
            raise RequestRefused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the only form accepted is {FORM}"
            )
        body = await read_body(request, self.limits.body, self.limits.body_seconds, self.memory)
        if kind == FORM:
            return read_form(body, request.header(b"content-type"), most)
        return [Upload("", body)]

    async def model(self, request: Request) -> Reply:
        """For the page."""
        model = self.live.model
        predictor, config = model.predictor, model.predictor.config
        return as_json(
            {
                "name": model.name,
                "digest": predictor.digest,
                "cxr": __version__,
                "classes": list(config.classes),
                "multi_label": config.multi_label,
                "positive": config.positive,
                "thresholds": config.task.operating_thresholds,
                "population": config.population,
                "disclaimer": DISCLAIMER,
                "rules": rules_in_words(predictor.rules),
                "needs_token": self.needs_token,
                "runtime": predictor.runtime,
                "explain": True,
                "similar": predictor.similar is not None,
                "calibration": calibration_of(config),
                "prevalence": config.training_data.get("prevalence"),
            }
        )


def calibration_of(config: BundleConfig) -> str:
    """`vector` or `temperature`; `unchanged` where validation showed that none was needed (such a
    run records its prevalence), `none` where the model was never calibrated."""
    if config.calibration is not None:
        return str(config.calibration["kind"])
    if config.temperature != 1:
        return "temperature"
    return "none" if config.training_data.get("prevalence") is None else "unchanged"
