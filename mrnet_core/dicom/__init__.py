"""DICOM to a knee exam: sources, decoding in a limited process, geometry, series choice, privacy.

``read_exam`` is the door; ``UploadedFile`` and ``gather`` are what it reads from; ``study_of`` only looks.
Nothing here sees a network.
"""

from mrnet_core.dicom.decoder import shared_decoder
from mrnet_core.dicom.glance import StudyKey, study_of
from mrnet_core.dicom.limits import Limits
from mrnet_core.dicom.reading import read_exam
from mrnet_core.dicom.samples import SyntaxSample, syntax_samples
from mrnet_core.dicom.sources import UploadedFile, gather

__all__ = [
    "Limits",
    "StudyKey",
    "SyntaxSample",
    "UploadedFile",
    "gather",
    "read_exam",
    "shared_decoder",
    "study_of",
    "syntax_samples",
]
