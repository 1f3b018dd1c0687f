"""Bias, ReLU and AlexNet's 3 x 3 pooling with stride 2 in one go.

The maximum over a window commutes with adding a channel's bias and with the ReLU, so both are done after the pooling,
on a quarter of the values: ``relu(max(x) + b)`` for ``max(relu(x + b))``. On a GPU with Triton one kernel does all
three and keeps a byte a value for the way back, where PyTorch's own pooling keeps eight.
"""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

try:
    import triton
    import triton.language as tl
except ImportError:  # on a machine without a GPU, or where PyTorch comes without it
    triton = None

WINDOW, STRIDE = 3, 2
_BLOCK = 1024
_OFF = WINDOW * WINDOW
"""Mark of a value that the ReLU holds at zero: nothing goes back through it."""


def pool_bias_relu(values: Tensor, bias: Tensor) -> Tensor:
    """``MaxPool2d(3, 2)(relu(values + bias))`` of a convolution's values ``(n, c, h, w)`` and its bias ``(c,)``."""
    if values.is_cuda and triton is not None and values.is_contiguous(memory_format=torch.channels_last):
        return _Fused.apply(values, bias)
    return functional.relu(functional.max_pool2d(values, WINDOW, STRIDE) + bias.to(values.dtype)[:, None, None])


class _Fused(torch.autograd.Function):
    """The kernels below; values in channels-last memory."""

    @staticmethod
    def forward(ctx, values: Tensor, bias: Tensor) -> Tensor:
        n, c, h, w = values.shape
        rows, columns = (h - WINDOW) // STRIDE + 1, (w - WINDOW) // STRIDE + 1
        pooled = torch.empty(
            (n, c, rows, columns), dtype=values.dtype, device=values.device, memory_format=torch.channels_last
        )
        place = torch.empty_like(pooled, dtype=torch.uint8)
        count = pooled.numel()
        grid = (triton.cdiv(count, _BLOCK),)
        _kernels()[0][grid](values, bias, pooled, place, count, c, h, w, rows, columns, _BLOCK)
        ctx.save_for_backward(place)
        ctx.size, ctx.bias = (h, w), bias.dtype
        return pooled

    @staticmethod
    def backward(ctx, upstream: Tensor) -> tuple[Tensor, Tensor]:
        (place,) = ctx.saved_tensors
        upstream = upstream.contiguous(memory_format=torch.channels_last)
        n, c, rows, columns = place.shape
        h, w = ctx.size
        back = torch.empty(
            (n, c, h, w), dtype=upstream.dtype, device=upstream.device, memory_format=torch.channels_last
        )
        count = back.numel()
        grid = (triton.cdiv(count, _BLOCK),)
        _kernels()[1][grid](upstream, place, back, count, c, h, w, rows, columns, _BLOCK)
        bias = upstream.masked_fill(place == _OFF, 0).sum(dim=(0, 2, 3), dtype=torch.float32)
        return back, bias.to(ctx.bias)


@cache
def _kernels():
    """The two kernels, compiled at their first launch; channels are the fastest axis of every array."""

    @triton.jit
    def forward(values, bias, pooled, place, count, c, h, w, rows, columns, block: tl.constexpr):
        at = tl.program_id(0) * block + tl.arange(0, block)
        there = at < count
        channel, rest = at % c, at // c
        column, rest = rest % columns, rest // columns
        row, picture = rest % rows, rest // rows
        corner = ((picture * h + row * 2) * w + column * 2) * c + channel
        best = tl.load(values + corner, there, 0.0).to(tl.float32)
        which = tl.zeros_like(at)
        for step in tl.static_range(1, 9):
            value = tl.load(values + corner + (step // 3 * w + step % 3) * c, there, 0.0).to(tl.float32)
            better = (value > best) | (value != value)
            best = tl.where(better, value, best)
            which = tl.where(better, step, which)
        best += tl.load(bias + channel, there, 0.0).to(tl.float32)
        which = tl.where(best <= 0, 9, which)
        best = tl.where(best <= 0, 0.0, best)
        tl.store(pooled + at, best.to(pooled.dtype.element_ty), there)
        tl.store(place + at, which.to(tl.uint8), there)

    @triton.jit
    def backward(upstream, place, back, count, c, h, w, rows, columns, block: tl.constexpr):
        at = tl.program_id(0) * block + tl.arange(0, block)
        there = at < count
        channel, rest = at % c, at // c
        x, rest = rest % w, rest // w
        y, picture = rest % h, rest // h
        total = tl.zeros([block], tl.float32)
        for step in tl.static_range(4):  # a value lies in at most two windows along each axis
            row, column = y // 2 - step // 2, x // 2 - step % 2
            down, right = y - 2 * row, x - 2 * column
            inside = there & (row >= 0) & (row < rows) & (column >= 0) & (column < columns) & (down < 3) & (right < 3)
            source = ((picture * rows + row) * columns + column) * c + channel
            mine = tl.load(place + source, inside, 255).to(tl.int32) == down * 3 + right
            total += tl.load(upstream + source, inside & mine, 0.0).to(tl.float32)
        tl.store(back + at, total.to(back.dtype.element_ty), there)

    return forward, backward
