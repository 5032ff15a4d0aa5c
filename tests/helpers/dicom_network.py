"""Senders of DICOM images, for the tests of a receiver."""

from __future__ import annotations

import time
from io import BytesIO

import pydicom
from pynetdicom import AE
from pynetdicom.sop_class import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    Verification,
)

IMAGES = (ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation)


def associate(port, called="CXR", calling="SENDER", classes=(Verification, *IMAGES)):
    entity = AE(calling)
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = 20
    for sop_class in classes:
        entity.add_requested_context(sop_class)
    return entity.associate("127.0.0.1", port, ae_title=called)


def send(port, *images, **names):
    """Statuses of all images, sent one after the other."""
    association = associate(port, **names)
    assert association.is_established
    statuses = [association.send_c_store(pydicom.dcmread(BytesIO(image))) for image in images]
    association.release()
    return statuses


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
