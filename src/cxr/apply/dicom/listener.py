"""A C-STORE receiver: images come in, reports and heat maps go back (DICOM PS3.4 B, PS3.7)."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from threading import Lock, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..._io import quiet_pydicom, say
from ..._io.extras import needed_for
from ..._io.network import is_loopback
from ...errors import CxrError, ImageError, UsageError
from .bounds import (
    PDU_SIZE,
    ImageQueue,
    ReceivedImage,
    bound_connection,
    connection_closed,
    object_received,
)
from .codes import text
from .peer import Peer, check_ae_title, send
from .results import make_results, save_results
from .source import IMAGE_CLASSES, read_source

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pynetdicom.events import Event

    from ..predictor import Predictor

MAX_ASSOCIATIONS, MAX_CONNECTIONS = 8, 24
IDLE_SECONDS = 60  # of an association in which nothing happens
LEAVE_SECONDS, DRAIN_SECONDS = 10.0, 120.0
VERIFICATION = "1.2.840.10008.1.1"  # C-ECHO
OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0xA700, 0xC000


@dataclass(frozen=True)
class ListenSettings:
    """`send_to`, `out` or both say where results go. `allow` holds the AE titles that may send;
    without it only this machine may."""

    host: str = "127.0.0.1"
    port: int = 11112
    ae_title: str = "CXR"
    send_to: Peer | None = None
    out: Path | None = None
    allow: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises UsageError for what cannot be or is not safe."""
        for title in (self.ae_title, *self.allow):
            check_ae_title(title)
        if self.send_to is None and self.out is None:
            raise UsageError("say where results go: --send-to AE@HOST:PORT, --out DIR or both")
        if not is_loopback(self.host) and not self.allow:
            raise UsageError(
                f"{self.host} can be reached by other machines; name who may send images by "
                "--allow-ae TITLE (several times for several), or listen on 127.0.0.1"
            )


class Listener:
    """`with Listener(predictor, settings) as listener: listener.wait()`.

    Holds images in memory alone and only until they are predicted: it is no archive.
    `received`, `done` and `failed` count them.
    """

    def __init__(self, predictor: Predictor, settings: ListenSettings) -> None:
        settings.check()
        self.predictor, self.settings = predictor, settings
        self.queue = ImageQueue()
        self.received = self.done = self.failed = 0
        self._numbers, self._counting = itertools.count(1), Lock()
        self._stop_requested = Flag()
        self._worker = Thread(target=self._predict_all, name="cxr-listen", daemon=True)

    def __enter__(self) -> Listener:
        self._entity = _application_entity(self.settings)
        self._server = _start_server(self._entity, self.settings, self._store)
        self._worker.start()
        return self

    @property
    def port(self) -> int:
        """The one it listens on, also where 0 was given."""
        return int(self._server.server_address[1])

    def wait(self) -> None:
        """Until `request_stop` is called, in another thread or a signal's handler."""
        while not self._stop_requested.wait(0.5):  # a wait without end hides Ctrl-C on Windows
            pass

    def request_stop(self) -> None:
        self._stop_requested.set()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """No new image; those being sent and those that wait are finished, in bounded time."""
        self._server.shutdown()
        end = time.monotonic() + LEAVE_SECONDS
        while self._entity.active_associations and time.monotonic() < end:
            time.sleep(0.05)
        self._entity.shutdown()
        self.queue.close()
        self._worker.join(DRAIN_SECONDS)
        lost = self.queue.close(discard=True)
        if lost:
            say(f"stopped with {lost:,} images unread; send them again")

    def _store(self, event: Event) -> int | Dataset:
        """One C-STORE request, in the thread of its association: refused or queued."""
        number = self.received = next(self._numbers)
        sender = event.assoc.requestor
        try:
            data = event.encoded_dataset()
            read_source(data, f"image {number}")
        except ImageError as error:
            return self._refused(CANNOT_UNDERSTAND, number, error.reason)
        except Exception:  # whatever a sender makes pynetdicom stumble over
            return self._refused(CANNOT_UNDERSTAND, number, "cannot be read")
        image = ReceivedImage(number, data, str(sender.ae_title).strip(), str(sender.address))
        if not self.queue.offer(image):
            return self._refused(OUT_OF_RESOURCES, number, "too many images wait; send it later")
        return 0x0000

    def _refused(self, status: int, number: int, reason: str) -> Dataset:
        from pydicom.dataset import Dataset

        self._count_failure(f"image {number} is refused: {reason}")
        answer = Dataset()
        answer.Status = status
        answer.ErrorComment = text(reason, 64).encode("ascii", "replace").decode()
        return answer

    def _predict_all(self) -> None:
        while (image := self.queue.take()) is not None:
            start = time.monotonic()
            try:
                where = self._answer(image)
            except CxrError as error:
                self._failed(image, error.reason if isinstance(error, ImageError) else str(error))
            except Exception as error:  # one image must never end the service
                self._failed(
                    image, f"unexpected {type(error).__name__}"
                )  # its text may quote names
            else:
                self.done += 1
                say(f"image {image.number}: results {where} in {time.monotonic() - start:.1f} s")

    def _failed(self, image: ReceivedImage, reason: str) -> None:
        self._count_failure(f"image {image.number} failed: {reason}")

    def _count_failure(self, line: str) -> None:
        with self._counting:
            self.failed += 1
        say(line)

    def _answer(self, image: ReceivedImage) -> str:
        """Predicts and hands the results on; returns where to."""
        results = make_results(self.predictor, image.data, name=f"image {image.number}")
        places = []
        if self.settings.out is not None:
            save_results(results, self.settings.out)
            places.append(f"in {self.settings.out}")
        if self.settings.send_to is not None:
            peer = self.settings.send_to.answering(image.ae_title, image.host)
            send(peer, results.instances, self.settings.ae_title)
            places.append(f"to {peer}")
        return " and ".join(places)


def _application_entity(settings: ListenSettings) -> Any:
    with needed_for("cxr listen"):
        from pynetdicom import AE
    quiet_pydicom()
    entity = AE(settings.ae_title)
    entity.maximum_associations = MAX_ASSOCIATIONS
    entity.maximum_pdu_size = PDU_SIZE
    entity.network_timeout = entity.acse_timeout = entity.dimse_timeout = IDLE_SECONDS
    entity.require_called_aet = True
    entity.require_calling_aet = list(settings.allow)
    entity.add_supported_context(VERIFICATION)
    for sop_class in IMAGE_CLASSES:
        entity.add_supported_context(sop_class, _readable_syntaxes())
    return entity


def _readable_syntaxes() -> list[str]:
    """Those whose pixels can be decoded here."""
    from pydicom.uid import AllTransferSyntaxes, DeflatedExplicitVRLittleEndian

    from ...pixels import decoder_fault

    return [
        syntax
        for syntax in AllTransferSyntaxes
        if syntax != DeflatedExplicitVRLittleEndian and decoder_fault(syntax) is None
    ]


def _start_server(entity: Any, settings: ListenSettings, store: Any) -> Any:
    from pynetdicom import evt

    handlers = [
        (evt.EVT_CONN_OPEN, bound_connection),
        (evt.EVT_DIMSE_RECV, object_received),
        (evt.EVT_CONN_CLOSE, connection_closed),
        (evt.EVT_C_STORE, store),
    ]
    try:
        server = entity.start_server(
            (settings.host, settings.port), block=False, evt_handlers=handlers
        )
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"cannot listen on {settings.host}:{settings.port} "
            f"({getattr(error, 'strerror', None) or error}); choose another --host or --port"
        ) from error
    # Each connection costs two threads before anybody has said who they are. They start one
    # by one, not in threads of their own, so that the count is right.
    server.process_request = lambda *request: server.finish_request(*request)
    server.verify_request = lambda *_: len(server.active_associations) < MAX_CONNECTIONS
    return server
