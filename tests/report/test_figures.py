"""Figures: one specification, and both renderings show its numbers."""

import struct
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from mrnet_core.api import evidence as api
from mrnet_core.domain import Metric, Task
from mrnet_core.evaluation.provenance import Provenance
from mrnet_core.report.figure_spec import Axis, FigureSpec, Layer, Mark, Panel
from mrnet_core.report.figures_validation import MOST_POINTS
from mrnet_core.report.matplotlib_figures import figure_file, matplotlib_figure
from mrnet_core.report.palette import GROUNDS, look_of
from mrnet_core.report.plotly_figures import plotly_figure

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "inputs"


@pytest.fixture(scope="module")
def specs():
    """Every kind of figure: the paper's, and those that only case-level reads allow."""
    study = api.file_readers(*(REFERENCE / f"g_{name}.csv" for name in ("reads", "reference", "model")))
    found = [*api.published_figures(), *api.reader_figures(study), calibration()]
    return {f"{spec.id}-{i}": spec for i, spec in enumerate(found)}


def calibration():
    rng = np.random.default_rng(1)
    p = rng.random(200).round(3)
    scores = pd.DataFrame({"exam": range(200), "task": "acl", "probability": p})
    labels = pd.DataFrame({"exam": range(200), "task": "acl", "label": (rng.random(200) < p).astype(int)})
    files = [
        api.TableFile(name, frame.to_csv(index=False).encode())
        for name, frame in (("s.csv", scores), ("l.csv", labels))
    ]
    return api.calibration_figure(api.file_validation(*files))


def in_plotly(spec):
    """``{(panel, layer place): (x, y, low, high)}`` of a plotly figure, gaps removed."""
    found = {}
    places: dict[int, int] = {}
    for trace in plotly_figure(spec).data:
        panel = trace.meta[0]
        place = places.get(panel, 0)
        places[panel] = place + 1
        layer = spec.panels[panel].layers[place]
        assert trace.name == layer.name
        x, y = ([value for value in values if value is not None] for values in (trace.x, trace.y))
        bars = trace.error_x if layer.interval == "x" else trace.error_y
        centre = np.array(x if layer.interval == "x" else y, float)
        low = high = None
        if bars.array is not None:
            low, high = centre - np.array(bars.arrayminus, float), centre + np.array(bars.array, float)
        found[panel, place] = (np.array(x, float), np.array(y, float), low, high)
    return found


def in_matplotlib(spec):
    """The same of a matplotlib figure."""
    found = {}
    axes = [ax for part in matplotlib_figure(spec).subfigs for ax in part.axes]
    for panel, ax in enumerate(axes):
        bars = {group.get_gid(): group for group in ax.collections if group.get_gid()}
        for place, layer in enumerate(spec.panels[panel].layers):
            gid = f"{spec.panels[panel].title}/{place}/{layer.name}"
            (line,) = [line for line in ax.lines if line.get_gid() == gid]
            x, y = (np.asarray(values, float) for values in line.get_data())
            low = high = None
            if f"{gid}/interval" in bars:
                ends = np.array(bars[f"{gid}/interval"].get_segments())[:, :, 0 if layer.interval == "x" else 1]
                low, high = ends.min(axis=1), ends.max(axis=1)
            keep = np.isfinite(x)
            found[panel, place] = (x[keep], y[keep], low, high)
    return found


def test_both_renderings_show_the_numbers_of_the_specification(specs):
    for name, spec in specs.items():
        screen, file = in_plotly(spec), in_matplotlib(spec)
        assert screen.keys() == file.keys()
        for panel, content in enumerate(spec.panels):
            for place, layer in enumerate(content.layers):
                want = [(mark.x, mark.y, mark.low, mark.high) for mark in layer.marks]
                for got in (screen[panel, place], file[panel, place]):
                    np.testing.assert_allclose(got[0], [row[0] for row in want], err_msg=name)
                    np.testing.assert_allclose(got[1], [row[1] for row in want], err_msg=name)
                    if any(row[2] is not None for row in want):
                        np.testing.assert_allclose(got[2], [row[2] for row in want], atol=1e-12, err_msg=name)
                        np.testing.assert_allclose(got[3], [row[3] for row in want], atol=1e-12, err_msg=name)
                    else:
                        assert got[2] is None


def test_every_figure_has_its_table_alternative_text_and_provenance(specs):
    for spec in specs.values():
        table = spec.table()
        drawn = sum(len(layer.marks) for _, _, layer in spec.layers() if layer.role != "guide")
        assert len(table) == drawn
        assert len(spec.alt) > 30
        assert "mrnet-core" in spec.provenance.line()
        assert spec.provenance.date
        assert "nan" not in (spec.alt + spec.caption + " ".join(table["label"])).lower().split()


def test_the_roc_figure_has_the_curve_the_readers_and_their_pairs():
    spec = api.roc_figure(api.published_validation(), index={Task.ACL: 40})
    assert [panel.title[:3] for panel in spec.panels] == ["Abn", "ACL", "Men"]
    acl = {layer.name: layer for layer in spec.panels[1].layers}
    assert len(acl["Model"].marks) == 121
    assert len(acl["Same reader"].marks) == 18
    assert len(acl["Radiologists, unassisted"].marks) == 7
    assert len(acl["Surgeons, assisted"].marks) == 2
    assert acl["Chosen point"].marks[0].key == ("index", "acl", "40")
    half = acl["Threshold 0.5"].marks[0]
    assert (half.x, half.y) == pytest.approx((2 / 62, 44 / 58))
    label = acl["Surgeons, unassisted"].marks[0].label
    assert "unassisted specificity 51/62" in label
    assert "assisted sensitivity 56/58" in label
    macro = acl["Macro-average, assisted"].marks[0]
    counts = [entry.assisted for entry in api.published().counts.readers if entry.task == Task.ACL]
    assert macro.y == pytest.approx(np.mean([entry.tp / entry.p for entry in counts]))
    assert macro.x == pytest.approx(np.mean([entry.fp / entry.n for entry in counts]))


@pytest.mark.parametrize(
    ("roles", "who"), [(None, "Readers"), (("surgeon",), "Surgeons"), (("radiologist",), "Radiol")]
)
def test_the_alternative_text_gives_the_averages_that_are_drawn(roles, who):
    spec = api.roc_figure(api.published_validation(), [Task.ACL], roles=roles)
    (panel,) = spec.panels
    drawn = [layer for layer in panel.layers if layer.role.startswith("macro.")]
    assert len(drawn) == 2 == spec.alt.count(" on average: ")
    for layer in drawn:
        specificity, sensitivity = (line.split()[-1] for line in layer.marks[0].label.splitlines()[1:])
        condition = layer.role.removeprefix("macro.")
        assert f"{condition} on average: specificity {specificity}, sensitivity {sensitivity}." in spec.alt
    assert f" {who}" in spec.alt


def test_readers_can_be_filtered_by_role_and_condition():
    validation = api.published_validation()
    names = {layer.name for layer in api.roc_figure(validation, [Task.ACL], roles=["surgeon"]).panels[0].layers}
    assert {"Surgeons, unassisted", "Surgeons, assisted"} <= names
    assert not any(name.startswith("Radiologists") for name in names)
    only = api.roc_figure(validation, [Task.ACL], conditions=["assisted"]).panels[0].layers
    assert not any("unassisted" in layer.name or layer.kind == "segments" for layer in only)
    bare = api.roc_figure(validation, [Task.ACL], roles=[]).panels[0].layers
    assert {layer.name for layer in bare} == {"Chance", "Model", "Threshold 0.5"}


def test_a_click_on_the_curve_tells_its_operating_point():
    figure = plotly_figure(api.roc_figure(api.published_validation(), [Task.MENISCUS]))
    (curve,) = [trace for trace in figure.data if trace.name == "Model"]
    assert "markers" in curve.mode
    assert list(curve.customdata[7]) == ["index", "meniscus", "7"]


def test_a_big_curve_is_drawn_by_its_corners_with_the_same_area():
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 2000)
    p = 1 / (1 + np.exp(-(2 * y + rng.normal(0, 1.5, 2000))))
    frames = (
        ("s.csv", pd.DataFrame({"exam": range(2000), "task": "acl", "probability": p})),
        ("l.csv", pd.DataFrame({"exam": range(2000), "task": "acl", "label": y})),
    )
    validation = api.file_validation(
        *(api.TableFile(name, frame.to_csv(index=False).encode()) for name, frame in frames)
    )
    (model,) = [layer for layer in api.roc_figure(validation, index=777).panels[0].layers if layer.name == "Model"]
    assert MOST_POINTS < len(model.marks) < 1500
    area = np.trapezoid([mark.y for mark in model.marks], [mark.x for mark in model.marks])
    assert area == pytest.approx(validation.tasks[Task.ACL].area.estimate, abs=1e-12)
    assert ("index", "acl", "777") in {mark.key for mark in model.marks}


def test_the_published_source_has_no_calibration_and_says_why():
    assert api.calibration_figure(api.published_validation()) is None
    assert "not the probabilities" in api.published_validation().no_calibration


def test_figure_6_is_table_3():
    spec = api.difference_figure(api.published())
    table = api.published().table3.set_index(["task", "metric"])
    for task, panel in zip(Task, spec.panels, strict=True):
        for metric, mark in zip(Metric, panel.layers[1].marks, strict=True):
            row = table.loc[(task.value, metric.value)]
            assert (mark.y, mark.low, mark.high) == (row["mean_difference"], row["lower"], row["upper"])


def test_files_are_what_their_endings_say_and_carry_provenance():
    spec = api.difference_figure(api.published())
    png = figure_file(spec, "png")
    assert png.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", png[16:24])
    assert width > 2000
    assert height > 800
    svg = figure_file(spec, "svg")
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert spec.provenance.line().encode()[:40] in svg
    assert figure_file(spec, "svg") == svg
    assert figure_file(spec, "pdf").startswith(b"%PDF")


def test_readers_are_told_apart_by_shape_as_well_as_colour_in_both_themes():
    for theme in GROUNDS:
        looks = [
            look_of(f"reader{role}.{condition}", theme) for role in range(3) for condition in ("unassisted", "assisted")
        ]
        assert len({look.colour for look in looks}) == 6
        assert [look.filled for look in looks] == [False, True] * 3
        assert len({look.plotly_symbol for look in looks}) == 3
        for look in looks:
            assert contrast(look.colour, GROUNDS[theme].paper) >= 3


def contrast(first, second):
    """WCAG contrast ratio of two colours."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    bright, dim = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_an_unknown_role_is_an_error_and_odd_segments_too():
    with pytest.raises(KeyError, match="nobody"):
        look_of("nobody")
    with pytest.raises(ValueError, match="come in pairs"):
        Layer("pairs", "segments", "pair", (Mark(0, 0),))


def test_a_figure_for_a_hall_has_larger_type():
    axis = Axis("x", 0, 1)
    panel = Panel("", axis, axis, (Layer("Model", "line", "model", (Mark(0, 0), Mark(1, 1))),))
    spec = FigureSpec("id", "Title", (panel,), "alt", "caption", Provenance("s", "m", "n"))
    assert plotly_figure(spec, large=True).layout.font.size > 1.5 * plotly_figure(spec).layout.font.size
