"""RUN folders: a trained study's files, named and checked. The only room that knows the layout of ``artifacts/``.

A RUN holds ``manifest.json`` with the SHA-256 of every other file. A file is read through :meth:`Run.path`, which
checks it once in a process; nothing is taken from a RUN that its manifest does not name.
"""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from mrnet_core.config import CONFIG, TrainConfig
from mrnet_core.domain import ArtifactError, InputError, Plane, Task

ROOT = Path(__file__).resolve().parents[1]
"""The project's folder: above this package."""
DEMO_RUN = ROOT / "artifacts" / "demo"
"""The RUN that ships: trained on synthetic knees."""
PUBLISHED = ROOT / "artifacts" / "published"
"""The paper's published numbers."""
MODEL_VARIABLE = "MRNET_MODEL"
"""Environment variable that names the RUN to use where none is given."""
MANIFEST = "manifest.json"
MANIFEST_FORMAT = 1
PARTIAL = ".partial"
"""Ending of a file that is being written; never taken for a whole one."""
CHECKPOINTS = "checkpoints"
"""Folder of a RUN that exists while it trains; in no manifest."""
DATA_SEEN = f"{CHECKPOINTS}/data.json"
"""Where a RUN keeps the digests of the data it was begun on; without it no training goes on."""
GRADES = "scores/localisation.json"
"""Where a RUN keeps its heatmap grades."""
TENSORBOARD = "tensorboard"
"""Folder of a RUN with its histories once more, for TensorBoard; in no manifest, for a model does not need it."""
REBUILD = "copy the folder again from where it came, or make it again (`python -m mrnet_core train …`)"
_MODEL_FIELDS = {"trained_on": str, "synthetic": bool}
"""What every model says of itself, beside its name."""

_checked: dict[tuple[str, int, int, int], str] = {}
"""SHA-256 of files this process has read, by path, size, time of change (ns) and inode."""


def resolve_run(model: str | Path | None) -> Path:
    """The RUN folder to use: ``model``, else the variable MRNET_MODEL, else the demo model that ships.

    Returns
    -------
    Path
        Absolute, with a manifest in it.

    Raises
    ------
    InputError
        The folder that was named is none, or has no manifest: a run has one once its networks are joined.
    ArtifactError
        Nothing was named and the demo model is missing.
    """
    named = str(model) if model else os.environ.get(MODEL_VARIABLE, "")
    folder = Path(named).expanduser().resolve() if named else DEMO_RUN
    if (folder / MANIFEST).is_file():
        return folder
    if not named:
        raise ArtifactError(
            "artifacts/demo has no manifest.json, so the demo model is missing: get the project whole again, "
            "or name a RUN folder with --model or MRNET_MODEL"
        )
    by = "--model" if model else MODEL_VARIABLE
    if (folder / CONFIG).is_file():
        raise InputError(f"{by} names {named}, which {unfinished_words(named)}")
    what = f"has no {MANIFEST}" if folder.is_dir() else "is not a folder"
    raise InputError(
        f"{by} names {named}, which {what}: name a RUN folder as `python -m mrnet_core train … --out RUN` and then "
        "`python -m mrnet_core ensemble RUN` make it"
    )


def unfinished_words(run: Path | str) -> str:
    """What a run that was begun and has no manifest lacks, and how it becomes a model."""
    return (
        "is no model yet, for its training is not finished or its networks are not joined: finish the training by the "
        f"`train` command that began it, with --resume, then run `python -m mrnet_core ensemble {run}`"
    )


def partial_words(config: TrainConfig, run: Path) -> str:
    """Why a run of fewer than nine networks answers no exams, and how it becomes whole; "" where it has all nine."""
    if len(config.planes) == len(Plane) and len(config.tasks) == len(Task):
        return ""
    every = f"--planes {','.join(Plane)} and --tasks {','.join(Task)}"
    if config.initialisation == "cells":
        way = f"its trunk takes no plane and no task more, so train into another --out, with {every}"
    elif bare(run):
        way = f"its checkpoints were removed, so train into another --out, with {every}"
    else:
        way = (
            f"give the `train` command that began it again with --resume, {every}, then run `python -m mrnet_core "
            f"ensemble {run}`"
        )
    return (
        f"holds the networks of {', '.join(config.planes)} for {', '.join(config.tasks)} alone, and answering exams "
        f"takes all nine: {way}"
    )


def bare(run: Path) -> bool:
    """True where networks lie in a RUN without the checkpoints of their training: nothing of it can go on."""
    return not (run / DATA_SEEN).is_file() and ((run / MANIFEST).is_file() or (run / "weights").is_dir())


@dataclass(frozen=True)
class Run:
    """A RUN folder whose manifest was read; its files are checked as they are asked for."""

    folder: Path
    manifest: dict[str, Any]

    @classmethod
    def open(cls, folder: Path | str, *, model: bool = True) -> "Run":
        """Read the manifest of a RUN folder; ``model=False``: of a folder of checked files that is no model.

        Raises
        ------
        InputError
            No folder, or no manifest in it.
        ArtifactError
            The manifest is damaged or of an unknown format, or names a file outside the folder.
        """
        folder = Path(folder).resolve()
        source = folder / MANIFEST
        try:
            text = source.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            lacks = (
                unfinished_words(folder) if (folder / CONFIG).is_file() else f"is no RUN folder: it has no {MANIFEST}"
            )
            raise InputError(f"{folder} {lacks}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError(f"{source} cannot be read ({type(error).__name__}): {REBUILD}") from error
        try:
            manifest = json.loads(text)
        except ValueError as error:
            raise ArtifactError(f"{source} is damaged (no JSON): {REBUILD}") from error
        _check_manifest(manifest, source, _MODEL_FIELDS if model else {})
        return cls(folder, manifest)

    def has(self, name: str) -> bool:
        """True when the manifest names this file (relative path with ``/``)."""
        return name in self.manifest["files"]

    def names(self, prefix: str = "") -> tuple[str, ...]:
        """Names of the RUN's files that begin with ``prefix``, sorted."""
        return tuple(name for name in sorted(self.manifest["files"]) if name.startswith(prefix))

    def path(self, name: str) -> Path:
        """Where a file of the RUN lies, once its SHA-256 is known to be the manifest's.

        Raises
        ------
        ArtifactError
            The manifest does not name it, or it is missing, unreadable or damaged.
        """
        if not self.has(name):
            raise ArtifactError(f"{self.folder / MANIFEST} names no {name}: this RUN is not complete; {REBUILD}")
        path = self.folder / name
        try:
            found = file_hash(path)
        except FileNotFoundError as error:
            raise ArtifactError(f"{path} is missing though the manifest names it: {REBUILD}") from error
        except OSError as error:
            raise ArtifactError(f"{path} cannot be read ({error.strerror}): {REBUILD}") from error
        expected = self.manifest["files"][name]
        if found != expected:
            raise ArtifactError(
                f"{path} is damaged: its SHA-256 begins {found[:12]}, the manifest says {expected[:12]}; {REBUILD}"
            )
        return path

    def text(self, name: str) -> str:
        """A checked file as UTF-8 text; ArtifactError as in :meth:`path`."""
        path = self.path(name)
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ArtifactError(f"{path} is not UTF-8 text: {REBUILD}") from error

    def json(self, name: str) -> Any:
        """A checked file as JSON; ArtifactError where it is none."""
        try:
            return json.loads(self.text(name))
        except ValueError as error:
            raise ArtifactError(f"{self.folder / name} is no JSON: {REBUILD}") from error


def _check_manifest(manifest: Any, source: Path, needed: dict[str, type]) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != MANIFEST_FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise ArtifactError(
            f"{source} has format {found!r}; this version reads format {MANIFEST_FORMAT}: use the version that made it"
        )
    for key, kind in {"name": str, "files": dict, **needed}.items():
        if not isinstance(manifest.get(key), kind):
            raise ArtifactError(f"{source} lacks {key!r} ({kind.__name__}): {REBUILD}")
    for name, digest in manifest["files"].items():
        parts = PurePosixPath(name).parts
        # A manifest may come from elsewhere: it must not lead out of its folder.
        if not parts or PurePosixPath(name).is_absolute() or ".." in parts or "\\" in name:
            raise ArtifactError(f"{source} names a file outside its folder ({name!r}): do not use this RUN")
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ArtifactError(f"{source} gives no SHA-256 for {name!r}: {REBUILD}")


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hexadecimal; computed once in a process as long as the file does not change."""
    state = path.stat()
    key = (str(path), state.st_size, state.st_mtime_ns, state.st_ino)
    if key not in _checked:
        with path.open("rb") as file:
            _checked[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _checked[key]


def network_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of the networks in a RUN folder, by file name."""
    return {path.name: file_hash(path) for path in sorted((folder / "weights").glob("*.safetensors"))}


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a file so that it is there whole or not at all: a partial file beside it, flushed to disk, then renamed.

    Raises
    ------
    InputError
        It cannot be written; what stood there before is untouched.
    """
    raw = data.encode("utf-8") if isinstance(data, str) else data
    partial = path.with_name(path.name + PARTIAL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): free some space or name a place you may write to"
        ) from error


def write_manifest(run: Path, **fields: Any) -> Run:
    """Hash every file of a RUN and write its manifest, whole.

    Parameters
    ----------
    run
        The folder. Hidden files, files that end in ``.partial`` and what lies below ``checkpoints/`` or
        ``tensorboard/`` are left out.
    **fields
        ``name``, ``trained_on`` and ``synthetic`` are required; ``engine``, ``version``, ``commit``, ``created`` (ISO
        8601) and ``departures`` have defaults; more may be given. All must be JSON without NaN.

    Raises
    ------
    InputError
        A required field is missing, a value is no JSON, or the file cannot be written.
    """
    files = {
        path.relative_to(run).as_posix(): file_hash(path)
        for path in sorted(run.rglob("*"))
        if path.is_file() and not _left_out(path.relative_to(run))
    }
    defaults = {
        "engine": "",
        "version": "",
        "commit": "",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "departures": [],
    }
    manifest = {"format": MANIFEST_FORMAT, **defaults, **fields, "files": files}
    for key, kind in {"name": str, **_MODEL_FIELDS}.items():
        if not isinstance(manifest.get(key), kind):
            raise InputError(f"a manifest needs {key!r} ({kind.__name__}); got {manifest.get(key)!r}")
    try:
        text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise InputError(f"a field of the manifest is no JSON: {error}") from error
    write_whole(run / MANIFEST, text)
    return Run(run.resolve(), json.loads(text))


def _left_out(name: Path) -> bool:
    hidden = any(part.startswith(".") for part in name.parts)
    unlisted = name.parts[0] in (CHECKPOINTS, TENSORBOARD)
    return hidden or name.as_posix() == MANIFEST or name.suffix == PARTIAL or unlisted
