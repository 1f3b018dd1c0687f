"""Stored values to modality values of a series: sign and overlay bits are done, padding, inversion and rescale here."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mrnet_core.dicom.frame import Frame, Header
from mrnet_core.domain import Window

WINDOW_PERCENTILES = (1.0, 99.5)
"""Of the pixels, for a display window where the file gives none."""


def modality_values(stored: NDArray, frames: Sequence[Frame]) -> NDArray:
    """Rescaled values of a series, brighter meaning more signal.

    Parameters
    ----------
    stored
        ``(S, H, W)`` int16 or uint16, one picture a frame.
    frames
        The S frames, for padding, MONOCHROME1, slope and intercept.

    Returns
    -------
    ndarray
        int16 where every value is whole and fits, else uint16, else float32.

    Notes
    -----
    Padding (PixelPaddingValue up to PixelPaddingRangeLimit) becomes the darkest real value of the series, so that it
    neither shows nor weighs in the histogram. MONOCHROME1 is inverted about the range of the stored bits.
    """
    stored = _without_padding(stored, frames)
    plain = all(
        (frame.header.photometric_interpretation, frame.rescale_slope, frame.rescale_intercept)
        == ("MONOCHROME2", 1.0, 0.0)
        for frame in frames
    )
    if plain and stored.dtype != np.int32:
        fits = stored.dtype == np.int16 or stored.max() <= np.iinfo(np.int16).max
        return stored.astype(np.int16, copy=False) if fits else stored
    values = stored.astype(np.int32)
    for picture, frame in zip(values, frames, strict=True):
        if frame.header.photometric_interpretation == "MONOCHROME1":
            np.subtract(_stored_sum(frame.header), picture, out=picture)
    return _rescaled(values, frames)


def _rescaled(stored: NDArray[np.int32], frames: Sequence[Frame]) -> NDArray:
    """Each picture by its own slope and intercept; int16 or uint16 where all is whole and fits, else float32."""
    slope = np.array([frame.rescale_slope for frame in frames])[:, None, None]
    intercept = np.array([frame.rescale_intercept for frame in frames])[:, None, None]
    rescaled = stored * slope + intercept  # float64: whole numbers below 2**53 stay exact
    if np.all(slope == np.rint(slope)) and np.all(intercept == np.rint(intercept)):
        low, high = rescaled.min(), rescaled.max()
        for kind in (np.int16, np.uint16):
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
                return rescaled.astype(kind)
    return rescaled.astype(np.float32)


def display_window(values: NDArray, frames: Sequence[Frame]) -> Window:
    """The file's own window (median over its images), else one from the pixels' percentiles.

    A window that shows no difference between any two pixels of the series is not believed.
    """
    centres, widths = [], []
    for frame in frames:
        if frame.window_center is None or frame.window_width is None or frame.window_width < 1:
            continue
        centre = frame.window_center
        if frame.header.photometric_interpretation == "MONOCHROME1":
            centre = frame.rescale_slope * _stored_sum(frame.header) + 2 * frame.rescale_intercept - centre
        centres.append(centre)
        widths.append(frame.window_width)
    if centres:
        window = Window(float(np.median(centres)), float(np.median(widths)))
        darkest, brightest = window.center - window.width / 2, window.center + window.width / 2
        if darkest < values.max() and values.min() < brightest:
            return window
    low, high = np.percentile(values[:: max(1, len(values) // 8)], WINDOW_PERCENTILES)
    return Window(float(low + high) / 2, max(float(high - low), 1.0))


def _stored_sum(header: Header) -> int:
    """Lowest plus highest value of the stored bits: a value's mirror image is this minus the value."""
    return -1 if header.pixel_representation else (1 << header.bits_stored) - 1


def _without_padding(stored: NDArray, frames: Sequence[Frame]) -> NDArray:
    padded = [_padding(picture, frame.header) for picture, frame in zip(stored, frames, strict=True)]
    if all(mask is None for mask in padded):
        return stored
    masks = np.stack([np.zeros(stored.shape[1:], bool) if mask is None else mask for mask in padded])
    if not masks.any() or masks.all():
        return stored
    inverted = frames[0].header.photometric_interpretation == "MONOCHROME1"
    real = stored[~masks]
    return np.where(masks, real.max() if inverted else real.min(), stored)


def _padding(picture: NDArray, header: Header) -> NDArray[np.bool_] | None:
    value, limit = header.pixel_padding_value, header.pixel_padding_range_limit
    if value is None:
        return None
    # The value may be written in the other sign (VR US or SS): bring it into the stored range.
    low, high = sorted(_in_range(one, header) for one in (value, value if limit is None else limit))
    return (picture >= low) & (picture <= high)


def _in_range(value: int, header: Header) -> int:
    value &= 0xFFFF
    return value - 0x10000 if header.pixel_representation and value >= 0x8000 else value
