"""A real server of a small model, and a real browser to visit it: one Chromium at a time."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

SERVER = Path(__file__).with_name("server.py")
READ = "[...document.querySelectorAll('.image')].every(one => !one.querySelector('.icon.wait'))"


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One image of each kind, by name; 16-bit.dcm has 12 bits in 16."""
    from cxr.find.phantom import PhantomSpec, render_image
    from cxr.find.phantom.dicom import write_dicom

    folder = tmp_path_factory.mktemp("images")
    eight = render_image(1, spec=PhantomSpec(size=256)).pixels
    deep = render_image(2, spec=PhantomSpec(size=256), bits=12)
    Image.fromarray(eight).save(folder / "an image.jpg", quality=95)
    Image.fromarray(eight).save(folder / "b image.png")
    Image.fromarray(deep.pixels * np.uint16(16)).save(folder / "c 16-bit.png")
    write_dicom(folder / "d 16-bit.dcm", deep, seed=1)
    (folder / "e broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more than this")
    for i in range(10):
        Image.fromarray(np.roll(eight, 12 * i, axis=1)).save(folder / f"image {i}.png")
    return {path.stem.split(" ", 1)[-1] + path.suffix: path for path in sorted(folder.iterdir())}


@pytest.fixture(scope="session")
def token() -> str:
    return "a-token-of-the-tests-0123456789"


@pytest.fixture(scope="module")
def sites(
    browser: Any, token: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Addresses of a server that is "open" and of one that is "guarded" by a token."""
    folder = tmp_path_factory.mktemp("sites")
    settings = {**os.environ, "OMP_NUM_THREADS": "1", "CXR_CACHE_DIR": str(folder)}
    command = [sys.executable, str(SERVER), str(folder), token]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=settings)
    assert server.stdout is not None
    addresses = server.stdout.readline().split()
    try:
        yield dict(zip(("open", "guarded"), addresses, strict=True))
    finally:
        server.terminate()
        server.wait(30)
        server.stdout.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Not for the session: while Playwright runs, no other test here can run an event loop."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("there is no chromium here; Debian: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@dataclass
class Visit:
    """The page, opened, with all that it asked for and complained of."""

    page: Any
    site: str
    asked: list[Any] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def add(self, *files: Path, wait: bool = True) -> None:
        before = self.page.locator(".image").count()
        self.page.set_input_files("#files", [str(file) for file in files])
        if wait:
            self.wait_read(before + len(files))

    def drop(self, *files: Path) -> None:
        """As from a file manager."""
        sent = [(file.name, base64.b64encode(file.read_bytes()).decode()) for file in files]
        self.page.evaluate(
            """files => {
                const carried = new DataTransfer();
                for (const [name, data] of files) {
                    const bytes = Uint8Array.from(atob(data), one => one.charCodeAt(0));
                    carried.items.add(new File([bytes], name));
                }
                const event = { dataTransfer: carried, bubbles: true, cancelable: true };
                for (const kind of ["dragenter", "dragover", "drop"])
                    document.getElementById("stage").dispatchEvent(new DragEvent(kind, event));
            }""",
            sent,
        )
        self.wait_read(len(files))

    def wait_read(self, n: int) -> None:
        self.page.wait_for_function(
            f"n => document.querySelectorAll('.image').length === n && {READ}", arg=n
        )

    def states(self) -> list[str]:
        return self.page.locator(".image-state").all_inner_texts()

    def text(self, name: str) -> str:
        return self.page.locator(f"#{name}").inner_text()

    def settle(self) -> None:
        """Until what was drawn last is on the canvas."""
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def pixels(self) -> np.ndarray:
        """The canvas, (H, W, 4) uint8."""
        self.settle()
        width, height, data = self.page.evaluate(
            """() => {
                const canvas = document.getElementById("canvas");
                const { width, height } = canvas;
                const url = canvas.toDataURL("image/png");
                return [width, height, url.split(",")[1]];
            }"""
        )
        image = np.asarray(Image.open(BytesIO(base64.b64decode(data))).convert("RGBA"))
        assert image.shape[:2] == (height, width)
        return image

    def slide(self, name: str, value: float) -> None:
        self.page.locator(f"#{name}").evaluate(
            "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')) }",
            value,
        )

    def sideways(self) -> int:
        """Pixels by which the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


OpenPage = Callable[..., Visit]


@pytest.fixture
def visit(browser: Any, sites: dict[str, str]) -> Iterator[OpenPage]:
    """`visit(site="open", scheme="light", size=(1280, 800), touch=False)`.

    Afterwards: nothing was asked of another origin, the policy was kept, no script failed.
    """
    visits: list[Visit] = []

    def open_page(
        site: str = "open",
        scheme: str = "light",
        size: Sequence[int] = (1280, 800),
        touch: bool = False,
        ready: bool = True,
    ) -> Visit:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            has_touch=touch,
            reduced_motion="reduce",
            accept_downloads=True,
        )
        context.set_default_timeout(20_000)
        one = Visit(context.new_page(), sites[site])
        visits.append(one)
        one.page.on("request", lambda request: one.asked.append(request))
        one.page.on("console", lambda message: one.said.append(message.text))
        one.page.on("pageerror", lambda error: one.said.append(f"script failed: {error}"))
        one.page.goto(one.site)
        if ready:
            one.page.wait_for_selector("body[data-ready]", state="attached")
        return one

    yield open_page
    for one in visits:
        one.page.context.close()
        allowed = (one.site, "blob:", "data:")
        assert [r.url for r in one.asked if not r.url.startswith(allowed)] == []
        # Chromium itself notes each refused request.
        assert [said for said in one.said if "Failed to load resource" not in said] == []
