"""What the service counts; the kinds of metrics are in `monitoring`."""

from __future__ import annotations

import time

from ... import __version__
from ..decision.prediction import Prediction
from .http import Reply, UploadMemory
from .live import LiveModel
from .monitoring import MEDIA_TYPE, SECONDS, SIZES, Counter, Gauge, Histogram, Measure, exposition
from .workers import WorkerPool


class ServiceMetrics:
    def __init__(self, live: LiveModel, workers: WorkerPool, memory: UploadMemory) -> None:
        self.requests = Counter(
            "cxr_requests_total", "Requests answered.", ("route", "method", "status")
        )
        self.seconds = Histogram(
            "cxr_request_seconds",
            "From the head of a request to its reply.",
            SECONDS,
            ("route",),
        )
        self.batches = Histogram(
            "cxr_batch_images", "Images that went through the network at once.", SIZES
        )
        self.decisions = Counter(
            "cxr_decisions_total", "Images by what was decided.", ("decision",)
        )
        self.not_confident = Counter(
            "cxr_not_confident_total", "Images on which the model abstains."
        )
        self.not_judged = Counter(
            "cxr_not_judged_total", "Images of which something could not be judged."
        )
        self.out_of_distribution = Counter(
            "cxr_out_of_distribution_total", "Images unlike the training images."
        )
        self.unreadable = Counter("cxr_unreadable_total", "Uploads that are no readable image.")
        self.reloads = Counter(
            "cxr_model_reloads_total", "Model files that took over or were refused.", ("outcome",)
        )
        self._all: list[Measure] = [*vars(self).values(), *_gauges(live, workers, memory)]

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        self.requests.add(route, method, str(int(status)))
        self.seconds.add(seconds, route)

    def count_prediction(self, prediction: Prediction) -> None:
        # With several labels any set of them may be a decision: those are not counted one by one.
        known = prediction.decision in prediction.calibrated
        self.decisions.add(prediction.decision if known else "several or none")
        if prediction.confident is False:
            self.not_confident.add()
        if prediction.not_judged:
            self.not_judged.add()
        if prediction.out_of_distribution:
            self.out_of_distribution.add()

    def reply(self) -> Reply:
        return Reply(exposition(self._all), MEDIA_TYPE)


def _gauges(live: LiveModel, workers: WorkerPool, memory: UploadMemory) -> list[Gauge]:
    started = time.time()

    def model() -> dict[str, str]:
        predictor = live.model.predictor
        return {
            "name": live.name,
            "digest": predictor.digest,
            "runtime": predictor.runtime,
            "cxr": __version__,
        }

    return [
        Gauge("cxr_pending_images", "Images waiting or being predicted.", lambda: workers.pending),
        Gauge(
            "cxr_background_images",
            "Images and explanations waiting.",
            lambda: workers.in_background,
        ),
        Gauge("cxr_body_bytes", "Bytes of requests in memory.", lambda: memory.used),
        Gauge("cxr_model_info", "The model in use.", lambda: 1, model),
        Gauge(
            "cxr_model_loaded_seconds", "When it took over, Unix time.", lambda: live.model.loaded
        ),
        Gauge(
            "cxr_model_file_refused",
            "1 while the model file on disk is not the one that answers.",
            lambda: live.refused,
        ),
        Gauge("cxr_start_seconds", "When the server started, Unix time.", lambda: started),
    ]
