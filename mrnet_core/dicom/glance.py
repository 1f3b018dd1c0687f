"""One look into a folder: of which study its MR images are, so that a folder of exams can be told from an exam."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mrnet_core.dicom.decoder import Task, shared_decoder
from mrnet_core.dicom.limits import DEFAULT_LIMITS

MOST_FILES = 64
"""Files that are opened before a folder is taken to hold no MR image: an export puts a series into a folder alone."""


@dataclass(frozen=True)
class StudyKey:
    """One study of one patient. ``patient``: a salted hash that tells patients apart and names nobody."""

    patient: str
    study_uid: str


def study_of(files: Iterable[Path], salt: str) -> StudyKey | None:
    """The study that the first MR image among ``files`` is of; None where there is none.

    A file that cannot be read is passed over: reading the exam says what is wrong with it.

    Raises
    ------
    InstallationError
        The decoding process does not start.
    """
    decoder = shared_decoder()
    for path in islice(files, MOST_FILES):
        try:
            with path.open("rb") as file:
                data = file.read(DEFAULT_LIMITS.file_bytes + 1)
        except OSError:
            continue
        (answer,) = decoder.ask("inspect", [Task({"position": 0}, data)], {"salt": salt})
        if answer.said["kind"] == "mr":
            header = answer.said["header"]
            return StudyKey(header["patient_key"], header["study_instance_uid"])
    return None
