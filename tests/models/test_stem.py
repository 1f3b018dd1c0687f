"""The folded first convolution against torch's own."""

import pytest
import torch
from torch import nn

from mrnet_core.models.stem import first_convolution, fold


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(256, 256), (224, 231), (65, 70)])
def test_the_folded_convolution_equals_alexnets_in_value_and_gradient(channels, size):
    generator = torch.Generator().manual_seed(1)
    pictures = torch.randn(3, *size, generator=generator, dtype=torch.float64)
    layer = nn.Conv2d(channels, 64, 11, 4, 2).double()
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator, dtype=torch.float64))
        layer.bias.copy_(torch.randn(64, generator=generator, dtype=torch.float64))
    expected = layer(pictures[:, None].expand(-1, channels, -1, -1))
    found = first_convolution(fold(pictures), layer.weight, layer.bias)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-11)
    upstream = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    wanted = torch.autograd.grad(expected, [layer.weight, layer.bias], upstream)
    given = torch.autograd.grad(found, [layer.weight, layer.bias], upstream)
    torch.testing.assert_close(given, wanted, rtol=1e-10, atol=1e-9)
