"""A real browser and a real MLflow server, for tests that look at pages.

The browser is a Chromium of this machine, driven by Playwright. As root on Debian or Ubuntu it is
installed with apt when it is missing; elsewhere a test is skipped without. Pictures of
pages go to ``test-output/``.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

OUTPUT = Path(__file__).resolve().parents[1] / "test-output"
SIZE = {"width": 1440, "height": 1000}
PATIENCE = 60.0

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_QUIET = "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"


@contextmanager
def browser() -> Iterator[BrowserContext]:
    """A headless browser without any history."""
    from playwright.sync_api import sync_playwright

    program = _chromium()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        try:
            context = opened.new_context(viewport=SIZE)
            context.set_default_timeout(30_000)
            yield context
        finally:
            opened.close()


def view_name(task: str) -> list[str]:
    """The saved view's name on the page; nothing where this MLflow shows none."""
    import mlflow
    from packaging.version import Version
    from velour_integrations.mlflow.runs.saved_view import NAMED

    return [f"Velour: {task}"] if Version(mlflow.__version__) >= NAMED else []


def without_assistant(context: BrowserContext) -> None:
    """Keep MLflow's assistant from opening over what is looked at."""
    context.add_init_script(f"try {{ {_QUIET} }} catch {{}}")  # frames of reports have no storage


def see(page: Page, *texts: str) -> None:
    """Wait until each text is on the page."""
    for text in texts:
        page.get_by_text(text).first.wait_for(state="attached")


def picture(page: Page, name: str, whole: bool = False) -> None:
    """Keep a picture of a page, for people to look at."""
    OUTPUT.mkdir(exist_ok=True)
    page.screenshot(path=OUTPUT / f"{name}.png", full_page=whole)


def tour(names: Sequence[str], seconds: float = 3.0, width: int = 960) -> Path:
    """Make one animated picture of those that ``picture`` kept, each shown for some seconds."""
    frames = []
    for name in names:
        with Image.open(OUTPUT / f"{name}.png") as image:
            scaled = image.convert("RGB").resize((width, width * image.height // image.width))
        frames.append(scaled)
    path = OUTPUT / "mlflow-tour.webp"
    duration = round(seconds * 1000)
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=duration, loop=0)
    return path


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Run ``mlflow server`` in a process of its own; gives its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ("-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port))
    stores = ("--backend-store-uri", f"sqlite:///{folder / 'server.db'}")
    places = ("--artifacts-destination", str(folder / "artifacts"), "--workers", "1")
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    log = folder / "server.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, *command, *stores, *places],
            stdout=output,
            stderr=output,
            cwd=folder,
            env={**os.environ, "PATH": path, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            start_new_session=True,
        ) as server,
    ):
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise AssertionError(f"the server does not answer:\n{log.read_text()[-3000:]}")


def _chromium() -> str:
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ("install", "-y", "--no-install-recommends", "-oDPkg::Lock::Timeout=300")
        for command in (("update",), (*install, "chromium")):
            subprocess.run(["apt-get", *command], env=quiet, capture_output=True, check=False)
        found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("no Chromium on this machine; Debian, Ubuntu: apt-get install chromium")
    return found
