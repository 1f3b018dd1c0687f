"""Numbers as the paper writes them, and JSON without NaN."""

import numpy as np
import pandas as pd
import pytest

from mrnet_core.api import evidence as api
from mrnet_core.domain import Task
from mrnet_core.report.evidence_json import records_of
from mrnet_core.report.evidence_text import grid
from mrnet_core.report.tables import as_printed, interval, number, p_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0005, "0.001"),
        (0.8825, "0.883"),
        (-0.0041, "−0.004"),
        (-0.0001, "0.000"),
        (np.nan, "–"),
        (np.inf, "∞"),
        (None, "–"),
    ],
)
def test_numbers_are_rounded_half_up_with_a_true_minus(value, text):
    assert number(value) == text


def test_an_infinite_estimate_keeps_its_bounds_and_an_undefined_one_has_none():
    assert interval(np.inf, 1.4412, np.inf, 2) == "∞ (1.44, ∞)"
    assert interval(np.nan, 0.1, 0.2) == "–"


@pytest.mark.parametrize("prevalence", [None, 0.1, 0.9])
def test_every_interval_of_the_published_curves_holds_its_estimate(prevalence):
    validation = api.published_validation()
    for task, entry in validation.tasks.items():
        for index in range(len(entry.points)):
            view = api.operating_view(validation, task, index, prevalence=prevalence)
            pairs = (view.predictive, view.ratios)
            for value in [one for pair in pairs for one in (pair.positive, pair.negative)]:
                assert np.isnan(value.estimate) or value.lower <= value.estimate <= value.upper, (task, index, value)


def test_a_rate_with_an_empty_cell_says_on_the_page_how_its_interval_was_made():
    """ACL, operating point 5: five true tears called and no healthy knee."""
    validation = api.published_validation()
    frame = api.operating_frame(api.operating_view(validation, Task.ACL, 5, prevalence=0.1)).set_index("Measure")
    shown = frame["Estimate (95% CI)"]
    assert shown["Positive predictive value"] == "1.000 (0.138, 1.000)"
    assert shown["Positive likelihood ratio"] == "∞ (1.44, ∞)"
    assert "score interval" in frame["Note"]["Positive predictive value"]


def test_small_p_values_are_written_as_the_paper_does():
    assert p_text(0.00023) == "<0.001"
    assert p_text(0.0184) == "0.018"


def test_tables_2_and_3_recomputed_are_the_printed_ones_but_for_the_contradicted_row():
    evidence = api.published()
    assert api.recomputed_table3(evidence).equals(api.printed_table3())
    printed, recomputed = api.printed_table2(), api.recomputed_table2(evidence)
    differing = printed.ne(recomputed)
    assert differing.drop(columns="Unassisted readers (95% CI)").sum().sum() == 0
    readers = differing["Unassisted readers (95% CI)"]
    assert list(printed["Task"][readers]) == ["Meniscal tear"] * 3


def test_recomputed_values_take_the_form_of_the_print():
    shown = {record.id: as_printed(record) for record in api.published().records}
    assert shown["table3.acl.specificity.p"] == "<0.001"
    assert shown["methods.abnormal"] == "1,104"
    assert shown["methods.both.percent"] == "14.2%"
    assert shown["results.kappa.acl.reference"] == "–"
    assert all(
        shown[r.id] == r.printed for r in api.published().records if r.status == "equal" and r.printed[0].isdigit()
    )


def test_undefined_values_become_null_with_a_note():
    frame = pd.DataFrame({"a": [1.0, np.nan], "b": np.array([1, 2]), "note": ["", ""]})
    assert records_of(frame) == [
        {"a": 1.0, "b": 1, "note": ""},
        {"a": None, "b": 2, "note": "not determined by the data"},
    ]


def test_a_grid_lines_up_and_leaves_repeated_first_cells_blank():
    assert grid(("A", "B"), [("x", 1), ("x", 22), ("y", 3)]).splitlines() == ["A  B", "-  --", "x  1", "   22", "y  3"]


def test_a_printed_threshold_gives_the_operating_point_it_was_printed_for():
    """With scores 0.5 and 0.499961234, 0.4 rounds as it is, and the second score needs five digits."""
    tables = (
        "exam,task,probability\na,acl,0.5\nb,acl,0.499961234\nc,acl,0.1\n",
        "exam,task,label\na,acl,1\nb,acl,0\nc,acl,0\n",
    )
    validation = api.file_validation(*(api.TableFile(f"{i}.csv", text.encode()) for i, text in enumerate(tables)))
    shown = [api.threshold_text(validation, Task.ACL, value) for value in (0.5, 0.499961234, 0.4, 0.9, 1e-20)]
    assert shown == ["0.500", "0.49996", "0.400", "0.900", "0.000"]
