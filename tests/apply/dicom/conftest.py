"""A small model, images with headers of every kind, and a real archive where one is installed."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cxr.apply.dicom import Listener, ListenSettings
from cxr.apply.predictor import Predictor, load_predictor
from cxr.backbones import Architecture, build_network
from cxr.bundle import BundleConfig, write_bundle

pytest.importorskip("highdicom")
pytest.importorskip("pynetdicom")
pytest.importorskip("dicomweb_client")

SIZE = 64
NAME, ID = "SECRET^Person", "SECRET-4711"
DICOMWEB_PLUGIN = [
    *(Path(folder) for folder in ("/usr/share/orthanc/plugins", "/usr/lib/orthanc")),
]
MakePredictor = Callable[..., Predictor]
MakeImage = Callable[..., bytes]


@pytest.fixture(scope="session")
def make_predictor(tmp_path_factory: pytest.TempPathFactory) -> MakePredictor:
    """`make_predictor(classes=, ...)` -> a predictor of random weights."""

    def make(
        classes: tuple[str, ...] = ("NORMAL", "PNEUMONIA"), seed: int = 1, **config: Any
    ) -> Predictor:
        backbone = "test_efficientnet"
        network, source = build_network(Architecture(backbone, len(classes), SIZE), None, seed=seed)
        facts = {"temperature": 1.7, "threshold": 0.4, "weights_source": source, **config}
        if len(classes) == 2 and not facts.get("multi_label"):
            facts.setdefault("positive", classes[1])
        settings = BundleConfig(classes=classes, backbone=backbone, size=SIZE, **facts)
        path = tmp_path_factory.mktemp("model") / "tiny.cxr"
        return load_predictor(write_bundle(path, network, settings), "torch")

    return make


@pytest.fixture(scope="session")
def predictor(make_predictor: MakePredictor) -> Predictor:
    return make_predictor(population="images of phantoms, ünd no patient")


@pytest.fixture(scope="session")
def make_image(tmp_path_factory: pytest.TempPathFactory) -> MakeImage:
    """`make_image(Keyword=value, ...)` -> a DICOM file's bytes; None takes an attribute away."""
    import pydicom

    from cxr._io import progress_disabled
    from cxr.find import get_image_files
    from cxr.find.phantom import write_phantom

    folder = tmp_path_factory.mktemp("image") / "phantom"
    with progress_disabled():
        write_phantom(folder, n_images=4, seed=3, format="dicom", size=96)
    whole = sorted(get_image_files(folder))[0].read_bytes()

    def make(**changes: Any) -> bytes:
        dataset = pydicom.dcmread(BytesIO(whole))
        dataset.PatientName, dataset.PatientID = NAME, ID
        for keyword, value in changes.items():
            if value is None:
                del dataset[keyword]
            elif not isinstance(value, bytes):
                setattr(dataset, keyword, value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(BytesIO(as_file(dataset)))  # now in its own character set
            for keyword, value in changes.items():
                if isinstance(value, bytes):
                    dataset[keyword] = raw(keyword, value)
            return as_file(dataset)

    return make


def as_file(dataset: Any) -> bytes:
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID") or "1.2"
    file = BytesIO()
    dataset.save_as(file)
    return file.getvalue()


def raw(keyword: str, value: bytes) -> Any:
    """An element as it stands in a file, right or wrong."""
    from pydicom.datadict import dictionary_VR, tag_for_keyword
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    tag = Tag(tag_for_keyword(keyword))
    return RawDataElement(tag, dictionary_VR(keyword), len(value), value, 0, False, True)


@pytest.fixture(scope="session")
def conforms() -> Callable[[Path], None]:
    """Fails the test for each error that dciodvfy finds in a file."""
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (Debian: dicom3tools) is not installed")

    def check(path: Path) -> None:
        done = subprocess.run([program, path], capture_output=True, text=True, errors="replace")
        said = (done.stdout + done.stderr).splitlines()
        assert said  # it names the kind of object at least
        assert [line for line in said if line.startswith("Error")] == []

    return check


@pytest.fixture
def listening(predictor, tmp_path):
    """`listening(...)` -> a started listener; stopped at the end of the test."""
    open_ones = []

    def start(**settings):
        settings = {"port": 0, "out": tmp_path / "out", **settings}
        listener = Listener(predictor, ListenSettings(**settings))
        open_ones.append(listener)
        return listener.__enter__()

    yield start
    for listener in open_ones:
        listener.__exit__(None, None, None)


@pytest.fixture(autouse=True)
def no_socket_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """pynetdicom forgets to close one whose other side was the first to go; the collector of
    garbage does it later, and the warning would fail another test."""
    from pynetdicom.transport import AssociationSocket

    shut_down = AssociationSocket._shutdown_socket

    def and_close(self: Any) -> None:
        shut_down(self)
        if self.socket is not None:
            self.socket.close()

    monkeypatch.setattr(AssociationSocket, "_shutdown_socket", and_close)


class Orthanc(NamedTuple):
    url: str
    port: int  # of DICOM


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """A real archive with DICOMweb, empty, on free ports of this machine."""
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    plugins = [f for folder in DICOMWEB_PLUGIN for f in folder.glob("libOrthancDicomWeb.so*")]
    if program is None or not plugins:
        pytest.skip("Orthanc (Debian: orthanc, orthanc-dicomweb) is not installed")
    folder = tmp_path_factory.mktemp("orthanc")
    http, dicom = free_port(), free_port()
    settings = {
        "Name": "cxr-test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(plugins[0])],
        "HttpPort": http,
        "DicomPort": dicom,
        "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen([program, folder / "orthanc.json"], stdout=log, stderr=log)
        try:
            _await(f"http://127.0.0.1:{http}/system", process)
            yield Orthanc(f"http://127.0.0.1:{http}/dicom-web", dicom)
        finally:
            process.terminate()
            process.wait(20)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "Orthanc did not start"
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("Orthanc does not answer")
