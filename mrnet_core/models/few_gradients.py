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
        has_gradient = gradient.abs().amax(dim=(2, 3)) != 0  # so that a NaN counts and is not hidden
        most = int(has_gradient.sum(dim=1).max())
        if most > MOST * len(weight):
            of_pictures, of_weight = _way_back(gradient, pictures, weight, 1)
            return of_pictures, of_weight, of_bias, None
        # Each slice's maps with a gradient, and as many without one as make slices equal.
        maps = has_gradient.byte().topk(max(most, 1), dim=1).indices
        chosen = gradient.permute(2, 3, 0, 1)
        chosen = chosen.gather(3, maps.expand(*chosen.shape[:2], -1, -1))
        of_side_by_side, of_kernels = _way_back(
            _side_by_side(chosen), _side_by_side(pictures.permute(2, 3, 0, 1)), weight[maps.flatten()], len(pictures)
        )
        of_pictures = of_side_by_side[0].unflatten(0, pictures.shape[:2])
        of_pictures = of_pictures.contiguous(memory_format=torch.channels_last)
        return of_pictures, _by_map(of_kernels, has_gradient, maps), of_bias, None


def _side_by_side(pictures: Tensor) -> Tensor:
    """``(h, w, s, c)`` as one picture of all slices' channels, ``(1, s · c, h, w)``, channels-last.

    The one picture's stride is that of a whole picture: with any other, PyTorch's own convolution of float64 errs.
    """
    return pictures.flatten(2).unsqueeze(0).permute(0, 3, 1, 2)


def _by_map(of_kernels: Tensor, has_gradient: Tensor, maps: Tensor) -> Tensor:
    """The kernels' gradients ``(s · most, c, k, k)`` of slices' chosen maps ``(s, most)``, summed by map."""
    if int(has_gradient.sum(dim=0).max()) <= 1:  # no map twice, as but for ties: picking is quicker than adding
        real = has_gradient.gather(1, maps).flatten().nonzero().squeeze(1)
        rows = torch.zeros(has_gradient.shape[1], dtype=torch.long).index_copy_(0, maps.flatten()[real], real)
        of_weight = of_kernels[rows]
        of_weight[~has_gradient.any(dim=0)] = 0
        return of_weight
    size = has_gradient.shape[1], *of_kernels.shape[1:]
    of_weight = of_kernels.new_zeros(size).contiguous(memory_format=torch.channels_last)
    return of_weight.index_add_(0, maps.flatten(), of_kernels)


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
