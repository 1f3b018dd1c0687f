"""Bias, ReLU and pooling in one go, against PyTorch's three layers; the GPU's kernels through Triton's interpreter."""

import pytest
import torch
from torch import nn

from mrnet_core.models.pooling import pool_bias_relu

INTERPRETED = """
import torch
from torch.nn import functional
from mrnet_core.models.pooling import _Fused
generator = torch.Generator().manual_seed(2)
for size in ((2, 64, 13, 15), (3, 5, 12, 7)):
    values = torch.randn(size, generator=generator).contiguous(memory_format=torch.channels_last).requires_grad_()
    bias = torch.randn(size[1], generator=generator).requires_grad_()
    expected = functional.max_pool2d(functional.relu(values + bias[:, None, None]), 3, 2)
    found = _Fused.apply(values, bias)
    torch.testing.assert_close(found, expected)
    upstream = torch.randn(expected.shape, generator=generator)
    torch.testing.assert_close(
        torch.autograd.grad(found, (values, bias), upstream), torch.autograd.grad(expected, (values, bias), upstream)
    )
print("equal")
"""


@pytest.mark.parametrize("shape", [(3, 64, 63, 63), (2, 7, 12, 15)])
def test_it_equals_the_three_layers_in_value_and_gradient(shape):
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(shape[1], generator=generator, dtype=torch.float64, requires_grad=True)
    layers = nn.Sequential(nn.ReLU(), nn.MaxPool2d(3, 2))
    expected, found = layers(values + bias[:, None, None]), pool_bias_relu(values, bias)
    torch.testing.assert_close(found, expected)
    upstream = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    wanted = torch.autograd.grad(expected, (values, bias), upstream)
    torch.testing.assert_close(torch.autograd.grad(found, (values, bias), upstream), wanted)


def test_the_gpus_kernels_equal_the_three_layers(interpreted):
    assert interpreted(INTERPRETED) == "equal"
