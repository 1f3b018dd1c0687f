"""Damaged, lying and hostile files cost a sentence, never the process, the disc or the machine's memory."""

import os
import pickle
import subprocess
import sys
import time
import tracemalloc
import zlib
from io import BytesIO
from pathlib import Path

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
from tests.dicom.crashing_child import ABORT, GROW, HANG, HOLD
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
        ({"NumberOfFrames": 4096, "PixelData": b"\0\0"}, "it says 4096 frames and describes none of them"),
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


def test_a_multi_frame_file_that_lacks_the_pixels_of_its_frames_is_skipped_unread():
    lie = builder.enhanced("axial")
    lie.PixelData = lie.PixelData[:-2]
    decoder = Decoder()
    (answer,) = decoder.ask("inspect", [Task({"position": 0}, builder.to_bytes(lie))], {"salt": ""})
    decoder.close()
    assert answer.said == {
        "kind": "bad",
        "reason": "it holds fewer pixels than its Rows, Columns and frames say",
        "parts": 0,
    }


def test_small_files_of_more_frames_than_an_exam_has_are_refused(read):
    files = [builder.enhanced(plane) for plane in builder.IOP]
    assert len(read(files, limits=Limits(all_frames=24)).series) == 3
    with pytest.raises(ExamError, match="the files hold more than 23 images: give the folder of one exam"):
        read(files, limits=Limits(all_frames=23))
    with pytest.raises(ExamError, match="more than 23 images"):
        read([files[0]] * 3, limits=Limits(all_frames=23))


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


READER = """
from mrnet_core.dicom import Limits, UploadedFile, read_exam
from tests.dicom import builder
from tests.dicom.test_hostile import Crashing, with_cue

decoder = Crashing(Limits(seconds={seconds}))


def progress(words, share):
    if words == "Decoding images":
        print(decoder._process.pid, flush=True)


files = [UploadedFile("x", builder.to_bytes(one)) for one in with_cue({cue})]
read_exam(files, decoder=decoder, progress=progress)
"""
"""A process that reads an exam with a file that hangs the decoder, and says the decoder's process ID before that."""


@pytest.mark.parametrize(("cue", "seconds"), [(HANG, 600), (HOLD, 2)], ids=["hangs", "holds the lock too"])
def test_a_decoder_that_hangs_ends_soon_after_the_process_that_started_it_was_killed(cue, seconds):
    reader = subprocess.Popen(
        [sys.executable, "-c", READER.format(cue=cue, seconds=seconds)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    decoder = int(reader.stdout.readline())
    time.sleep(1)
    reader.kill()
    reader.wait()
    deadline = time.monotonic() + 20
    while is_alive(decoder) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = is_alive(decoder)
    if left:
        os.kill(decoder, 9)
    assert not left


def is_alive(pid: int) -> bool:
    """True while a process of that ID runs; one that ended may keep its ID until somebody asks after it."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # gone meanwhile, or a system without /proc


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
