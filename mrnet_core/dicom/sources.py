"""Where an exam's files come from: folders, zips, a DICOMDIR's folder, single files, uploads.

A file is known by its position among the files given. Names serve to tell npy from DICOM and to sort a folder; no name
out of an archive is ever used as a path, and nothing is written.
"""

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path

from mrnet_core.dicom.archive import ZIP_START, BadEntry, is_noise, last_component, open_zip
from mrnet_core.dicom.limits import DEFAULT_LIMITS, Limits
from mrnet_core.domain import ExamError, SkippedFile

_OTHER_ARCHIVES = {
    b"\x1f\x8b": "gzip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "rar",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
}


@dataclass(frozen=True)
class UploadedFile:
    """One uploaded file: its name as the browser gave it, and its bytes."""

    name: str = field(repr=False)
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Entry:
    """One file to look at. ``load`` reads it whole; it raises ``Unreadable``."""

    position: int
    name: str = field(repr=False)
    """Its last component, for telling npy from DICOM only; never shown."""
    load: Callable[[], bytes] = field(repr=False)
    folder: Path | None = field(default=None, repr=False)
    """The folder a DICOMDIR's references start from; None for what came from an archive or an upload."""


class Unreadable(ExamError):
    """One entry that cannot be read; the message says why and names nobody."""


@dataclass(frozen=True)
class Gathered:
    """Every file of a source, and those that could not even be looked at."""

    entries: tuple[Entry, ...]
    skipped: tuple[SkippedFile, ...] = ()


Source = Path | str | UploadedFile


def gather(source: Source | Sequence[Source], limits: Limits = DEFAULT_LIMITS) -> Gathered:
    """List the files of a source without reading DICOM.

    Parameters
    ----------
    source
        One path or upload, or a sequence of them: a folder (all files below it), a zip, a DICOMDIR, single files.
    limits
        Bounds on counts and sizes, checked before anything is inflated.

    Raises
    ------
    ExamError
        No such path, nothing in it, an archive that is encrypted, damaged, too large or bomb-like, too many files.
    """
    given = [source] if isinstance(source, (str, os.PathLike, UploadedFile)) else list(source)
    if not given:
        raise ExamError("no files were given: name a folder, a zip, a DICOMDIR, DICOM files or npy series")
    entries: list[Entry] = []
    skipped: list[SkippedFile] = []
    for one in given:
        single = len(given) == 1
        found = _upload(one, limits, single) if isinstance(one, UploadedFile) else _path(Path(one), limits, single)
        for entry in found:
            position = len(entries) + len(skipped)
            if isinstance(entry, SkippedFile):
                skipped.append(SkippedFile(position, entry.reason))
            else:
                entries.append(Entry(position, entry.name, entry.load, entry.folder))
            if position >= limits.files:
                raise ExamError(f"more than {limits.files:,} files: give the folder of one exam")
    if not entries and not skipped:
        raise ExamError("no files were found: name a folder, a zip, a DICOMDIR, DICOM files or npy series")
    return Gathered(tuple(entries), tuple(skipped))


def dicomdir_entries(
    entry: Entry, ids: Sequence[Sequence[str]], start: int, limits: Limits
) -> tuple[list[Entry], list[SkippedFile]]:
    """The files that a DICOMDIR names, found below its own folder whatever their case.

    Each component is compared with the names that are there, never joined to a path unseen: ``..`` finds nothing.
    """
    entries: list[Entry] = []
    skipped: list[SkippedFile] = []
    for components in ids:
        position = start + len(entries) + len(skipped)
        path = None if entry.folder is None else _below(entry.folder, components)
        if path is None:
            skipped.append(SkippedFile(position, "the DICOMDIR names it and it is not there"))
        else:
            entries.append(Entry(position, path.name, _reader(path, limits), path.parent))
    return entries, skipped


def _below(folder: Path, components: Sequence[str]) -> Path | None:
    path = folder
    for component in components:
        try:
            match = next(
                (child for child in sorted(path.iterdir()) if child.name.casefold() == component.casefold()), None
            )
        except OSError:
            return None
        if match is None or match.is_symlink():
            return None
        path = match
    return path if components and path.is_file() else None


def _path(path: Path, limits: Limits, single: bool) -> Iterable[Entry | SkippedFile]:
    try:
        kind = path.stat().st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise ExamError(f"{path}: {reason}; name a folder, a zip, a DICOMDIR, DICOM files or npy series") from error
    if stat.S_ISDIR(kind):
        return _folder(path, limits)
    if not stat.S_ISREG(kind):
        raise ExamError(f"{path} is no ordinary file: name a folder, a zip, a DICOMDIR, DICOM files or npy series")
    try:
        with path.open("rb") as file:
            start = file.read(8)
            if start.startswith(ZIP_START):
                return _zip(path, limits)
    except OSError as error:
        raise ExamError(f"{path} cannot be read: {error.strerror}; check its permissions") from error
    if single:
        _refuse_other_archive(start)
    return [Entry(0, path.name, _reader(path, limits), path.parent)]


def _folder(folder: Path, limits: Limits) -> list[Entry | SkippedFile]:
    found: list[Entry | SkippedFile] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_noise(name))
        for name in sorted(names):
            path = Path(parent, name)
            if is_noise(name) or not path.is_file():
                continue
            found.append(Entry(0, name, _reader(path, limits), path.parent))
        if len(found) > limits.files:
            raise ExamError(f"{folder} holds more than {limits.files:,} files: name the folder of one exam")
    if not found:
        raise ExamError(f"{folder} holds no files: name the folder of an exam")
    return found


def _reader(path: Path, limits: Limits) -> Callable[[], bytes]:
    def load() -> bytes:
        try:
            with path.open("rb") as file:
                data = file.read(limits.file_bytes + 1)
        except OSError as error:
            raise Unreadable(f"it cannot be read: {error.strerror}") from error
        if data.startswith(ZIP_START):
            raise Unreadable("it is a zip inside a folder; give it by itself")
        return data

    return load


def _upload(file: UploadedFile, limits: Limits, single: bool) -> Iterable[Entry | SkippedFile]:
    data = file.data
    if data.startswith(ZIP_START):
        return _zip(BytesIO(data), limits)
    if single:
        _refuse_other_archive(data[:8])
    name = last_component(file.name)
    if is_noise(name):
        return []
    return [Entry(0, name, lambda: data)]


def _zip(file: Path | BytesIO, limits: Limits) -> list[Entry | SkippedFile]:
    found: list[Entry | SkippedFile] = []
    for member in open_zip(file, limits):
        if member.problem:
            found.append(SkippedFile(0, member.problem))
        else:
            found.append(Entry(0, member.name, partial(_member, member.load)))
    return found


def _member(load: Callable[[], bytes]) -> bytes:
    try:
        data = load()
    except BadEntry as error:
        raise Unreadable(str(error)) from error
    if data.startswith(ZIP_START):
        raise Unreadable("it is a zip inside a zip; give it by itself")
    return data


def _refuse_other_archive(start: bytes) -> None:
    for magic, kind in _OTHER_ARCHIVES.items():
        if start.startswith(magic):
            raise ExamError(f"this is a {kind} archive, and only zip is read: unpack it and give the folder")
