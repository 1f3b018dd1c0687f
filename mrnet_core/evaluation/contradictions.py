"""C1 to C8: where the paper contradicts itself or claims more than its counts bear, with the evidence computed."""

from dataclasses import dataclass

import pandas as pd

from mrnet_core import paper
from mrnet_core.datasets.published import PublishedCounts
from mrnet_core.domain import Metric, Task
from mrnet_core.evaluation.counts import matrix_of
from mrnet_core.stats import chi2_two_proportions, likelihood_ratios, predictive_values

NOTES = {
    "C1": "C1: the printed row is the assisted radiologists'; the text, the p-values and these counts are unassisted.",
    "C3": "C3: Tables 2 and 3 and Figure 5 count 62 exams with a meniscal tear.",
    "C4": "C4: the Discussion repeats the estimate as the upper limit; Abstract and Results print the interval.",
    "C6": "C6: 194 of 1,370 exams; 38.2% is 194 of the 508 exams with a meniscal tear.",
    "C7": "C7: taken as “high” from 0.9; at the study's prevalence of 82.5% and threshold 0.5.",
    "C8": "C8: high specificity rules in; ruling out takes a negative likelihood ratio below about 0.1.",
}
"""What a record says that differs because of a contradiction."""


@dataclass(frozen=True)
class Finding:
    """A contradiction with its evidence, in sentences."""

    id: str
    name: str
    claim: str
    evidence: str


def findings(published: PublishedCounts, averages: pd.DataFrame) -> tuple[Finding, ...]:
    """The eight contradictions with their evidence from the counts; ``averages`` is the table of micro-averages."""
    evidence = {
        "C1": _meniscus_row(published, averages),
        "C2": _missing_read(published),
        "C3": _denominators(published),
        "C4": "Abstract and Results print 0.937 (0.895, 0.980), 0.965 (0.938, 0.993) and 0.847 (0.780, 0.914), which "
        "the ranks of Figure 5 reproduce by DeLong's method; the Discussion repeats each estimate as its upper limit.",
        "C5": "The Methods call the same series “sagittal PD-weighted exams”; Štajduhar et al. describe the KneeMRI "
        "volumes as proton density weighted. No count can decide it.",
        "C6": _both_tears(),
        "C7": _negative_predictive_value(published),
        "C8": _ruling_out(published),
    }
    return tuple(Finding(entry.id, entry.name, entry.claim, evidence[entry.id]) for entry in paper.CONTRADICTIONS)


def _meniscus_row(published: PublishedCounts, averages: pd.DataFrame) -> str:
    rows = averages[(averages["readers"] == "radiologist") & (averages["task"] == Task.MENISCUS.value)]
    words = {}
    for assisted in (0, 1):
        cells = rows[rows["assisted"] == assisted].set_index("metric").loc[list(Metric)]
        words[assisted] = ", ".join(f"{row.micro_x}/{row.micro_n} = {row.micro:.3f}" for row in cells.itertuples())
    model = matrix_of(published.model[Task.MENISCUS])
    tests = {}
    for assisted in (0, 1):
        p_values = []
        for metric in Metric:
            cell = rows[(rows["assisted"] == assisted) & (rows["metric"] == metric.value)].iloc[0]
            own = model.metric(metric.value)
            test = chi2_two_proportions(own.x, own.n, int(cell["micro_x"]), int(cell["micro_n"]))
            p_values.append(f"{test.p_two_sided:.3f}")
        tests[assisted] = ", ".join(p_values)
    return (
        f"Assisted, the seven radiologists read {words[1]} (specificity, sensitivity, accuracy): the printed row. "
        f"Unassisted they read {words[0]}, which is the text's 0.892 (0.858, 0.918). Tested against the model, the "
        f"unassisted counts give p = {tests[0]}, as printed; the printed row would give {tests[1]}."
    )


def _missing_read(published: PublishedCounts) -> str:
    for entry in published.readers:
        lacking = entry.unassisted.p - entry.assisted.p
        if lacking:
            return (
                f"One radiologist's assisted meniscal reads count {entry.assisted.tp} of "
                f"{entry.assisted.p} positive exams where every other reader has {entry.unassisted.p}: {lacking} read "
                "is missing. Sensitivity leaves it out; accuracy still divides by 120, where it so counts as wrong. "
                "Both choices are needed to reproduce Table 3 to its printed digits."
            )
    return "No read is missing."


def _denominators(published: PublishedCounts) -> str:
    model = published.model[Task.MENISCUS]
    return (
        f"The model's {model.tp}/{model.p} and {model.n - model.fp}/{model.n} reproduce Table 2's meniscal sensitivity "
        f"and specificity with their intervals; so do the readers' counts. That is {model.p} exams with a tear and "
        f"{model.n} without. Which three exams changed sides is not said."
    )


def _both_tears() -> str:
    exams = sum(paper.TABLE1_EXAMS.values())
    both = sum(number for what, group, number, _ in paper.TABLE1 if what == "both" and group != "reference")
    meniscal = sum(number for what, group, number, _ in paper.TABLE1 if what == "meniscus" and group != "reference")
    return (
        f"{both} of {exams:,} exams are {both / exams:.1%}; {both / meniscal:.1%} is {both} of the {meniscal} exams "
        "with a meniscal tear. The other percentages of the same sentence divide by all exams."
    )


def _negative_predictive_value(published: PublishedCounts) -> str:
    matrix = matrix_of(published.model[Task.ABNORMAL])
    value = predictive_values(matrix).negative
    return (
        f"At threshold 0.5 the model called {matrix.tn + matrix.fn} exams normal and was right in {matrix.tn}: a "
        f"negative predictive value of {value.estimate:.3f} (95% CI {value.lower:.3f}, {value.upper:.3f}), where "
        f"{matrix.n_neg / matrix.n:.1%} of the exams are normal."
    )


def _ruling_out(published: PublishedCounts) -> str:
    matrix = matrix_of(published.model[Task.ACL])
    ratios = likelihood_ratios(matrix)
    return (
        f"High specificity rules a tear in (positive likelihood ratio {ratios.positive.estimate:.1f}). The model "
        f"missed {matrix.fn} of {matrix.n_pos} tears; its negative likelihood ratio is {ratios.negative.estimate:.2f} "
        f"(95% CI {ratios.negative.lower:.2f}, {ratios.negative.upper:.2f}), and ruling out takes one below about 0.1."
    )
