"""Every transfer syntax gives the pixels that were put in."""

import shutil
import subprocess

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from mrnet_core.dicom import syntax_samples
from mrnet_core.dicom.samples import NATIVE, SAMPLES, TOLERANCE, sample_file, sample_picture
from mrnet_core.domain import ExamError, Plane
from tests.dicom import builder
from tests.dicom.recode import ENCODERS, JPEG_LOSSLESS_FIRST, LOSSLESS, RLE, recoded


def pictures(slices=builder.SLICES, shape=(40, 48)):
    row, column = np.mgrid[: shape[0], : shape[1]]
    noise = np.random.default_rng(11).integers(0, 64, (slices, *shape))
    return np.stack([(row * 53 + column * 31 + k * 97) % 4032 for k in range(slices)]).astype(np.uint16) + noise.astype(
        np.uint16
    )


def classic(syntax, pixels):
    plain = [builder.image("axial", k, pixels=picture, shape=(40, 48)) for k, picture in enumerate(pixels)]
    return [recoded(builder.to_bytes(one), picture, syntax) for one, picture in zip(plain, pixels, strict=True)]


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda uid: UID(uid).name)
def test_a_lossless_syntax_gives_the_very_pixels(read, syntax):
    pixels = pictures()
    assert np.array_equal(read(classic(syntax, pixels)).series[Plane.AXIAL].pixels, pixels)


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda uid: UID(uid).name)
def test_an_enhanced_multi_frame_file_gives_the_very_pixels_in_every_lossless_syntax(read, syntax):
    pixels = pictures()
    order = [3, 0, 7, 1, 6, 2, 5, 4]
    plain = builder.enhanced("axial", order=order, shape=(40, 48), pixels=pixels[0])
    plain.PixelData = pixels[order].tobytes()
    data = recoded(builder.to_bytes(plain), pixels[order], syntax)
    series = read([data]).series[Plane.AXIAL]
    assert np.array_equal(series.pixels, pixels)
    assert series.slice_spacing == pytest.approx(4.0)


@pytest.mark.parametrize(("syntax", "table"), [(JPEG_LOSSLESS_FIRST, False), (JPEG_LOSSLESS_FIRST, True), (RLE, True)])
def test_frames_split_into_several_fragments_are_joined_by_the_offset_table_or_their_starts(read, syntax, table):
    pixels = pictures()
    plain = builder.enhanced("axial", shape=(40, 48), pixels=pixels[0])
    plain.PixelData = pixels.tobytes()
    dataset = dcmread(builder.BytesIO(recoded(builder.to_bytes(plain), pixels, syntax)))
    coded = [ENCODERS[syntax](picture) for picture in pixels]
    dataset.PixelData = encapsulate(coded, fragments_per_frame=3, has_bot=table)
    dataset["PixelData"].is_undefined_length = True
    target = builder.BytesIO()
    dataset.save_as(target)
    assert np.array_equal(read([target.getvalue()]).series[Plane.AXIAL].pixels, pixels)


def test_jpeg_extended_of_12_bits_is_near_the_picture_and_says_it_lost_detail(read):
    pixels = (pictures() // 8 * 0 + np.arange(40)[:, None] * 60 + np.arange(48)).astype(np.uint16)
    files = []
    for k, picture in enumerate(pixels):
        dataset = builder.image("axial", k, pixels=picture, shape=(40, 48))
        dataset.file_meta = builder.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.51")
        dataset.PixelData = encapsulate([imagecodecs.jpeg8_encode(picture + k, level=98, bitspersample=12)])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        files.append(builder.to_bytes(dataset))
    series = read(files).series[Plane.AXIAL]
    expected = pixels.astype(int) + np.arange(builder.SLICES)[:, None, None]
    assert np.abs(series.pixels - expected).max() <= 12
    assert any("loss of detail" in warning for warning in series.warnings)


def test_a_syntax_that_no_decoder_takes_is_named(read):
    files = []
    for one in builder.series("axial"):
        one.file_meta = builder.FileMetaDataset()
        one.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.100")  # MPEG2
        one.PixelData = encapsulate([b"\0" * 64])
        one["PixelData"].VR = "OB"
        one["PixelData"].is_undefined_length = True
        files.append(builder.to_bytes(one))
    with pytest.raises(ExamError, match="cannot be decoded"):
        read(files)
    exam = read(files + [builder.to_bytes(one) for one in builder.series("coronal")])
    assert all("MPEG2" in one.reason for one in exam.skipped)
    assert len(exam.skipped) == builder.SLICES


def test_rle_segments_of_a_picture_that_does_not_compress_are_whole(read):
    pixels = np.random.default_rng(2).integers(0, 4096, (builder.SLICES, 40, 48)).astype(np.uint16)
    assert np.array_equal(read(classic(RLE, pixels)).series[Plane.AXIAL].pixels, pixels)


def test_every_sample_of_the_installation_check_decodes():
    samples = syntax_samples()
    assert [(one.name, one.note) for one in samples if not one.ok] == []
    assert len(samples) == 13


@pytest.mark.skipif(shutil.which("dcmdjpeg") is None, reason="dcmtk is not installed: apt install dcmtk")
@pytest.mark.parametrize(
    "uid", [uid for uid in SAMPLES if uid not in NATIVE and ".2.4.9" not in uid], ids=lambda uid: UID(uid).name
)
def test_dcmtk_decodes_our_samples_to_the_same_picture(uid, tmp_path):
    """All but JPEG 2000, which dcmtk does not decode."""
    tool = {"1.2.840.10008.1.2.5": "dcmdrle"}.get(uid, "dcmdjpls" if ".4.8" in uid else "dcmdjpeg")
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(sample_file(uid))
    subprocess.run([tool, str(source), str(target)], check=True, capture_output=True)
    pixels = dcmread(target).pixel_array.astype(int)
    scale = 16 if uid.endswith(".50") else 1
    assert np.abs(pixels * scale - sample_picture()).max() <= TOLERANCE.get(uid, 0)


PEERS = {
    "dcmcjpeg +e1": "JPEG Lossless, first order",
    "dcmcjpeg +el +sv 5": "JPEG Lossless, selection value 5",
    "dcmcjpls +el": "JPEG-LS lossless",
    "dcmcrle": "RLE",
    "dcmconv +ti": "implicit little endian",
    "dcmconv +tb": "explicit big endian",
    "dcmconv +td": "deflated",
}


@pytest.mark.skipif(shutil.which("dcmcjpeg") is None, reason="dcmtk is not installed: apt install dcmtk")
@pytest.mark.parametrize("command", PEERS, ids=PEERS.get)
def test_what_dcmtk_encodes_is_read_to_the_very_pixels(read, command, tmp_path):
    pixels = pictures()
    files = []
    for k, picture in enumerate(pixels):
        source, target = tmp_path / f"{k}.dcm", tmp_path / f"{k}.out"
        source.write_bytes(builder.to_bytes(builder.image("axial", k, pixels=picture, shape=(40, 48))))
        subprocess.run([*command.split(), str(source), str(target)], check=True, capture_output=True)
        files.append(target.read_bytes())
    assert files[0] != builder.to_bytes(builder.image("axial", 0, pixels=pixels[0], shape=(40, 48)))
    assert np.array_equal(read(files).series[Plane.AXIAL].pixels, pixels)
