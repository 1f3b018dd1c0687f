"""Exact frames as people read them."""

import math

import pandas as pd

from mrnet_core.report.study_words import words_table


def test_an_estimate_and_its_bounds_become_one_cell_and_an_infinite_ratio_keeps_its_bounds():
    frame = pd.DataFrame(
        {
            "task": ["abnormal", "acl"],
            "lr_positive": [math.inf, math.nan],
            "lr_positive_lower": [0.5049, math.nan],
            "lr_positive_upper": [103.3129, math.nan],
            "note": ["lr_positive: division by zero", ""],
        }
    )
    assert words_table(frame).to_dict("list") == {
        "Task": ["Abnormality", "ACL tear"],
        "Positive likelihood ratio (95% CI)": ["∞ (0.50, 103.31)", "–"],
        "Note": ["positive likelihood ratio: division by zero", ""],
    }


def test_rows_of_one_column_may_have_an_interval_a_range_over_draws_or_neither():
    frame = pd.DataFrame(
        {
            "pointing": [0.75, 0.25, math.nan],
            "pointing_lower": [0.5049, math.nan, math.nan],
            "pointing_upper": [0.9, math.nan, math.nan],
            "pointing_lowest": [math.nan, 0.125, math.nan],
            "pointing_highest": [math.nan, 0.5, math.nan],
            "energy": [0.3, 0.2, None],
            "energy_lowest": [None, 0.1, None],
            "energy_highest": [None, 0.4, None],
            "called": [7, None, None],
        },
        dtype=object,
    )
    assert words_table(frame).to_dict("list") == {
        "Pointing game (95% CI)": ["0.750 (0.505, 0.900)", "0.250 (0.125 to 0.500)", "–"],
        "Energy inside": ["0.300", "0.200 (0.100 to 0.400)", "–"],
        "Called positive": ["7", "–", "–"],
    }


def test_counts_are_joined_empty_notes_go_and_two_columns_of_one_head_both_stay():
    frame = pd.DataFrame(
        {
            "rule": ["specificity >= 0.9"],
            "x": [3],
            "n": [4],
            "estimate": [-0.25],
            "lower": [-0.5],
            "upper": [0.0],
            "note": [None],
            "n_pos": [5],
            "positive": [6],
        }
    )
    assert words_table(frame).to_dict("list") == {
        "Operating point": ["specificity ≥ 0.9"],
        "Count": ["3/4"],
        "Estimate (95% CI)": ["−0.250 (−0.500, 0.000)"],
        "Positive exams": ["5"],
        "Positive exams (positive)": ["6"],
    }


def test_bounds_without_an_estimate_are_columns_of_their_own():
    frame = pd.DataFrame({"plane": ["axial"], "lower": [0.1], "p_lower": [0.2], "group": ["acl tear"]})
    assert words_table(frame).to_dict("list") == {
        "Plane": ["Axial"],
        "Lower": ["0.100"],
        "P lower": ["0.200"],
        "Lesions": ["ACL tear"],
    }
