"""What this server counts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ... import __version__
from .http import Reply
from .metrics import MEDIA_TYPE, SECONDS, SIZES, Counter, Gauge, Histogram, Measure, exposition

if TYPE_CHECKING:
    from ..decision.prediction import Prediction
    from .http import Memory
    from .live import Live
    from .workers import Desk


class Measures:
    def __init__(self, live: Live, desk: Desk, memory: Memory) -> None:
        self.requests = Counter(
            "cxr_requests_total", "Requests answered.", ("route", "method", "status")
        )
        self.seconds = Histogram(
            "cxr_request_seconds",
            "From the head of a request to its answer.",
            SECONDS,
            ("route",),
        )
        self.batches = Histogram(
            "cxr_batch_images", "Images that went through the network at once.", SIZES
        )
        self.decisions = Counter(
            "cxr_decisions_total", "Images by what was decided.", ("decision",)
        )
        self.unsure = Counter("cxr_unsure_total", "Images of which the model is not sure.")
        self.unlike = Counter("cxr_out_of_distribution_total", "Images unlike the training images.")
        self.unreadable = Counter("cxr_unreadable_total", "What was sent as an image and is none.")
        self.reloads = Counter(
            "cxr_model_reloads_total", "Model files that took over or were refused.", ("outcome",)
        )
        self._all: list[Measure] = [
            *(self.requests, self.seconds, self.batches, self.decisions, self.unsure),
            *(self.unlike, self.unreadable, self.reloads),
            *_states(live, desk, memory),
        ]

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        self.requests.add(route, method, str(int(status)))
        self.seconds.add(seconds, route)

    def image(self, prediction: Prediction) -> None:
        # Any set of labels may be a decision of several: those are not counted one by one.
        known = prediction.decision in prediction.calibrated
        self.decisions.add(prediction.decision if known else "several or none")
        if prediction.confident is False:
            self.unsure.add()
        if prediction.out_of_distribution:
            self.unlike.add()

    def reply(self) -> Reply:
        return Reply(exposition(self._all), MEDIA_TYPE)


def _states(live: Live, desk: Desk, memory: Memory) -> list[Gauge]:
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
        Gauge("cxr_pending_images", "Images waiting or being predicted.", lambda: desk.pending),
        Gauge("cxr_pending_asides", "Images and explanations waiting.", lambda: desk.asides),
        Gauge("cxr_body_bytes", "Bytes of requests in memory.", lambda: memory.used),
        Gauge("cxr_model_info", "The model that answers.", lambda: 1, model),
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
