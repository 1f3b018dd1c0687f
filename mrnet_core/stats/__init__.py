"""Statistics of diagnostic studies. A leaf: numpy, scipy, scikit-learn and statsmodels, nothing of the project.

Positive is 1, a higher score means more positive, an exam is called positive at or above the threshold. Every result
carries estimate, interval, level, method and n; what the data do not determine is NaN with the reason in ``note``; what
breaks a rule raises :class:`StatisticsError`. Nothing is rounded, printed or written to files here.
"""

from mrnet_core.stats.agreement import Kappa, cohen_kappa, fleiss_kappa, majority
from mrnet_core.stats.averages import POOLED, MacroAverage, macro_average, micro_average, micro_average_by_exam
from mrnet_core.stats.bootstrap import NO_SPREAD, BootstrapEstimate, bootstrap, bootstrap_ratio
from mrnet_core.stats.calibration import (
    CalibrationLine,
    ReliabilityCurve,
    brier_score,
    calibration_line,
    reliability_curve,
)
from mrnet_core.stats.crossover import Crossover, crossover
from mrnet_core.stats.delong import (
    AucComparison,
    AucEstimate,
    DelongCovariance,
    auc,
    auc_paired,
    auc_unpaired,
    delong_covariance,
)
from mrnet_core.stats.gallas import Gallas, GallasEstimate, gallas
from mrnet_core.stats.mrmc import Figure, ReaderStudy
from mrnet_core.stats.multiplicity import (
    Adjusted,
    Storey,
    benjamini_hochberg,
    benjamini_yekutieli,
    bonferroni,
    hochberg,
    holm,
    storey,
)
from mrnet_core.stats.obuchowski_rockette import obuchowski_rockette
from mrnet_core.stats.obuchowski_rockette_results import (
    MrmcRecord,
    ObuchowskiRockette,
    ORAnalysis,
    ORComponents,
    ORContrast,
    ORMean,
    ORTest,
)
from mrnet_core.stats.paired import PairedT, paired_t, two_sample_t
from mrnet_core.stats.predictive import LikelihoodRatios, PredictiveValues, likelihood_ratios, predictive_values
from mrnet_core.stats.proportions import (
    ConfusionMatrix,
    TwoProportions,
    chi2_two_proportions,
    confusion_matrix,
    mcnemar,
    wilson,
    wilson_bounds,
)
from mrnet_core.stats.results import Comparison, Estimate, Proportion, StatisticsError, Test
from mrnet_core.stats.roc import (
    OperatingPoint,
    RocCurve,
    operating_point,
    operating_point_at_specificity,
    operating_points,
    ranked_scores,
    roc_curve,
)

__all__ = [
    "NO_SPREAD",
    "POOLED",
    "Adjusted",
    "AucComparison",
    "AucEstimate",
    "BootstrapEstimate",
    "CalibrationLine",
    "Comparison",
    "ConfusionMatrix",
    "Crossover",
    "DelongCovariance",
    "Estimate",
    "Figure",
    "Gallas",
    "GallasEstimate",
    "Kappa",
    "LikelihoodRatios",
    "MacroAverage",
    "MrmcRecord",
    "ORAnalysis",
    "ORComponents",
    "ORContrast",
    "ORMean",
    "ORTest",
    "ObuchowskiRockette",
    "OperatingPoint",
    "PairedT",
    "PredictiveValues",
    "Proportion",
    "ReaderStudy",
    "ReliabilityCurve",
    "RocCurve",
    "StatisticsError",
    "Storey",
    "Test",
    "TwoProportions",
    "auc",
    "auc_paired",
    "auc_unpaired",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "bonferroni",
    "bootstrap",
    "bootstrap_ratio",
    "brier_score",
    "calibration_line",
    "chi2_two_proportions",
    "cohen_kappa",
    "confusion_matrix",
    "crossover",
    "delong_covariance",
    "fleiss_kappa",
    "gallas",
    "hochberg",
    "holm",
    "likelihood_ratios",
    "macro_average",
    "majority",
    "mcnemar",
    "micro_average",
    "micro_average_by_exam",
    "obuchowski_rockette",
    "operating_point",
    "operating_point_at_specificity",
    "operating_points",
    "paired_t",
    "predictive_values",
    "ranked_scores",
    "reliability_curve",
    "roc_curve",
    "storey",
    "two_sample_t",
    "wilson",
    "wilson_bounds",
]
