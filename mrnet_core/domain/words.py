"""The fixed words of the project: planes, tasks, metrics, splits, sides.

Each enum's value is the word used on disk and in JSON; the order of its members is the one order used everywhere.
A task's positive class is the presence of the finding.
"""

from enum import StrEnum


class Plane(StrEnum):
    """Imaging plane of a series; the paper trains one network for each plane and task."""

    SAGITTAL = "sagittal"
    CORONAL = "coronal"
    AXIAL = "axial"

    @property
    def display_name(self) -> str:
        """Name for people, capitalised."""
        return self.value.capitalize()

    @property
    def paper_sequence(self) -> str:
        """The sequence the paper used in this plane (Bien et al. 2018, Methods, "Dataset")."""
        return _PAPER_SEQUENCE[self]


class Task(StrEnum):
    """What a network answers about an exam (Bien et al. 2018, Table 1)."""

    ABNORMAL = "abnormal"
    ACL = "acl"
    MENISCUS = "meniscus"

    @property
    def display_name(self) -> str:
        """Name for people, as in the paper's tables."""
        return _TASK_NAME[self]


class Metric(StrEnum):
    """What a reader or a model is measured by at one threshold, in the order of the paper's Tables 2 and 3."""

    SPECIFICITY = "specificity"
    SENSITIVITY = "sensitivity"
    ACCURACY = "accuracy"

    @property
    def display_name(self) -> str:
        """Name for people, capitalised."""
        return self.value.capitalize()


class Split(StrEnum):
    """The paper's three sets. MRNet-v1.0's folder ``valid`` is the paper's *tuning* set."""

    TRAIN = "train"
    TUNING = "tuning"
    VALIDATION = "validation"

    @property
    def folder(self) -> str:
        """Folder name in the MRNet-v1.0 layout; ``test`` exists in phantom cohorts only."""
        return _SPLIT_FOLDER[self]


class Side(StrEnum):
    """Which knee; the patient's side, never the picture's."""

    LEFT = "left"
    RIGHT = "right"

    @property
    def display_name(self) -> str:
        """Name for people, capitalised."""
        return self.value.capitalize()


_PAPER_SEQUENCE = {
    Plane.SAGITTAL: "T2-weighted, fat-suppressed",
    Plane.CORONAL: "T1-weighted",
    Plane.AXIAL: "PD-weighted, fat-suppressed",
}
_TASK_NAME = {Task.ABNORMAL: "Abnormality", Task.ACL: "ACL tear", Task.MENISCUS: "Meniscal tear"}
_SPLIT_FOLDER = {Split.TRAIN: "train", Split.TUNING: "valid", Split.VALIDATION: "test"}
