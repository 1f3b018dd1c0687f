"""AlexNet's first convolution on grey pictures, as a convolution that processors and GPUs are good at.

An 11 x 11 kernel that moves by 4 over one channel leaves matrix units idle. Folding every 4 x 4 block of the picture
into 16 channels makes it a 3 x 3 kernel that moves by 1: the same sums, in another order. Equal input channels need no
copies of the picture: the sum of their kernels does the work of all, and each kernel gets the gradient of the sum.
"""

import torch
from torch import Tensor
from torch.nn import functional

STRIDE = 4
KERNEL, PADDING = 11, 2
"""Of AlexNet's first convolution."""
_BLOCKS = -(-KERNEL // STRIDE)


def fold(pictures: Tensor) -> Tensor:
    """Pictures ``(s, h, w)``, standardised, to ``(s, 16, h', w')`` in channels-last memory; zeros beyond the border."""
    for axis in (2, 1):
        pictures = _padded(pictures, axis)
    s, h, w = pictures.shape
    blocks = pictures.view(s, h // STRIDE, STRIDE, w // STRIDE, STRIDE).permute(0, 1, 3, 2, 4)
    return blocks.reshape(s, h // STRIDE, w // STRIDE, STRIDE * STRIDE).permute(0, 3, 1, 2)


def folded_kernel(weight: Tensor) -> Tensor:
    """A kernel ``(64, c, 11, 11)`` for ``c`` equal channels to ``(64, 16, 3, 3)`` for folded pictures."""
    summed = weight.sum(dim=1) if weight.shape[1] > 1 else weight[:, 0]
    more = _BLOCKS * STRIDE - KERNEL
    padded = functional.pad(summed, (0, more, 0, more))
    blocks = padded.view(-1, _BLOCKS, STRIDE, _BLOCKS, STRIDE).permute(0, 2, 4, 1, 3)
    return blocks.reshape(-1, STRIDE * STRIDE, _BLOCKS, _BLOCKS).contiguous(memory_format=torch.channels_last)


def first_convolution(folded: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """What ``Conv2d(c, 64, 11, 4, 2)`` gives on ``c`` equal channels, from ``fold``'s result; without a bias: None."""
    return functional.conv2d(folded, folded_kernel(weight), bias)


def _padded(pictures: Tensor, axis: int) -> Tensor:
    """Zeros before and after along an axis (or its end cut off): whole blocks cover every place of the kernel."""
    size = pictures.shape[axis]
    places = (size + 2 * PADDING - KERNEL) // STRIDE + 1
    after = STRIDE * (places + _BLOCKS - 1) - size - PADDING
    pad = [0, 0, 0, 0]
    pad[2 * (2 - axis) : 2 * (2 - axis) + 2] = [PADDING, after]
    return functional.pad(pictures, pad)
