"""Large images one at a time."""

from __future__ import annotations

import threading
import time
from io import BytesIO

import pytest
from PIL import Image

from cxr.apply.service.limits import LargeImageLock


def png(side: int) -> bytes:
    file = BytesIO()
    Image.new("L", (side, side)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(("side", "at_once"), [(20, 3), (40, 1)])
def test_large_images_pass_one_at_a_time(side: int, at_once: int) -> None:
    large_images, inside, most = LargeImageLock(large=1000), 0, 0
    lock, all_in = threading.Lock(), threading.Barrier(3)

    def work(image: bytes) -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        if at_once == 3:
            all_in.wait(10)
        else:
            time.sleep(0.05)  # for the others to come in, if they could
        with lock:
            inside -= 1

    threads = [threading.Thread(target=large_images.run, args=(work, png(side))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == at_once


def test_a_failure_opens_it_again() -> None:
    large_images = LargeImageLock(large=10)
    with pytest.raises(ZeroDivisionError), large_images.hold(png(20)):
        raise ZeroDivisionError
    assert large_images.run(len, png(20)) == len(png(20))
