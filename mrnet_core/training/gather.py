"""The next exam of a recorded step: taken from the block on the device, moved, standardised and folded.

Written out it is a dozen kernels over the whole series (rows of the block, to float, a grid, its samples, the
standardising, two paddings, the folding of ``models.stem``); with Triton it is one that reads four pixels for each.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from mrnet_core.domain import MODEL_SIZE
from mrnet_core.models.stem import PADDING, STRIDE, fold
from mrnet_core.training import augment

try:
    import triton
    import triton.language as tl
except ImportError:  # on a machine without a GPU, or where PyTorch comes without it
    triton = None

_BLOCK = 512
_BLOCKS = 65
"""4 x 4 blocks along each side of a folded picture of 256 x 256."""


@dataclass(frozen=True)
class Source:
    """Tables on the device. ``pictures``: ``(all, 256, 256)`` uint8; ``mean``, ``sd``: ``()``.

    By place in the epoch: ``first`` ``(n,)`` int64, the first slice, and ``theta`` ``(n, 2, 3)``, the transform;
    ``cursor``: ``(1,)`` int64, the place.
    """

    pictures: Tensor
    first: Tensor
    theta: Tensor
    cursor: Tensor
    mean: Tensor
    sd: Tensor


def folded_series(source: Source, length: int, dtype: torch.dtype) -> Tensor:
    """``length`` slices from the first of the exam at the cursor: ``(length, 16, 65, 65)``, channels last.

    Slices beyond the block repeat its last one; who asks knows how many the exam has.
    """
    if source.pictures.is_cuda and triton is not None:
        return _fused(source, length, dtype)
    offsets = torch.arange(length, device=source.pictures.device)
    rows = (source.first[source.cursor] + offsets).clamp_(max=len(source.pictures) - 1)
    moved = augment.sample(source.pictures[rows].float(), source.theta[source.cursor][0])
    return fold(((moved - source.mean) / source.sd).to(dtype))


def _fused(source: Source, length: int, dtype: torch.dtype) -> Tensor:
    made = torch.empty(
        (length, STRIDE * STRIDE, _BLOCKS, _BLOCKS),
        dtype=dtype,
        device=source.pictures.device,
        memory_format=torch.channels_last,
    )
    tables = (source.pictures, source.first, source.theta, source.cursor, source.mean, source.sd)
    count, last = made.numel(), len(source.pictures) - 1
    _kernel()[(triton.cdiv(count, _BLOCK),)](*tables, made, count, last, MODEL_SIZE, _BLOCKS, PADDING, _BLOCK)
    return made


@cache
def _kernel():
    """Compiled at its first launch."""

    @triton.jit
    def gather(
        pictures,
        first,
        theta,
        cursor,
        mean,
        sd,
        made,
        count,
        last,
        size: tl.constexpr,
        blocks: tl.constexpr,
        padding: tl.constexpr,
        block: tl.constexpr,
    ):
        at = tl.program_id(0) * block + tl.arange(0, block)
        there = at < count
        channel, rest = at % 16, at // 16
        across, rest = rest % blocks, rest // blocks
        down, step = rest % blocks, rest // blocks
        y, x = down * 4 + channel // 4 - padding, across * 4 + channel % 4 - padding
        inside = there & (y >= 0) & (y < size) & (x >= 0) & (x < size)
        place = tl.load(cursor)
        turn = theta + place * 6
        right, below = (2.0 * x + 1.0) / size - 1.0, (2.0 * y + 1.0) / size - 1.0
        sx = tl.load(turn) * right + tl.load(turn + 1) * below + tl.load(turn + 2)
        sy = tl.load(turn + 3) * right + tl.load(turn + 4) * below + tl.load(turn + 5)
        sx, sy = ((sx + 1.0) * size - 1.0) * 0.5, ((sy + 1.0) * size - 1.0) * 0.5
        left, top = tl.floor(sx), tl.floor(sy)
        wx, wy = sx - left, sy - top
        column, row = left.to(tl.int32), top.to(tl.int32)
        slice_at = tl.minimum(tl.load(first + place) + step, last).to(tl.int64) * (size * size)
        total = tl.zeros([block], tl.float32)
        for corner in tl.static_range(4):
            r, c = row + corner // 2, column + corner % 2
            weight = (wy if corner // 2 else 1.0 - wy) * (wx if corner % 2 else 1.0 - wx)
            real = inside & (r >= 0) & (r < size) & (c >= 0) & (c < size)
            total += weight * tl.load(pictures + slice_at + r * size + c, real, 0).to(tl.float32)
        value = (total - tl.load(mean)) / tl.load(sd)
        tl.store(made + at, tl.where(inside, value, 0.0).to(made.dtype.element_ty), there)

    return gather
