"""Bounds on what is read, checked before inflating and decoding."""

from dataclasses import dataclass

from mrnet_core.domain import ExamError

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """How much one reading may take.

    The defaults hold an exam of some thousand images with room to spare; a knee series of the paper has 17 to 61.
    """

    files: int = 20_000
    """Files, or entries of a zip, looked at."""
    file_bytes: int = 256 * MIB
    """One file, as given and after inflating."""
    total_bytes: int = 4096 * MIB
    """All files together, after inflating."""
    ratio: int = 100
    """Inflated to packed size; MR images pack about 2:1, deflate reaches 1030:1 on zeros."""
    ratio_free_bytes: int = 32 * MIB
    """Up to this inflated size any ratio is allowed: a black picture packs 1000:1 and does no harm."""
    rows: int = 4096
    """Rows, and columns, of an image."""
    frames: int = 4096
    """Frames of one file."""
    all_frames: int = 20_000
    """Frames of all files together, files given twice included: each takes a record."""
    slices: int = 512
    """Slices of one series that is taken."""
    pixel_bytes: int = 2048 * MIB
    """Decoded pixels of all series taken and kept as alternatives."""
    child_bytes: int = 1536 * MIB
    """Address space of the decoding process above what it has when it starts."""
    seconds: float = 20.0
    """One answer of the decoding process, and ``frame_seconds`` more for each frame asked of it. A frame takes some
    milliseconds; a malformed JPEG-LS can keep its decoder busy for ever."""
    frame_seconds: float = 0.1
    losses: int = 5
    """Files of one reading that may kill the decoding process: more are no accident, and each costs a new start."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ExamError(f"limit {name} must be above 0; got {value!r}")

    def is_bomb(self, packed: int, inflated: int) -> bool:
        """True when a size after inflating is out of all proportion to the size before."""
        return inflated > self.ratio_free_bytes and inflated > self.ratio * max(packed, 1)


DEFAULT_LIMITS = Limits()
