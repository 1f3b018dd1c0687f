"""Score tables against labels: R's AUCs, hand-made operating points, calibration, two models."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mrnet_core.datasets.reads import LabelledScores
from mrnet_core.domain import InputError, Task
from mrnet_core.evaluation.validation import (
    index_at_specificity,
    index_at_threshold,
    nearest_index,
    operating_table,
    operating_view,
    validate_scores,
)
from mrnet_core.report.tables import auc_frame, calibration_frame, comparison_frame, predictive_frame

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
TRUTH = np.array([0, 0, 0, 0, 1, 1, 1, 1])
SCORE = np.array([0.1, 0.2, 0.3, 0.7, 0.4, 0.6, 0.8, 0.9])


def scores(y_true, y_score, second=None, task=Task.ACL):
    exams = tuple(map(str, range(len(y_true))))
    return LabelledScores(
        {task: exams},
        {task: np.asarray(y_true, float)},
        {task: np.asarray(y_score, float)},
        None if second is None else {task: np.asarray(second, float)},
    )


def test_the_auc_of_the_simulated_study_is_procs():
    model = pd.read_csv(REFERENCE / "inputs" / "g_model.csv")
    truth = pd.read_csv(REFERENCE / "inputs" / "g_reference.csv")
    want = pd.read_csv(REFERENCE / "expected" / "g_model_auc.csv").set_index("task")
    both = model.merge(truth, on=["exam", "task"])
    for task, rows in both.groupby("task"):
        frame = auc_frame(validate_scores(scores(rows["majority"], rows["probability"], task=Task(task))))
        np.testing.assert_allclose(
            frame[["auc", "lower", "upper"]].to_numpy()[0],
            want.loc[task, ["auc", "lower", "upper"]].astype(float),
            atol=1e-10,
        )


def test_the_operating_points_are_those_counted_by_hand():
    """At 0.5: 3 of 4 negatives below, 3 of 4 positives at or above. Specificity 1 needs a threshold above 0.7."""
    table = operating_table(validate_scores(scores(TRUTH, SCORE)), specificity=0.99)
    half = table[table["rule"] == "threshold 0.5"].set_index("metric")
    assert half["x"].to_dict() == {"specificity": 3, "sensitivity": 3, "accuracy": 6}
    assert set(half["threshold"]) == {0.5}
    chosen = table[table["rule"] == "specificity >= 0.99"].set_index("metric")
    assert chosen["threshold"].iloc[0] == pytest.approx(0.8)
    assert chosen["x"].to_dict() == {"specificity": 4, "sensitivity": 2, "accuracy": 6}


def test_an_operating_point_is_found_by_threshold_by_specificity_and_by_place():
    validation = validate_scores(scores(TRUTH, SCORE))
    by_threshold = index_at_threshold(validation, Task.ACL, 0.65)
    matrix = operating_view(validation, Task.ACL, by_threshold).point.matrix
    assert (matrix.tp, matrix.fp, matrix.fn, matrix.tn) == (2, 1, 2, 3)
    assert index_at_specificity(validation, Task.ACL, 1.0) == nearest_index(validation, Task.ACL, 0.0, 0.55)
    with pytest.raises(InputError, match="operating points 0 to 8"):
        operating_view(validation, Task.ACL, 9)
    with pytest.raises(InputError, match="prevalence lies between"):
        operating_view(validation, Task.ACL, 3, prevalence=1.5)


def test_predictive_values_follow_the_stated_prevalence():
    """Bayes by hand: sensitivity 0.75, specificity 0.75, prevalence 0.1: 0.075 / (0.075 + 0.225)."""
    validation = validate_scores(scores(TRUTH, SCORE))
    at_half = predictive_frame(validation, prevalence=0.1).iloc[0]
    assert at_half["ppv"] == pytest.approx(0.25)
    assert at_half["npv"] == pytest.approx(0.675 / (0.675 + 0.025))
    assert at_half["lr_positive"] == pytest.approx(3.0)


def test_an_infinite_likelihood_ratio_says_so():
    frame = predictive_frame(validate_scores(scores(TRUTH, TRUTH * 0.8 + 0.1)))
    assert "lr_positive" in frame["note"].iloc[0]


def test_two_models_are_compared_on_the_same_exams():
    rng = np.random.default_rng(1)
    y = np.arange(120) % 2
    good, bad = y + rng.normal(0, 0.7, 120), y + rng.normal(0, 2.5, 120)
    squash = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    row = comparison_frame(validate_scores(scores(y, squash(good), squash(bad)))).iloc[0]
    assert row["difference"] == pytest.approx(row["auc1"] - row["auc2"])
    assert row["p_two_sided"] < 0.01
    assert len(comparison_frame(validate_scores(scores(y, squash(good))))) == 0


def test_calibration_of_true_probabilities_has_slope_near_one():
    rng = np.random.default_rng(2)
    p = rng.uniform(0.02, 0.98, 1500)
    y = (rng.random(1500) < p).astype(int)
    row = calibration_frame(validate_scores(scores(y, p))).iloc[0]
    assert row["slope_lower"] < 1 < row["slope_upper"]
    assert row["intercept_lower"] < 0 < row["intercept_upper"]
    assert row["brier"] == pytest.approx(np.mean((y - p) ** 2))
    stretched = calibration_frame(validate_scores(scores(y, p**3 / (p**3 + (1 - p) ** 3)))).iloc[0]
    assert stretched["slope_upper"] < 0.5


def test_a_class_that_is_absent_is_a_note_and_no_crash():
    validation = validate_scores(scores(np.zeros(6), np.linspace(0.1, 0.9, 6)))
    frame = auc_frame(validation)
    assert np.isnan(frame["auc"].iloc[0])
    assert frame["note"].iloc[0]
    assert len(operating_table(validation)) == 0
