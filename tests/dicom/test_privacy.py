"""Only the allow-list survives: nothing that names a patient leaves the reading, in any word or record."""

import gc
import json
import pickle
import threading
import time
import weakref
from dataclasses import asdict, fields
from multiprocessing import Pipe

import numpy as np
import pytest

from mrnet_core.dicom import Limits, UploadedFile, child
from mrnet_core.dicom.decoder import Task, shared_decoder
from mrnet_core.dicom.frame import Header
from mrnet_core.domain import ExamError, Plane
from tests.dicom import builder

SECRETS = (
    "Secret",
    "Name",
    "SECRETID",
    "19700102",
    "20200304",
    "101112",
    "ACC-77",
    "Dr^House",
    "St Elsewhere",
    "IM-77.dcm",
)
IDENTITY = {
    "AccessionNumber": "ACC-77",
    "ReferringPhysicianName": "Dr^House",
    "InstitutionName": "St Elsewhere",
    "ImageComments": "Secret",
    "StudyDescription": "KNEE of Secret^Name",
    "PatientComments": "Secret",
}


def assert_clean(words: str) -> None:
    for secret in SECRETS:
        assert secret not in words


def test_an_exam_holds_nothing_that_names_the_patient(read):
    exam = read(builder.knee(**IDENTITY))
    raw = pickle.dumps(exam).decode("latin-1")
    assert_clean(raw)
    assert "SAGITTAL sagittal" in raw


def test_the_decoding_process_hands_over_the_allow_list_and_no_more():
    data = builder.to_bytes(builder.image("axial", **IDENTITY))
    (answer,) = shared_decoder().ask("inspect", [Task({"position": 0}, data)], {"salt": "00"})
    header = answer.said["header"]
    assert set(header) == {field.name for field in fields(Header)}
    assert header["study_date_time"] == "20200304101112"  # orders studies; it is not in the exam
    del header["study_date_time"]
    assert_clean(repr(answer.said))
    assert len(header["patient_key"]) == 64


def test_the_patients_key_changes_with_every_salt():
    data = builder.to_bytes(builder.image("axial"))
    task = Task({"position": 0}, data)
    answers = [next(shared_decoder().ask("inspect", [task], {"salt": salt})) for salt in ("00", "01")]
    assert len({answer.said["header"]["patient_key"] for answer in answers}) == 2


def test_bad_files_are_named_by_their_place_and_never_by_name():
    from mrnet_core.dicom import read_exam  # beside its use: the fixture of this folder names files by number

    files = [UploadedFile(f"Secret-{n}.dcm", builder.to_bytes(one)) for n, one in enumerate(builder.series("axial"))]
    files.insert(2, UploadedFile("IM-77.dcm", b"Secret garbage"))
    exam = read_exam(files)
    assert [one.position for one in exam.skipped] == [2]
    assert_clean(repr(exam.skipped))
    assert_clean(repr(files))


def test_refusals_name_nobody(read):
    with pytest.raises(ExamError) as caught:
        read(builder.series("sagittal", **IDENTITY) + builder.series("axial", PatientID="SECRETID2"))
    assert_clean(str(caught.value))
    with pytest.raises(ExamError) as caught:
        read([builder.image("axial", Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2", **IDENTITY)])
    assert_clean(str(caught.value))


def test_the_series_description_survives_stripped(read):
    exam = read(builder.series("axial", SeriesDescription="  AX PD FS \x07 "))
    assert exam.series[Plane.AXIAL].description == "AX PD FS"


def test_the_decoding_process_holds_no_picture_while_it_waits_for_the_next_request(monkeypatch):
    held = []

    def stored_values(body, header, index):
        picture = np.zeros((4, 4), np.uint16)
        held.append(weakref.ref(picture))
        return picture

    monkeypatch.setattr(child, "stored_values", stored_values)
    ours, theirs = Pipe()
    serving = threading.Thread(target=child._answer, args=(theirs,), daemon=True)
    serving.start()
    job = {"header": {"transfer_syntax_uid": ""}, "frames": [0, 1]}
    ours.send_bytes(json.dumps({"do": "decode", "parts": 1, "limits": asdict(Limits()), "files": [job]}).encode())
    ours.send_bytes(b"a file")
    assert json.loads(ours.recv_bytes()) == {"kind": "pixels", "parts": 2}
    assert [len(ours.recv_bytes()) for _ in range(2)] == [32, 32]
    deadline = time.monotonic() + 5
    while any(one() is not None for one in held) and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert [one() for one in held] == [None, None]
    ours.close()
    serving.join(5)
    assert not serving.is_alive()
