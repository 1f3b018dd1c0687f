"""Convolutions of stride 1 with a fraction of the multiplications, for processors that are bound by them.

Winograd's minimal filtering: the picture is cut into overlapping tiles of n x n values, n = m + k - 1; tiles and
kernels are transformed, multiplied place by place (a matrix product over channels for each of the n x n places) and
transformed back into m x m results. Direct convolution takes ``(m k / n)²`` as many multiplications: 6.2 times for
5 x 5 kernels and 4.6 times for 3 x 3 kernels here. Every step is linear: the gradients are the same steps transposed.
The arithmetic is float32 throughout; results differ from direct convolution by a few 1e-6 of their size.

References
----------
Lavin A, Gray S. Fast Algorithms for Convolutional Neural Networks. CVPR 2016.
"""

import functools
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

TILE = {3: 5, 5: 4}
"""By kernel size, the results m a tile gives: 5 divides AlexNet's 15 x 15 maps, and 8 tiles of 4 its 31 x 31."""
POINTS = {7: (0, 1, -1, 0.5, -0.5, 2), 8: (0, 1, -1, 2, -2, 0.5, -0.5)}
"""By tile size n, where the polynomials are evaluated, beside infinity: those of the smallest rounding error tried."""
CHUNK = {3: 16, 5: 4}
"""By kernel size, pictures at a time: few enough for a processor's cache, enough for matrix products of some size."""
FEWEST = 8
"""Pictures from which on it pays: the kernels' transform costs the same for one picture as for many."""


class _Shape(NamedTuple):
    """``s`` pictures of ``h`` x ``w`` with ``c`` channels, to ``co`` channels by ``k`` x ``k`` kernels."""

    s: int
    h: int
    w: int
    c: int
    co: int
    k: int

    @property
    def padding(self) -> int:
        return self.k // 2

    @property
    def m(self) -> int:
        return TILE[self.k]

    @property
    def n(self) -> int:
        return self.m + self.k - 1

    @property
    def rows(self) -> int:
        return -(-self.h // self.m)

    @property
    def columns(self) -> int:
        return -(-self.w // self.m)

    @property
    def whole(self) -> bool:
        """Whether tiles cover the picture and nothing beyond."""
        return (self.rows * self.m, self.columns * self.m) == (self.h, self.w)

    def chunks(self) -> list[tuple[int, int]]:
        """First and last + 1 of each run of pictures that is worked on at a time."""
        size = CHUNK[self.k]
        return [(first, min(first + size, self.s)) for first in range(0, self.s, size)]


def suits(pictures: Tensor, layer: torch.nn.Conv2d) -> bool:
    """Whether ``convolution`` does the layer's work on these pictures, and faster."""
    kernel = layer.kernel_size[0]
    return (
        pictures.device.type == "cpu"
        and pictures.dtype == layer.weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and len(pictures) >= FEWEST
        and kernel in TILE
        and layer.kernel_size == (kernel, kernel)
        and layer.padding == (kernel // 2, kernel // 2)
        and (layer.stride, layer.dilation, layer.groups) == ((1, 1), (1, 1), 1)
        and layer.padding_mode == "zeros"
        and layer.bias is not None
    )


def convolution(pictures: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """What ``conv2d(pictures, weight, bias, padding=k // 2)`` gives, but for rounding; channels-last, float32.

    Parameters
    ----------
    pictures
        ``(s, c, h, w)``.
    weight, bias
        ``(co, c, k, k)``, k 3 or 5, and ``(co,)``.
    """
    return _Winograd.apply(pictures, weight, bias)


@functools.cache
def matrices(kernel: int) -> tuple[Tensor, Tensor, Tensor]:
    """Transforms of results ``(m², n²)``, tiles ``(n², n²)`` and kernels ``(n², k²)``, both axes of a picture at once.

    The three are those of one axis, A, B and G with ``results = A ((G kernel) * (B tile))``, times themselves
    (Kronecker). G and A' evaluate polynomials at ``POINTS`` and infinity, B' undoes it (Toom and Cook's scheme,
    transposed); rows of B are scaled by powers of two, for even magnitudes.
    """
    results = TILE[kernel]
    size = results + kernel - 1

    def evaluation(length: int) -> np.ndarray:
        rows = np.zeros((size, length))
        rows[:-1] = np.array(POINTS[size], float)[:, None] ** np.arange(length)
        rows[-1, -1] = 1
        return rows

    tiles = np.linalg.inv(evaluation(size)).T
    scale = 2.0 ** np.round(np.log2(np.abs(tiles).sum(axis=1, keepdims=True)))
    axes = evaluation(results).T, tiles / scale, evaluation(kernel) * scale
    return tuple(torch.from_numpy(np.kron(axis, axis)).float() for axis in axes)


class _Winograd(torch.autograd.Function):
    """Transforms are a small matrix product for each tile or picture, so that they spread over the processor's cores.

    Of transformed values, ``(tiles, n², channels)`` or ``(n², tiles, channels)``, a product takes either.
    """

    @staticmethod
    def forward(ctx, pictures: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        shape = _Shape(len(pictures), *pictures.shape[2:], pictures.shape[1], len(weight), weight.shape[-1])
        back, into, of_kernel = matrices(shape.k)
        kernels = of_kernel @ weight.permute(2, 3, 0, 1).reshape(shape.k**2, -1)
        kernels = kernels.view(-1, shape.co, shape.c)
        padded = _padded(pictures, shape)
        size = shape.s, shape.co, shape.h, shape.w
        result = torch.empty(size, memory_format=torch.channels_last)  # no view: a ReLU may work in place
        kept = []
        for first, last in shape.chunks():
            tiles = _transform(into, _tiles(padded[first:last], shape)).transpose(0, 1)
            products = torch.bmm(tiles, kernels.transpose(1, 2))
            products[shape.n + 1] += bias  # the place of point 1 goes into every result, once
            _put_results(result[first:last], _transform(back, _by_picture(products, last - first)), shape)
            if any(ctx.needs_input_grad):
                kept.append(tiles)
        ctx.save_for_backward(kernels, *kept)
        ctx.shape = shape
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        shape = ctx.shape
        kernels, *kept = ctx.saved_tensors
        back, into, of_kernel = matrices(shape.k)
        gradient = gradient.permute(0, 2, 3, 1)
        of_bias = gradient.sum(dim=(0, 1, 2))
        of_kernels = torch.empty_like(kernels)
        blocks = -(-shape.n // shape.m) - 1  # further tiles that a tile reaches into
        room = shape.s, shape.rows + blocks, shape.m, shape.columns + blocks, shape.m, shape.c
        of_pictures = gradient.new_empty(room)
        of_pictures[:, shape.rows :] = 0  # all else is written to before it is added to
        of_pictures[:, : shape.rows, :, shape.columns :] = 0
        for (first, last), tiles in zip(shape.chunks(), kept, strict=True):
            products = _transform(back.T, _results(gradient[first:last], shape)).transpose(0, 1)
            of_kernels.baddbmm_(products.transpose(1, 2), tiles, beta=float(first > 0))  # beta 0: written, not added
            of_tiles = _transform(into.T, _by_picture(torch.bmm(products, kernels), last - first))
            _add_tiles(of_pictures[first:last], of_tiles, shape)
        of_weight = (of_kernel.T @ of_kernels.view(shape.n**2, -1)).view(shape.k, shape.k, shape.co, shape.c)
        of_pictures = of_pictures.flatten(3, 4).flatten(1, 2)
        inside = slice(shape.padding, shape.padding + shape.h), slice(shape.padding, shape.padding + shape.w)
        return of_pictures[:, *inside].permute(0, 3, 1, 2), of_weight.permute(2, 3, 0, 1), of_bias


def _transform(matrix: Tensor, values: Tensor) -> Tensor:
    """``(b, places, …)`` by a matrix over the places."""
    return torch.bmm(matrix.expand(len(values), -1, -1), values)


def _by_picture(products: Tensor, pictures: int) -> Tensor:
    """``(n², tiles, channels)`` as ``(pictures, n², tiles of one · channels)``, a view."""
    return products.view(len(products), pictures, -1).transpose(0, 1)


def _padded(pictures: Tensor, shape: _Shape) -> Tensor:
    """``(s, h', w', c)``: zeros before each picture and, up to whole tiles, after it."""
    edges = []
    for size, count in ((shape.w, shape.columns), (shape.h, shape.rows)):
        edges += [shape.padding, count * shape.m + shape.k - 1 - size - shape.padding]
    return functional.pad(pictures.permute(0, 2, 3, 1), (0, 0, *edges))


def _tiles(padded: Tensor, shape: _Shape) -> Tensor:
    """The overlapping tiles, ``(s · rows · columns, n², c)``."""
    picture, row, column, channel = padded.stride()
    size = (len(padded), shape.rows, shape.columns, shape.n, shape.n, shape.c)
    steps = (picture, shape.m * row, shape.m * column, row, column, channel)
    return padded.as_strided(size, steps, padded.storage_offset()).reshape(-1, shape.n**2, shape.c)


def _add_tiles(pictures: Tensor, tiles: Tensor, shape: _Shape) -> None:
    """Add tiles ``(s, n², …)`` into ``(s, rows', m, columns', m, c)`` where ``_tiles`` would have taken them from.

    Only blocks beyond ``rows`` and ``columns`` need to hold zeros before.
    """
    m = shape.m
    tiles = tiles.view(-1, shape.n, shape.n, shape.rows, shape.columns, shape.c)
    for down in range(0, shape.n, m):
        for right in range(0, shape.n, m):
            part = tiles[:, down : down + m, right : right + m].permute(0, 3, 1, 4, 2, 5)
            rows = slice(down // m, down // m + shape.rows)
            columns = slice(right // m, right // m + shape.columns)
            place = pictures[:, rows, : part.shape[2], columns, : part.shape[4]]
            if down or right:
                place += part
            else:
                place.copy_(part)


def _put_results(pictures: Tensor, results: Tensor, shape: _Shape) -> None:
    """Lay tiles' results ``(s, m², …)`` side by side into ``(s, co, h, w)``; what lies beyond is dropped."""
    results = results.view(-1, shape.m, shape.m, shape.rows, shape.columns, shape.co).permute(0, 3, 1, 4, 2, 5)
    pictures = pictures.permute(0, 2, 3, 1)
    if shape.whole:
        pictures.view(results.shape).copy_(results)
    else:
        pictures.copy_(results.flatten(3, 4).flatten(1, 2)[:, : shape.h, : shape.w])


def _results(pictures: Tensor, shape: _Shape) -> Tensor:
    """Results ``(s, h, w, co)`` by tiles, ``(s · rows · columns, m², co)``; zeros beyond."""
    if not shape.whole:
        more = shape.columns * shape.m - shape.w, shape.rows * shape.m - shape.h
        pictures = functional.pad(pictures, (0, 0, 0, more[0], 0, more[1]))
    tiles = pictures.unflatten(2, (shape.columns, shape.m)).unflatten(1, (shape.rows, shape.m))
    return tiles.permute(0, 1, 3, 2, 4, 5).reshape(-1, shape.m**2, shape.co)
