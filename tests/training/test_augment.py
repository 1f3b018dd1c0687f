import numpy as np
import pytest
import torch

from mrnet_core.config import TrainConfig
from mrnet_core.training.augment import IDENTITY, Transform, apply, draw


def stack(seed=0, slices=3, size=64):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (slices, size, size), np.uint8))


def test_the_identity_gives_the_very_pixels_as_float():
    pictures = stack()
    assert torch.equal(apply(pictures, IDENTITY), pictures.float())


def test_a_flip_swaps_left_and_right_in_every_slice():
    pictures = stack()
    assert torch.allclose(apply(pictures, Transform(0, 0, 0, True)), pictures.flip(2).float(), atol=1e-2)


@pytest.mark.parametrize(("down", "right"), [(5, 0), (0, 7), (-9, 4)])
def test_a_whole_shift_moves_the_picture_down_and_right_with_zeros_behind(down, right):
    pictures = stack().float()
    expected = torch.zeros_like(pictures)
    rows, columns = pictures.shape[1:]
    expected[:, max(down, 0) : rows + min(down, 0), max(right, 0) : columns + min(right, 0)] = pictures[
        :, max(-down, 0) : rows + min(-down, 0), max(-right, 0) : columns + min(-right, 0)
    ]
    assert torch.allclose(apply(pictures, Transform(0, down, right, False)), expected, atol=5e-2)


def test_a_quarter_turn_is_anticlockwise_on_screen():
    pictures = stack()
    expected = torch.rot90(pictures, 1, (1, 2)).float()  # first axis towards the second: right edge becomes the top
    assert torch.allclose(apply(pictures, Transform(90, 0, 0, False)), expected, atol=5e-2)


def test_the_flip_comes_before_turn_and_shift():
    pictures = stack()
    turned = apply(pictures.flip(2), Transform(20, 3, -2, False))
    assert torch.allclose(apply(pictures, Transform(20, 3, -2, True)), turned, atol=5e-2)


def test_every_slice_of_a_series_is_moved_alike():
    one = stack(slices=1)
    moved = apply(one.expand(4, -1, -1), Transform(13, -6, 4, True))
    assert torch.equal(moved[0], moved[1])
    assert torch.equal(moved[0], moved[3])


def test_draws_fill_the_papers_ranges():
    generator, config = np.random.default_rng(1), TrainConfig()
    drawn = [draw(generator, config) for _ in range(4000)]
    degrees = np.array([one.degrees for one in drawn])
    assert -25 <= degrees.min() < -24.5
    assert 24.5 < degrees.max() <= 25
    assert abs(np.mean([one.flipped for one in drawn]) - 0.5) < 0.03
    assert np.std([one.down for one in drawn]) == pytest.approx(25 / np.sqrt(3), rel=0.05)


def test_limits_change_the_transform_but_not_how_many_numbers_are_drawn():
    first, second = np.random.default_rng(2), np.random.default_rng(2)
    draw(first, TrainConfig())
    still = draw(second, TrainConfig(rotation_degrees=0, shift_pixels=0, flip=0))
    assert (still.degrees, still.down, still.right, still.flipped) == (0, 0, 0, False)
    assert first.random() == second.random()
