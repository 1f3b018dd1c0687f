"""Every function R was asked agrees with R, degenerate cases included (tests/reference/README.md)."""

import numpy as np
import pandas as pd
import pytest

from mrnet_core import stats
from mrnet_core.stats.multiplicity import LAMBDAS, raw_pi0
from tests.stats.reference import expected, inputs, same, same_p


def by_case(name):
    return inputs(name).groupby("case", sort=False)


def test_wilson_intervals_equal_binom_confint_and_prop_test():
    table = inputs("a_wilson").merge(expected("a_wilson"), on=["case", "x", "n", "conf_level"])
    assert len(table) == 327
    for row in table.itertuples():
        got = stats.wilson(row.x, row.n, level=row.conf_level)
        same([got.estimate, got.lower, got.upper], [row.estimate, row.lower, row.upper], row)
        same([got.lower, got.upper], [row.lower_proptest, row.upper_proptest], row)
        assert (got.x, got.n, got.level) == (row.x, row.n, row.conf_level)


def test_auc_and_delong_interval_equal_proc_at_two_levels():
    want = expected("b_auc").set_index("case")
    for case, data in by_case("b_auc"):
        row = want.loc[case]
        got = stats.auc(data.label, data.score)
        assert (got.n_pos, got.n_neg) == (row.n_pos, row.n_neg)
        same([got.estimate, got.variance], [row.auc, row.var_delong], case)
        same([got.lower, got.upper], [row.lower95, row.upper95], case)
        same([got.unclipped_lower, got.unclipped_upper], [row.unclipped_lower95, row.unclipped_upper95], case)
        ninety = stats.auc(data.label, data.score, level=0.9)
        same([ninety.lower, ninety.upper], [row.lower90, row.upper90], case)
        assert bool(got.note) == (not got.variance > 0), case


def test_paired_delong_test_equals_proc():
    want = expected("b_delong_paired").set_index("case")
    for case, data in by_case("b_delong_paired"):
        row = want.loc[case]
        got = stats.auc_paired(data.label, data.score1, data.score2)
        same([got.auc1.estimate, got.auc2.estimate], [row.auc1, row.auc2], case)
        same([got.auc1.variance, got.auc2.variance, got.covariance], [row.var1, row.var2, row.cov12], case)
        same([got.statistic, got.lower, got.upper], [row.z, row.diff_lower95, row.diff_upper95], case)
        same_p([got.p_two_sided, got.p_greater, got.p_less], [row.p_two_sided, row.p_greater, row.p_less], case)


def test_unpaired_delong_test_equals_proc():
    want = expected("b_delong_unpaired").set_index("case")
    for case, data in by_case("b_delong_unpaired"):
        row = want.loc[case]
        one, two = (data[data["sample"] == k] for k in (1, 2))
        got = stats.auc_unpaired(one.label, one.score, two.label, two.score)
        same([got.auc1.estimate, got.auc2.estimate], [row.auc1, row.auc2], case)
        same([got.auc1.variance, got.auc2.variance], [row.var1, row.var2], case)
        same([got.statistic, got.df], [row.D, row.df], case)
        same_p([got.p_two_sided, got.p_greater], [row.p_two_sided, row.p_greater], case)
        assert got.lower < got.estimate < got.upper


def test_chi_squared_tests_equal_r_with_and_without_yates():
    table = inputs("c_chisq").merge(expected("c_chisq"), on=["case", "x1", "n1", "x2", "n2"])
    assert len(table) == 70
    for row in table.itertuples():
        yates = stats.chi2_two_proportions(row.x1, row.n1, row.x2, row.n2)
        plain = stats.chi2_two_proportions(row.x1, row.n1, row.x2, row.n2, yates=False)
        same(
            [yates.statistic, plain.statistic, yates.min_expected], [row.stat_yates, row.stat_pearson, row.min_expected]
        )
        same_p([yates.p_two_sided, plain.p_two_sided, yates.p_fisher], [row.p_yates, row.p_pearson, row.p_fisher], row)
        assert bool(yates.note) == np.isnan(yates.statistic)


def test_paired_t_tests_equal_r_and_say_where_r_stops():
    want = expected("d_paired_t").set_index("case")
    for case, data in by_case("d_paired_t"):
        row = want.loc[case]
        got = stats.paired_t(data.unassisted, data.assisted)
        assert got.n == row.n
        same([got.estimate, got.sd], [row.mean_diff, row.sd_diff], case)
        np.testing.assert_allclose(got.statistic, row.t, rtol=1e-10, atol=1e-10, err_msg=case)
        same([got.lower, got.upper, got.one_sided_lower], [row.ci95_lower, row.ci95_upper, row.onesided95_lower], case)
        same_p([got.p_greater, got.p_less, got.p_two_sided], [row.p_greater, row.p_less, row.p_two_sided], case)
        if isinstance(row.error, str):
            assert ("constant" if "constant" in row.error else "at least two") in got.note, case
        else:
            assert ("0/0" in got.note) == (case == "zero_diff"), case


def test_fleiss_and_exact_fleiss_kappa_equal_irr():
    want = expected("e_fleiss").set_index("case")
    for case, data in by_case("e_fleiss"):
        row = want.loc[case]
        ratings = data.pivot(index="subject", columns="rater", values="rating").to_numpy()
        plain, exact = stats.fleiss_kappa(ratings), stats.fleiss_kappa(ratings, exact=True)
        assert (plain.n, plain.raters) == (row.subjects_used, row.raters), case
        same([plain.estimate, exact.estimate], [row.kappa_fleiss, row.kappa_exact], case)
        np.testing.assert_allclose(plain.statistic, row.z_fleiss, rtol=1e-10, err_msg=case)
        # R: 2 * (1 - pnorm(|z|)), which is 0 from z = 8.3 on and steps in units of 1e-16 before.
        np.testing.assert_allclose(plain.p_value, row.p_fleiss, rtol=1e-8, atol=3e-16, err_msg=case)
        assert np.isnan(exact.p_value)


def test_adjusted_p_values_equal_p_adjust():
    want = expected("f_adjusted").groupby("case", sort=False)
    functions = {
        "bonferroni": stats.bonferroni,
        "holm": stats.holm,
        "hochberg": stats.hochberg,
        "BH": stats.benjamini_hochberg,
        "BY": stats.benjamini_yekutieli,
    }
    for case, table in want:
        for name, function in functions.items():
            got = function(table.p)
            same_p(got.adjusted, table[name], (case, name))
            assert got.m == table.p.notna().sum()


STOREY = {
    "q_bootstrap": {"pi0": "bootstrap"},
    "q_lambda0.5": {"lambdas": 0.5},
    "q_pi0_1": {"pi0": 1.0},
    "q_pi0_1_pfdr": {"pi0": 1.0, "pfdr": True},
}


@pytest.mark.parametrize("column", STOREY)
def test_q_values_equal_qvalue_and_are_nan_where_it_stops(column):
    estimates = expected("f_pi0").set_index(["case", "method"])
    for case, table in expected("f_adjusted").groupby("case", sort=False):
        got = stats.storey(table.p, **STOREY[column])
        row = estimates.loc[(case, column.removeprefix("q_"))]
        same(got.pi0, row.pi0, case)
        same_p(got.adjusted, table[column], case)
        assert bool(got.note) == isinstance(row.error, str), case


def test_the_smoothed_pi0_is_near_qvalue_and_stops_where_it_stops():
    # Exempt from equality: R's smooth.spline searches its smoothing parameter coarsely.
    estimates = expected("f_pi0").set_index(["case", "method"])
    distances = []
    for case, table in expected("f_adjusted").groupby("case", sort=False):
        got = stats.storey(table.p)
        row = estimates.loc[(case, "default_smoother")]
        assert np.isnan(got.pi0) == np.isnan(row.pi0), case
        distances.append(abs(got.pi0 - row.pi0))
        same_p(got.adjusted / got.pi0, table.q_default_smoother / row.pi0, case)
    assert np.nanmax(distances) < 0.002


def test_pi0_before_smoothing_equals_qvalue():
    p_values = dict(list(inputs("f_pvalues").groupby("case", sort=False)))
    for case, table in expected("f_pi0_curve").groupby("case", sort=False):
        same(table["lambda"], LAMBDAS)
        same(table.pi0_raw, raw_pi0(p_values[case].p.dropna().to_numpy(), LAMBDAS), case)


def test_the_papers_27_p_values_give_its_printed_q_values():
    table = expected("paper_fdr_family27")
    got = stats.benjamini_hochberg(table.p)
    same(got.adjusted, table.q_bh)
    printed = table.printed_q[table.printed_q.notna()]
    assert len(printed) >= 19
    for place, q in printed.items():
        assert abs(got.adjusted[place] - q) < 0.0005 + 1e-12, place


def study():
    reads = inputs("g_reads").merge(inputs("g_reference")[["exam", "task", "majority"]], on=["exam", "task"])
    return reads.assign(right=(reads.read == reads.majority).where(reads.read.notna()))


def test_per_reader_metrics_of_the_simulated_study_equal_r():
    reads = study().dropna(subset=["read"])
    want = expected("g_per_reader").set_index(["reader", "task", "assisted", "metric"])
    seen = 0
    for key, table in reads.groupby(["reader", "task", "assisted"]):
        matrix = stats.confusion_matrix(table.majority, table.read)
        for metric in ("specificity", "sensitivity", "accuracy"):
            row, got = want.loc[(*key, metric)], matrix.metric(metric)
            assert (got.x, got.n) == (row.x, row.n)
            same([got.estimate, got.lower, got.upper], [row.estimate, row.lower, row.upper], key)
            seen += 1
    assert seen == len(want) == 162


def test_micro_and_macro_averages_of_the_simulated_study_equal_r():
    counts = expected("g_per_reader")
    for row in expected("g_averages").itertuples():
        mine = counts[(counts.task == row.task) & (counts.assisted == row.assisted) & (counts.metric == row.metric)]
        mine = mine[mine.role == row.readers] if row.readers != "all" else mine
        micro, macro = stats.micro_average(mine.x, mine.n), stats.macro_average(mine.x, mine.n)
        assert (micro.x, micro.n, macro.n) == (row.micro_x, row.micro_n, row.n_readers)
        same([micro.estimate, micro.lower, micro.upper], [row.micro, row.micro_lower, row.micro_upper], row)
        same([macro.estimate, macro.sd], [row.macro, row.macro_sd], row)
        assert "not independent" in micro.note


def test_model_auc_of_the_simulated_study_equals_proc():
    scores = inputs("g_model").merge(inputs("g_reference"), on=["exam", "task"])
    for row in expected("g_model_auc").itertuples():
        table = scores[scores.task == row.task]
        got = stats.auc(table.majority, table.probability)
        same([got.estimate, got.variance, got.lower, got.upper], [row.auc, row.var_delong, row.lower, row.upper], row)


def test_kappas_of_the_simulated_study_equal_irr():
    reads, reference = study(), inputs("g_reference")
    for row in expected("g_fleiss").itertuples():
        if row.set == "reference_raters":
            ratings = reference[reference.task == row.task][["rater1", "rater2", "rater3"]].to_numpy()
        else:
            table = reads[(reads.task == row.task) & (reads.assisted == row.assisted)]
            table = table if row.set == "experts_9" else table[table.role == "radiologist"]
            ratings = table.pivot(index="exam", columns="reader", values="read").to_numpy()
        plain, exact = stats.fleiss_kappa(ratings), stats.fleiss_kappa(ratings, exact=True)
        assert (exact.raters, exact.n) == (row.raters, row.subjects)
        same([exact.estimate, plain.estimate], [row.kappa_exact, row.kappa_fleiss], row)


def test_the_study_family_of_27_equals_r_in_every_adjustment():
    tables = [expected("g_table2").rename(columns={"p_yates": "p"})]
    tables += [
        expected(name).rename(columns={"p_one_tailed": "p"}) for name in ("g_table3", "g_table_s4_radiologists_only")
    ]
    family = pd.concat(tables)
    same_p(stats.benjamini_hochberg(family.p).adjusted, family.q_bh27)
    same_p(stats.benjamini_yekutieli(family.p).adjusted, family.q_by27)
    same_p(stats.holm(family.p).adjusted, family.p_holm27)


@pytest.mark.parametrize("name", ["g_table3", "g_table_s4_radiologists_only"])
def test_paired_t_tests_of_the_simulated_study_equal_r(name):
    counts = expected("g_per_reader").sort_values("reader")
    readers = counts if name == "g_table3" else counts[counts.role == "radiologist"]
    for row in expected(name).itertuples():
        mine = readers[(readers.task == row.task) & (readers.metric == row.metric)]
        before, after = (mine[mine.assisted == k].estimate.to_numpy() for k in (0, 1))
        got = stats.paired_t(before, after)
        want = [row.mean_difference, row.sd_difference, row.lower, row.upper, row.t, row.onesided_lower]
        same([got.estimate, got.sd, got.lower, got.upper, got.statistic, got.one_sided_lower], want, row)
        same_p([got.p_greater, got.p_two_sided], [row.p_one_tailed, row.p_two_tailed], row)
