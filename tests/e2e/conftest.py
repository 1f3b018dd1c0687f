"""The running app and a real browser: one server and one Chromium or Chrome for all tests."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_MISSING = "no Chromium or Chrome found: install one (Debian, Ubuntu: apt install chromium) or name it with CHROME=PATH"


def pytest_collection_modifyitems(items) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


def find_browser() -> str | None:
    """The browser named by CHROME, else the first Chromium or Chrome of this machine."""
    named = os.environ.get("CHROME")
    if named:
        return shutil.which(named)
    found = (shutil.which(name) for name in (*_NAMES, *_PLACES))
    return next((path for path in found if path), None)


@pytest.fixture(scope="session")
def browser():
    """A headless browser; without one the test skips, and fails where CI is set."""
    path = find_browser()
    if path is None:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(_MISSING)
        pytest.skip(_MISSING)
    from playwright.sync_api import sync_playwright  # on demand: without a browser nothing of it is needed

    with sync_playwright() as playwright:
        # --no-sandbox: as root (containers, CI) Chromium refuses to start otherwise; it opens our own pages only.
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def app(browser, random_run):
    """The app as `make app` starts it, on a free port, with random networks; its address."""
    with served(random_run) as address:
        yield address


@contextmanager
def served(run: Path):
    """The app on a free port with a RUN of its own; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "PORT": str(port),
        "PYTHON": sys.executable,
        "MRNET_MODEL": str(run),
        "OMP_NUM_THREADS": "1",
    }
    server = subprocess.Popen(
        ["bash", "scripts/serve.sh"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/_stcore/script-health-check", server)
        yield address
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


def _wait_for(address: str, server: subprocess.Popen) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if server.poll() is not None:
            pytest.fail(f"scripts/serve.sh ended with status {server.returncode}")
        try:
            urllib.request.urlopen(address, timeout=30).read()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail("the app did not start within 180 s")


@contextmanager
def watched_pages(app: str, browser):
    """A function that opens a path of the app in a session of its own.

    At the end no page had an error and no request left this machine.
    """
    contexts, errors, foreign = [], [], []

    def watch(request) -> None:
        if not request.url.startswith((app, app.replace("http", "ws"), "data:", "blob:")):
            foreign.append(request.url)

    def open_(path: str = "/exam", **options):
        context = browser.new_context(**({"viewport": {"width": 1400, "height": 950}} | options))
        contexts.append(context)
        context.on("request", watch)
        page = context.new_page()
        page.on("websocket", watch)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(app + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert errors == []
    assert foreign == []


@pytest.fixture
def open_page(app, browser):
    """Opens pages for one test."""
    with watched_pages(app, browser) as open_:
        yield open_
