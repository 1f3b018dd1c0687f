"""The last convolution's way back, for processors: MRNet's maximum over slices leaves it little to do.

Of each of the 256 features one slice is the largest, and only that slice's map gets a gradient: of a series of 30
slices one map in 30. The gradients of the pictures and of the kernels are sums over maps; here the maps without a
gradient are left out of them, slice by slice, as a convolution of groups. The sums are the same.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from mrnet_core.models import winograd

FEWEST = 8
"""Slices from which on it pays."""
MOST = 0.5
"""Share of the maps of one slice with a gradient above which the plain way back is taken."""


def suits(pictures: Tensor, layer: torch.nn.Conv2d) -> bool:
    """Whether ``convolution`` does the layer's work on these pictures, and its way back faster."""
    return (
        torch.is_grad_enabled()
        and pictures.device.type == "cpu"
        and len(pictures) >= FEWEST
        and layer.padding_mode == "zeros"
        and layer.bias is not None
        and (layer.stride, layer.dilation, layer.groups) == ((1, 1), (1, 1), 1)
        and layer.padding == (layer.kernel_size[0] // 2, layer.kernel_size[1] // 2)
    )


def convolution(pictures: Tensor, layer: torch.nn.Conv2d) -> Tensor:
    """What ``layer`` gives on pictures ``(s, c, h, w)``, in their arithmetic; channels-last."""
    weight, bias = layer.weight.to(pictures.dtype), layer.bias.to(pictures.dtype)
    return _FewGradients.apply(pictures, weight, bias, winograd.suits(pictures, layer))


class _FewGradients(torch.autograd.Function):
    @staticmethod
    def forward(ctx, pictures: Tensor, weight: Tensor, bias: Tensor, by_winograd: bool) -> Tensor:
        ctx.save_for_backward(pictures, weight)
        if by_winograd:
            return winograd.convolution(pictures, weight, bias)
        return functional.conv2d(pictures, weight, bias, padding=(weight.shape[2] // 2, weight.shape[3] // 2))

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        pictures, weight = ctx.saved_tensors
        of_bias = gradient.sum(dim=(0, 2, 3))
        has_gradient = (gradient != 0).flatten(2).any(dim=2)
        most = int(has_gradient.sum(dim=1).max())
        if most > MOST * len(weight):
            of_pictures, of_weight = _way_back(gradient, pictures, weight, 1)
            return of_pictures, of_weight, of_bias, None
        # Each slice's maps with a gradient, and as many without one as make slices equal.
        maps = has_gradient.byte().topk(max(most, 1), dim=1).indices
        chosen = gradient.flatten(2).gather(1, maps[:, :, None].expand(-1, -1, gradient[0, 0].numel()))
        groups = chosen.view(1, -1, *gradient.shape[2:])
        of_pictures, of_kernels = _way_back(
            groups, pictures.reshape(1, -1, *pictures.shape[2:]), weight[maps.flatten()], len(pictures)
        )
        of_weight = torch.zeros_like(weight).index_add_(0, maps.flatten(), of_kernels)
        of_pictures = of_pictures.view(pictures.shape).contiguous(memory_format=torch.channels_last)
        return of_pictures, of_weight, of_bias, None


def _way_back(gradient: Tensor, pictures: Tensor, weight: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """Gradients of a convolution's pictures and kernels, given that of its result."""
    gradient, pictures, weight = (
        one.contiguous(memory_format=torch.channels_last) for one in (gradient, pictures, weight)
    )
    padding = [weight.shape[2] // 2, weight.shape[3] // 2]
    wanted = [True, True, False]
    of_pictures, of_weight, _ = torch.ops.aten.convolution_backward(
        gradient, pictures, weight, None, [1, 1], padding, [1, 1], False, [0, 0], groups, wanted
    )
    return of_pictures, of_weight
