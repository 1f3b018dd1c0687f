"""Evidence pages in a real browser: clicks on the curve, links, slides, the stage; no request leaves the machine."""

import io
import re

import pytest
from pptx import Presentation

from mrnet_core.api import evidence as api
from mrnet_core.domain import Task

pytestmark = pytest.mark.e2e
PLACE = """([panel, x, y]) => {
  const plot = document.querySelector('.js-plotly-plot'), box = plot.getBoundingClientRect();
  const across = plot._fullLayout['xaxis' + panel], up = plot._fullLayout['yaxis' + panel];
  return [box.x + across._offset + across.l2p(x), box.y + up._offset + up.l2p(y)];
}"""
"""Where on the screen a place of a panel's ROC square lies; panels are called "", "2" and "3"."""


def matrix(page) -> dict[str, int]:
    """The confusion matrix on the page."""
    return {
        cell: int(page.locator(f"[data-cell={cell}] b").inner_text(timeout=120_000))
        for cell in ("tp", "fn", "fp", "tn")
    }


def click_curve(page, panel: str, x: float, y: float) -> None:
    page.wait_for_function("!!document.querySelector('.js-plotly-plot')?._fullLayout?.xaxis3?.l2p", timeout=60_000)
    # The legend may still move the panels: click where the place stays.
    last = None
    for _ in range(20):
        now = page.evaluate(PLACE, [panel, x, y])
        if now == last:
            break
        last = now
        page.wait_for_timeout(150)
    # Markers overlap where points lie 5 pixels apart, and of two under the pointer the later one answers.
    place = last[0] - 2, last[1]
    page.mouse.move(*place)
    page.wait_for_timeout(150)
    page.mouse.click(*place)


def test_a_click_on_the_curve_changes_the_confusion_matrix_the_slider_and_the_address(open_page):
    page = open_page("/validation")
    assert matrix(page) == {"tp": 87, "fn": 12, "fp": 6, "tn": 15}
    entry = api.published_validation().tasks[Task.MENISCUS]
    index = next(i for i, point in enumerate(entry.points) if point.matrix.fp == 40)
    click_curve(page, "3", float(entry.curve.fpr[index]), float(entry.curve.tpr[index]))
    page.wait_for_url(re.compile(rf"point_meniscus={index}\b"), timeout=60_000)
    page.wait_for_url(re.compile(r"task=Meniscal\+tear"), timeout=60_000)
    wanted = entry.points[index].matrix
    page.locator(".mr-matrix caption", has_text=f"Meniscal tear, operating point {index}").wait_for(timeout=60_000)
    assert matrix(page) == {cell: getattr(wanted, cell) for cell in ("tp", "fn", "fp", "tn")}
    assert page.get_by_role("slider").input_value() == str(index)


def test_the_address_opens_the_same_view_in_another_session(open_page):
    first = open_page("/validation?source=published&task=acl&readers=surgeon&prevalence=10&view=corner")
    first.get_by_text("prevalence 10.0%").first.wait_for(timeout=60_000)
    slider = first.get_by_role("slider")
    slider.focus()
    for _ in range(3):
        slider.press("ArrowRight")
    chosen = slider.input_value()
    first.wait_for_url(re.compile(rf"point_acl={chosen}\b"), timeout=60_000)
    first.locator(".mr-matrix caption", has_text=f"operating point {chosen}").wait_for(timeout=60_000)

    second = open_page(first.url[first.url.index("/validation") :])
    second.locator(".mr-matrix caption", has_text=f"ACL tear, operating point {chosen}").wait_for(timeout=60_000)
    assert matrix(second) == matrix(first)
    second.get_by_text("prevalence 10.0%").first.wait_for(timeout=60_000)
    names = second.locator(".js-plotly-plot .legendtext")
    names.first.wait_for(state="attached", timeout=60_000)
    assert "Surgeons, assisted" in names.all_text_contents()
    assert "Radiologists, assisted" not in names.all_text_contents()


def test_the_slides_open_with_the_charts_numbers_in_them(open_page):
    page = open_page("/readers")
    button = page.get_by_role("button", name="Download slides")
    button.wait_for(timeout=60_000)
    with page.expect_download(timeout=60_000) as download:
        button.click()
    deck = Presentation(io.BytesIO(download.value.path().read_bytes()))
    assert download.value.suggested_filename == "readers.pptx"
    charts = [shape.chart for slide in deck.slides for shape in slide.shapes if shape.has_chart]
    bars = [list(series.values) for chart in charts[:3] for series in chart.plots[0].series]
    third = api.published().table3
    drawn = [third.loc[third["task"] == task.value, "mean_difference"].tolist() for task in Task]
    assert bars == [pytest.approx(values) for values in drawn]
    provenance = [
        shape.text_frame.text for slide in deck.slides for shape in slide.shapes if shape.name == "Provenance"
    ]
    assert len(provenance) == len(deck.slides)
    assert all("Bien et al. 2018" in line and "mrnet-core" in line for line in provenance)


def test_the_stage_fills_the_screen_turns_with_the_arrow_keys_and_gives_the_view_back(open_page):
    page = open_page("/readers?present=1&tables=printed&figure=difference", viewport={"width": 1280, "height": 800})
    page.locator(".mr-stage-title", has_text="Change with model assistance").wait_for(timeout=60_000)
    page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=60_000)
    assert not page.get_by_text("Evidence", exact=True).is_visible()
    assert not page.get_by_role("heading", name="Readers without and with the model").is_visible()
    page.wait_for_function(
        "document.querySelector('.js-plotly-plot').getBoundingClientRect().height > 500", timeout=60_000
    )
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile("figure=slope-abnormal"), timeout=60_000)
    page.locator(".mr-stage-title", has_text="each reader").wait_for(timeout=60_000)
    page.keyboard.press("Escape")
    page.locator(".mr-table", has_text="0.882 (0.847, 0.910)").wait_for(timeout=60_000)
    assert "present" not in page.url
    assert "tables=As+printed" in page.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_paper_page_stands_in_both_themes(open_page, scheme):
    page = open_page("/paper?status=differs", color_scheme=scheme)
    page.locator("#C8").wait_for(timeout=60_000)
    page.get_by_text("16 of 289 printed numbers").wait_for(timeout=60_000)
    page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=60_000)
    ink = page.locator(".js-plotly-plot .legendtext").first.evaluate("element => getComputedStyle(element).fill")
    bright = sum(int(part) for part in re.findall(r"\d+", ink)[:3])
    assert (bright > 380) == (scheme == "dark")
