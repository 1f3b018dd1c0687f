"""Damaged, lying and hostile files cost a sentence, never the process, the disc or the machine's memory."""

import pickle
import struct
import tracemalloc
import zipfile
import zlib
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from mrnet_core.dicom import Limits, UploadedFile, read_exam
from mrnet_core.dicom.decoder import LOST, SLOW, Decoder, Task
from mrnet_core.dicom.parse import BadFile, inflate
from mrnet_core.dicom.samples import SAMPLES, sample_file
from mrnet_core.domain import ExamError, InstallationError, Plane
from tests.dicom import builder
from tests.dicom.crashing_child import ABORT, GROW, HANG
from tests.dicom.recode import JPEG_2000, JPEG_LOSSLESS_FIRST, JPEG_LS, RLE, recoded

MIB = 2**20


def good(slices=12):
    return [builder.to_bytes(one) for one in builder.series("axial", slices)]


def with_bad(bad: bytes, at=5):
    files = good()
    files[at] = bad
    return files


def reason_of(read, bad: bytes) -> str:
    """Read a whole series with one file replaced; the exam stays whole and the reason is told."""
    exam = read(with_bad(bad))
    assert exam.series[Plane.AXIAL].slices == 11
    assert any("A gap: about 1 slice" in warning for warning in exam.series[Plane.AXIAL].warnings)
    (skipped,) = exam.skipped
    assert skipped.position == 5
    return skipped.reason


def deflated(dataset_bytes: bytes, packed: bytes) -> bytes:
    """A file of deflated syntax whose packed part is ``packed``."""
    head = dcmread(BytesIO(dataset_bytes))
    head.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.1.99")
    target = BytesIO()
    head.save_as(target)
    data = target.getvalue()
    length = int.from_bytes(data[140:144], "little")
    return data[: 144 + length] + packed


def one_of(syntax, **changes) -> bytes:
    """Slice 5 in a compressed syntax, its attributes changed afterwards."""
    plain = builder.image("axial", 5, shape=(40, 48))
    pixels = np.frombuffer(plain.PixelData, "<u2").reshape(40, 48)
    dataset = dcmread(BytesIO(recoded(builder.to_bytes(plain), pixels, syntax)))
    for keyword, new in changes.items():
        setattr(dataset, keyword, new)
    target = BytesIO()
    dataset.save_as(target)
    return target.getvalue()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"", "the file is empty"),
        (b"MZ this is a program" * 50, "it is no DICOM file"),
        (b"\0" * 200, "it is no DICOM file"),
        (good()[5][:140], "the file ends inside its header"),
        (good()[5][:600], "it holds no pixels, or is cut short before them"),
        (good()[5][:-100], "it holds fewer pixels than its Rows and Columns say"),
        (b"\0" * 128 + b"DICM" + b"\xff" * 400, "it is no DICOM file"),
    ],
)
def test_a_bad_file_is_skipped_and_counted_while_the_exam_is_whole(read, bad, reason):
    assert reason_of(read, bad) == reason


@pytest.mark.parametrize("syntax", [RLE, JPEG_LOSSLESS_FIRST, JPEG_LS, JPEG_2000], ids=lambda uid: UID(uid).name)
def test_compressed_pixels_cut_short_are_skipped(read, syntax):
    files = [
        builder.to_bytes(builder.image("axial", k, shape=(40, 48))) if k != 5 else one_of(syntax) for k in range(12)
    ]
    assert read(files).skipped == ()
    files[5] = files[5][: len(files[5]) // 2 + 300]
    exam = read(files)
    assert exam.series[Plane.AXIAL].slices == 11
    assert "cut short" in exam.skipped[0].reason


@pytest.mark.parametrize("syntax", [JPEG_LOSSLESS_FIRST, JPEG_LS, JPEG_2000], ids=lambda uid: UID(uid).name)
@pytest.mark.parametrize("lie", [{"Rows": 41}, {"Columns": 4000, "Rows": 4000}, {"Rows": 20}])
def test_rows_and_columns_that_lie_about_a_codestream_are_caught_before_decoding(syntax, lie):
    files = [UploadedFile("x", one_of(syntax, SOPInstanceUID=builder.uid(str(k)), **lie)) for k in range(6)]
    for k, _ in enumerate(files):
        dataset = dcmread(BytesIO(files[k].data))
        dataset.ImagePositionPatient = [0, 0, 4 * k]
        target = BytesIO()
        dataset.save_as(target)
        files[k] = UploadedFile("x", target.getvalue())
    with pytest.raises(ExamError, match="cannot be decoded"):
        read_exam(files)
    exam = read_exam(files + [UploadedFile("y", builder.to_bytes(one)) for one in builder.series("coronal")])
    rows, columns = lie.get("Rows", 40), lie.get("Columns", 48)
    assert exam.skipped[0].reason == f"its Rows and Columns say {rows} x {columns}, its compressed pixels 40 x 48"


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"Rows": 65535, "Columns": 65535}, "it says 65535 x 65535 pixels; at most 4096 x 4096 are read"),
        ({"Rows": 4096, "Columns": 4096}, "it holds fewer pixels than its Rows and Columns say"),
        ({"Rows": 0}, "it has no Rows or no Columns"),
        ({"NumberOfFrames": 2000000}, "it says 2000000 frames; 1 to 4096 are read"),
        ({"BitsAllocated": 32}, "BitsAllocated is 32; MR images have 8 or 16"),
        ({"BitsStored": 17}, "BitsStored 17 and HighBit 11 do not fit BitsAllocated 16"),
        ({"SamplesPerPixel": 7}, "SamplesPerPixel is 7; images have 1 or 3"),
    ],
)
def test_attributes_that_lie_about_native_pixels_are_caught(read, lie, reason):
    coronal = [builder.to_bytes(one) for one in builder.series("coronal")]
    bad = [builder.to_bytes(one) for one in builder.series("axial", **lie)]
    exam = read(bad + coronal)
    assert exam.planes == (Plane.CORONAL,)
    assert {one.reason for one in exam.skipped} == {reason}


@pytest.mark.parametrize(("run", "outcome"), [(b"\x81", "whole"), (b"\x8a", "more than")])
def test_an_rle_bomb_stops_at_the_picture_it_may_fill(read, run, outcome):
    """Runs of 128 fill a byte plane of 768 exactly, and what follows is not unpacked; runs of 119 overshoot."""
    header = np.zeros(16, "<u4")
    header[:3] = 2, 64, 64 + 2_000_000
    dataset = builder.image("axial", 5)
    dataset.file_meta = builder.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(RLE)
    dataset.PixelData = encapsulate([header.tobytes() + (run + b"\x00") * 2_000_000])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    if outcome == "whole":
        assert read(with_bad(builder.to_bytes(dataset))).series[Plane.AXIAL].pixels[5].max() == 0
    else:
        assert reason_of(read, builder.to_bytes(dataset)) == "its RLE pixels are more than its Rows and Columns say"


def test_a_deflated_bomb_is_not_inflated(read):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(packer.compress(bytes(MIB)) for _ in range(200)) + packer.flush()
    assert len(packed) < 250_000
    reason = reason_of(read, deflated(good()[5], packed))
    assert reason.startswith("its deflated part grows beyond 33,554,432 bytes")


def test_inflating_stops_at_the_bound_and_takes_no_more_memory():
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(packer.compress(bytes(MIB)) for _ in range(64)) + packer.flush()
    tracemalloc.start()
    with pytest.raises(BadFile, match="grows beyond 2,097,152 bytes"):
        inflate(packed, Limits(file_bytes=2 * MIB))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MIB


def test_a_deflated_file_damaged_or_cut_short_says_so(read):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(np.random.default_rng(0).bytes(5000)) + packer.flush()
    assert reason_of(read, deflated(good()[5], packed[:-40])) == "its deflated part is cut short"
    assert reason_of(read, deflated(good()[5], b"\xff" * 50)) == "its deflated part is damaged"


def test_sequences_nested_without_end_are_malformed(read):
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    nest = (b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + item) * 20_000
    data = good()[5]
    length = int.from_bytes(data[140:144], "little")
    assert reason_of(read, data[: 144 + length] + nest) == "it is malformed"


def test_a_pickle_is_no_dicom_file_and_is_never_loaded(read):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was loaded",))

    assert reason_of(read, pickle.dumps(Trap())) == "it is no DICOM file"


# ---- archives


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
    big = bytearray(zipped([("a", good()[0])]))
    end = big.rindex(b"PK\x05\x06")
    record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1, 1, 2**40, 0)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, end, 1)
    with pytest.raises(ExamError, match="the zip lists more than 20,000 files"):
        read_zip(bytes(big[:end]) + record + locator + bytes(big[end:]))


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


# ---- the decoding process


class Crashing(Decoder):
    module = "tests.dicom.crashing_child"


def with_cue(cue, at=(5,), slices=12):
    files = builder.series("axial", slices)
    for k in at:
        pixels = np.frombuffer(files[k].PixelData, "<u2").copy()
        pixels[0] = cue
        files[k].PixelData = pixels.tobytes()
    return files


@pytest.fixture
def crashing():
    made = []

    def make(**limits):
        made.append(Crashing(Limits(**limits)))
        return made[-1]

    yield make
    for decoder in made:
        decoder.close()


def test_a_file_that_kills_the_process_is_skipped_and_the_rest_is_read(read, crashing):
    exam = read(with_cue(ABORT), decoder=crashing())
    assert exam.series[Plane.AXIAL].slices == 11
    assert [(one.position, one.reason) for one in exam.skipped] == [(5, LOST)]


def test_a_file_that_hangs_the_process_is_skipped_and_the_rest_is_read(read, crashing):
    exam = read(with_cue(HANG), decoder=crashing(seconds=1.0))
    assert [(one.position, one.reason) for one in exam.skipped] == [(5, SLOW)]


def test_a_file_that_eats_memory_meets_the_limit_and_is_skipped(read, crashing):
    exam = read(with_cue(GROW), decoder=crashing(child_bytes=512 * MIB))
    assert exam.series[Plane.AXIAL].slices == 11
    assert exam.skipped[0].position == 5
    assert "take more memory than they may" in exam.skipped[0].reason


def test_an_exam_full_of_killers_is_refused_after_a_few(read, crashing):
    with pytest.raises(ExamError, match="more than 2 files made the decoding process fail"):
        read(with_cue(ABORT, at=range(12)), decoder=crashing(losses=2))


def test_the_process_is_started_anew_when_it_was_killed_from_outside(read):
    decoder = Decoder()
    first = read(builder.knee(), decoder=decoder)
    decoder._process.kill()
    decoder._process.wait()
    assert read(builder.knee(), decoder=decoder).planes == first.planes
    decoder.close()


def test_a_process_that_does_not_start_is_the_installations_fault(read):
    decoder = Decoder()
    decoder.module = "mrnet_core.no_such_module"
    with pytest.raises(InstallationError, match="does not start"):
        read(good(), decoder=decoder)


def test_flipped_bytes_never_cost_more_than_their_file():
    """A short fuzz of every syntax."""
    generator = np.random.default_rng(8)
    files = []
    for syntax in [*SAMPLES] * 12:
        data = bytearray(sample_file(syntax))
        for at in generator.integers(132, len(data), 3):
            data[at] = int(generator.integers(256))
        files.append(bytes(data[: int(generator.integers(len(data) // 2, 2 * len(data)))]))
    decoder = Decoder(Limits(seconds=10))
    inspected = list(decoder.ask("inspect", [Task({"position": 0}, data) for data in files], {"salt": ""}))
    wanted = [
        Task({"header": answer.said["header"], "frames": [0]}, data)
        for answer, data in zip(inspected, files, strict=True)
        if answer.said["kind"] == "mr"
    ]
    decoded = list(decoder.ask("decode", wanted, {}))
    decoder.close()
    assert {answer.said["kind"] for answer in inspected} <= {"mr", "bad", "not dicom", "other"}
    assert len(decoded) == len(wanted) > len(files) // 3
    assert {answer.said["kind"] for answer in decoded} == {"pixels", "bad"}
