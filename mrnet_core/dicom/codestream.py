"""Pixel data elements to the coded bytes of one frame, and what a codestream says of itself, before any decoding.

Runs in the limited child process. Nothing here trusts a length: every one is held against the bytes at hand.
"""

from dataclasses import dataclass

from mrnet_core.dicom.parse import BadFile

_ITEM, _DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_LONG_VRS = (b"OB", b"OW", b"UN")
UNDEFINED = 0xFFFFFFFF
J2K_START = b"\xff\x4f\xff\x51"
JPEG_START = b"\xff\xd8"
MOST_TILES = 65_535
"""Of a JPEG 2000 codestream (ISO/IEC 15444-1 A.4.2: the tile index has 16 bits)."""


@dataclass(frozen=True)
class StreamSize:
    """What the codestream's own header says."""

    rows: int
    columns: int
    components: int
    precision: int


def element_value(body: bytes, offset: int, little: bool, implicit: bool) -> tuple[int, int, bytes]:
    """Where the pixel data element's value begins, its length (or ``UNDEFINED``), and its VR (b"" if implicit)."""
    order = "little" if little else "big"
    if len(body) < offset + 12:
        raise BadFile("the file ends before its pixels")
    if implicit:
        return offset + 8, int.from_bytes(body[offset + 4 : offset + 8], order), b""
    vr = body[offset + 4 : offset + 6]
    if vr not in _LONG_VRS:
        raise BadFile("its pixel data has an impossible value representation")
    return offset + 12, int.from_bytes(body[offset + 8 : offset + 12], order), vr


def native_frame(body: bytes, start: int, length: int, frame_bytes: int, index: int) -> memoryview:
    """The bytes of one uncompressed frame.

    Raises
    ------
    BadFile
        The pixels are fewer than Rows, Columns and frames say, or compressed where the syntax says they are not.
    """
    if length == UNDEFINED:
        raise BadFile("its pixels are compressed, and its transfer syntax says they are not")
    first = start + index * frame_bytes
    if first + frame_bytes > min(len(body), start + length):
        raise BadFile("it holds fewer pixels than its Rows and Columns say")
    return memoryview(body)[first : first + frame_bytes]


def fragments(body: bytes, start: int) -> tuple[bytes, list[tuple[int, int]]]:
    """Basic offset table, and (start, length) of every fragment after it (PS3.5 A.4).

    Raises
    ------
    BadFile
        No items, an item beyond the end of the file, no fragment.
    """
    items: list[tuple[int, int]] = []
    at = start
    while True:
        tag = body[at : at + 4]
        if tag == _DELIMITER:
            break
        if tag != _ITEM:
            # Without a delimiter the last fragment may still be whole; a file cut inside it is caught below.
            if at == len(body) and len(items) > 1:
                break
            raise BadFile("its compressed pixels are cut short or malformed")
        length = int.from_bytes(body[at + 4 : at + 8], "little")
        at += 8
        if length == UNDEFINED or at + length > len(body):
            raise BadFile("its compressed pixels are cut short")
        items.append((at, length))
        at += length
    if len(items) < 2:
        raise BadFile("it holds no compressed pixels")
    table_start, table_length = items[0]
    return body[table_start : table_start + table_length], items[1:]


def coded_frame(body: bytes, start: int, frames: int, index: int) -> bytes:
    """The coded bytes of one frame.

    One fragment a frame is the rule; several are told apart by the offset table, else by where a codestream begins.

    Raises
    ------
    BadFile
        Fragments and frames do not go together.
    """
    table, parts = fragments(body, start)
    if frames == 1:
        chosen = parts
    elif len(parts) == frames:
        chosen = parts[index : index + 1]
    else:
        chosen = _grouped(body, table, parts, frames)[index]
    return b"".join(body[at : at + length] for at, length in chosen)


def _grouped(body: bytes, table: bytes, parts: list[tuple[int, int]], frames: int) -> list[list[tuple[int, int]]]:
    if len(table) == 4 * frames:
        origin = parts[0][0] - 8
        wanted = {int.from_bytes(table[4 * n : 4 * n + 4], "little") + origin + 8 for n in range(frames)}
        starts = [n for n, (at, _) in enumerate(parts) if at in wanted]
    else:
        begins = (JPEG_START, J2K_START)
        starts = [
            n for n, (at, _) in enumerate(parts) if body[at : at + 2] == begins[0] or body[at : at + 4] == begins[1]
        ]
    if len(starts) != frames or starts[:1] != [0]:
        raise BadFile(f"it says {frames} frames and its compressed pixels hold {len(starts) or len(parts)}")
    ends = [*starts[1:], len(parts)]
    return [parts[first:last] for first, last in zip(starts, ends, strict=True)]


def stream_size(coded: bytes) -> StreamSize:
    """Read the size from a JPEG, JPEG-LS or JPEG 2000 header.

    Raises
    ------
    BadFile
        It begins like none of them, or ends inside its header.
    """
    if coded[:2] == JPEG_START:
        return _jpeg_size(coded)
    start = coded.find(J2K_START, 0, 4096)  # a JP2 file wraps the codestream in a few small boxes
    if start < 0:
        raise BadFile("its compressed pixels begin like no JPEG image")
    return _j2k_size(coded[start : start + 64])


def _jpeg_size(coded: bytes) -> StreamSize:
    at = 2
    while at + 4 <= len(coded):
        if coded[at] != 0xFF:
            break
        marker = coded[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        length = int.from_bytes(coded[at + 2 : at + 4], "big")
        is_frame = (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7
        if is_frame and length >= 8 and at + 10 <= len(coded):
            rows = int.from_bytes(coded[at + 5 : at + 7], "big")
            columns = int.from_bytes(coded[at + 7 : at + 9], "big")
            return StreamSize(rows, columns, coded[at + 9], coded[at + 4])
        if marker == 0xDA or length < 2:
            break
        at += 2 + length
    raise BadFile("its compressed pixels have no readable size")


def _j2k_size(head: bytes) -> StreamSize:
    if len(head) < 43:
        raise BadFile("its compressed pixels are cut short")
    right, bottom, left, top, tile_width, tile_height = (
        int.from_bytes(head[n : n + 4], "big") for n in (8, 12, 16, 20, 24, 28)
    )
    components = int.from_bytes(head[40:42], "big")
    rows, columns = bottom - top, right - left
    if not (tile_width and tile_height) or -(-right // tile_width) * -(-bottom // tile_height) > MOST_TILES:
        raise BadFile("its JPEG 2000 tiles are malformed")
    return StreamSize(rows, columns, components, (head[42] & 0x7F) + 1)
