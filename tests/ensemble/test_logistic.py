"""The regressions over the planes: against an own Newton solver, and what they refuse."""

from itertools import combinations

import numpy as np
import pytest

from mrnet_core.domain import ArtifactError, InputError, Plane, Task
from mrnet_core.ensemble import Ensemble, Regression, collapsed, fit_ensemble

SAG, COR, AX = Plane


def cohort(n=200, seed=0):
    rng = np.random.default_rng(seed)
    labels = {task: (rng.random(n) < 0.4).astype(int) for task in Task}
    strength = {SAG: 1.0, COR: 0.3, AX: 2.0}
    probabilities = {
        (plane, task): 1 / (1 + np.exp(-(strength[plane] * (2 * labels[task] - 1) + rng.normal(0, 1.5, n))))
        for plane in Plane
        for task in Task
    }
    return probabilities, labels


def newton(x, y, penalty=1.0):
    """Minimise ``penalty/2 |w|² + sum log-loss`` by Newton's method, the intercept free."""
    design = np.column_stack([np.ones(len(y)), x])
    ridge = np.diag([0.0] + [penalty] * x.shape[1])
    w = np.zeros(design.shape[1])
    for _ in range(100):
        p = 1 / (1 + np.exp(-design @ w))
        gradient = design.T @ (p - y) + ridge @ w
        w -= np.linalg.solve(design.T @ (design * (p * (1 - p))[:, None]) + ridge, gradient)
    return w


def test_every_set_of_two_and_three_planes_gets_the_regression_that_newtons_method_finds():
    probabilities, labels = cohort()
    fitted = fit_ensemble(probabilities, labels)
    assert len(fitted.regressions) == 3 * 4
    for task in Task:
        for size in (2, 3):
            for planes in combinations(Plane, size):
                x = np.column_stack([probabilities[plane, task] for plane in planes])
                intercept, *weights = newton(x, labels[task])
                one = fitted.regression(task, planes)
                assert one.intercept == pytest.approx(intercept, abs=1e-4)
                assert one.coefficients == pytest.approx(weights, abs=1e-4)
                assert one.n == 200
                assert one.left_out == ()


def test_the_plane_that_tells_most_gets_the_largest_coefficient():
    one = fit_ensemble(*cohort(600)).regression(Task.ACL, tuple(Plane))
    assert one.coefficients[2] > one.coefficients[0] > one.coefficients[1]


def test_combining_is_the_logistic_function_of_the_weighted_sum():
    one = Regression(Task.ACL, (SAG, AX), -1.0, (2.0, 0.5), 10, "by hand")
    fitted = Ensemble((one,))
    value = fitted.combine(Task.ACL, {AX: 0.4, SAG: 0.75})
    assert float(value) == pytest.approx(1 / (1 + np.exp(1.0 - 1.5 - 0.2)))
    np.testing.assert_allclose(fitted.combine(Task.ACL, {SAG: [0.75, 0.75], AX: [0.4, 0.4]}), [value, value])


def test_a_single_plane_answers_with_its_networks_own_probability():
    fitted = fit_ensemble(*cohort())
    assert float(fitted.combine(Task.MENISCUS, {COR: 0.123})) == 0.123


def test_a_set_of_planes_without_a_regression_is_named():
    fitted = Ensemble((Regression(Task.ACL, (SAG, AX), 0, (1, 1), 10, "by hand"),))
    with pytest.raises(ArtifactError, match="no regression of acl over coronal, axial"):
        fitted.combine(Task.ACL, {COR: 0.1, AX: 0.2})
    with pytest.raises(InputError, match="no plane's probability"):
        fitted.combine(Task.ACL, {})


def test_json_brings_every_bit_back():
    fitted = fit_ensemble(*cohort(), source="out-of-fold predictions")
    again = Ensemble.from_json(fitted.to_json())
    assert again == fitted
    assert again.regressions[0].source == "out-of-fold predictions"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": 2, "regressions": []}', '{"format": 1, "regressions": [{"task": "acl"}]}']
)
def test_a_file_that_is_no_ensemble_is_refused(text):
    with pytest.raises(ArtifactError, match="file of regressions is malformed"):
        Ensemble.from_json(text)


def test_a_network_that_collapsed_gets_no_weight():
    probabilities, labels = cohort()
    probabilities[COR, Task.ACL] = np.full(200, 0.31) + np.linspace(0, 1e-3, 200)
    fitted = fit_ensemble(probabilities, labels)
    one = fitted.regression(Task.ACL, tuple(Plane))
    assert one.left_out == (COR,)
    assert one.coefficients[1] == 0.0
    # the rest is the regression over the planes that are left
    two = fitted.regression(Task.ACL, (SAG, AX))
    assert (one.coefficients[0], one.coefficients[2]) == two.coefficients


def test_where_every_network_collapsed_the_regression_says_the_prevalence():
    probabilities, labels = cohort()
    for plane in Plane:
        probabilities[plane, Task.ACL] = np.full(200, 0.5)
    one = fit_ensemble(probabilities, labels).regression(Task.ACL, (SAG, COR))
    assert one.left_out == (SAG, COR)
    assert float(one({SAG: 0.9, COR: 0.9})) == pytest.approx(labels[Task.ACL].mean())


def test_a_network_of_extreme_but_varying_probabilities_did_not_collapse():
    assert not collapsed(1e-6 * np.arange(1, 50))
    assert collapsed(np.full(50, 1.0))
    assert collapsed(np.full(50, 1e-30))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p, y: y.update({Task.ACL: np.zeros(200, int)}), "same label for acl"),
        (lambda p, y: y.update({Task.ACL: np.full(200, 2)}), "labels of acl must be one 0 or 1"),
        (lambda p, y: y.pop(Task.ACL), "acl needs its labels"),
        (lambda p, y: p.update({(AX, Task.ACL): np.zeros(199)}), r"axial network of acl has \(199,\) probabilities"),
        (lambda p, y: p[AX, Task.ACL].__setitem__(3, np.nan), "axial network of acl has a probability outside"),
        (lambda p, y: p[AX, Task.ACL].__setitem__(3, 1.5), "axial network of acl has a probability outside"),
    ],
)
def test_what_cannot_be_fitted_is_named(change, words):
    probabilities, labels = cohort()
    change(probabilities, labels)
    with pytest.raises(InputError, match=words):
        fit_ensemble(probabilities, labels)


def test_a_run_of_two_planes_and_one_task_gets_its_one_regression():
    probabilities, labels = cohort()
    part = {(plane, Task.ACL): probabilities[plane, Task.ACL] for plane in (SAG, AX)}
    assert [one.planes for one in fit_ensemble(part, labels).regressions] == [(SAG, AX)]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"planes": (AX, SAG)}, "in the project's order"),
        ({"planes": (AX,), "coefficients": (1,)}, "two planes or more"),
        ({"coefficients": (1,)}, "one coefficient a plane"),
        ({"intercept": float("nan")}, "must be finite"),
    ],
)
def test_a_regression_is_valid_by_construction(fields, words):
    whole = {"task": "acl", "planes": (SAG, AX), "intercept": 0, "coefficients": (1, 1), "n": 3, "source": ""}
    with pytest.raises(InputError, match=words):
        Regression(**(whole | fields))
