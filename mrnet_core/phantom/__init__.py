"""A synthetic digital knee in three dimensions: anatomy, pathology, physics, acquisition, cohort, write."""

from mrnet_core.phantom.acquisition import Grid
from mrnet_core.phantom.cohort import plan_cohort
from mrnet_core.phantom.exam import PhantomExam, PlannedExam, make_exam
from mrnet_core.phantom.pathology import PATHOLOGIES, Lesion
from mrnet_core.phantom.write import (
    exam_files,
    exam_row,
    prepare_folder,
    write_dicom,
    write_masks,
    write_table,
)

__all__ = [
    "PATHOLOGIES",
    "Grid",
    "Lesion",
    "PhantomExam",
    "PlannedExam",
    "exam_files",
    "exam_row",
    "make_exam",
    "plan_cohort",
    "prepare_folder",
    "write_dicom",
    "write_masks",
    "write_table",
]
