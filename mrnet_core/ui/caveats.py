"""What makes the numbers of an exam worth less, or nothing: said over the exam and beside each number."""

from dataclasses import dataclass

from mrnet_core.api.demo import is_synthetic
from mrnet_core.domain import Exam, ExamPrediction
from mrnet_core.ui.text import OTHER_BODY_PART, SYNTHETIC_ON_REAL, SYNTHETIC_ON_REAL_SHORT, SYNTHETIC_SHORT


@dataclass(frozen=True)
class Caveat:
    """What a reader of a number must know: in a few words beside each number, and as a sentence over the exam.

    ``alarm``: the number says nothing about what is shown.
    """

    short: str
    sentence: str = ""
    alarm: bool = False


def caveats(exam: Exam, prediction: ExamPrediction | None) -> tuple[Caveat, ...]:
    """The caveats of an exam and its answer, the gravest first."""
    found = []
    if exam.other_body_part:
        part = exam.other_body_part
        sentence = exam.warnings[0] if exam.warnings else OTHER_BODY_PART.format(part=part)
        found.append(Caveat(f"the study says {part}, not knee", sentence, alarm=True))
    if prediction is not None and prediction.model.synthetic:
        if is_synthetic(exam):
            found.append(Caveat(SYNTHETIC_SHORT))
        else:
            found.append(Caveat(SYNTHETIC_ON_REAL_SHORT, SYNTHETIC_ON_REAL, alarm=True))
    return tuple(found)
