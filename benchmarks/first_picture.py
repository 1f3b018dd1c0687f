"""From upload to first picture and to the answer, cold and warm, and where the time goes.

    python -m benchmarks.first_picture [PATH]

PATH is a DICOM folder (default MRNET_TEST_EXAM, else ../shared/exams/knee-right-siemens-1.5t). It is zipped and
uploaded to the app in a real browser, as `make app` starts it. Cold: the exam page is the first thing that is
opened. Warm: a second session of the same server. The model is MRNET_MODEL's, else the demo model.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from mrnet_core.api.worker import ReadUpload
from mrnet_core.ui.jobs import Job, Pool
from tests.e2e.conftest import ROOT, find_browser

REAL = Path(os.environ.get("MRNET_TEST_EXAM", "../shared/exams/knee-right-siemens-1.5t"))
_PAINTED = ".viewer .stage canvas[data-slice]"
_ANSWERED = ".mr-card"


def zipped(folder: Path) -> bytes:
    """The files of a folder as a zip in memory."""
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(path, path.relative_to(folder))
    return target.getvalue()


@contextmanager
def running_app() -> Iterator[str]:
    """The app as `make app` starts it, on a free port; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"PORT": str(port), "PYTHON": sys.executable}
    server = subprocess.Popen(["bash", "scripts/serve.sh"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/script-health-check")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=60)


def in_browser(file: Path) -> None:
    """Upload twice and print what a person waits."""
    with running_app() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        for name in ("cold", "warm"):
            first, answer = _upload(browser, f"{address}/exam", file)
            print(f"{name}: first picture {first:.1f} s, answer {answer:.1f} s after the file was given")
        browser.close()


def _upload(browser: Browser, address: str, file: Path) -> tuple[float, float]:
    with browser.new_context(viewport={"width": 1400, "height": 950}) as context:
        page = context.new_page()
        page.goto(address)
        uploader = page.locator("input[type=file]")
        uploader.wait_for(state="attached", timeout=120_000)
        start = time.perf_counter()
        uploader.set_input_files(file)
        page.locator(_PAINTED).first.wait_for(timeout=300_000)
        first = time.perf_counter() - start
        page.locator(_ANSWERED).first.wait_for(timeout=300_000)
        return first, time.perf_counter() - start


def _wait_for(address: str) -> None:
    for _ in range(800):
        try:
            urllib.request.urlopen(address, timeout=30).read()
            return
        except OSError:
            time.sleep(0.25)
    raise SystemExit("the app did not start")


def in_the_pool(data: bytes) -> None:
    """The same work without a browser: when each stage began."""
    pool = Pool(workers=1)
    for name in ("cold", "warm"):
        job = pool.submit(Job(ReadUpload(files=1), model=None, files=[("exam.zip", data)]))
        while not job.over:
            time.sleep(0.01)
        print(f"{name}, one worker: read {job.read_seconds:.2f} s, answer {job.total_seconds:.2f} s")
        for words, second in job.timeline:
            print(f"    {second:6.2f} s  {words}")
    pool.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", nargs="?", type=Path, default=REAL, metavar="PATH")
    data = zipped(parser.parse_args().path)
    print(f"{len(data) / 1e6:.0f} MB zip, {os.cpu_count()} cores")
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        file.write(data)
        file.flush()
        in_browser(Path(file.name))
    in_the_pool(data)


if __name__ == "__main__":
    main()
