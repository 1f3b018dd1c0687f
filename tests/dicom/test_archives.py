"""Damaged, lying and hostile archives, and exams beyond the limits: refused or skipped with a sentence."""

import struct
import zipfile
from io import BytesIO

import numpy as np
import pytest

from mrnet_core.dicom import Limits, UploadedFile, read_exam
from mrnet_core.dicom.decoder import Decoder
from mrnet_core.domain import ExamError, Plane
from tests.dicom import builder

MIB = 2**20


def good():
    return [builder.to_bytes(one) for one in builder.series("axial", 12)]


def zipped(names_and_data, method=zipfile.ZIP_DEFLATED) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in names_and_data:
            archive.writestr(name, data)
    return target.getvalue()


def read_zip(data: bytes, **options):
    return read_exam(UploadedFile("exam.zip", data), **options)


def test_an_empty_zip_a_damaged_one_and_one_cut_short_are_refused():
    whole = zipped([("a", good()[0])])
    with pytest.raises(ExamError, match="the zip is empty"):
        read_zip(zipped([]))
    for bad in (whole[: len(whole) // 2], whole[:30]):
        with pytest.raises(ExamError, match="the zip is damaged or cut short"):
            read_zip(bad)


def test_an_encrypted_zip_is_refused():
    data = bytearray(zipped([("a", good()[0])]))
    data[6] |= 1  # general purpose flag of the local header
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(ExamError, match="the zip is encrypted: unpack it with its password"):
        read_zip(bytes(data))


def test_a_zip_bomb_is_refused_by_its_table_of_contents():
    one, many = zipped([("a", bytes(100 * MIB))]), zipped([(str(n), bytes(MIB)) for n in range(50)])
    for bomb in (one, many):
        assert len(bomb) < MIB
        with pytest.raises(ExamError, match="the zip unpacks to far more than MR images do"):
            read_zip(bomb)


def test_one_bomb_among_good_files_is_skipped(tmp_path):
    limits = Limits(ratio_free_bytes=MIB)
    noise = np.random.default_rng(0).bytes(4 * MIB)  # makes the whole zip's ratio an ordinary one
    files = [(str(n), data) for n, data in enumerate(good())]
    exam = read_zip(zipped([*files, ("noise", noise), ("bomb", bytes(8 * MIB))]), limits=limits)
    assert exam.series[Plane.AXIAL].slices == 12
    assert [one.position for one in exam.skipped] == [12, 13]
    assert "decompression bomb" in exam.skipped[1].reason


def test_a_zip_that_lies_about_a_size_yields_a_damaged_file():
    data = bytearray(zipped([(str(n), one) for n, one in enumerate(good())]))
    entry = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)  # second entry of the table
    data[entry + 24 : entry + 28] = struct.pack("<I", 700)
    exam = read_zip(bytes(data))
    assert [(one.position, one.reason) for one in exam.skipped] == [(1, "it is damaged inside the zip")]


def test_names_out_of_an_archive_are_never_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["../up", "/etc/passwd", "C:\\x", "a/../../b", "con", "x\n\x1b[31m", "é" * 200, "..", "n", "m", "o", "p"]
    exam = read_zip(zipped(zip(names, good(), strict=True)))
    assert exam.series[Plane.AXIAL].slices == 12
    assert list(tmp_path.iterdir()) == []


def test_an_entry_packed_by_a_hungry_method_is_not_unpacked():
    exam = read_zip(append(zipped([(str(n), data) for n, data in enumerate(good())]), "x", zipfile.ZIP_LZMA))
    assert [one.reason for one in exam.skipped] == ["it is packed by a method other than deflate"]


def append(data: bytes, name: str, method: int) -> bytes:
    target = BytesIO(data)
    with zipfile.ZipFile(target, "a", method) as archive:
        archive.writestr(name, b"x" * 1000)
    return target.getvalue()


def test_a_table_of_contents_out_of_all_proportion_is_not_loaded():
    data = bytearray(zipped([("a", good()[0])]))
    at = data.rindex(b"PK\x05\x06")
    data[at + 12 : at + 16] = struct.pack("<I", 30_000_000)
    with pytest.raises(ExamError, match="the zip lists more than 20,000 files"):
        read_zip(bytes(data))


def record64(table_bytes: int) -> bytes:
    """A zip64 end record that says how large the table of contents is."""
    return b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1, 1, table_bytes, 0)


def locator64(place: int) -> bytes:
    """A zip64 locator that says where the end record lies."""
    return b"PK\x06\x07" + struct.pack("<IQI", 0, place, 1)


@pytest.mark.parametrize("comment", [0, 65_535], ids=["no comment", "the longest comment"])
@pytest.mark.parametrize("pointed_at", ["the record", "the start", "a small record", "beyond the end"])
def test_a_large_zip64_table_of_contents_is_not_loaded_wherever_its_locator_points(pointed_at, comment, tmp_path):
    data = zipped([("a", good()[0])])
    end = data.rindex(b"PK\x05\x06")
    decoy = record64(1000)
    place = {"the record": end + len(decoy), "the start": 0, "a small record": end, "beyond the end": 2**62}[pointed_at]
    tail = data[end:-2] + struct.pack("<H", comment) + bytes(comment)
    whole = data[:end] + decoy + record64(2**40) + locator64(place) + tail
    file = tmp_path / "exam.zip"
    file.write_bytes(whole)
    for source in (file, UploadedFile("exam.zip", whole)):
        with pytest.raises(ExamError, match="the zip lists more than 20,000 files"):
            read_exam(source)


def test_a_zip64_record_that_only_its_locator_finds_counts_too():
    data = zipped([("a", good()[0])])
    end = data.rindex(b"PK\x05\x06")
    with pytest.raises(ExamError, match="the zip lists more than 20,000 files"):
        read_zip(data[:end] + record64(2**40) + bytes(8) + locator64(end) + data[end:])


def test_an_honest_zip64_is_read(monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 10)
    data = zipped([(str(n), one) for n, one in enumerate(good())])
    assert b"PK\x06\x07" in data
    assert read_zip(data).series[Plane.AXIAL].slices == 12


def test_a_zip_inside_a_zip_is_not_opened():
    exam = read_zip(zipped([*((str(n), data) for n, data in enumerate(good())), ("z", zipped([("a", b"b")]))]))
    assert [one.reason for one in exam.skipped] == ["it is a zip inside a zip; give it by itself"]


def test_too_many_files_and_too_many_bytes_are_refused():
    files = [(str(n), data) for n, data in enumerate(good())]
    with pytest.raises(ExamError, match="the zip holds 12 files, more than 10"):
        read_zip(zipped(files), limits=Limits(files=10))
    with pytest.raises(ExamError, match=r"the zip unpacks to .* bytes, more than the 1,000"):
        read_zip(zipped(files), limits=Limits(total_bytes=1000))
    with pytest.raises(ExamError, match="more than 1,000 bytes"):
        read_exam([UploadedFile(*one) for one in files], limits=Limits(total_bytes=1000))
    with pytest.raises(ExamError, match="more than 5 files"):
        read_exam([UploadedFile(*one) for one in files], limits=Limits(files=5))


def test_a_file_beyond_the_limit_is_skipped(read):
    exam = read([*good(), good()[0] + bytes(3 * MIB)], decoder=Decoder(Limits(file_bytes=2 * MIB)))
    assert exam.skipped[0].reason == "the file is larger than 2,097,152 bytes"


def test_series_that_take_too_much_memory_together_are_left_out_after_the_best(read):
    size = builder.SLICES * builder.ROWS * builder.COLUMNS * 2
    second = builder.series("axial", series="second", EchoTime=90.0)
    exam = read([*builder.series("axial"), *second, *builder.series("coronal")], limits=Limits(pixel_bytes=2 * size))
    assert exam.planes == (Plane.CORONAL, Plane.AXIAL)
    assert exam.alternatives == {}
    assert "not decoded: the series together take more than" in exam.refused[0].reason


@pytest.mark.parametrize(
    ("start", "kind"), [(b"\x1f\x8b\x08", "gzip"), (b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a", "rar")]
)
def test_another_archive_is_named(start, kind):
    with pytest.raises(ExamError, match=f"this is a {kind} archive, and only zip is read"):
        read_exam(UploadedFile("x", start + bytes(100)))
