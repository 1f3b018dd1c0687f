"""The last convolution's way back over the maps that have a gradient, against torch's own over all."""

import pytest
import torch
from torch import nn

from mrnet_core.models import few_gradients, initialise

SLICES, CHANNELS, FEATURES = 9, 6, 10


def normal(*size, seed):
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def upstream(which: str) -> torch.Tensor:
    """Gradients of ``(9, 10, 7, 5)``, zero but for some maps."""
    values, keep = normal(SLICES, FEATURES, 7, 5, seed=4), torch.zeros(SLICES, FEATURES, dtype=torch.bool)
    if which == "one slice a feature":
        keep[torch.arange(FEATURES) * 4 % SLICES, torch.arange(FEATURES)] = True
    elif which == "two slices tie":
        keep[2, 3] = keep[7, 3] = True
    elif which == "one slice has half of the features":
        keep[5, ::2] = True
    elif which == "one slice has most features":
        keep[5, 1:] = True
    elif which == "every map":
        keep[:] = True
    return values * keep[:, :, None, None]


@pytest.mark.parametrize("kernel", [(3, 3), (5, 3)])
@pytest.mark.parametrize(
    ("which", "groups"),
    [
        ("one slice a feature", SLICES),
        ("two slices tie", SLICES),
        ("one slice has half of the features", SLICES),
        ("one slice has most features", 1),
        ("every map", 1),
        ("none", SLICES),
    ],
)
def test_gradients_are_those_of_the_plain_convolution(monkeypatch, which, groups, kernel):
    layer = nn.Conv2d(CHANNELS, FEATURES, kernel, padding=(kernel[0] // 2, kernel[1] // 2), dtype=torch.float64)
    layer = layer.to(memory_format=torch.channels_last)
    pictures = normal(SLICES, CHANNELS, 7, 5, seed=1).contiguous(memory_format=torch.channels_last).requires_grad_()
    assert few_gradients.suits(pictures, layer)
    taken, real = [], few_gradients._way_back
    monkeypatch.setattr(few_gradients, "_way_back", lambda *parts: taken.append(parts[3]) or real(*parts))
    found, wanted = few_gradients.convolution(pictures, layer), layer(pictures)
    assert torch.allclose(found, wanted)
    leaves = (pictures, layer.weight, layer.bias)
    given = torch.autograd.grad(found, leaves, upstream(which))
    for one, other in zip(given, torch.autograd.grad(wanted, leaves, upstream(which)), strict=True):
        assert one.shape == other.shape
        assert torch.allclose(one, other, atol=1e-12)
    assert given[0].is_contiguous(memory_format=torch.channels_last)
    assert taken == [groups]


def test_a_gradient_that_is_no_number_is_not_hidden():
    layer = nn.Conv2d(CHANNELS, FEATURES, 3, padding=1, dtype=torch.float64).to(memory_format=torch.channels_last)
    pictures = normal(SLICES, CHANNELS, 7, 5, seed=1).contiguous(memory_format=torch.channels_last).requires_grad_()
    broken = upstream("two slices tie")
    broken[4, 6, 2, 2] = torch.nan
    found = few_gradients.convolution(pictures, layer)
    of_pictures, of_weight = torch.autograd.grad(found, (pictures, layer.weight), broken)
    assert of_pictures[4].isnan().any()
    assert of_weight[6].isnan().any()


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_networks_step_takes_it_and_gets_the_gradients_of_the_plain_way(monkeypatch, precision):
    model = initialise("random", 2)[0].train()
    model.mean.fill_(100.0)
    model.sd.fill_(60.0)
    stack = torch.from_numpy((normal(12, 256, 256, seed=3) * 60 + 100).clamp(0, 255).numpy()).float()
    taken, real = [], few_gradients._way_back
    monkeypatch.setattr(few_gradients, "_way_back", lambda *parts: taken.append(parts[3]) or real(*parts))
    gradients, suits = [], few_gradients.suits
    for plain in (False, True):  # the same values forward: the maximum over slices is sensitive to rounding
        monkeypatch.setattr(few_gradients, "suits", lambda *parts, plain=plain: not plain and suits(*parts))
        model.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision is torch.bfloat16):
            values = model.maps(stack)
        assert values.dtype == precision
        model.head(values.float()).backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert taken == [12]
    for one, other in zip(*gradients, strict=True):
        assert one.dtype == torch.float32
        far = (one - other).norm() / other.norm()
        assert far < (1e-4 if precision is torch.float32 else 0.02)


def test_serving_and_few_slices_take_the_plain_way():
    layer, pictures = nn.Conv2d(4, 4, 3, padding=1), torch.zeros(12, 4, 5, 5)
    assert few_gradients.suits(pictures, layer)
    assert not few_gradients.suits(pictures[:7], layer)
    with torch.no_grad():
        assert not few_gradients.suits(pictures, layer)
    assert not few_gradients.suits(pictures, nn.Conv2d(4, 4, 3, padding=1, stride=2))
    assert not few_gradients.suits(pictures, nn.Conv2d(4, 4, 3))
