"""Convolutions with fewer multiplications, against torch's own in float64."""

import pytest
import torch
from torch import nn

from mrnet_core.models import winograd


def normal(*size, seed):
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def of_its_size(found, expected):
    return ((found.double() - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("slices", [1, 21])
@pytest.mark.parametrize("size", [(31, 31), (15, 15), (9, 22), (2, 3)])
@pytest.mark.parametrize("kernel", [3, 5])
def test_values_and_gradients_are_those_of_direct_convolution_but_for_rounding(kernel, size, slices):
    """21 slices are worked on in runs of which the last is short; 9 x 22 is no whole number of tiles."""
    inputs = (
        normal(slices, 6, *size, seed=1).relu(),
        normal(7, 6, kernel, kernel, seed=2) / (6 * kernel * kernel) ** 0.5,
        normal(7, seed=3),
    )
    upstream = normal(slices, 7, *size, seed=4)
    exact = [value.clone().requires_grad_() for value in inputs]
    expected = nn.functional.conv2d(*exact, padding=kernel // 2)
    single = [value.float().requires_grad_() for value in inputs]
    found = winograd.convolution(*single)
    assert found.shape == expected.shape
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert of_its_size(found, expected) < 1e-5
    wanted = torch.autograd.grad(expected, exact, upstream)
    given = torch.autograd.grad(found, single, upstream.float())
    for name, one, other in zip(("pictures", "weight", "bias"), given, wanted, strict=True):
        assert of_its_size(one, other) < 2e-5, name


def test_a_relu_may_work_in_place_on_the_result():
    pictures, weight, bias = (normal(*size, seed=5).float() for size in ((2, 3, 15, 15), (4, 3, 3, 3), (4,)))
    gradients = []
    for convolve in (winograd.convolution, lambda *parts: nn.functional.conv2d(*parts, padding=1)):
        leaf = weight.clone().requires_grad_()
        nn.functional.relu(convolve(pictures, leaf, bias), inplace=True).sum().backward()
        gradients.append(leaf.grad)
    assert of_its_size(gradients[0], gradients[1].double()) < 2e-5


def test_transforms_made_while_serving_serve_training_as_well():
    winograd.matrices.cache_clear()
    pictures, weight, bias = torch.ones(1, 2, 15, 15), torch.ones(3, 2, 3, 3, requires_grad=True), torch.zeros(3)
    with torch.inference_mode():
        winograd.convolution(pictures, weight, bias)
    winograd.convolution(pictures, weight, bias).sum().backward()
    assert weight.grad is not None


def layer(kernel=3, **options):
    return nn.Conv2d(2, 2, kernel, **{"padding": kernel // 2} | options)


def test_it_is_used_for_enough_float32_pictures_on_a_processor():
    pictures = torch.zeros(winograd.FEWEST, 2, 15, 15)
    assert winograd.suits(pictures, layer(3))
    assert winograd.suits(pictures, layer(5))
    assert not winograd.suits(pictures[1:], layer())
    assert not winograd.suits(pictures.double(), layer().double())
    assert not winograd.suits(pictures.to("meta"), layer())
    with torch.autocast("cpu", torch.bfloat16):
        assert not winograd.suits(pictures, layer())


@pytest.mark.parametrize(
    "other",
    [
        *(layer(7), layer(padding=0), layer(stride=2), layer(dilation=2), layer(groups=2)),
        *(layer(padding_mode="reflect"), layer(bias=False)),
    ],
    ids=["kernel 7", "padding 0", "stride 2", "dilation 2", "groups 2", "mirrored edges", "no bias"],
)
def test_it_is_not_used_for_another_kind_of_convolution(other):
    assert not winograd.suits(torch.zeros(winograd.FEWEST, 2, 15, 15), other)
