"""Intensity: landmarks are learned, any series is mapped onto them, what is standardised already stays as it is."""

import numpy as np
import pytest

from mrnet_core.domain import ArtifactError, InputError, Plane, Series, Window
from mrnet_core.preprocess import Landmarks, fit_landmarks, prepare, resize_series, standardise
from mrnet_core.preprocess.intensity import PERCENTILES, foreground_percentiles


def knee_like(seed, gain=1.0, air=0.5, noise=12.0, shape=(4, 128, 128)):
    """Air with Rayleigh noise, and three tissues; float32 on a scanner's own scale."""
    rng = np.random.default_rng(seed)
    tissue = rng.choice([150.0, 330.0, 800.0], p=[0.45, 0.4, 0.15], size=shape)
    body = np.where(rng.random(shape) < air, 0.0, tissue * rng.normal(1, 0.08, shape))
    return (gain * np.hypot(body + rng.normal(0, noise, shape), rng.normal(0, noise, shape))).astype(np.float32)


@pytest.fixture(scope="module")
def landmarks():
    return fit_landmarks(knee_like(seed, gain=1 + seed) for seed in range(6))


def v1_like(seed):
    """A standardised uint8 stack with air at 0, as MRNet-v1.0's are."""
    rng = np.random.default_rng(seed)
    stack = np.clip(rng.normal(90 + 5 * seed, 40, (5, 256, 256)), 0, 255).astype(np.uint8)
    stack[:, :70] = 0
    return stack


def test_landmarks_learned_on_standardised_arrays_leave_each_of_them_as_it_is_bit_for_bit():
    stacks = [v1_like(seed) for seed in range(4)]
    learned = fit_landmarks(stacks)
    for stack in stacks:
        series = Series(
            Plane.AXIAL, stack.copy(), 0.6, 0.6, None, "axial.npy", "", "", Window(128, 256), standardised=True
        )
        np.testing.assert_array_equal(standardise(stack, learned), stack)
        np.testing.assert_array_equal(prepare(series, learned), stack)


def test_landmarks_of_one_standardised_array_map_its_own_raw_copy_to_itself_bit_for_bit():
    stack = v1_like(1)
    learned = fit_landmarks([stack])
    np.testing.assert_array_equal(standardise(stack.astype(np.float32), learned), stack)


def test_landmarks_of_standardised_arrays_are_the_mean_of_their_foreground_percentiles():
    stacks = [v1_like(seed) for seed in range(3)]
    by_hand = []
    for stack in stacks:
        values = stack[stack > 0].astype(float)
        threshold = 0.0
        for _ in range(50):
            threshold = 0.3 * values[values > threshold].mean()
        by_hand.append(np.percentile(values[values > threshold], PERCENTILES, method="inverted_cdf"))
    np.testing.assert_allclose(fit_landmarks(stacks).values, np.mean(by_hand, axis=0))


def test_a_raw_series_is_mapped_onto_the_landmarks_of_standardised_arrays():
    learned = fit_landmarks([v1_like(seed) for seed in range(4)])
    raw = (v1_like(9).astype(np.float32) * 7.3) ** 1.2  # another scanner: another gain and another curve
    mapped = standardise(raw, learned)
    np.testing.assert_allclose(foreground_percentiles(mapped), learned.values, atol=1.0)


def test_scanners_of_any_gain_give_the_same_pictures(landmarks):
    one = standardise(knee_like(20), landmarks)
    other = standardise(knee_like(20) * np.float32(13.7), landmarks)
    assert np.abs(one.astype(int) - other.astype(int)).max() <= 1


def test_the_map_is_monotone_and_sends_zero_to_zero(landmarks):
    stack = knee_like(21, gain=3.1)
    stack[0, 0, :5] = 0
    stack[0, 1, :5] = -40
    mapped = standardise(stack, landmarks)
    order = np.argsort(stack, axis=None)
    assert np.all(np.diff(mapped.reshape(-1)[order].astype(int)) >= 0)
    assert not mapped[0, :2, :5].any()
    assert mapped.dtype == np.uint8
    assert mapped.max() > 230


def test_the_map_is_the_piecewise_line_through_the_landmarks(landmarks):
    stack = knee_like(22)
    sources = foreground_percentiles(stack)
    targets = np.asarray(landmarks.values)
    slope = (targets[-1] - targets[-2]) / (sources[-1] - sources[-2])
    reach = sources[-1] + (300 - targets[-1]) / slope
    line = np.interp(stack, [0, *sources, reach], [0, *targets, 300])
    assert np.abs(standardise(stack, landmarks) - np.clip(line, 0, 255)).max() <= 0.51


@pytest.mark.parametrize("noise", [0.0, 4.0, 25.0])
def test_air_is_no_foreground_be_it_zero_or_noise(noise):
    few, much = knee_like(3, air=0.2, noise=noise), knee_like(3, air=0.75, noise=noise)
    np.testing.assert_allclose(foreground_percentiles(few), foreground_percentiles(much), rtol=0.06)
    assert foreground_percentiles(much)[0] > 100  # the darkest tissue lies at 150, the noise below 100


def test_a_spike_moves_nothing_but_itself(landmarks):
    stack = knee_like(23)
    expected = standardise(stack, landmarks)
    stack[0, 0, 0] = 60 * stack.max()
    mapped = standardise(stack, landmarks)
    assert mapped[0, 0, 0] == 255
    assert np.abs(mapped.astype(int) - expected)[0, 0, 1:].max() <= 1
    assert np.abs(mapped.astype(int) - expected)[1:].max() <= 2


@pytest.mark.parametrize("value", [0.0, -5.0])
def test_a_stack_with_nothing_above_zero_becomes_zero(landmarks, value):
    mapped = standardise(np.full((2, 8, 8), value, np.float32), landmarks)
    assert mapped.dtype == np.uint8
    assert not mapped.any()


def test_an_empty_stack_stays_empty(landmarks):
    assert standardise(np.zeros((0, 256, 256), np.float32), landmarks).shape == (0, 256, 256)


def test_a_constant_stack_becomes_one_value_between_the_landmarks(landmarks):
    mapped = standardise(np.full((2, 8, 8), 431.5, np.float32), landmarks)
    assert len(np.unique(mapped)) == 1
    assert landmarks.values[0] <= mapped[0, 0, 0] <= landmarks.values[-1] + 1


def test_landmarks_cannot_be_learned_from_nothing():
    with pytest.raises(InputError, match="no series has a pixel above 0"):
        fit_landmarks([])
    with pytest.raises(InputError, match="no series has a pixel above 0"):
        fit_landmarks([np.zeros((2, 8, 8), np.float32)])


def test_an_empty_series_among_others_does_not_count():
    with_empty = fit_landmarks([knee_like(1), np.zeros((2, 8, 8), np.float32)])
    assert with_empty == fit_landmarks([knee_like(1)])


def test_landmarks_go_through_json_without_loss(landmarks):
    assert Landmarks.from_json(landmarks.to_json()) == landmarks


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "malformed"),
        ('{"values": [1, 2], "stacks": 1}', "one value a percentile; got 2, 10"),
        ('{"values": [2, 1], "stacks": 1, "percentiles": [10, 90]}', "must rise"),
        ('{"values": [1, 300], "stacks": 1, "percentiles": [10, 90]}', "at most 255"),
        ('{"colour": 1}', "malformed"),
    ],
)
def test_a_landmarks_file_that_breaks_its_format_is_refused(text, words):
    with pytest.raises(ArtifactError, match=words):
        Landmarks.from_json(text)


def test_a_series_of_a_scanner_is_scaled_and_standardised(landmarks):
    pixels = knee_like(5, shape=(3, 300, 200)).astype(np.int16)
    series = Series(Plane.AXIAL, pixels, 0.5, 0.5, 4.0, "AX", "1.2", "", Window(1, 2))
    prepared = prepare(series, landmarks)
    assert prepared.shape == (3, 256, 256)
    np.testing.assert_array_equal(prepared, standardise(resize_series(series), landmarks))
    assert not prepared[:, :, :40].any()


def test_a_series_all_below_zero_is_prepared_as_the_same_series_above_it(landmarks):
    pixels = np.rint(knee_like(6, shape=(3, 300, 200))).astype(np.int16)
    pixels -= pixels.min()
    above, below = (
        Series(Plane.AXIAL, values, 0.5, 0.5, 4.0, "AX", "1.2", "", Window(1, 2)) for values in (pixels, pixels - 8000)
    )
    assert below.pixels.max() < 0
    assert prepare(below, landmarks).max() > 200
    np.testing.assert_array_equal(prepare(below, landmarks), prepare(above, landmarks))
