"""A synthetic digital knee: anatomy, pathology, physics, acquisition; exams, cohorts, simulated readers, files.

The room computes in numpy and torch and knows neither networks nor preprocessing; a cohort in MRNet's layout is
assembled in ``mrnet_core.api.cohorts``.
"""

from mrnet_core.phantom.acquisition import Grid
from mrnet_core.phantom.anatomy import STRUCTURES
from mrnet_core.phantom.cohort import plan_cohort
from mrnet_core.phantom.exam import PhantomExam, PlannedExam, make_exam
from mrnet_core.phantom.pathology import KINDS, LESION_CHANNELS, PATHOLOGIES, Lesion
from mrnet_core.phantom.write import exam_files, write_exam

__all__ = [
    "KINDS",
    "LESION_CHANNELS",
    "PATHOLOGIES",
    "STRUCTURES",
    "Grid",
    "Lesion",
    "PhantomExam",
    "PlannedExam",
    "exam_files",
    "make_exam",
    "plan_cohort",
    "write_exam",
]
