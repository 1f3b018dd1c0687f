"""Size: the physical aspect is kept, nothing is aliased, places stay where they are."""

import numpy as np
import pytest
from PIL import Image

from mrnet_core.domain import ExamError, Plane, Series, Window
from mrnet_core.preprocess import resize_series


def series(pixels, row_spacing=0.5, column_spacing=0.5):
    return Series(Plane.SAGITTAL, pixels, row_spacing, column_spacing, 3.0, "SAG", "1.2", "", Window(1, 2))


def noise(rows, columns, slices=2, seed=0):
    return np.random.default_rng(seed).integers(0, 1000, (slices, rows, columns)).astype(np.int16)


@pytest.mark.parametrize(("rows", "columns"), [(384, 384), (512, 512), (320, 320), (192, 192), (300, 300)])
def test_a_square_picture_is_resampled_as_pillow_does(rows, columns):
    pixels = noise(rows, columns)
    resized = resize_series(series(pixels))
    assert resized.dtype == np.float32
    for ours, source in zip(resized, pixels, strict=True):
        theirs = Image.fromarray(source.astype(np.float32)).resize((256, 256), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-4, atol=0.05)


def test_a_picture_of_the_right_size_is_left_as_it_is():
    pixels = noise(256, 256)
    np.testing.assert_array_equal(resize_series(series(pixels, 0.6250001, 0.6250001)), pixels)


def test_the_shorter_direction_is_padded_with_zero_on_both_sides_alike():
    resized = resize_series(series(np.full((1, 384, 288), 70, np.int16)))
    columns = np.flatnonzero(resized[0].max(axis=0))
    assert (columns[0], columns[-1]) == (32, 223)  # 288 of 384 columns: 192 of 256, 32 before and after
    np.testing.assert_allclose(resized[0, :, 32:224], 70, rtol=1e-5)  # edges do not darken
    assert not resized[0, :, :32].any()


def test_aspect_is_in_mm_not_in_pixels():
    """A disc scanned with rows twice as far apart as columns comes out round."""
    rows, columns = np.mgrid[:160, :320]
    disc = (np.hypot((rows - 79.5) * 1.0, (columns - 159.5) * 0.5) < 50) * 1000
    resized = resize_series(series(disc[None].astype(np.int16), row_spacing=1.0, column_spacing=0.5))[0]
    high, wide = (resized.max(axis=axis) > 500 for axis in (1, 0))
    assert high.sum() == pytest.approx(wide.sum(), abs=2)
    assert wide.sum() == pytest.approx(100 / 160 * 256, abs=2)


def test_a_landmark_keeps_its_place_in_mm():
    pixels = np.zeros((1, 384, 288), np.int16)
    pixels[0, 90:102, 201:213] = 1000  # centre: row 95.5, column 206.5
    resized = resize_series(series(pixels, 0.4, 0.4))[0]
    rows, columns = np.mgrid[:256, :256]
    scale = 256 / 384
    assert (resized * rows).sum() / resized.sum() == pytest.approx((95.5 + 0.5) * scale - 0.5, abs=0.02)
    assert (resized * columns).sum() / resized.sum() == pytest.approx((206.5 + 48 + 0.5) * scale - 0.5, abs=0.02)


def test_stripes_finer_than_the_new_pixels_become_their_mean_not_a_pattern():
    stripes = np.tile(np.array([0, 1000], np.int16), 512)[None, None, :].repeat(1024, axis=1)
    resized = resize_series(series(stripes))
    resized = resized[:, :, 1:-1]  # at the edges half the triangle is missing
    assert resized.std() < 1
    assert resized.mean() == pytest.approx(500, abs=1)


@pytest.mark.parametrize("shift", [-1, -300, -4096])
def test_values_below_zero_are_shifted_so_that_the_darkest_is_black_as_the_padding(shift):
    pixels = noise(300, 200)
    assert pixels.min() == 0
    np.testing.assert_array_equal(resize_series(series(pixels + np.int16(shift))), resize_series(series(pixels)))
    floats = pixels.astype(np.float32)
    np.testing.assert_array_equal(resize_series(series(floats + shift)), resize_series(series(pixels)))


def test_a_series_without_values_below_zero_is_not_shifted():
    pixels = noise(256, 256) + np.int16(700)
    np.testing.assert_array_equal(resize_series(series(pixels)), pixels)


@pytest.mark.parametrize("padding", [-32768, -2000, -120])
@pytest.mark.parametrize("darkest", [0, -5])
def test_padding_far_below_all_other_values_is_black_and_shifts_nothing(padding, darkest):
    pixels = noise(300, 200) + np.int16(darkest)
    padded, black = pixels.copy(), pixels.copy()
    padded[:, :40], black[:, :40] = padding, darkest
    np.testing.assert_array_equal(resize_series(series(padded)), resize_series(series(black)))


@pytest.mark.parametrize("levels", [(-7, -3), (-7, 4), (-7, -7)])
def test_a_picture_of_two_values_keeps_them_apart(levels):
    pixels = np.repeat(np.array(levels, np.int16), 128)[None, None, :].repeat(256, axis=1)
    resized = resize_series(series(pixels))
    assert (resized.min(), resized.max()) == (0, levels[1] - levels[0])


def test_pixels_that_are_not_finite_are_refused():
    pixels = np.ones((2, 300, 300), np.float32)
    pixels[1, 7, 8] = np.inf
    with pytest.raises(ExamError, match="the sagittal series holds pixel values that are not finite"):
        resize_series(series(pixels))


def test_one_pixel_and_two_rows_are_pictures_too():
    assert resize_series(series(np.full((1, 1, 1), 9, np.int16))).min() == 9
    assert resize_series(series(np.full((1, 2, 300), 9, np.int16))).max() == pytest.approx(9)
