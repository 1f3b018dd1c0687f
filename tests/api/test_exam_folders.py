"""Which folders below a folder are exams: by the studies in their files, whatever the depth."""

import os

import numpy as np
import pytest

from mrnet_core.api import exam_folders
from mrnet_core.api.exam_folders import find_exams
from mrnet_core.domain import InputError
from tests.dicom import builder


def write(folder, plane="axial", slices=2, **changes):
    """A series of its own study, as the tag that is given says."""
    folder.mkdir(parents=True, exist_ok=True)
    for n, one in enumerate(builder.series(plane, slices, **changes)):
        (folder / f"{plane}{n}.dcm").write_bytes(builder.to_bytes(one))


def exam(folder, study, *, patient="P1", planes=("axial", "sagittal")):
    """One study, a folder for each series."""
    for plane in planes:
        write(folder / plane, plane, StudyInstanceUID=builder.uid(study), PatientID=patient)


def names(root):
    found = find_exams(root)
    assert all(path == root / name for name, path in found.items())
    return list(found)


def test_an_exam_is_found_in_a_folder_of_its_own_and_in_that_of_its_patient(tmp_path):
    exam(tmp_path / "single", "s0")
    exam(tmp_path / "anna" / "first", "s1")
    exam(tmp_path / "anna" / "second", "s2")
    write(tmp_path / "bert" / "knee", StudyInstanceUID=builder.uid("s3"))
    (tmp_path / "cara").mkdir()
    (tmp_path / "cara" / "old.zip").write_bytes(b"")
    (tmp_path / "cara" / "new.ZIP").write_bytes(b"")
    (tmp_path / "zipped.zip").write_bytes(b"")
    (tmp_path / "notes.pdf").write_bytes(b"")
    (tmp_path / ".hidden").mkdir()
    assert names(tmp_path) == [
        *("anna/first", "anna/second", "bert", "cara/new.ZIP", "cara/old.zip", "single", "zipped.zip"),
    ]


def test_a_deeper_tree_of_sites_patients_and_exams_is_found_whole(tmp_path):
    for site in ("a", "b"):
        for patient in ("p1", "p2"):
            for number in ("e1", "e2"):
                exam(tmp_path / site / patient / number, site + patient + number, patient=patient, planes=("axial",))
    (tmp_path / "a" / "p1" / "e3").mkdir()
    (tmp_path / "a" / "p1" / "e3" / "report.pdf").write_bytes(b"%PDF")
    found = names(tmp_path)
    assert len(found) == 9
    assert found[:3] == ["a/p1/e1", "a/p1/e2", "a/p1/e3"], "what cannot be read has a row too"


def test_a_folder_of_series_stays_one_exam(tmp_path):
    exam(tmp_path / "exam", "s1", planes=("axial", "coronal", "sagittal"))
    (tmp_path / "exam" / "masks").mkdir()
    (tmp_path / "exam" / "masks" / "0001.npz").write_bytes(b"")
    exam(tmp_path / "two studies", "s1")
    write(tmp_path / "two studies" / "later", "coronal", StudyInstanceUID=builder.uid("s2"), PatientID="P1")
    write(tmp_path / "direct", StudyInstanceUID=builder.uid("s3"))
    exam(tmp_path / "direct" / "more", "s4")
    exam(tmp_path / "disc" / "DICOM" / "A", "s5")
    exam(tmp_path / "disc" / "DICOM" / "B", "s6")
    (tmp_path / "disc" / "DICOMDIR").write_bytes(b"")
    assert names(tmp_path) == ["direct", "disc", "exam", "two studies"]


def test_exams_of_two_patients_stay_apart_though_they_share_a_study_uid_or_one_lies_there_twice(tmp_path):
    for patient in ("P1", "P2"):
        write(tmp_path / "site" / patient, StudyInstanceUID=builder.uid("same"), PatientID=patient)
    assert names(tmp_path) == ["site/P1", "site/P2"]
    write(tmp_path / "site" / "copy", StudyInstanceUID=builder.uid("same"), PatientID="P1")
    assert names(tmp_path) == ["site/P1", "site/P2", "site/copy"]


def test_npy_series_of_one_plane_each_are_one_exam_and_a_plane_twice_is_two(tmp_path):
    for name in ("one/x/axial", "one/y/coronal", "many/x/axial", "many/y/axial", "many/y/sagittal", "flat/axial"):
        path = tmp_path / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.zeros((1, 256, 256), np.uint8))
    assert names(tmp_path) == ["flat", "many/x", "many/y", "one"]


def test_tables_and_masks_are_no_exam_and_a_folder_in_a_circle_ends(tmp_path):
    write(tmp_path / "exam")
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "0001.npz").write_bytes(b"")
    (tmp_path / "exam" / "back").symlink_to(tmp_path)
    (tmp_path / "empty").mkdir()
    assert names(tmp_path) == ["empty", "exam"]


def test_of_flat_exams_a_file_of_the_first_two_is_opened_however_many_they_are(tmp_path, monkeypatch):
    for name in "abcd":
        write(tmp_path / name, StudyInstanceUID=builder.uid(name))
    opened = []
    real = exam_folders.study_of

    def watched(files, salt):
        return real((opened.append(path) or path for path in files), salt)

    monkeypatch.setattr(exam_folders, "study_of", watched)
    assert names(tmp_path) == ["a", "b", "c", "d"]
    assert opened == [tmp_path / "a" / "axial0.dcm", tmp_path / "b" / "axial0.dcm"]


def test_flat_exams_of_npy_series_or_beside_a_zip_are_found_without_opening_a_file(tmp_path, monkeypatch):
    for name in ("one/axial.npy", "two/axial.npy"):
        (tmp_path / "npy" / name).parent.mkdir(parents=True)
        np.save(tmp_path / "npy" / name, np.zeros((1, 256, 256), np.uint8))
    exam(tmp_path / "beside", "s1")
    (tmp_path / "beside" / "another.zip").write_bytes(b"")
    monkeypatch.setattr(exam_folders, "study_of", lambda files, _: [pytest.fail(f"{file} read") for file in files])
    assert names(tmp_path / "npy") == ["one", "two"]
    assert names(tmp_path / "beside") == ["another.zip", "axial", "sagittal"]


def test_an_exam_of_series_folders_is_refused_with_the_command_for_a_single_one(tmp_path):
    one = tmp_path / "one"
    exam(one, "s1", planes=("axial", "coronal", "sagittal"))
    (one / "a report").mkdir()
    (one / "a report" / "report.pdf").write_bytes(b"%PDF")
    with pytest.raises(InputError, match=r"one is one exam, with a folder for each series: name .* use `predict`"):
        find_exams(one)
    assert names(tmp_path) == ["one"]


def test_exams_of_two_patients_stay_a_cohort_though_the_first_lies_there_twice(tmp_path):
    for name, patient in (("a", "P1"), ("b", "P1"), ("c", "P2")):
        write(tmp_path / name, StudyInstanceUID=builder.uid(patient), PatientID=patient)
    assert names(tmp_path) == ["a", "b", "c"]


def test_a_name_that_is_no_utf8_is_written_out_and_still_leads_to_its_folder(tmp_path):
    odd = tmp_path / "anna" / os.fsdecode(b"M\xfcller")
    try:
        odd.mkdir(parents=True)
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    write(odd, StudyInstanceUID=builder.uid("s1"))
    write(tmp_path / "anna" / "Møller", StudyInstanceUID=builder.uid("s2"))
    assert find_exams(tmp_path) == {"anna/M\\xfcller": odd, "anna/Møller": tmp_path / "anna" / "Møller"}


def test_a_folder_without_exams_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no exam: each exam is a folder or a zip below it"):
        find_exams(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        find_exams(tmp_path / "none")
