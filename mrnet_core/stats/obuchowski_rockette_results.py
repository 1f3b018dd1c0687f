"""What an Obuchowski-Rockette analysis gives back, and its numbers as records in MRMCaov's words."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mrnet_core.stats.results import NAN, Comparison, Estimate

COVARIANCE_NAMES = {"jackknife": "jackknife", "delong": "DeLong", "unbiased": "unbiased"}
"""The words of the records (MRMCaov's)."""


@dataclass(frozen=True)
class ORComponents:
    """Variance components; ``correlation`` of cov1 … cov3 is their share of ``error``. Negative estimates are kept."""

    reader: float
    treatment_reader: float
    error: float
    cov1: float
    cov2: float
    cov3: float


@dataclass(frozen=True)
class ORTest:
    """Test that all treatments are equal: F on (df1, df2), or chi-squared on df1 for fixed readers (df2 is None)."""

    ms_treatment: float
    ms_treatment_reader: float
    denominator: float
    statistic: float
    df1: float
    df2: float | None
    p_value: float
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ORContrast(Comparison):
    """Difference of two treatments, labelled "first - second"; ``reader`` names the one it is about, if one."""

    label: str
    reader: str | None = None


@dataclass(frozen=True, kw_only=True)
class ORMean(Estimate):
    """Mean over readers of one treatment, interval clipped to [0, 1].

    ``spread`` is the mean square between readers (RRRC, RRFC) or the mean error variance (FRRC), ``cov2`` the mean
    covariance of two readers under the treatment.
    """

    treatment: str
    standard_error: float
    df: float | None
    spread: float
    cov2: float


@dataclass(frozen=True)
class ORAnalysis:
    """One way to generalise: RRRC to readers and cases, FRRC to cases, RRFC to readers."""

    name: str
    test: ORTest
    differences: tuple[ORContrast, ...]
    means: tuple[ORMean, ...]
    reader_differences: tuple[ORContrast, ...] = ()


@dataclass(frozen=True)
class MrmcRecord:
    """One number of an analysis, in MRMCaov's words; NaN where it has NA (Gallas: where the estimate has a note)."""

    metric: str
    cov_method: str
    analysis: str
    block: str
    row: str
    quantity: str
    value: float


@dataclass(frozen=True, eq=False)
class ObuchowskiRockette:
    """The whole analysis: ``figures`` (treatments, readers), components, and the three generalisations."""

    metric: str
    covariance: str
    treatments: tuple[str, ...]
    readers: tuple[str, ...]
    figures: NDArray[np.float64]
    components: ORComponents
    random: ORAnalysis
    fixed_readers: ORAnalysis
    fixed_cases: ORAnalysis

    def records(self, *, reader_differences: bool = False) -> tuple[MrmcRecord, ...]:
        """Every number with its name, in the order and words of MRMCaov.

        Parameters
        ----------
        reader_differences : bool
            Also the fixed-reader differences of each reader.
        """
        rows: list[MrmcRecord] = []
        for analysis in (self.random, self.fixed_readers, self.fixed_cases):
            method = "none" if analysis.name == "RRFC" else COVARIANCE_NAMES[self.covariance]
            rows += [
                MrmcRecord(self.metric, method, analysis.name, block, row, quantity, float(value))
                for block, row, quantity, value in _numbers(analysis, self.components, reader_differences)
            ]
        return tuple(rows)


def _numbers(
    analysis: ORAnalysis, parts: ORComponents, reader_differences: bool
) -> Iterator[tuple[str, str, str, float]]:
    """(block, row, quantity, value) of one analysis."""
    name, test = analysis.name, analysis.test
    if name != "RRFC":
        named = ("reader", parts.reader), ("treatment:reader", parts.treatment_reader), ("Error", parts.error)
        for row, value in (*named, ("Cov1", parts.cov1), ("Cov2", parts.cov2), ("Cov3", parts.cov3)):
            yield "vcov_components", row, "Estimate", value
            share = value / parts.error if row.startswith("Cov") and parts.error else NAN
            yield "vcov_components", row, "Correlation", share
    table = {"MS(T)": test.ms_treatment}
    table |= {"Cov1": parts.cov1} if name == "FRRC" else {"MS(T:R)": test.ms_treatment_reader}
    if name != "RRFC":
        table |= {"Cov2": parts.cov2, "Cov3": parts.cov3, "Denominator": test.denominator}
    degrees = {"df": test.df1} if test.df2 is None else {"df1": test.df1, "df2": test.df2}
    table |= {"X2" if name == "FRRC" else "F": test.statistic, **degrees, "p-value": test.p_value}
    yield from (("test_equality", "1", quantity, value) for quantity, value in table.items())
    for each in analysis.differences:
        yield from (("difference", each.label, *pair) for pair in _contrast_numbers(each))
    for mean in analysis.means:
        table = {"Estimate": mean.estimate, "Var(Error)" if name == "FRRC" else "MS(R)": mean.spread}
        table |= {} if name == "RRFC" else {"Cov2": mean.cov2}
        table |= {"StdErr": mean.standard_error} | ({} if mean.df is None else {"df": mean.df})
        table |= {"CI.Lower": mean.lower, "CI.Upper": mean.upper}
        yield from (("condition_mean", mean.treatment, quantity, value) for quantity, value in table.items())
    if reader_differences:
        for each in analysis.reader_differences:
            row = f"reader {each.reader}: {each.label}"
            yield from (("reader_difference", row, *pair) for pair in _contrast_numbers(each))


def _contrast_numbers(contrast: ORContrast) -> Iterator[tuple[str, float]]:
    """Quantities of a difference."""
    yield "Estimate", contrast.estimate
    yield "StdErr", contrast.standard_error
    if contrast.df is not None:
        yield "df", contrast.df
    yield "CI.Lower", contrast.lower
    yield "CI.Upper", contrast.upper
    yield "z" if contrast.df is None else "t", contrast.statistic
    yield "p-value", contrast.p_two_sided
