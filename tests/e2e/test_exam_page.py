"""What a person does with the exam page: upload, scroll, look, take away."""

import base64
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mrnet_core.domain import Exam, Plane, Series, Task, Window
from mrnet_core.ui.viewer import viewer_blob
from tests.e2e.conftest import watched_pages
from tests.e2e.marked import SLICES, WINDOW, mark, marked_exam
from tests.e2e.viewing import centre, grey, pixels, stage, upload, wait_for_answer

pytestmark = pytest.mark.e2e
CELLS = 31 + 32 * np.arange(7)
"""True centres of a map's cells on the 256 pixels (AlexNet's geometry)."""
COMPONENT = Path(__file__).resolve().parents[2] / "mrnet_core" / "ui" / "component"
LABELS = 40
"""Pixels at a canvas's edge that hold letters and numbers."""


@pytest.fixture(scope="module")
def exam_zip() -> bytes:
    return marked_exam()


@pytest.fixture(scope="module")
def viewed(app, browser, exam_zip):
    """A page with the marked exam and its answer; tests that only look at it share it."""
    with watched_pages(app, browser) as open_:
        page = open_()
        upload(page, exam_zip)
        wait_for_answer(page)
        yield page


@pytest.fixture
def page(viewed):
    """The shared page as it opens: heatmap on, ACL, nothing zoomed."""
    stage(viewed, "sagittal").focus()
    for key in ("2", "0"):
        viewed.keyboard.press(key)
    if viewed.locator(".tool.heat").get_attribute("aria-pressed") == "false":
        viewed.keyboard.press("h")
    return viewed


def test_each_plane_opens_on_its_most_activated_slice_and_says_so(viewed):
    words = viewed.locator(".status").inner_text()
    assert "most activated slice for ACL tear" in words
    assert "highest peak" in words
    for plane in Plane:
        assert f"{plane} {stage(viewed, plane).get_attribute('aria-valuenow')}" in words
        assert "most activated slice" in stage(viewed, plane).get_attribute("aria-valuetext")


def test_every_slice_of_an_uploaded_exam_can_be_reached_and_shows_its_own_mark(page):
    page.locator(".tool.heat").click()
    assert page.locator(".tool.heat").get_attribute("aria-pressed") == "false"

    stage(page, "sagittal").hover()  # the mouse wheel
    page.mouse.wheel(0, -100 * 2 * SLICES[Plane.SAGITTAL])
    seen = []
    for _ in range(SLICES[Plane.SAGITTAL]):
        seen.append(centre(page, "sagittal"))
        page.mouse.wheel(0, 100)
    _assert_marks(seen, Plane.SAGITTAL)

    stage(page, "coronal").focus()  # the keyboard
    page.keyboard.press("End")
    seen = []
    for _ in range(SLICES[Plane.CORONAL]):
        seen.append(centre(page, "coronal"))
        page.keyboard.press("ArrowUp")
    _assert_marks(seen[::-1], Plane.CORONAL)

    strip = page.locator("[data-plane=axial] .strip")  # the strip of slices
    width = strip.bounding_box()["width"]
    seen = []
    for k in range(SLICES[Plane.AXIAL]):
        strip.click(position={"x": 4 + (k + 0.5) * (width - 8) / SLICES[Plane.AXIAL], "y": 12})
        seen.append(centre(page, "axial"))
    _assert_marks(seen, Plane.AXIAL)


def _assert_marks(seen: list[int], plane: Plane) -> None:
    expected = [grey(mark(k), *WINDOW) for k in range(SLICES[plane])]
    assert len(set(expected)) == len(expected)
    assert np.abs(np.array(seen) - expected).max() <= 1, (plane, seen, expected)


def test_the_overlay_changes_pixels_only_where_the_map_is_above_zero(page, exam_zip, random_run):
    from mrnet_core.api.exams import load_predictor, open_exam, predict_exam  # with torch: not at collection
    from mrnet_core.dicom.sources import UploadedFile

    prediction = predict_exam(open_exam([UploadedFile("exam.zip", exam_zip)]), load_predictor(str(random_run)))
    both = 0
    for number, task in enumerate(Task, 1):
        stage(page, "sagittal").focus()
        page.keyboard.press(str(number))
        page.keyboard.press("j")
        lit = {plane: pixels(page, plane) for plane in Plane}
        page.keyboard.press("h")
        plain = {plane: pixels(page, plane) for plane in Plane}
        page.keyboard.press("h")
        for plane in Plane:
            heatmap = prediction.score(plane, task).heatmap
            most = heatmap.most_activated_slice
            assert stage(page, plane).get_attribute("aria-valuenow") == str(most + 1)
            expected = _on_canvas(heatmap.cam[most], lit[plane].shape[:2]) / heatmap.cam.max()
            changed = (lit[plane] != plain[plane]).any(axis=2)
            assert not changed[expected < -1e-3].any(), (plane, task)
            if heatmap.cam.max() > 0:
                inside = np.zeros_like(changed)
                inside[LABELS:-LABELS, LABELS:-LABELS] = True  # words at the edge are drawn over everything
                assert changed[inside & (expected > 0.25)].all(), (plane, task)
                both += bool((expected < -1e-3).any() and changed.any())
    assert both >= 3, "the random networks' maps must have both signs for this test to say anything"


def _on_canvas(cam: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A 7 × 7 map at each pixel of a square canvas that the series fills."""
    height, width = shape
    side = min(shape)
    axes = []
    for length in (height, width):
        at = (np.arange(length) + 0.5 - (length - side) / 2) / side * 256 - 0.5
        outside = (at < -0.5) | (at > 255.5)
        weights = np.stack([np.interp(at, CELLS, row) for row in np.eye(7)], axis=1)
        weights[outside] = 0
        axes.append(weights)
    return axes[0] @ cam @ axes[1].T


def test_two_sessions_never_see_each_others_exam(open_page, exam_zip):
    first, second, third = open_page(), open_page(), open_page()
    upload(first, exam_zip)
    upload(second, marked_exam(base=350, patient="OTHER"))
    wait_for_answer(first)
    wait_for_answer(second)
    third.reload()
    third.get_by_role("heading", name="Read a knee exam").wait_for()
    assert third.locator(".viewer").count() == 0
    for page, base in ((first, 300), (second, 350)):
        stage(page, "sagittal").focus()
        page.keyboard.press("h")
        for key, k in (("Home", 0), ("End", SLICES[Plane.SAGITTAL] - 1)):
            page.keyboard.press(key)
            assert abs(centre(page, "sagittal") - grey(mark(k, base), *WINDOW)) <= 1


def test_a_broken_zip_gets_one_sentence_and_the_page_goes_on_to_the_next_exam(open_page, exam_zip):
    page = open_page()
    upload(page, exam_zip[: len(exam_zip) // 3])
    alert = page.locator(".mr-error")
    alert.wait_for(timeout=90_000)
    words = alert.inner_text().strip()
    assert 20 < len(words) < 400
    assert "Traceback" not in words
    assert "exam.zip" not in words, "a file is named by its position, never by its name"
    upload(page, exam_zip)
    page.locator(".viewer").wait_for(timeout=90_000)
    assert page.locator(".mr-error").count() == 0


def test_remove_exam_forgets_it(open_page, exam_zip):
    page = open_page()
    upload(page, exam_zip)
    wait_for_answer(page)
    stage(page, "sagittal").focus()
    page.keyboard.press("Home")
    page.keyboard.press("End")
    page.wait_for_url(re.compile("slices="))
    page.get_by_role("button", name="Remove exam").click()
    page.get_by_role("heading", name="Read a knee exam").wait_for()
    page.locator(".viewer").wait_for(state="detached")
    assert page.locator(".mr-card").count() == 0
    assert "?" not in page.url
    page.get_by_role("link", name="Start").first.click()
    page.get_by_role("heading", name="A neural network reads a knee MRI").wait_for()
    page.get_by_role("link", name="Exam", exact=True).first.click()
    page.get_by_role("heading", name="Read a knee exam").wait_for()
    assert page.locator(".viewer").count() == 0


def test_numbers_on_a_real_knee_carry_an_alarm_and_another_body_part_a_second_one(open_page):
    page = open_page()
    upload(page, marked_exam(words="", body_part="BRAIN"))
    wait_for_answer(page)
    alarms = page.locator(".mr-alarm").all_inner_texts()
    assert len(alarms) == 2
    assert "BRAIN" in alarms[0]
    assert "synthetic knees" in alarms[1]
    cards = page.locator(".mr-card")
    for n in range(len(Task)):
        assert cards.nth(n).locator(".mr-loud").count() == 2
    assert page.get_by_text("MARKED").count() == 0
    assert "Not a medical device" in page.locator(".mr-notice").inner_text()


def test_the_viewer_obeys_keys_and_mouse(page, tmp_path):
    picture = stage(page, "coronal")
    picture.focus()
    page.keyboard.press("Home")
    page.keyboard.press("PageDown")
    assert picture.get_attribute("aria-valuenow") == "6"
    assert picture.get_attribute("aria-valuetext").startswith("slice 6 of 10")
    page.keyboard.press("3")
    assert page.locator("[data-task=meniscus][role=radio]").get_attribute("aria-checked") == "true"
    page.keyboard.press("?")
    assert page.locator(".help").is_visible()
    page.keyboard.press("?")
    page.keyboard.press("h")
    start = pixels(page, "coronal")

    page.keyboard.press("+")  # zoom: the square in the middle grows
    page.keyboard.press("+")
    near = pixels(page, "coronal")
    square = grey(mark(5), *WINDOW)
    assert (np.abs(near[..., 0].astype(int) - square) <= 1).sum() > 1.8 * (
        np.abs(start[..., 0].astype(int) - square) <= 1
    ).sum()
    page.keyboard.press("0")
    assert (pixels(page, "coronal") == start).all()

    box = picture.bounding_box()  # the right button: window and level
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down(button="right")
    page.mouse.move(middle[0], middle[1] + 60)
    page.mouse.up(button="right")
    assert centre(page, "coronal") < square - 10
    page.keyboard.press("0")

    page.mouse.move(*middle)  # the left button: slices
    page.mouse.down()
    page.mouse.move(middle[0], box["y"] + box["height"] - 5, steps=8)
    page.mouse.up()
    assert int(picture.get_attribute("aria-valuenow")) > 6

    page.keyboard.press("h")
    with page.expect_download() as waiting:
        page.keyboard.press("s")
    file = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(file)
    assert file.name.startswith("knee_coronal_slice")
    saved = np.asarray(Image.open(file).convert("L"))
    band = saved[-30:]  # the notice on its own band below the picture
    assert saved.shape[0] > saved.shape[1] * box["height"] / box["width"]
    assert (band > 200).sum() > 200
    assert (band < 40).mean() > 0.7


REMOUNT = """async ([script, html, words]) => {
  document.body.innerHTML = html;
  const { default: mount } = await import("data:text/javascript;base64," + script);
  const data = Uint8Array.from(atob(words), (letter) => letter.charCodeAt(0));
  const stages = () => document.querySelectorAll("[data-plane] .stage canvas").length;
  const unmount = mount({ data, parentElement: document.body });
  const counts = [stages()];
  unmount();
  counts.push(stages());
  mount({ data, parentElement: document.body });
  return [...counts, stages()];
}"""


def test_a_viewer_that_is_taken_out_and_put_back_shows_its_pictures_again(app, browser):
    """Streamlit may remove the component and mount it into the same element when the page is drawn anew."""
    series = Series(Plane.SAGITTAL, np.zeros((3, 8, 8), np.int16), 0.5, 0.5, 4.0, "T2", "1.2", "a test", Window(40, 80))
    parts = ["\n".join(path.read_text() for path in sorted(COMPONENT.glob("*.js"))).encode()]
    parts += [(COMPONENT / "viewer.html").read_bytes(), viewer_blob(Exam({Plane.SAGITTAL: series}), None, Task.ACL)]
    script, html, blob = (base64.b64encode(part).decode() for part in parts)
    page = browser.new_page()
    page.goto(f"{app}/_stcore/health")
    assert page.evaluate(REMOUNT, [script, base64.b64decode(html).decode(), blob]) == [1, 0, 1]
    page.close()


SPY = """() => {
  const draw = CanvasRenderingContext2D.prototype.fillText;
  window.drawn = [];
  CanvasRenderingContext2D.prototype.fillText = function (words, ...place) {
    window.drawn.push(words);
    return draw.call(this, words, ...place);
  };
}"""
"""Keeps the words that are drawn on any canvas from now on."""


def _words_below_the_picture_without_its_heatmap(page) -> str:
    page.evaluate(SPY)
    stage(page, "axial").focus()
    page.keyboard.press("h")
    with page.expect_download():
        page.keyboard.press("s")
    return " ".join(page.evaluate("window.drawn"))


def test_a_picture_without_a_heatmap_of_an_uploaded_synthetic_knee_says_what_it_is(open_page, exam_zip):
    said = []
    for data in (exam_zip, marked_exam(words="")):
        page = open_page()
        upload(page, data)
        wait_for_answer(page)
        said.append(_words_below_the_picture_without_its_heatmap(page))
    assert all("Axial, slice" in words and "heatmap" not in words for words in said)
    assert ["synthetic knee" in words for words in said] == [True, False]


def test_one_finger_scrolls_through_slices_and_two_zoom(page):
    picture = stage(page, "coronal")
    picture.focus()
    page.keyboard.press("0")
    page.keyboard.press("Home")
    page.keyboard.press("PageDown")  # slice 6
    page.keyboard.press("h")
    box = picture.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    fingers = page.context.new_cdp_session(page)

    def touch(kind, *points):
        places = [{"x": across, "y": down, "id": n} for n, (across, down) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    def in_square():
        return (np.abs(pixels(page, "coronal")[..., 0].astype(int) - grey(mark(5), *WINDOW)) <= 1).sum()

    before = in_square()
    touch("touchStart", (x - 30, y), (x + 30, y))
    for apart in (40, 50, 60):
        touch("touchMove", (x - apart, y), (x + apart, y))
    touch("touchEnd")
    assert in_square() == pytest.approx(4 * before, rel=0.15)
    assert picture.get_attribute("aria-valuenow") == "6"
    page.keyboard.press("0")
    assert in_square() == before

    touch("touchStart", (x, y))
    for down in (20, 60, box["height"] / 2 - 5):
        touch("touchMove", (x, y + down))
    touch("touchEnd")
    assert int(picture.get_attribute("aria-valuenow")) > 6
    page.keyboard.press("h")
