"""What every statistic of this room gives back: the estimate, its interval, the level, the method and n.

Nothing is rounded. A quantity that the data do not determine is NaN, and ``note`` says why (empty otherwise).
"""

from dataclasses import dataclass

NAN = float("nan")


class StatisticsError(ValueError):
    """The arguments break a rule (labels other than 0 and 1, a level outside (0, 1), more successes than trials …)."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A point estimate with its interval.

    Attributes
    ----------
    estimate, lower, upper : float
        NaN where the data do not determine them.
    level : float
        Confidence level of the interval, for example 0.95.
    method : str
        How estimate and interval were made.
    n : int
        Number of units the estimate rests on (trials, exams, readers: the method says which).
    note : str
        Why something is NaN or must be read with care; empty otherwise.
    """

    estimate: float
    lower: float
    upper: float
    level: float
    method: str
    n: int
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Proportion(Estimate):
    """A proportion of ``x`` successes in ``n`` trials."""

    x: int


@dataclass(frozen=True, kw_only=True)
class Comparison(Estimate):
    """A difference with its interval and its test.

    Attributes
    ----------
    statistic : float
        The test statistic (t, z or chi-squared; the method names it).
    df : float or None
        Degrees of freedom; None for a normal statistic.
    standard_error : float
        Standard error of the difference; NaN where the test has none.
    p_two_sided, p_greater, p_less : float
        ``p_greater`` tests that the difference is above 0, ``p_less`` that it is below; NaN where the test has no side.
    """

    statistic: float
    df: float | None
    standard_error: float
    p_two_sided: float
    p_greater: float
    p_less: float


@dataclass(frozen=True, kw_only=True)
class Test:
    """A test without an estimate of its own."""

    __test__ = False  # pytest collects classes of this name

    statistic: float
    df: float | None
    p_value: float
    method: str
    n: int
    note: str = ""
