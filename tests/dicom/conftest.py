"""What the reader's tests share: reading data sets as uploads."""

from collections.abc import Callable, Iterable

import pytest
from pydicom.dataset import Dataset

from mrnet_core.dicom import UploadedFile, read_exam
from mrnet_core.domain import Exam
from tests.dicom.builder import to_bytes


@pytest.fixture(scope="session")
def read() -> Callable[..., Exam]:
    """Read data sets or raw bytes as one upload, under names that say nothing."""

    def run(files: Iterable[Dataset | bytes], **options) -> Exam:
        uploads = [
            UploadedFile(f"{n:03d}", one if isinstance(one, bytes) else to_bytes(one)) for n, one in enumerate(files)
        ]
        return read_exam(uploads, **options)

    return run
