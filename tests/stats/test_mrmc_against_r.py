"""Multi-reader multi-case analyses agree with MRMCaov, RJafroc, OR-DBM MRMC and iMRMC."""

import numpy as np
import pytest

from mrnet_core import stats
from tests.stats.reference import expected, inputs, same, van_dyke

TASKS = ("abnormal", "acl", "meniscus")
TREATMENTS = ("assisted", "unassisted")


def simulated(task, readers, column):
    """The simulated study of tests/reference as (treatments, readers, cases)."""
    reads = inputs("g_reads")
    reads = reads[reads.task == task]
    if readers == "radiologists_7":
        reads = reads[reads.role == "radiologist"]
    truth = inputs("g_reference").query("task == @task").set_index("exam").majority.sort_index()
    table = reads.pivot(index=["assisted", "reader"], columns="exam", values=column)
    names = tuple(sorted(reads.reader.unique()))
    scores = np.stack([table.loc[flag].loc[list(names), truth.index].to_numpy() for flag in (1, 0)])
    return stats.ReaderStudy(truth.to_numpy(), scores, TREATMENTS, names)


def close(got, want, what):
    """Equal to 1e-10, relative for small numbers too (variances are of order 1e-5)."""
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-15, equal_nan=True, err_msg=str(what))


def close_p(got, want, what):
    """R's p-values here are 1 - cdf: steps of 1e-16."""
    np.testing.assert_allclose(got, want, rtol=1e-8, atol=2e-15, equal_nan=True, err_msg=str(what))


def compare(records, table):
    """Every number of an analysis against the table of R: same names, same values."""
    key = ["metric", "cov_method", "analysis", "block", "row", "quantity"]
    got = {tuple(getattr(record, k) for k in key): record.value for record in records}
    want = {tuple(str(value) for value in row[:-1]): row[-1] for row in table[[*key, "value"]].itertuples(index=False)}
    assert set(got) == set(want)
    for name, value in want.items():
        (close_p if name[-1] == "p-value" else close)(got[name], value, name)
    return len(want)


@pytest.mark.parametrize("readers", ["experts_9", "radiologists_7"])
def test_obuchowski_rockette_on_the_simulated_study_equals_mrmcaov(readers):
    table = expected("h_g_mrmcaov")
    table = table[table.readers == readers]
    seen = 0
    for task in TASKS:
        mine = table[table.task == task]
        ratings, reads = simulated(task, readers, "confidence"), simulated(task, readers, "read")
        jackknife = stats.obuchowski_rockette(ratings, "auc").records()
        delong = stats.obuchowski_rockette(ratings, "auc", covariance="delong").records()
        records = {*jackknife, *(record for record in delong if record.cov_method != "none")}
        for metric in ("sensitivity", "specificity"):
            records |= set(stats.obuchowski_rockette(reads, metric).records())
        seen += compare(records, mine)
    assert seen == len(table) == 1185


@pytest.mark.parametrize("readers", ["experts_9", "radiologists_7"])
@pytest.mark.parametrize(("estimator", "label"), [("ustat", "Ustat"), ("vstat", "MLE")])
def test_gallas_on_the_simulated_study_equals_imrmc(readers, estimator, label):
    table = expected("h_g_imrmc")
    table = table[(table.readers == readers) & (table.UstatOrMLE == label)]
    columns = {"auc": "confidence", "auc_binary_reads": "read", "sensitivity": "read", "specificity": "read"}
    seen = 0
    for (task, metric), mine in table.groupby(["task", "metric"]):
        found = stats.gallas(simulated(task, readers, columns[metric]), metric.split("_")[0], estimator=estimator)
        for row in mine.itertuples():
            compare_gallas(found, row)
            seen += 1
    assert seen == len(table) == 36


def compare_gallas(found, row):
    alone = {one.treatments[0]: one for one in found.singles}
    if row.modalityB == "NO_MOD":
        got = alone[row.modalityA]
        close([got.estimate, got.variance], [row.AUCA, row.varAUCA], row)
    else:
        got = next(one for one in found.differences if one.treatments == (row.modalityA, row.modalityB))
        close([got.first, got.second], [row.AUCA, row.AUCB], row)
        close([alone[row.modalityA].variance, alone[row.modalityB].variance], [row.varAUCA, row.varAUCB], row)
        same(got.estimate, row.AUCAminusAUCB, row)
        close(got.variance, row.varAUCAminusAUCB, row)
    assert got.n_readers == row.NR
    close([got.normal.lower, got.normal.upper], [row.botCInormal, row.topCInormal], row)
    close([got.df, got.lower, got.upper], [row.dfBDG, row.botCIBDG, row.topCIBDG], row)
    close_p([got.p_normal, got.p_value], [row.pValueNormal, row.pValueBDG], row)


@pytest.fixture(scope="module")
def van_dyke_study():
    table = van_dyke("inputs/h_vandyke.csv")
    truth = table.groupby("case").truth.first()
    wide = table.pivot(index=["treatment", "reader"], columns="case", values="rating")[truth.index]
    scores = np.stack([wide.loc[k].to_numpy() for k in (1, 2)])
    return stats.ReaderStudy(truth.to_numpy(), scores, ("1", "2"), tuple(str(r) for r in wide.loc[1].index))


def test_obuchowski_rockette_on_van_dykes_data_equals_mrmcaov(van_dyke_study):
    records, methods = set(), ("jackknife", "delong", "unbiased")
    for method in methods:
        found = stats.obuchowski_rockette(van_dyke_study, "auc", covariance=method)
        records |= set(found.records(reader_differences=True))
    table = van_dyke("expected/h_vandyke_mrmcaov.csv")
    random_cases = table[table.cov_method.isin(["jackknife", "DeLong", "unbiased"])]
    assert compare({r for r in records if r.cov_method != "none"}, random_cases) > 200
    fixed_cases = [r for r in records if r.cov_method == "none"]
    mine = table[table.analysis == "RRFC"]
    for record in fixed_cases:
        row = mine[(mine.block == record.block) & (mine.row == record.row) & (mine.quantity == record.quantity)]
        assert len(row), record
        (close_p if record.quantity == "p-value" else close)(record.value, row.value.iloc[0], record)


def test_obuchowski_rockette_on_van_dykes_data_equals_the_published_output(van_dyke_study):
    found = stats.obuchowski_rockette(van_dyke_study, "auc")
    c, random, readers, cases = found.components, found.random, found.fixed_readers, found.fixed_cases
    got = {
        ("VarComp", "Var(R)"): c.reader,
        ("VarComp", "Var(T*R)"): c.treatment_reader,
        ("VarComp", "Cov1"): c.cov1,
        ("VarComp", "Cov2"): c.cov2,
        ("VarComp", "Cov3"): c.cov3,
        ("VarComp", "Var(Error)"): c.error,
        ("RRRC", "MS(T)"): random.test.ms_treatment,
        ("RRRC", "error term"): random.test.denominator,
        ("RRRC", "df error"): random.test.df2,
        ("RRRC", "F"): random.test.statistic,
        ("RRRC", "p"): random.test.p_value,
        ("RRRC", "difference 1-2"): random.differences[0].estimate,
        ("RRRC", "StdErr"): random.differences[0].standard_error,
        ("RRRC", "t"): random.differences[0].statistic,
        ("RRRC", "CI lower"): random.differences[0].lower,
        ("RRRC", "CI upper"): random.differences[0].upper,
        ("FRRC", "X2"): readers.test.statistic,
        ("FRRC", "p"): readers.test.p_value,
        ("FRRC", "StdErr"): readers.differences[0].standard_error,
        ("FRRC", "z"): readers.differences[0].statistic,
        ("FRRC", "CI lower"): readers.differences[0].lower,
        ("FRRC", "CI upper"): readers.differences[0].upper,
        ("RRFC", "F"): cases.test.statistic,
        ("RRFC", "p"): cases.test.p_value,
        ("RRFC", "MS(T*R)"): cases.test.ms_treatment_reader,
        ("RRFC", "StdErr"): cases.differences[0].standard_error,
        ("RRFC", "t"): cases.differences[0].statistic,
        ("RRFC", "CI lower"): cases.differences[0].lower,
        ("RRFC", "CI upper"): cases.differences[0].upper,
    }
    for k in (1, 2):
        mean = random.means[k - 1]
        got |= {("RRRC", f"AUC {k}"): mean.estimate, ("RRRC", f"AUC {k} StdErr"): mean.standard_error}
        got |= {("RRRC", f"AUC {k} df"): mean.df, ("RRRC", f"AUC {k} lower"): mean.lower}
        got |= {("RRRC", f"AUC {k} upper"): mean.upper}
        got |= {("FRRC", f"AUC {k} StdErr"): readers.means[k - 1].standard_error}
        got |= {("RRFC", f"AUC {k} StdErr"): cases.means[k - 1].standard_error}
    printed = 0
    table = van_dyke("expected/h_vandyke_published.csv").astype({"value": str})
    for row in table.itertuples():
        if row.quantity.startswith("DBM"):
            continue
        digits = len(row.value.partition(".")[2])
        assert abs(got[(row.analysis, row.quantity)] - float(row.value)) < 0.6 * 10.0**-digits, row
        printed += 1
    assert printed == 43


def test_fixed_reader_and_random_results_on_van_dykes_data_equal_rjafroc(van_dyke_study):
    table = van_dyke("expected/h_vandyke_rjafroc.csv")
    table = table[table.method == "OR"]
    found = stats.obuchowski_rockette(van_dyke_study, "auc")
    for analysis, mine in (("RRRC", found.random), ("FRRC", found.fixed_readers), ("RRFC", found.fixed_cases)):
        rows = table[(table.analysis == analysis) & (table.table == "ciDiffTrt")].set_index("quantity").value
        difference = mine.differences[0]
        close([difference.estimate, difference.standard_error], [rows["Estimate"], rows["StdErr"]], analysis)
        close([difference.lower, difference.upper], [rows["CILower"], rows["CIUpper"]], analysis)
        if difference.df is not None:
            close(difference.df, rows["DF"], analysis)
        for k, mean in enumerate(mine.means):
            rows = table[(table.analysis == analysis) & (table.table == "ciAvgRdrEachTrt")]
            rows = rows[rows.row.str.lower() == f"trt{k}"].set_index("quantity").value
            close([mean.standard_error, mean.lower, mean.upper], rows[["StdErr", "CILower", "CIUpper"]], analysis)


@pytest.mark.parametrize(("estimator", "label"), [("ustat", "Ustat"), ("vstat", "MLE")])
def test_gallas_on_van_dykes_data_equals_imrmc(van_dyke_study, estimator, label):
    table = van_dyke("expected/h_vandyke_imrmc.csv")
    renamed = stats.ReaderStudy(van_dyke_study.truth, van_dyke_study.scores, ("T1", "T2"), van_dyke_study.readers)
    found = stats.gallas(renamed, "auc", estimator=estimator)
    for row in table[table.UstatOrMLE == label].itertuples():
        compare_gallas(found, row)
        assert (found.singles[0].n_pos, found.singles[0].n_neg) == (row.N1, row.N0)
