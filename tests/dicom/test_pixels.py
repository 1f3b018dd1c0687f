"""Stored values become modality values: sign, stray bits, padding, inversion, rescale."""

import numpy as np
import pytest

from mrnet_core.domain import Plane
from tests.dicom import builder


def stored(k):
    """12-bit pictures with no symmetry, different in every slice."""
    row, column = np.mgrid[: builder.ROWS, : builder.COLUMNS]
    return (row * 97 + column * 61 + k * 211) % 4096


def read_axial(read, change=lambda one, k: None, **changes):
    files = []
    for k in range(builder.SLICES):
        one = builder.image("axial", k, pixels=stored(k), **changes)
        change(one, k)
        files.append(one)
    return read(files).series[Plane.AXIAL]


EXPECTED = np.stack([stored(k) for k in range(builder.SLICES)])


def test_plain_pixels_come_out_as_they_are(read):
    series = read_axial(read)
    assert series.pixels.dtype == np.int16
    assert np.array_equal(series.pixels, EXPECTED)


def test_overlay_bits_above_the_stored_ones_are_cleared(read):
    def dirty(one, k):
        pixels = np.frombuffer(one.PixelData, "<u2") | np.uint16(0xA000)
        one.PixelData = pixels.tobytes()

    assert np.array_equal(read_axial(read, dirty).pixels, EXPECTED)


def test_pixels_stored_in_the_high_bits_are_shifted_down(read):
    def shift(one, k):
        one.HighBit = 15
        one.PixelData = (np.frombuffer(one.PixelData, "<u2") << 4).tobytes()

    assert np.array_equal(read_axial(read, shift).pixels, EXPECTED)


def test_signed_pixels_keep_their_sign_from_the_highest_stored_bit(read):
    def sign(one, k):
        one.PixelRepresentation = 1
        values = (stored(k) - 2048).astype("<i2")
        one.PixelData = (values.view("<u2") & 0x0FFF).tobytes()

    assert np.array_equal(read_axial(read, sign).pixels, EXPECTED - 2048)


def test_a_whole_rescale_stays_whole_and_another_becomes_float(read):
    whole = read_axial(read, RescaleSlope="2", RescaleIntercept="-5")
    assert whole.pixels.dtype == np.int16
    assert np.array_equal(whole.pixels, EXPECTED * 2 - 5)
    other = read_axial(read, RescaleSlope="0.5", RescaleIntercept="1")
    assert other.pixels.dtype == np.float32
    assert np.allclose(other.pixels, EXPECTED * 0.5 + 1)


@pytest.mark.parametrize(
    ("slope", "intercept", "kind"),
    [(40, 0, np.float32), (1, 40000, np.uint16), (1, 70000, np.float32), (-40, -3, np.float32), (16, 15, np.uint16)],
)
def test_a_whole_rescale_is_applied_once_whatever_type_holds_it(read, slope, intercept, kind):
    pixels = read_axial(read, RescaleSlope=str(slope), RescaleIntercept=str(intercept)).pixels
    assert pixels.dtype == kind
    assert np.array_equal(pixels, EXPECTED * slope + intercept)


def test_whole_slopes_that_differ_are_applied_once_to_each_slice(read):
    def own(one, k):
        one.RescaleSlope, one.RescaleIntercept = str(1 + 5 * k), str(-7 * k)

    k = np.arange(builder.SLICES)[:, None, None]
    assert np.array_equal(read_axial(read, own).pixels, EXPECTED * (1 + 5 * k) - 7 * k)


def test_16_bits_rescaled_beyond_16_bits_become_float(read):
    def full(one, k):
        one.BitsStored, one.HighBit, one.RescaleSlope, one.RescaleIntercept = 16, 15, "3", "-7"
        one.PixelData = (stored(k) * 16).astype("<u2").tobytes()

    assert np.array_equal(read_axial(read, full).pixels, EXPECTED * 16 * 3.0 - 7)


def test_a_rescale_of_its_own_in_each_slice_is_applied_slice_by_slice(read):
    def own(one, k):
        one.RescaleSlope, one.RescaleIntercept = str(1 + k / 4), str(k)

    slopes = 1 + np.arange(builder.SLICES)[:, None, None] / 4
    expected = EXPECTED * slopes + np.arange(builder.SLICES)[:, None, None]
    assert np.allclose(read_axial(read, own).pixels, expected)


def test_a_negative_slope_is_obeyed_and_warned_of_but_not_where_monochrome1_turns_it_back(read):
    turned = read_axial(read, RescaleSlope="-1")
    assert np.array_equal(turned.pixels, -EXPECTED)
    assert any("RescaleSlope is negative: dark and bright may be exchanged" in one for one in turned.warnings)
    back = read_axial(read, RescaleSlope="-1", PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(back.pixels, EXPECTED - 4095)
    assert back.warnings == read_axial(read).warnings


def test_monochrome1_is_inverted_and_its_window_with_it(read):
    series = read_axial(read, PhotometricInterpretation="MONOCHROME1", WindowCenter="1000", WindowWidth="400")
    assert np.array_equal(series.pixels, 4095 - EXPECTED)
    assert (series.window.center, series.window.width) == (3095.0, 400.0)


def test_padding_becomes_the_darkest_real_value(read):
    def pad(one, k):
        one.PixelRepresentation, one.PixelPaddingValue = 1, -2000
        values = (stored(k) // 4 + 100).astype("<i2")
        values[:, :5] = -2000
        one.BitsStored, one.HighBit = 16, 15
        one.PixelData = values.tobytes()
        one["PixelPaddingValue"].VR = "SS"

    pixels = read_axial(read, pad).pixels
    assert pixels.min() == 100
    assert np.all(pixels[:, :, :5] == 100)
    assert np.array_equal(pixels[:, :, 5:], (EXPECTED // 4 + 100)[:, :, 5:])


def test_unsigned_values_of_16_bits_do_not_wrap(read):
    def full(one, k):
        one.BitsStored, one.HighBit = 16, 15
        one.PixelData = (stored(k) * 16).astype("<u2").tobytes()

    series = read_axial(read, full)
    assert series.pixels.dtype == np.uint16
    assert np.array_equal(series.pixels, EXPECTED * 16)


def test_eight_bit_pixels_are_read(read):
    def narrow(one, k):
        one.BitsAllocated, one.BitsStored, one.HighBit = 8, 8, 7
        one.PixelData = (stored(k) // 16).astype(np.uint8).tobytes()

    assert np.array_equal(read_axial(read, narrow).pixels, EXPECTED // 16)


def test_the_window_is_the_files_own_median_else_made_from_the_pixels(read):
    def own(one, k):
        one.WindowCenter, one.WindowWidth = str(500 + k), "800"

    assert read_axial(read, own).window.center == 503.5
    made = read_axial(read).window
    assert 0 < made.center < 4096
    assert made.width > 3000


@pytest.mark.parametrize("width", ["0", "-3"])
def test_a_window_without_width_is_not_believed(read, width):
    assert read_axial(read, WindowCenter="5", WindowWidth=width).window.width > 3000


def test_a_blank_series_is_refused_by_its_pixels(read):
    blank = [builder.image("axial", k, pixels=np.full((24, 32), 7)) for k in range(builder.SLICES)]
    exam = read(blank + builder.series("coronal"))
    assert Plane.AXIAL not in exam.series
    assert any("blank" in one.reason for one in exam.refused)
