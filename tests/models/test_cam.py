"""Where a cell lies, and what an overlay may change."""

import numpy as np
import pytest
import torch

from mrnet_core.models import CELL_CENTRES, alexnet_features, scale_cams, upsample_cam


def test_the_centres_follow_from_the_receptive_fields_of_the_layers():
    first, step, field = 0.0, 1, 1  # centre of unit 0, pixels between units, pixels a unit sees
    for layer in alexnet_features():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.MaxPool2d):
            kernel, stride, pad = (
                value[0] if isinstance(value, tuple) else value
                for value in (layer.kernel_size, layer.stride, layer.padding)
            )
            first += ((kernel - 1) / 2 - pad) * step
            field += (kernel - 1) * step
            step *= stride
    assert field == 195
    assert CELL_CENTRES.tolist() == [first + step * i for i in range(7)] == [31, 63, 95, 127, 159, 191, 223]


def test_an_impulse_lights_the_cells_whose_centres_it_is_near():
    """With all kernels one, a cell counts the ways from the impulse to it: symmetric about its true centre."""
    features = alexnet_features(1)
    layers = []
    for layer in features:
        if isinstance(layer, torch.nn.Conv2d):
            plain = torch.nn.Conv2d(1, 1, layer.kernel_size, layer.stride, layer.padding, bias=False).double()
            torch.nn.init.ones_(plain.weight)
            layers.append(plain)
        elif isinstance(layer, torch.nn.MaxPool2d):  # averaging keeps the geometry and counts all ways
            layers.append(torch.nn.AvgPool2d(layer.kernel_size, layer.stride))
    picture = torch.zeros(1, 1, 256, 256, dtype=torch.float64, requires_grad=True)
    maps = torch.nn.Sequential(*layers)(picture)
    assert maps.shape[-2:] == (7, 7)
    maps[0, 0, 3, 4].backward()
    ways = picture.grad[0, 0].numpy()
    rows, columns = ways.sum(axis=1), ways.sum(axis=0)
    pixels = np.arange(256)
    assert (rows * pixels).sum() / rows.sum() == pytest.approx(CELL_CENTRES[3], abs=1e-6)
    # cell 4's field (195 wide) reaches the padding at the far edge: its peak tells its place, not its mean
    assert columns.argmax() == pytest.approx(CELL_CENTRES[4], abs=4)


def test_upsampling_keeps_each_cells_value_at_its_centre_and_is_linear_between():
    cam = np.random.default_rng(0).normal(size=(2, 7, 7)).astype(np.float32)
    pixels = upsample_cam(cam)
    assert pixels.shape == (2, 256, 256)
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels[:, CELL_CENTRES][:, :, CELL_CENTRES], cam, atol=1e-6)
    # a quarter of the way from cell 2 to 3 down, on cell 5 across
    np.testing.assert_allclose(pixels[0, 95 + 8, 191], 0.75 * cam[0, 2, 5] + 0.25 * cam[0, 3, 5], atol=1e-6)


def test_border_cells_extend_outwards():
    cam = np.arange(49, dtype=np.float32).reshape(1, 7, 7)
    pixels = upsample_cam(cam)
    assert np.all(pixels[0, :32, :32] == cam[0, 0, 0])
    assert np.allclose(pixels[0, 223:, 223:], cam[0, 6, 6])
    assert np.allclose(pixels[0, 127, :32], cam[0, 3, 0])


def test_scaling_over_the_exam_leaves_a_cold_slice_cold_and_per_slice_does_not():
    maps = np.zeros((2, 7, 7), np.float32)
    maps[0, 1, 1], maps[1, 2, 2], maps[1, 0, 0] = 4.0, 1.0, -3.0
    over_exam = scale_cams(maps)
    assert (over_exam[0, 1, 1], over_exam[1, 2, 2], over_exam[1, 0, 0]) == (1.0, 0.25, 0.0)
    assert scale_cams(maps, per_slice=True)[1, 2, 2] == 1.0


@pytest.mark.parametrize("per_slice", [False, True])
def test_maps_without_a_value_above_zero_stay_dark(per_slice):
    assert not scale_cams(np.full((2, 7, 7), -1, np.float32), per_slice=per_slice).any()
    assert not scale_cams(np.zeros((2, 7, 7), np.float32), per_slice=per_slice).any()


def test_scaled_pixels_are_above_zero_only_where_the_map_is():
    cam = np.random.default_rng(1).normal(size=(3, 7, 7)).astype(np.float32)
    pixels = upsample_cam(cam)
    np.testing.assert_array_equal(scale_cams(pixels) > 0, pixels > 0)
    assert scale_cams(pixels).max() == 1


def test_maps_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"must be \(s, 7, 7\); got \(7, 7\)"):
        upsample_cam(np.zeros((7, 7)))
    with pytest.raises(ValueError, match="no empty axis"):
        scale_cams(np.zeros((0, 7, 7)))
