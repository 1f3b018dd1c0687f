"""One door for DICOM and npy, and predictions that say what they stand on."""

import zipfile
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread

from mrnet_core.api import exams
from mrnet_core.api.demo import is_synthetic
from mrnet_core.api.exams import by_plane, demo_exam, load_predictor, open_exam, predict_exam
from mrnet_core.api.heatmaps import save_heatmaps
from mrnet_core.dicom import UploadedFile
from mrnet_core.domain import ExamError, InputError, Plane, Side, Task
from mrnet_core.phantom import exam_files, make_exam
from tests.dicom import builder


def npy(slices=4, seed=0) -> bytes:
    target = BytesIO()
    np.save(target, np.random.default_rng(seed).integers(0, 256, (slices, 256, 256)).astype(np.uint8))
    return target.getvalue()


def write_dicom(folder, datasets):
    folder.mkdir(parents=True)
    for n, one in enumerate(datasets):
        (folder / f"{n}.dcm").write_bytes(builder.to_bytes(one))
    return folder


@pytest.fixture(scope="module")
def predictor(random_run):
    return load_predictor(str(random_run))


def test_npy_series_are_an_exam_in_a_folder_a_zip_and_as_files(tmp_path):
    for plane in ("axial", "sagittal"):
        (tmp_path / f"{plane}.npy").write_bytes(npy())
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for plane in ("axial", "sagittal"):
            archive.writestr(f"exam/{plane}.npy", npy())
    sources = (tmp_path, sorted(tmp_path.iterdir()), UploadedFile("exam.zip", target.getvalue()))
    for exam in map(open_exam, sources):
        assert exam.planes == (Plane.SAGITTAL, Plane.AXIAL)
        assert all(series.standardised for series in exam.series.values())


def test_beside_npy_series_any_other_file_is_skipped(tmp_path):
    files = [UploadedFile("axial.npy", npy()), UploadedFile("readme.txt", b"hello")]
    exam = open_exam(files)
    assert exam.planes == (Plane.AXIAL,)
    assert [one.position for one in exam.skipped] == [1]


def test_npy_series_know_no_side_and_no_series_uids():
    files = [UploadedFile("axial.npy", npy())]
    with pytest.raises(InputError, match="neither series UIDs nor a side"):
        open_exam(files, side=Side.LEFT)
    with pytest.raises(InputError, match="neither series UIDs nor a side"):
        open_exam(files, choices={Plane.AXIAL: "1.2"})


def test_a_stray_npy_beside_dicom_is_counted(tmp_path):
    folder = write_dicom(tmp_path / "exam", builder.series("axial"))
    (folder / "scores.npy").write_bytes(npy())
    exam = open_exam(folder)
    assert exam.planes == (Plane.AXIAL,)
    assert [one.reason for one in exam.skipped] == ["it is no DICOM file"]


def test_choice_and_side_reach_the_reader(tmp_path):
    with pytest.raises(ExamError, match="no series is of the left knee"):
        open_exam(write_dicom(tmp_path / "a", builder.series("axial")), side=Side.LEFT)


@pytest.fixture(scope="module")
def made():
    """A small synthetic knee; making one takes seconds."""
    return make_exam(5, 3, size="small", pathology="acl")


def test_a_synthetic_exam_written_and_read_is_the_one_that_was_made(made):
    exam = open_exam([UploadedFile(name, data) for name, data in exam_files(made).items()])
    assert exam.planes == tuple(Plane)
    assert exam.side is made.side
    assert exam.skipped == exam.warnings == ()
    assert is_synthetic(exam)
    for plane, series in exam.series.items():
        assert np.array_equal(series.pixels, made.series[plane].pixels)
        assert series.row_spacing == pytest.approx(made.series[plane].row_spacing)
        assert series.slice_spacing == pytest.approx(made.series[plane].slice_spacing, rel=1e-4)
        assert series.warnings == ()
    assert len(exam.refused) == 1
    assert "localizer" in exam.refused[0].reason


def test_a_scanners_synthetic_series_is_no_synthetic_knee(made, tmp_path):
    scanned = builder.knee(SeriesDescription="SYNTHETIC T2 (MAGiC)", Manufacturer="GE MEDICAL SYSTEMS")
    assert not is_synthetic(open_exam(write_dicom(tmp_path / "scanned", scanned)))
    mixed = [dcmread(BytesIO(data)) for name, data in exam_files(made).items() if "AX" in name]
    for one in mixed[1:]:
        one.Manufacturer = "GE MEDICAL SYSTEMS"
    assert not is_synthetic(open_exam(write_dicom(tmp_path / "mixed", mixed)))
    assert not is_synthetic(open_exam([UploadedFile("axial.npy", npy())]))


def test_the_demo_exam_is_read_as_any_other_and_brings_its_truth(made, monkeypatch):
    asked = []
    monkeypatch.setattr(exams, "make_exam", lambda seed, k, pathology: asked.append((seed, k, pathology)) or made)
    exam, truth = demo_exam(20260, 2, "acl")
    assert asked == [(20260, 2, "acl")]
    assert exam.planes == tuple(Plane)
    assert truth.lesions
    assert "synthetic" in truth.words


def test_a_missing_plane_and_a_synthetic_model_are_warned_of(predictor, read_axial):
    prediction = predict_exam(read_axial, predictor)
    assert prediction.planes_used == (Plane.AXIAL,)
    assert prediction.warnings[0].startswith("This model was trained on synthetic knees")
    assert (
        "No sagittal and no coronal series: each probability is one network's own probability." in prediction.warnings
    )
    own = by_plane(prediction)[Plane.AXIAL]
    assert {task: pytest.approx(value) for task, value in own.items()} == dict(prediction.probabilities)


@pytest.fixture(scope="module")
def read_axial():
    return open_exam([UploadedFile("x", builder.to_bytes(one)) for one in builder.series("axial")])


def test_heatmaps_are_saved_with_the_picture_the_network_saw(predictor, read_axial, tmp_path):
    prediction = predict_exam(read_axial, predictor)
    written = save_heatmaps(read_axial, prediction, predictor, tmp_path / "maps")
    assert sorted(path.name for path in written) == ["axial_abnormal.npz", "axial_acl.npz", "axial_meniscus.npz"]
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == sorted(path.name for path in written)
    with np.load(written[0]) as saved:
        assert saved["cam"].shape == (8, 7, 7)
        assert saved["cam"].dtype == np.float32
        assert saved["image"].shape == (8, 256, 256)
        assert saved["image"].dtype == np.uint8
        assert np.array_equal(saved["cam"], prediction.score(Plane.AXIAL, Task.ABNORMAL).heatmap.cam)


def test_a_folder_of_heatmaps_that_cannot_be_made_is_refused(predictor, read_axial, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    prediction = predict_exam(read_axial, predictor)
    with pytest.raises(InputError, match="heatmaps cannot be written"):
        save_heatmaps(read_axial, prediction, predictor, tmp_path / "file")
