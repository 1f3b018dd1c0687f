"""Pictures of the real app, in a real browser: what README shows, and what to look at after a change.

    python -m benchmarks.screenshots OUT [--width 1600] [--dark] [--demo acl]

Writes OUT/home.jpg, OUT/exam.jpg (the page) and OUT/viewer.jpg (the viewer alone, true lesions off) with the model of
MRNET_MODEL, else the demo model.
"""

import argparse
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.first_picture import running_app
from tests.e2e.conftest import find_browser

QUALITY = 86


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--width", type=int, default=1600)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--demo", default="acl")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    options = {
        "viewport": {"width": args.width, "height": round(args.width * 0.72)},
        "color_scheme": "dark" if args.dark else "light",
    }
    with running_app() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        page = browser.new_context(**options).new_page()
        page.goto(address)
        page.locator(".mr-notice").wait_for(timeout=120_000)
        page.wait_for_timeout(1000)
        page.screenshot(path=args.out / "home.jpg", type="jpeg", quality=QUALITY)
        page.goto(f"{address}/exam?demo={args.demo}")
        page.locator(".mr-card").nth(2).wait_for(timeout=300_000)
        page.locator(".tool.heat:not([disabled])").wait_for(timeout=60_000)
        page.wait_for_timeout(1000)
        page.screenshot(path=args.out / "exam.jpg", type="jpeg", quality=QUALITY)
        page.locator(".viewer").screenshot(path=args.out / "viewer.jpg", type="jpeg", quality=QUALITY)
        browser.close()
    for name in ("home.jpg", "exam.jpg", "viewer.jpg"):
        print(f"{args.out / name}  {(args.out / name).stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
