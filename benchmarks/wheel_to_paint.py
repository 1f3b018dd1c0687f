"""From a notch of the mouse wheel to the painted slice, in a real browser, heatmap on.

    python -m benchmarks.wheel_to_paint [--notches 200]

The app as `make app` starts it, the demo exam with a torn ACL. Each notch goes to the middle of the sagittal pane; the
clock runs from the browser's wheel event until the canvas holds the new slice, drawn in the frame that shows it. A
frame is 16.7 ms where the screen, or a browser without one, shows 60 a second.
"""

import argparse
import os

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.first_picture import running_app
from tests.e2e.conftest import find_browser
from tests.e2e.viewing import stage, wait_for_answer

_LISTEN = """(stage) => {
  window.waits = [];
  const canvas = stage.querySelector("canvas");
  let began = 0;
  stage.addEventListener("wheel", () => { began = performance.now(); }, {capture: true, passive: true});
  new MutationObserver(() => window.waits.push(performance.now() - began))
    .observe(canvas, {attributes: true, attributeFilter: ["data-slice"]});
}"""
_FRAMES = """() => new Promise((done) => {
  const times = [];
  const tick = (now) => { times.push(now); times.length < 61 ? requestAnimationFrame(tick) : done(times); };
  requestAnimationFrame(tick);
})"""


def measure(page: Page, notches: int) -> tuple[np.ndarray, np.ndarray]:
    """Milliseconds of each notch, and between frames of the idle page."""
    frames = np.diff(page.evaluate(_FRAMES))
    pane = stage(page, "sagittal")
    pane.hover()
    pane.evaluate(_LISTEN)
    for number in range(notches):
        page.mouse.wheel(0, 100 if number // 8 % 2 else -100)  # to and fro over eight slices
        page.wait_for_timeout(60)
    return np.array(page.evaluate("window.waits")), frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--notches", type=int, default=200)
    args = parser.parse_args()
    with running_app() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1400, "height": 950}).new_page()
        page.goto(f"{address}/exam?demo=acl")
        wait_for_answer(page)
        waits, frames = measure(page, args.notches)
        browser.close()
    print(
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; a frame of the idle page {np.median(frames):.1f} ms"
    )
    print(
        f"{len(waits)} of {args.notches} notches drew a slice; wheel to paint: median {np.median(waits):.1f} ms, "
        f"p95 {np.percentile(waits, 95):.1f} ms, longest {waits.max():.1f} ms"
    )


if __name__ == "__main__":
    main()
