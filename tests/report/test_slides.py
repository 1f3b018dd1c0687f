"""Slides: python-pptx opens them and finds the figures' numbers in native charts."""

import io

import numpy as np
import pandas as pd
import pytest
from pptx import Presentation
from pptx.oxml.ns import qn

from mrnet_core.api import evidence as api
from mrnet_core.domain import Metric, Task


def opened(specs, tables=None):
    return Presentation(io.BytesIO(api.slides(specs, title="A talk", tables=tables)))


def charts(slide):
    return [shape.chart for shape in slide.shapes if shape.has_chart]


def words(slide):
    return "\n".join(shape.text_frame.text for shape in slide.shapes if shape.has_text_frame)


@pytest.fixture(scope="module")
def roc():
    return api.roc_figure(api.published_validation())


def test_the_roc_slide_has_three_xy_charts_with_the_curves_numbers(roc):
    slide = opened([roc]).slides[1]
    found = charts(slide)
    assert len(found) == 3
    for panel, chart in zip(roc.panels, found, strict=True):
        (model,) = [layer for layer in panel.layers if layer.name == "Model"]
        (series,) = [series for series in chart.plots[0].series if series.name == "Model"]
        np.testing.assert_allclose(list(series.values), [mark.y for mark in model.marks])
        x = [float(point.text) for point in series._element.find(qn("c:xVal")).iter(qn("c:v"))]
        np.testing.assert_allclose(x, [mark.x for mark in model.marks])
        assert chart.value_axis.maximum_scale == pytest.approx(panel.y.high)


def test_guides_and_pairs_stay_out_of_the_legend(roc):
    chart = charts(opened([roc]).slides[1])[0]
    names = [series.name for series in chart.plots[0].series]
    hidden = [int(entry.find(qn("c:idx")).get("val")) for entry in chart.legend._element.iter(qn("c:legendEntry"))]
    assert hidden == sorted(hidden)
    shown = {name for i, name in enumerate(names) if i not in hidden}
    assert "Model" in shown
    assert not any("both readings" in name or name == "Chance" for name in shown)


def test_differences_are_columns_with_their_intervals_as_error_bars():
    spec = api.difference_figure(api.published())
    chart = charts(opened([spec]).slides[1])[1]
    series = chart.plots[0].series[0]
    rows = api.published().table3.query("task == 'acl'")
    assert list(chart.plots[0].categories) == [metric.display_name for metric in Metric]
    np.testing.assert_allclose(series.values, rows["mean_difference"])
    bars = series._element.find(qn("c:errBars"))
    plus = [float(value.text) for value in bars.find(qn("c:plus")).iter(qn("c:v"))]
    np.testing.assert_allclose(plus, rows["upper"] - rows["mean_difference"])
    following = [child.tag for child in series._element.iterchildren()]
    assert following.index(qn("c:errBars")) < following.index(qn("c:cat"))


def test_readers_changes_are_a_line_chart_with_a_series_a_reader():
    spec = api.slope_figure(api.published(), Task.ACL, Metric.SPECIFICITY)
    (chart,) = charts(opened([spec]).slides[1])
    assert list(chart.plots[0].categories) == ["Unassisted", "Assisted"]
    assert len(chart.plots[0].series) == 10


def test_every_slide_bears_provenance_and_figures_alternative_text(roc):
    deck = opened([roc, api.forest_table2(api.published())], {"Table 2": api.printed_table2()})
    line = roc.provenance.line()
    assert len(deck.slides) == 4
    for slide in deck.slides:
        assert line in words(slide)
    for slide in list(deck.slides)[1:3]:
        for shape in slide.shapes:
            if shape.has_chart:
                assert shape._element.nvGraphicFramePr.cNvPr.get("descr")
        assert slide.notes_slide.notes_text_frame.text
    assert "Not a medical device" in words(deck.slides[0])


def test_tables_are_tables_and_long_ones_go_on():
    frame = pd.DataFrame({"Reader": [f"R{i}" for i in range(20)], "Value": [None, *range(19)]})
    deck = opened([], {"Readers": frame})
    assert len(deck.slides) == 3
    (first,) = [shape.table for shape in deck.slides[1].shapes if shape.has_table]
    assert first.cell(0, 0).text == "Reader"
    assert first.cell(1, 1).text == ""
    assert "(2 of 2)" in words(deck.slides[2])
