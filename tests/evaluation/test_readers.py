"""Reader studies: equal to R on the simulated study, honest on others, and the crossover's error rates."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mrnet_core.datasets.reads import ReaderStudy, read_study
from mrnet_core.domain import InputError, Metric, Task
from mrnet_core.evaluation.counts import counts_of_study, missing_as_wrong
from mrnet_core.evaluation.crossover import crossover_effects, sequence_of
from mrnet_core.evaluation.readers import Options, evaluate_readers
from mrnet_core.evaluation.tables import per_reader

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
QUICK = Options(replicates=200)
CELL = ["task", "metric"]


@pytest.fixture(scope="module")
def study():
    return read_study(*(REFERENCE / "inputs" / f"g_{name}.csv" for name in ("reads", "reference", "model")))


@pytest.fixture(scope="module")
def timed(study):
    start = time.process_time()
    return evaluate_readers(study), time.process_time() - start


@pytest.fixture(scope="module")
def evidence(timed):
    return timed[0]


@pytest.fixture(scope="module")
def acl(study):
    """One task of the study, reads only: quick to evaluate again and again."""
    return one_task(study, Task.ACL)


def one_task(study, task):
    at = [study.tasks.index(task)]
    return replace(
        study,
        tasks=(task,),
        reads=study.reads[:, at],
        period=study.period[:, at],
        order=study.order[:, at],
        confidence=None,
        truth=study.truth[at],
        raters=study.raters[at],
        model=study.model[at],
    )


def expected(name):
    return pd.read_csv(REFERENCE / "expected" / f"{name}.csv")


def held_against_r(got, name, keys, loose=()):
    """Every column of R's table, joined by key: 1e-10, p-values 1e-8 relative."""
    want = expected(name)
    both = want.merge(got, on=keys, how="left", suffixes=("", "_got"), indicator=True)
    assert (both["_merge"] == "both").all()
    assert len(both) == len(want) == len(got)
    for column in want.columns.difference(keys):
        mine = both[f"{column}_got"]
        if want[column].dtype.kind not in "if":
            assert (mine == want[column]).all(), column
            continue
        p = column.startswith(("p_", "q_"))
        tolerance = {"rtol": 1e-8 if p else 1e-10, "atol": 1e-4 if column in loose else 1e-10}
        np.testing.assert_allclose(
            mine.astype(float), want[column].astype(float), equal_nan=True, err_msg=column, **tolerance
        )


@pytest.mark.parametrize(
    ("table", "name", "keys"),
    [
        ("table2", "g_table2", CELL),
        ("table3", "g_table3", CELL),
        ("s4", "g_table_s4_radiologists_only", CELL),
        ("kappa", "g_fleiss", ["set", "assisted", "task"]),
        ("auc", "g_model_auc", ["task"]),
        ("per_reader", "g_per_reader", ["reader", "task", "assisted", "metric"]),
        ("averages", "g_averages", ["readers", "task", "assisted", "metric"]),
    ],
)
def test_every_table_of_the_simulated_study_is_rs(evidence, table, name, keys):
    # Storey's default pi0 is a smoothing spline, exempt from digit-for-digit agreement.
    held_against_r(getattr(evidence, table), name, keys, loose=("q_storey27",))


def test_every_mrmc_number_of_the_simulated_study_is_mrmcaovs(evidence):
    keys = ["task", "readers", "metric", "cov_method", "analysis", "block", "row", "quantity"]
    want = pd.read_csv(REFERENCE / "expected" / "h_g_mrmcaov.csv", dtype={"row": str})
    both = want.merge(
        evidence.mrmc.assign(row=evidence.mrmc["row"].astype(str)), on=keys, how="left", suffixes=("", "_got")
    )
    assert len(both) == len(want)
    np.testing.assert_allclose(both["value_got"], both["value"], rtol=1e-8, atol=1e-10, equal_nan=True)


def test_the_summary_sets_the_paired_t_test_beside_mrmc(evidence):
    row = evidence.mrmc_summary.set_index(["readers", "metric", "task"]).loc[("experts_9", "specificity", "acl")]
    third = evidence.table3.set_index(CELL).loc[("acl", "specificity")]
    assert row["t_p"] == pytest.approx(third["p_two_tailed"], rel=1e-8)
    assert (row["t_lower"], row["t_upper"]) == pytest.approx((third["lower"], third["upper"]), abs=1e-12)
    assert row["or_upper"] - row["or_lower"] > row["t_upper"] - row["t_lower"]


def test_the_by_exam_interval_stands_beside_the_micro_average_and_is_wider(evidence):
    rows = evidence.averages.query("readers == 'radiologist'")
    wider = (rows["boot_upper"] - rows["boot_lower"]) > (rows["micro_upper"] - rows["micro_lower"])
    assert wider.mean() > 0.8
    table = evidence.table2.set_index(CELL)
    own = rows.query("assisted == 0").set_index(CELL)
    assert table.loc[("acl", "accuracy"), "rad_boot_lower"] == own.loc[("acl", "accuracy"), "boot_lower"]
    assert "not independent" in evidence.warnings[0]


def test_the_same_seed_gives_the_same_bootstrap_and_another_seed_another(acl):
    one, again, other = (
        evaluate_readers(acl, Options(replicates=100, seed=seed)).averages["boot_lower"] for seed in (1, 1, 2)
    )
    assert one.equals(again)
    assert not one.equals(other)


def test_a_missing_read_leaves_its_denominator_and_its_exam_in_kappa(acl):
    reads = acl.reads.copy()
    positive = int(np.flatnonzero(acl.truth[0] == 1)[0])
    reads[2, 0, 1, positive] = np.nan
    evidence = evaluate_readers(replace(acl, reads=reads), QUICK)
    row = evidence.per_reader.query("reader == 'R3' and task == 'acl' and assisted == 1").set_index("metric")
    assert row.loc["sensitivity", "n"] == 57
    assert row.loc["sensitivity", "n_reads_expected"] == 58
    assert row.loc["accuracy", "n"] == 119
    kappa = evidence.kappa.set_index(["set", "task", "assisted"])["subjects"]
    assert kappa["experts_9", "acl", 1] == 119
    assert kappa["experts_9", "acl", 0] == 120
    assert any("1 of 2160 reads are missing" in note for note in evidence.notes)


def test_a_missing_read_can_count_as_wrong(study):
    reads = study.reads.copy()
    right = int(np.flatnonzero((study.truth[1] == 1) & (reads[2, 1, 1] == 1))[0])
    reads[2, 1, 1, right] = np.nan
    gap = replace(study, reads=reads)
    before = per_reader(counts_of_study(study)).query("reader == 'R3' and task == 'acl' and assisted == 1")
    after = per_reader(counts_of_study(missing_as_wrong(gap))).query(
        "reader == 'R3' and task == 'acl' and assisted == 1"
    )
    change = before.set_index("metric")[["x", "n"]] - after.set_index("metric")[["x", "n"]]
    assert change.loc["sensitivity"].tolist() == [1, 0]
    assert change.loc["specificity"].tolist() == [0, 0]
    assert change.loc["accuracy"].tolist() == [1, 0]


def test_a_missing_read_is_answered_by_u_statistics_where_its_exam_counts_and_the_t_test_is_table_3s(acl):
    reads = acl.reads.copy()
    reads[0, :, 0, int(np.flatnonzero(acl.truth[0] == 1)[0])] = np.nan
    evidence = evaluate_readers(replace(acl, reads=reads), QUICK)
    summary = evidence.mrmc_summary.query("readers == 'experts_9'").set_index("metric")
    third = evidence.table3.set_index("metric")
    for metric, counts_it in (("sensitivity", True), ("accuracy", True), ("specificity", False)):
        row = summary.loc[metric]
        assert np.isnan(row["or_p"]) == counts_it, metric
        assert row["note"].startswith("reads are missing") == counts_it
        assert np.isfinite(row["u_p"])
        assert row["t_p"] == pytest.approx(third.loc[metric, "p_two_tailed"], rel=1e-10)
        assert row["t_lower"] == pytest.approx(third.loc[metric, "lower"], rel=1e-10)
        methods = set(evidence.mrmc.query("readers == 'experts_9' and metric == @metric")["cov_method"])
        assert methods == ({"U-statistics"} if counts_it else {"jackknife", "none"})


def test_a_study_with_one_positive_exam_says_that_two_are_needed_and_not_that_reads_are_missing(study):
    truth = study.truth.copy()
    at = study.tasks.index(Task.ACL)
    truth[at, np.flatnonzero(truth[at] == 1)[1:]] = 0
    evidence = evaluate_readers(replace(study, truth=truth), QUICK)
    summary = evidence.mrmc_summary.query("task == 'acl' and readers == 'experts_9'").set_index("metric")["note"]
    for metric in ("auc", "sensitivity"):
        assert "needs at least two" in summary[metric]
        assert "missing" not in summary[metric]
    assert summary["specificity"] == ""


def test_the_t_test_on_areas_takes_each_readers_own_area_from_the_reads_that_are_there(study):
    gaps = study.confidence.copy()
    gaps[0, study.tasks.index(Task.ACL), 1, :5] = np.nan
    whole, some = (
        evaluate_readers(one, QUICK).mrmc_summary.query("task == 'acl' and metric == 'auc'").iloc[0]
        for one in (study, replace(study, confidence=gaps))
    )
    assert np.isnan(some["or_p"])
    assert some["t_p"] == pytest.approx(whole["t_p"], rel=0.5)
    assert some["t_p"] != whole["t_p"]


@pytest.mark.parametrize("rule", ["available", "wrong"])
def test_a_reader_who_read_nothing_of_a_task_is_no_missing_read_and_counts_in_no_expectation(study, rule):
    acl, reads = study.tasks.index(Task.ACL), study.reads.copy()
    reads[0, acl, 1] = np.nan
    options = replace(QUICK, missing=rule)
    evidence = evaluate_readers(replace(study, reads=reads), options)
    assert not any("reads are missing" in note for note in evidence.notes)
    assert "No read at all, so left out there: R1 (acl, assisted)." in evidence.notes
    means = evidence.averages.query("task == 'acl' and assisted == 1 and readers == 'all' and metric == 'accuracy'")
    assert means["n_reads_expected"].item() == 8 * 120
    assert means["micro_missing_as_wrong"].item() == pytest.approx(means["micro"].item(), abs=1e-12)
    reads[1, acl, 1, 0] = np.nan
    notes = evaluate_readers(replace(study, reads=reads), options).notes
    words = "leave their denominators" if rule == "available" else "count as wrong"
    assert f"1 of {9 * 3 * 2 * 120 - 120} reads are missing; they {words}." in notes


def test_without_a_second_role_there_is_no_s4_and_the_family_is_smaller(acl):
    one_role = _part(acl, acl.of_role("radiologist"))
    evidence = evaluate_readers(one_role, QUICK)
    assert len(evidence.s4) == 0
    assert "one role" in evidence.absent["s4"]
    assert set(evidence.table3["family_size"]) == {6}
    assert list(evidence.family["test"]) == ["table2"] * 3 + ["table3"] * 3


def test_any_role_can_be_the_main_one_and_others_may_be_many(acl):
    roles = (*acl.roles[:5], "resident", "resident", "surgeon", "surgeon")
    evidence = evaluate_readers(replace(acl, roles=roles), Options(main_role="resident", replicates=200))
    assert evidence.table2["rad_n"].max() == 2 * 120
    assert list(dict.fromkeys(evidence.averages["readers"])) == ["resident", "radiologist", "surgeon", "all"]
    assert "residents_2" in set(evidence.kappa["set"])


def test_an_unknown_main_role_is_refused(study):
    with pytest.raises(InputError, match="roles are radiologist, surgeon"):
        evaluate_readers(study, Options(main_role="nurse"))
    with pytest.raises(InputError, match="available, wrong"):
        Options(missing="ignored")


def test_reads_of_one_condition_only_give_table_2_and_say_why_the_rest_is_absent(acl):
    reads = acl.reads.copy()
    reads[:, :, 1] = np.nan
    evidence = evaluate_readers(replace(acl, reads=reads), QUICK)
    assert len(evidence.table2) == 3
    assert len(evidence.table3) == 0
    assert "unassisted reads only" in evidence.absent["table3"]
    assert not any("reads are missing" in note for note in evidence.notes)


def _part(study, readers):
    def pick(array):
        return None if array is None else array[readers]

    return replace(
        study,
        readers=tuple(np.array(study.readers)[readers]),
        roles=tuple(np.array(study.roles)[readers]),
        groups=tuple(np.array(study.groups)[readers]),
        **{name: pick(getattr(study, name)) for name in ("reads", "confidence", "period", "order")},
    )


def simulated(rng, *, period=0.0, carry_over=0.0, exams=200, per_group=4):
    """A crossover with ``per_group`` readers a sequence and planted effects on the chance of a right read."""
    n = 2 * per_group
    assisted_first = np.arange(n) >= per_group
    chance = np.empty((n, len(Task), 2))
    skill = rng.normal(0.75, 0.02, (n, len(Task)))
    for condition in (0, 1):
        second = (assisted_first != bool(condition))[:, None]
        # Who read assisted first carries something into the second reading.
        carried = carry_over * (second & assisted_first[:, None])
        chance[:, :, condition] = skill + 0.03 * condition + period * second + carried
    truth = (np.arange(exams) % 2).astype(float)
    right = rng.random((n, len(Task), 2, exams)) < np.clip(chance, 0, 1)[..., None]
    reads = np.where(right, truth, 1 - truth)
    when = np.where(assisted_first[:, None] == [True, False], 2.0, 1.0)[:, None, :, None]
    names = tuple(f"R{i}" for i in range(n))
    return ReaderStudy(
        readers=names,
        roles=("radiologist",) * n,
        groups=("",) * n,
        exams=tuple(map(str, range(exams))),
        tasks=tuple(Task),
        reads=reads,
        truth=np.tile(truth, (len(Task), 1)),
        period=np.broadcast_to(when, reads.shape).copy(),
    )


def p_values(study):
    effects, _ = crossover_effects(study, counts_of_study(study))
    return effects.set_index(["task", "metric", "effect"])["p"]


def test_a_planted_period_effect_is_found_with_its_size():
    study = simulated(np.random.default_rng(3), period=0.12)
    effects, note = crossover_effects(study, counts_of_study(study))
    row = effects.set_index(["task", "metric", "effect"]).loc[("acl", "accuracy", "period")]
    assert note == ""
    assert row["p"] < 0.01
    assert row["estimate"] == pytest.approx(0.12, abs=0.03)


def test_a_planted_carry_over_effect_is_found():
    study = simulated(np.random.default_rng(4), carry_over=0.15, per_group=6)
    effects, _ = crossover_effects(study, counts_of_study(study))
    row = effects.set_index(["task", "metric", "effect"]).loc[("acl", "accuracy", "carry_over")]
    assert row["p"] < 0.05
    assert row["estimate"] == pytest.approx(0.15, abs=0.08)


def test_without_an_effect_rejections_stay_near_the_nominal_rate():
    """60 studies of 3 tasks with their independent sensitivity and specificity: 360 tests an effect at 5%."""
    rng = np.random.default_rng(5)
    found = pd.concat([p_values(simulated(rng, exams=100)) for _ in range(60)]).drop("accuracy", level="metric")
    rates = (found < 0.05).groupby("effect").agg(["mean", "size"])
    assert set(rates["size"]) == {360}
    error = np.sqrt(0.05 * 0.95 / 360)
    for effect in ("period", "carry_over"):
        assert abs(rates.loc[effect, "mean"] - 0.05) < 3.5 * error, rates


def test_the_sequences_are_read_off_the_periods_and_unclear_readers_are_named(study):
    sequence, note = sequence_of(study)
    assert sequence.tolist() == [0, 0, 0, 0, 1, 1, 1, 0, 0]
    assert note == ""
    period = study.period.copy()
    period[0, 0, 0, :5] = 2
    sequence, note = sequence_of(replace(study, period=period))
    assert np.isnan(sequence[0])
    assert note.endswith(": R1")
    assert "no period column" in sequence_of(replace(study, period=None))[1]


def test_the_groups_are_laid_side_by_side(evidence):
    balance = evidence.balance.set_index("sequence")
    assert balance.loc["unassisted first", "roles"] == "4 radiologist, 2 surgeon"
    assert balance.loc["assisted first", "n_readers"] == 3
    assert abs(balance["order_correlation"]).max() < 0.2


def test_nine_readers_and_both_conditions_take_less_than_ten_seconds(timed):
    assert timed[1] < 10


def test_every_metric_is_counted_on_its_own_exams(study):
    counts = counts_of_study(study).set_index(["reader", "task", "assisted", "metric"])["n"]
    for metric, n in ((Metric.SPECIFICITY, 62), (Metric.SENSITIVITY, 58), (Metric.ACCURACY, 120)):
        assert counts["R1", "acl", 0, metric.value] == n
