"""What Bien et al. 2018 printed, as data: each number with the place it stands in and the quantity it claims to be.

Bien N, Rajpurkar P, Ball RL, et al. Deep-learning-assisted diagnosis for knee magnetic resonance imaging. PLOS Medicine
2018; 15(11): e1002699. Numbers are kept as the text that was printed, so that "equal" can mean equal to every printed
digit. ``mrnet_core.evaluation.printed`` lists them one by one; ``mrnet_core.evaluation.published`` recomputes them.
"""

from dataclasses import dataclass

from mrnet_core.domain import Metric, Plane, Task

CITATION = "Bien et al. 2018, PLOS Medicine 15(11): e1002699"
LICENCE = "CC BY 4.0"
DOI = "https://doi.org/10.1371/journal.pmed.1002699"

NO_READS = "The case-level reads were never published, and a kappa needs them."
NO_EXTERNAL = "The external exams' scores were never published."
NO_EXAMS = "The exams of the three sets were never published one by one."
OTHER_STUDY = "A result of another study (Štajduhar et al.), quoted."
RATERS, READERS = "3 MSK radiologists", "9 clinical experts"


@dataclass(frozen=True)
class Printed:
    """One printed number.

    Parameters
    ----------
    id
        Name of the record, such as ``table2.acl.sensitivity.p``.
    where
        Table, figure or section.
    quantity
        What it is, in words.
    printed
        The text as printed.
    of
        Name of the recomputed quantity; "" where there is none.
    reason
        Why it cannot be recomputed; "" where it can.
    rule
        How print and recomputation are compared: ``digits`` (equal when rounded to the printed digits, ``<`` obeyed),
        ``above`` or ``at least`` or ``below`` (a claim in words: the recomputed value against ``bound``).
    contradiction
        The paper's own contradiction that concerns this number, ``C1`` to ``C8``, or "".
    """

    id: str
    where: str
    quantity: str
    printed: str
    of: str = ""
    reason: str = ""
    rule: str = "digits"
    bound: float = 0.0
    contradiction: str = ""


@dataclass(frozen=True)
class Contradiction:
    """A place where the paper contradicts itself, or claims what its counts do not bear."""

    id: str
    name: str
    claim: str


AUC = {
    Task.ABNORMAL: ("0.937", "0.895", "0.980"),
    Task.ACL: ("0.965", "0.938", "0.993"),
    Task.MENISCUS: ("0.847", "0.780", "0.914"),
}
"""The model's AUC with its 95% DeLong interval (Abstract; Results, "Model performance")."""
MOST_BENEFICIAL = {Task.ABNORMAL: Plane.AXIAL, Task.ACL: Plane.CORONAL, Task.MENISCUS: Plane.AXIAL}
"""The series with the largest coefficient of each task's regression (Methods, "Combining MRNet predictions")."""

_SP, _SE, _AC = Metric.SPECIFICITY, Metric.SENSITIVITY, Metric.ACCURACY
TABLE2 = {
    (Task.ABNORMAL, _SP): ("0.714", "0.500", "0.862", "0.844", "0.776", "0.893", "0.247", "0.344"),
    (Task.ABNORMAL, _SE): ("0.879", "0.800", "0.929", "0.905", "0.881", "0.924", "0.528", "0.620"),
    (Task.ABNORMAL, _AC): ("0.850", "0.775", "0.903", "0.894", "0.871", "0.913", "0.201", "0.301"),
    (Task.ACL, _SP): ("0.968", "0.890", "0.991", "0.933", "0.906", "0.953", "0.441", "0.566"),
    (Task.ACL, _SE): ("0.759", "0.635", "0.850", "0.906", "0.874", "0.931", "0.002", "0.019"),
    (Task.ACL, _AC): ("0.867", "0.794", "0.916", "0.920", "0.900", "0.937", "0.075", "0.173"),
    (Task.MENISCUS, _SP): ("0.741", "0.616", "0.837", "0.882", "0.847", "0.910", "0.003", "0.019"),
    (Task.MENISCUS, _SE): ("0.710", "0.587", "0.808", "0.820", "0.781", "0.853", "0.504", "0.619"),
    (Task.MENISCUS, _AC): ("0.725", "0.639", "0.797", "0.849", "0.823", "0.871", "0.015", "0.082"),
}
"""Table 2: model, its interval; unassisted general radiologists, their interval; p; q."""
TABLE3 = {
    (Task.ABNORMAL, _SP): ("0.026", "−0.026", "0.079", "0.138", "0.248"),
    (Task.ABNORMAL, _SE): ("0.020", "−0.022", "0.062", "0.150", "0.253"),
    (Task.ABNORMAL, _AC): ("0.021", "−0.008", "0.051", "0.069", "0.173"),
    (Task.ACL, _SP): ("0.048", "0.029", "0.068", "<0.001", "0.006"),
    (Task.ACL, _SE): ("−0.004", "−0.041", "0.033", "0.592", "0.639"),
    (Task.ACL, _AC): ("0.023", "0.001", "0.045", "0.020", "0.092"),
    (Task.MENISCUS, _SP): ("−0.006", "−0.035", "0.024", "0.667", "0.692"),
    (Task.MENISCUS, _SE): ("0.052", "−0.002", "0.105", "0.028", "0.110"),
    (Task.MENISCUS, _AC): ("0.023", "−0.011", "0.057", "0.077", "0.173"),
}
"""Table 3: mean difference assisted minus unassisted, its interval; p; q."""
S4 = {(Task.ACL, _SP): ("0.003", "0.019")}
"""The sensitivity analysis without surgeons (S4 Table): p and q of the one row that the text quotes."""
MODEL_THRESHOLD = 0.5
"""Threshold on the model's probability (Methods, "Statistical methods")."""

TABLE1_EXAMS = {"training": 1130, "tuning": 120, "validation": 120}
TABLE1 = (
    # what, of which set's exams, number, percent
    ("abnormal", "training", 913, "80.8"),
    ("abnormal", "tuning", 95, "79.2"),
    ("abnormal", "validation", 96, "80.0"),
    ("abnormal", "reference", 99, "82.5"),
    ("acl", "training", 208, "18.4"),
    ("acl", "tuning", 54, "45.0"),
    ("acl", "validation", 57, "47.5"),
    ("acl", "reference", 58, "48.3"),
    ("meniscus", "training", 397, "35.1"),
    ("meniscus", "tuning", 52, "43.3"),
    ("meniscus", "validation", 59, "49.2"),
    ("meniscus", "reference", 65, "54.2"),
    ("both", "training", 125, "11.1"),
    ("both", "tuning", 31, "25.8"),
    ("both", "validation", 38, "31.7"),
    ("both", "reference", 40, "33.3"),
    ("female", "training", 480, "42.5"),
    ("female", "tuning", 50, "41.7"),
    ("female", "validation", 39, "32.5"),
)
"""Table 1. ``reference``: the validation set by the 3 MSK radiologists; the others are report labels and sexes."""
TABLE1_WORDS = {
    "abnormal": "exams with an abnormality",
    "acl": "exams with an ACL tear",
    "meniscus": "exams with a meniscal tear",
    "both": "exams with both tears",
    "female": "exams of female patients",
}
METHODS_TOTALS = (
    # what, number, percent (Methods, "Dataset"; Abstract)
    ("abnormal", "1,104", "80.6%"),
    ("acl", "319", "23.3%"),
    ("meniscus", "508", "37.1%"),
    ("both", "194", "38.2%"),
    ("female", "569", "41.5%"),
)
AGES = {"training": (38.3, 1114), "tuning": (36.3, 120), "validation": (37.1, 120)}
"""Table 1: mean age and the exams it is a mean of (1,114 training exams have a patient identifier)."""
EXTERNAL = {"non-injured": 690, "partially injured": 172, "completely ruptured": 55}
"""Methods, "External validation": exams of Štajduhar et al."""
EXTERNAL_SHARE = 0.2
"""Methods, "External validation": split 60:20:20."""
EXAMS_AT_3_TESLA = 775
"""Methods, "Dataset"."""
KAPPA_REFERENCE = {Task.ABNORMAL: "0.508", Task.ACL: "0.800", Task.MENISCUS: "0.745"}
KAPPA_READERS = {Task.ABNORMAL: ("0.571", "0.640"), Task.ACL: ("0.754", "0.840"), Task.MENISCUS: ("0.526", "0.621")}
"""Results: exact Fleiss kappa of the 9 readers, unassisted and assisted."""

CONTRADICTIONS = (
    Contradiction(
        "C1",
        "meniscus-row",
        "Table 2 prints 0.882, 0.820 and 0.849 as the specificity, sensitivity and accuracy of unassisted general "
        "radiologists for meniscal tears.",
    ),
    Contradiction("C2", "missing-read", "Nine clinical experts read all 120 exams in both conditions."),
    Contradiction(
        "C3",
        "meniscus-denominators",
        "Table 1 counts 65 exams with a meniscal tear and so 55 without one by the reference standard.",
    ),
    Contradiction(
        "C4",
        "discussion-intervals",
        "The Discussion gives the AUC intervals as 0.937 (0.895, 0.937), 0.965 (0.938, 0.965), 0.847 (0.780, 0.847).",
    ),
    Contradiction("C5", "external-sequence", "The external sagittal series are T1-weighted (Abstract and Discussion)."),
    Contradiction(
        "C6", "both-tears-percent", "“ACL tears and meniscal tears occurred concurrently in 194 (38.2%) exams.”"
    ),
    Contradiction("C7", "npv-claim", "“With its high negative predictive value for abnormalities …” (Discussion)."),
    Contradiction(
        "C8",
        "rule-out-claim",
        "“The model achieved high specificity in detecting ACL tears …, which suggests that such a model … may have "
        "the potential to effectively rule out ACL tears” (Discussion).",
    ),
)
"""Where the paper contradicts itself, or claims more than its counts bear; the evidence is computed."""
