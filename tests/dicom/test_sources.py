"""Folders, zips, DICOMDIRs, files and uploads give the same exam; what is no MR image is passed over."""

import shutil
import subprocess
import zipfile
from io import BytesIO

import numpy as np
import pytest

from mrnet_core.dicom import UploadedFile, gather, read_exam
from mrnet_core.domain import Cancelled, ExamError, Plane
from tests.dicom import builder


@pytest.fixture(scope="module")
def files():
    return {f"S{n // 8}/IM{n:03d}": builder.to_bytes(one) for n, one in enumerate(builder.knee())}


@pytest.fixture
def folder(files, tmp_path):
    root = tmp_path / "exam"
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def zipped(files, **options) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


def same(exam, other) -> bool:
    return all(np.array_equal(exam.series[plane].pixels, other.series[plane].pixels) for plane in Plane)


def test_a_folder_a_zip_files_and_uploads_are_one_exam(files, folder, tmp_path):
    path = tmp_path / "exam.zip"
    path.write_bytes(zipped(files))
    exams = [
        read_exam(folder),
        read_exam(str(folder)),
        read_exam(path),
        read_exam(sorted(folder.rglob("IM*"))),
        read_exam([folder / "S0", folder / "S1", folder / "S2"]),
        read_exam([UploadedFile(name, data) for name, data in files.items()]),
        read_exam(UploadedFile("x", zipped(files))),
    ]
    assert all(same(exams[0], exam) for exam in exams)
    assert all(exam.skipped == () for exam in exams)


def test_names_without_extension_and_shuffled_names_change_nothing(files, folder):
    generator = np.random.default_rng(1)
    names = generator.permutation(len(files))
    shuffled = [UploadedFile(f"{name}.jpg", data) for name, data in zip(names, files.values(), strict=True)]
    shuffled.sort(key=lambda one: one.name)
    assert same(read_exam(shuffled), read_exam(folder))


@pytest.mark.skipif(shutil.which("dcmmkdir") is None, reason="dcmtk is not installed: apt install dcmtk")
def test_a_dicomdir_of_dcmtk_is_followed_whatever_the_case_of_names(folder, files):
    command = ["dcmmkdir", "+r", "+id", str(folder), "+D", str(folder / "DICOMDIR"), "-Pgp", "+I"]
    subprocess.run(command, check=True, capture_output=True)
    before = read_exam(folder)
    assert same(read_exam(folder / "DICOMDIR"), before)
    assert before.skipped == ()
    (folder / "S0").rename(folder / "s0")
    assert same(read_exam(folder / "DICOMDIR"), before)


def directory(*ids) -> bytes:
    from pydicom.dataset import Dataset  # here alone

    listing = Dataset()
    listing.SOPClassUID, listing.SOPInstanceUID = "1.2.840.10008.1.3.10", builder.uid("dir")
    listing.DirectoryRecordSequence = []
    for components in ids:
        record = Dataset()
        record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", list(components)
        listing.DirectoryRecordSequence.append(record)
    return builder.to_bytes(listing)


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")  # on purpose: this DICOMDIR is hostile
def test_a_dicomdir_names_files_below_its_folder_and_nothing_else(folder, files):
    inner = folder / "disc"
    inner.mkdir()
    (inner / "IM").write_bytes(files["S0/IM000"])
    (inner / "DICOMDIR").write_bytes(directory(["..", "S1", "IM008"], ["/etc/passwd"], ["NOT"]))
    with pytest.raises(ExamError, match="3 file\\(s\\) that cannot be used, the first because the DICOMDIR names it"):
        read_exam(inner / "DICOMDIR")
    (inner / "DICOMDIR").write_bytes(directory(*[["s2", name] for name in ("IM016", "IM017")], ["IM"]))
    (folder / "S2").rename(inner / "S2")
    with pytest.raises(ExamError, match="2 image\\(s\\): fewer than 5"):
        read_exam(inner / "DICOMDIR")


def test_a_dicomdir_does_not_lead_through_a_link(folder, tmp_path):
    disc = tmp_path / "disc"
    disc.mkdir()
    (disc / "OUT").symlink_to(folder / "S0")
    (disc / "DICOMDIR").write_bytes(directory(["OUT", "IM000"]))
    with pytest.raises(ExamError, match="the DICOMDIR names it and it is not there"):
        read_exam(disc / "DICOMDIR")


def test_an_uploaded_dicomdir_alone_asks_for_its_folder():
    with pytest.raises(ExamError, match="a DICOMDIR only lists files: give the folder"):
        read_exam(UploadedFile("DICOMDIR", directory(["A"])))


def test_what_is_dicom_but_no_mr_image_is_passed_over_without_a_word(folder):
    report = builder.image("axial", Modality="SR", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", PixelData=None)
    (folder / "report").write_bytes(builder.to_bytes(report))
    secondary = builder.image("axial", SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    (folder / "shot").write_bytes(builder.to_bytes(secondary))
    (folder / "DICOMDIR").write_bytes(directory(["S0", "IM000"]))
    for noise in (".DS_Store", "Thumbs.db", "__MACOSX/._IM"):
        (folder / noise).parent.mkdir(exist_ok=True)
        (folder / noise).write_bytes(b"noise")
    exam = read_exam(folder)
    assert exam.skipped == exam.warnings == exam.refused == ()


def test_other_files_are_counted(folder):
    (folder / "readme.txt").write_bytes(b"This disc holds images. " * 20)
    exam = read_exam(folder)
    assert [one.reason for one in exam.skipped] == ["it is no DICOM file"]


def test_a_study_of_another_modality_is_refused_by_its_name():
    scan = builder.image("axial", Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    with pytest.raises(
        ExamError, match="no MR image was found; there is DICOM that is no MR image \\(1 x CT Image Storage"
    ):
        read_exam(UploadedFile("x", builder.to_bytes(scan)))


def test_a_data_set_without_preamble_and_meta_information_is_read(files):
    bare = []
    for data in files.values():
        length = int.from_bytes(data[140:144], "little")
        bare.append(UploadedFile("x", data[144 + length :]))
    assert same(read_exam(bare), read_exam([UploadedFile("x", data) for data in files.values()]))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: p / "none", "No such file"),
        (lambda p: (p / "empty").mkdir() or p / "empty", "holds no files"),
    ],
)
def test_a_path_that_holds_nothing_is_refused(tmp_path, make, words):
    with pytest.raises(ExamError, match=words):
        read_exam(make(tmp_path))


def test_no_files_at_all_are_refused():
    with pytest.raises(ExamError, match="no files were given"):
        read_exam([])


def test_gathering_reads_no_file(folder):
    gathered = gather(folder)
    assert len(gathered.entries) == 24
    assert [entry.position for entry in gathered.entries] == list(range(24))
    shutil.rmtree(folder)
    with pytest.raises(ExamError, match="24 file\\(s\\) that cannot be used, the first because it cannot be read"):
        read_exam(gathered)


def test_progress_rises_by_stage_and_can_cancel(folder):
    seen = []
    read_exam(folder, progress=lambda words, share: seen.append((words, share)))
    assert list(dict.fromkeys(words for words, _ in seen)) == ["Reading files", "Decoding images"]
    assert all(0 <= share <= 1 for _, share in seen)
    assert seen[-1] == ("Decoding images", 1.0)

    def stop(words, share):
        if words == "Decoding images" and share > 0:
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        read_exam(folder, progress=stop)
    assert read_exam(folder).planes == tuple(Plane)  # the decoding process is left fit for the next exam
