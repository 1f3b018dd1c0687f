"""Cohorts of synthetic knees: which exam belongs to which patient and split."""

from mrnet_core.domain import InputError, Split
from mrnet_core.phantom.exam import PlannedExam

PAPER_EXAMS = {Split.TRAIN: 1130, Split.TUNING: 120, Split.VALIDATION: 120}
PAPER_PATIENTS = {Split.TRAIN: 1088, Split.TUNING: 111, Split.VALIDATION: 113}
"""Bien et al. 2018, Table 1."""


def plan_cohort(exams: int | None, *, paper: bool = False, small: bool = False) -> tuple[PlannedExam, ...]:
    """Patients and splits of a cohort, in the order of k.

    Without ``paper``, ``exams`` are divided 60:20:20, at least one each, one patient an exam. With it: the paper's 1,130 /
    120 / 120 exams of 1,088 / 111 / 113 patients, or a tenth of them when ``small``. No patient is in two splits.

    Raises
    ------
    InputError
        Fewer than three exams.
    """
    if paper:
        part = 10 if small else 1
        counts = {split: (n // part, max(PAPER_PATIENTS[split] // part, 1)) for split, n in PAPER_EXAMS.items()}
    else:
        if exams is None or exams < 3:
            raise InputError(f"a cohort needs at least 3 exams, one for each split; got {exams}")
        tuning = max(1, round(exams * 0.2))
        validation = max(1, round(exams * 0.2))
        counts = {Split.TRAIN: exams - tuning - validation, Split.TUNING: tuning, Split.VALIDATION: validation}
        counts = {split: (n, n) for split, n in counts.items()}
    planned: list[PlannedExam] = []
    first_patient = 0
    for split, (n, patients) in counts.items():
        # The first patients of a split come back for a second exam, until its exams are full.
        planned += [PlannedExam(len(planned) + i, f"P{first_patient + i % patients:05d}", split) for i in range(n)]
        first_patient += patients
    return tuple(planned)
