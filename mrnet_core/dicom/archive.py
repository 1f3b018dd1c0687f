"""Zips, every bound checked on the table of contents before anything is unpacked; names are never paths."""

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from mrnet_core.dicom.limits import Limits
from mrnet_core.domain import ExamError

ZIP_START = (b"PK\x03\x04", b"PK\x05\x06")
_NOISE = frozenset(("thumbs.db", "desktop.ini"))
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Others (LZMA) take as much memory as the file asks for."""
_TABLE_BYTES = 1024
"""For one entry of the table of contents, name and extra fields included."""
_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_END_SIZE, _LOCATOR_SIZE, _END64_SIZE, _COMMENT_SIZE = 22, 20, 56, 65_535
DAMAGED = "the zip is damaged or cut short: make or download it again"


class BadEntry(Exception):
    """An entry that cannot be unpacked; the message names nobody."""


@dataclass(frozen=True)
class Member:
    """One file of a zip: ``load`` unpacks it whole, unless ``problem`` says why it is not to be unpacked."""

    name: str = field(repr=False)
    load: Callable[[], bytes] = field(repr=False)
    problem: str = ""


def open_zip(source: Path | BytesIO, limits: Limits) -> list[Member]:
    """List a zip's files. It stays open as long as one of them can still be loaded.

    Raises
    ------
    ExamError
        Damaged, empty, encrypted, too many files, too large, or a decompression bomb.
    """
    _check_table(source, limits)
    try:
        archive = zipfile.ZipFile(source)
        infos = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, OSError, ValueError, OverflowError) as error:
        raise ExamError(DAMAGED) from error
    infos = [info for info in infos if not any(map(is_noise, info.filename.replace("\\", "/").split("/")))]
    if not infos:
        raise ExamError("the zip is empty: give one that holds an exam")
    if len(infos) > limits.files:
        raise ExamError(f"the zip holds {len(infos):,} files, more than {limits.files:,}: give one exam")
    if any(info.flag_bits & 0x1 for info in infos):
        raise ExamError("the zip is encrypted: unpack it with its password and give the folder")
    total = sum(info.file_size for info in infos)
    if total > limits.total_bytes:
        raise ExamError(
            f"the zip unpacks to {total:,} bytes, more than the {limits.total_bytes:,} that are read: give one exam"
        )
    if limits.is_bomb(sum(info.compress_size for info in infos), total):
        raise ExamError("the zip unpacks to far more than MR images do, as a decompression bomb does: it is not read")
    return [
        Member(last_component(info.filename), partial(_unpack, archive, info, limits), _problem(info, limits))
        for info in infos
    ]


def last_component(name: str) -> str:
    """A name without its folders, whichever slash parts them."""
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def is_noise(name: str) -> bool:
    """Files that systems leave beside real ones: hidden files, macOS and Windows folder data."""
    hidden = name.startswith(".") and name.strip(".")
    return bool(hidden) or name.casefold() in _NOISE or name == "__MACOSX"


def _problem(info: zipfile.ZipInfo, limits: Limits) -> str:
    if info.compress_type not in _METHODS:
        return "it is packed by a method other than deflate"
    if info.file_size > limits.file_bytes:
        return f"it is larger than {limits.file_bytes:,} bytes"
    if limits.is_bomb(info.compress_size, info.file_size):
        return "it unpacks to far more than an MR image does, as a decompression bomb does"
    return ""


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: Limits) -> bytes:
    """An entry's bytes; zipfile stops at the size that the table of contents says."""
    try:
        with archive.open(info) as entry:
            return entry.read(limits.file_bytes + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise BadEntry("it is damaged inside the zip") from error


def _check_table(source: Path | BytesIO, limits: Limits) -> None:
    """Refuse a table of contents out of all proportion: zipfile would load it whole."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            size = _table_size(file)
    else:
        size = _table_size(source)
    if size is None:
        raise ExamError(DAMAGED)
    if size > limits.files * _TABLE_BYTES:
        raise ExamError(f"the zip lists more than {limits.files:,} files: give one exam")


def _table_size(file: BinaryIO) -> int | None:
    """Bytes of the table of contents (APPNOTE 4.3.16, zip64 4.3.14); None where there is none.

    A zip64 locator may point at one record while another stands right before it, and zipfile's versions differ in which
    of the two they believe: the larger size counts.
    """
    length = file.seek(0, 2)
    start = max(0, length - _END_SIZE - _COMMENT_SIZE)
    tail = _bytes_at(file, start, _END_SIZE + _COMMENT_SIZE)
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_SIZE:
        return None
    locator_at = start + at - _LOCATOR_SIZE
    locator = _bytes_at(file, locator_at, _LOCATOR_SIZE)
    if locator[:4] != _LOCATOR64:
        return int.from_bytes(tail[at + 12 : at + 16], "little")
    places = {int.from_bytes(locator[8:16], "little"), locator_at - _END64_SIZE}
    records = [record for place in places if (record := _bytes_at(file, place, _END64_SIZE))[:4] == _END64]
    return max((int.from_bytes(record[40:48], "little") for record in records), default=None)


def _bytes_at(file: BinaryIO, place: int, count: int) -> bytes:
    """Up to ``count`` bytes from ``place``; none where the file has no such place."""
    if not 0 <= place < file.seek(0, 2):
        return b""
    file.seek(place)
    return file.read(count)
