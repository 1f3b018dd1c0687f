"""npy series: the header is checked before the array is loaded, and nothing is ever unpickled."""

import pickle
from io import BytesIO

import numpy as np
import pytest

from mrnet_core.datasets.npy_exam import npy_stack, plane_of_name, read_npy_exam
from mrnet_core.domain import ExamError, Plane


def saved(array, **options) -> bytes:
    target = BytesIO()
    np.save(target, array, **options)
    return target.getvalue()


def stack(slices=5, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (slices, 256, 256)).astype(np.uint8)


def entries(**arrays):
    return [(n, f"{name}.npy", lambda array=array: saved(array)) for n, (name, array) in enumerate(arrays.items())]


def test_series_are_taken_as_they_are_and_call_themselves_standardised():
    exam = read_npy_exam(entries(axial=stack(4, 1), sagittal=stack(6, 2)))
    assert exam.planes == (Plane.SAGITTAL, Plane.AXIAL)
    assert np.array_equal(exam.series[Plane.AXIAL].pixels, stack(4, 1))
    assert all(series.standardised for series in exam.series.values())
    assert exam.series[Plane.SAGITTAL].slice_spacing is None
    assert any("no pixel size" in warning for warning in exam.warnings)


def test_arrays_in_column_order_and_newer_headers_are_the_same_array():
    assert np.array_equal(npy_stack(saved(np.asfortranarray(stack()))), stack())
    target = BytesIO()
    np.lib.format.write_array(target, stack(), version=(2, 0))
    assert np.array_equal(npy_stack(target.getvalue()), stack())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no npy file, or its header is damaged"),
        (b"\x93NUMPY\x01\x00", "no npy file, or its header is damaged"),
        (saved(stack())[:90], "no npy file, or its header is damaged"),
        (saved(stack())[:-1], "the npy file holds 327,679 pixels where its header says 327,680"),
        (saved(stack()) + b"\0", "holds 327,681 pixels"),
        (saved(stack().astype(np.uint16)), r"must be uint8 \(s, 256, 256\); this one is uint16"),
        (saved(stack()[:, :128]), r"this one is uint8 \(5, 128, 256\)"),
        (saved(stack()[0]), r"this one is uint8 \(256, 256\)"),
        (saved(np.zeros((0, 256, 256), np.uint8)), "1 to 512 slices; this one says 0"),
    ],
)
def test_what_is_no_series_is_refused_in_words(data, words):
    with pytest.raises(ExamError, match=words):
        npy_stack(data)


def test_a_header_that_lies_about_its_size_allocates_nothing():
    target = BytesIO()
    np.lib.format.write_array_header_1_0(target, {"descr": "|u1", "fortran_order": False, "shape": (2**40, 256, 256)})
    with pytest.raises(ExamError, match="1 to 512 slices"):
        npy_stack(target.getvalue())


def test_an_array_of_objects_is_never_unpickled():
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was loaded",))

    with pytest.raises(ExamError, match="Python objects"):
        npy_stack(saved(np.array([Trap()], dtype=object), allow_pickle=True))
    with pytest.raises(ExamError, match="no npy file"):
        npy_stack(pickle.dumps(Trap()))


def test_a_version_that_numpy_does_not_write_by_itself_is_named():
    with pytest.raises(ExamError, match=r"npy format version 9\.0"):
        npy_stack(b"\x93NUMPY\x09\x00" + saved(stack())[8:])


def test_a_bad_or_foreign_file_is_skipped_and_counted():
    files = [*entries(axial=stack(), coronal=stack().astype(float)), (7, "notes.npy", lambda: b"")]
    exam = read_npy_exam(files)
    assert exam.planes == (Plane.AXIAL,)
    assert [(one.position, one.reason.split(";")[0]) for one in exam.skipped] == [
        (1, "an npy series must be uint8 (s, 256, 256)"),
        (7, "it is not named sagittal.npy, coronal.npy or axial.npy"),
    ]


def test_a_plane_given_twice_and_nothing_readable_are_refused():
    twice = [(0, "axial.npy", lambda: saved(stack())), (1, "AXIAL.npy", lambda: saved(stack()))]
    with pytest.raises(ExamError, match=r"two files are named axial\.npy"):
        read_npy_exam(twice)
    with pytest.raises(ExamError, match="no npy series can be read: this is no npy file"):
        read_npy_exam([(0, "axial.npy", lambda: b"")])


def test_planes_are_known_by_the_whole_name():
    assert plane_of_name("Sagittal.NPY") is Plane.SAGITTAL
    assert plane_of_name("0001_sagittal.npy") is None
    assert plane_of_name("sagittal.npz") is None
