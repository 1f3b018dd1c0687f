"""The demo exams by name, and how a synthetic exam is told from a real one; light, so that pages may import it."""

from dataclasses import dataclass

from mrnet_core.domain import Exam


@dataclass(frozen=True)
class DemoExam:
    """A synthetic exam to try the app with: knee ``k`` of ``seed``, with the pathology it shows."""

    name: str
    title: str
    words: str
    seed: int
    k: int
    pathology: str


DEMO_EXAMS = (
    DemoExam("normal", "Normal knee", "A synthetic knee without a lesion.", 20260, 5, "normal"),
    DemoExam("acl", "ACL tear", "A synthetic knee with a torn anterior cruciate ligament.", 20260, 8, "acl"),
    DemoExam("meniscus", "Meniscal tear", "A synthetic knee with a torn meniscus.", 20260, 12, "meniscus"),
    DemoExam(
        "hard-negative",
        "Hard negative",
        "A synthetic knee whose ACL is degenerate and bright, but whole: abnormal, and no tear.",
        20260,
        6,
        "mucoid degeneration",
    ),
)
"""Of a seed that no training, tuning or test exam comes from."""

SYNTHETIC_MODEL = (
    "This model was trained on synthetic knees. It says nothing about a real knee: its numbers show how "
    "the system works."
)


def is_synthetic(exam: Exam) -> bool:
    """True when every series is a computed picture of an invented knee."""
    return all(series.synthetic for series in exam.series.values())
