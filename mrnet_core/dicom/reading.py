"""One exam from its files: gather, inspect, choose, decode, assemble.

The order is what keeps it quick and safe: headers of every file first, in the decoding process; then only the pixels
of the series that are taken or could stand in for them.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from mrnet_core.dicom.choice import Chosen, Study, choose, nothing_to_read, reason_left, reason_taken
from mrnet_core.dicom.decoder import Decoder, Task, shared_decoder
from mrnet_core.dicom.frame import Frame, Header
from mrnet_core.dicom.geometry import layout
from mrnet_core.dicom.limits import DEFAULT_LIMITS, Limits
from mrnet_core.dicom.pixels import display_window, modality_values
from mrnet_core.dicom.series import FEWEST_SLICES, Candidate, candidates_of, gap_warning
from mrnet_core.dicom.sources import Entry, Gathered, Source, Unreadable, dicomdir_entries, gather
from mrnet_core.dicom.stacks import make_stack
from mrnet_core.domain import Exam, ExamError, Plane, RefusedSeries, Series, Side, SkippedFile

Progress = Callable[[str, float], None]
MOST_LOST = 0.2
"""Share of a series' images that may fail to decode; with more it is no whole series and the next best is read."""
PICTURE_MM = (10.0, 1000.0)
"""Height and width of a picture of a knee lie between these by far; its pixels' sizes are a mistake otherwise."""
_HEADER_FIELDS = tuple(one.name for one in fields(Header))
_FRAME_FIELDS = tuple(one.name for one in fields(Frame) if one.name != "header")


@dataclass
class _Found:
    """What inspection found, filled file by file."""

    frames: list[Frame] = field(default_factory=list)
    entries: dict[int, Entry] = field(default_factory=dict)
    skipped: list[SkippedFile] = field(default_factory=list)
    others: Counter = field(default_factory=Counter)
    directories: list[tuple[Entry, list[list[str]]]] = field(default_factory=list)
    twice: int = 0


def read_exam(
    source: Source | Sequence[Source] | Gathered,
    *,
    choices: Mapping[Plane, str] | None = None,
    side: Side | None = None,
    progress: Progress | None = None,
    limits: Limits = DEFAULT_LIMITS,
    decoder: Decoder | None = None,
) -> Exam:
    """Read one knee exam from DICOM files.

    Parameters
    ----------
    source
        Paths (folder, zip, DICOMDIR, files) or :class:`UploadedFile` values, one or several; or what ``gather`` made.
    choices
        Series to take by hand: SeriesInstanceUID by plane.
    side
        The knee to read, where a study holds both.
    progress
        Called with the stage in words and the share done, 0 to 1; may raise ``Cancelled``.
    limits, decoder
        Bounds, and the decoding process (which has bounds of its own); the shared warm one by default.

    Returns
    -------
    Exam
        At most one series a plane in the standard orientation, the alternatives whole, every other series and every
        bad file with its reason.

    Raises
    ------
    ExamError
        Nothing that can be read, two patients, a hostile archive, a choice or side that is not there.
    InstallationError
        The decoding process does not start.
    """
    decoder = decoder or shared_decoder()
    decoder.start()  # its start takes as long as reading a folder does
    tell = progress or (lambda words, share: None)
    tell("Reading files", 0.0)
    gathered = source if isinstance(source, Gathered) else gather(source, limits)
    found = _inspect(gathered, decoder, limits, tell)
    studies = _studies(found, limits)
    chosen = choose(studies, dict(choices or {}), side)
    tell("Decoding images", 0.0)
    series, alternatives, refused = _Decoding(decoder, limits, found, tell).run(chosen)
    if not series:
        raise ExamError(nothing_to_read(refused))
    warnings = list(chosen.warnings)
    if found.twice:
        warnings.append(f"{found.twice} file(s) were given twice; each image was read once.")
    tell("Decoding images", 1.0)
    return Exam(
        series=series,
        refused=tuple(refused),
        skipped=tuple(sorted(found.skipped, key=lambda one: one.position)),
        warnings=tuple(dict.fromkeys(warnings)),
        side=chosen.side,
        alternatives=alternatives,
        other_body_part=chosen.other_body_part,
    )


def _inspect(gathered: Gathered, decoder: Decoder, limits: Limits, tell: Progress) -> _Found:
    """Header and frames of every MR file; a DICOMDIR is followed where its files are not among those given."""
    found = _Found(skipped=list(gathered.skipped))
    salt = secrets.token_hex(16)
    _inspect_entries(gathered.entries, found, salt, decoder, limits, tell)
    if not found.frames and found.directories:
        entry, ids = found.directories[0]
        if entry.folder is None:
            raise ExamError("a DICOMDIR only lists files: give the folder or zip that it is the list of")
        start = len(gathered.entries) + len(gathered.skipped)
        more, missing = dicomdir_entries(entry, ids[: limits.files], start, limits)
        found.skipped += missing
        _inspect_entries(more, found, salt, decoder, limits, tell)
    if not found.frames:
        raise ExamError(_no_mr(found))
    patients = {frame.header.patient_key for frame in found.frames} - {""}
    if len(patients) > 1:
        raise ExamError(f"the files are of {len(patients)} patients: an exam is of one; give one patient's files")
    return found


def _inspect_entries(entries, found: _Found, salt: str, decoder: Decoder, limits: Limits, tell: Progress) -> None:
    asked: list[Entry] = []
    seen = {(frame.header.sop_instance_uid, frame.header.sha256) for frame in found.frames}
    images = 0

    def tasks() -> Iterator[Task]:
        total = 0
        for entry in entries:
            data = _load(entry, found)
            if data is None:
                continue
            total += len(data)
            if total > limits.total_bytes:
                raise ExamError(f"the files are more than {limits.total_bytes:,} bytes: give the folder of one exam")
            asked.append(entry)
            yield Task({"position": entry.position}, data)

    for done, answer in enumerate(decoder.ask("inspect", tasks(), {"salt": salt})):
        entry, said = asked[done], answer.said
        if said["kind"] == "mr":
            images += len(said["frames"])
            if images > limits.all_frames:
                raise ExamError(f"the files hold more than {limits.all_frames:,} images: give the folder of one exam")
            header, frames = _records(said)
            key = (header.sop_instance_uid, header.sha256)
            found.twice += key in seen
            if key not in seen:
                seen.add(key)
                found.entries[entry.position] = entry
                found.frames += frames
        elif said["kind"] == "directory":
            found.directories.append((entry, said["ids"]))
        elif said["kind"] == "other":
            found.others[said["class"]] += 1
        else:
            found.skipped.append(SkippedFile(entry.position, said["reason"]))
        if done % 16 == 0:
            tell("Reading files", done / max(len(entries), 1))


def _load(entry: Entry, found: _Found) -> bytes | None:
    try:
        return entry.load()
    except Unreadable as error:
        found.skipped.append(SkippedFile(entry.position, str(error)))
        return None


def _records(said: dict) -> tuple[Header, list[Frame]]:
    """The process's plain values as records; lists become tuples."""

    def plain(value):
        return tuple(value) if isinstance(value, list) else value

    header = Header(**{name: plain(said["header"][name]) for name in _HEADER_FIELDS})
    return header, [Frame(header, **{name: plain(one[name]) for name in _FRAME_FIELDS}) for one in said["frames"]]


def _no_mr(found: _Found) -> str:
    parts = []
    if found.others:
        kinds = ", ".join(f"{count} x {name or 'of no class'}" for name, count in found.others.most_common(3))
        parts.append(f"DICOM that is no MR image ({kinds})")
    if found.skipped:
        parts.append(f"{len(found.skipped)} file(s) that cannot be used, the first because {found.skipped[0].reason}")
    there = " and ".join(parts) or "nothing"
    return f"no MR image was found; there is {there}. Give the folder, zip or files of a knee MRI"


def _studies(found: _Found, limits: Limits) -> list[Study]:
    series: dict[tuple[str, str], list[Frame]] = {}
    for frame in found.frames:
        series.setdefault((frame.header.study_instance_uid, frame.header.series_instance_uid), []).append(frame)
    parts: dict[str, tuple[list[Candidate], list[RefusedSeries], list[str]]] = {}
    for (study_uid, _), frames in sorted(series.items()):
        candidates, refused, dates = parts.setdefault(study_uid, ([], [], []))
        dates += [frame.header.study_date_time or "" for frame in frames]
        outcome = candidates_of(frames, limits)
        if isinstance(outcome, RefusedSeries):
            refused.append(outcome)
        else:
            candidates += outcome
    return [
        Study(uid, max(dates), tuple(candidates), tuple(refused)) for uid, (candidates, refused, dates) in parts.items()
    ]


class _Decoding:
    """Pixels of the candidates of one exam."""

    def __init__(self, decoder: Decoder, limits: Limits, found: _Found, tell: Progress) -> None:
        self._decoder, self._limits, self._found, self._tell = decoder, limits, found, tell

    def run(self, chosen: Chosen) -> tuple[dict[Plane, Series], dict[Plane, tuple[Series, ...]], list[RefusedSeries]]:
        """Series by plane, alternatives by plane, and all that is refused."""
        series: dict[Plane, Series] = {}
        alternatives: dict[Plane, tuple[Series, ...]] = {}
        refused: list[RefusedSeries] = []
        # Those most likely taken first, so that a bound on memory never costs one of them.
        everyone = [one for ranked in chosen.ranked.values() for one in ranked]
        firsts = [ranked[0] for ranked in chosen.ranked.values()]
        order = [*firsts, *(one for one in everyone if one not in firsts)]
        fitting = self._fitting(order)
        decoded: dict[int, Series | str] = dict(zip(map(id, fitting), self._decode(fitting), strict=True))
        too_much = f"not decoded: the series together take more than {self._limits.pixel_bytes:,} bytes"
        for plane, ranked in chosen.ranked.items():
            taken: Candidate | None = None
            others: list[Series] = []
            for one in ranked:
                result = decoded.get(id(one), too_much)
                if isinstance(result, str):
                    refused.append(one.refusal(result))
                elif taken is None:
                    taken = one
                    reason = reason_taken(one, len(ranked) - 1, one.uid in chosen.by_hand)
                    series[plane] = replace(result, reason=reason)
                else:
                    reason = reason_left(one, taken)
                    others.append(replace(result, reason=reason))
                    refused.append(one.refusal(reason, selectable=True))
            if others:
                alternatives[plane] = tuple(others)
        return series, alternatives, [*refused, *chosen.refused]

    def _fitting(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates whose pixels fit into memory together, those named first going first."""
        fitting, room = [], self._limits.pixel_bytes
        for one in candidates:
            size = sum(frame.header.rows * frame.header.columns * 2 for frame in one.stack.frames)
            if size <= room:
                fitting.append(one)
                room -= size
        return fitting

    def _decode(self, candidates: Sequence[Candidate]) -> Iterator[Series | str]:
        """Each candidate as a series, or the reason why it is none."""
        wanted = [_files(one) for one in candidates]
        total = sum(map(len, wanted))
        answers = self._decoder.ask("decode", self._tasks(wanted), {})
        done = 0
        for one, files in zip(candidates, wanted, strict=True):
            pictures: dict[tuple[int, int], NDArray] = {}
            for header, indices in files:
                answer = next(answers)
                done += 1
                if done % 8 == 0:
                    self._tell("Decoding images", done / total)
                if answer.said["kind"] != "pixels":
                    self._found.skipped.append(SkippedFile(header.position, answer.said["reason"]))
                    continue
                kind = np.dtype(np.int16 if header.pixel_representation else np.uint16)
                for index, part in zip(indices, answer.parts, strict=True):
                    pictures[header.position, index] = np.frombuffer(part, kind).reshape(header.rows, header.columns)
            try:
                outcome = self._series(one, pictures)
            except (ArithmeticError, ExamError) as error:  # one series' numbers never cost the others
                outcome = f"its numbers cannot be used ({error}): leave that series out, or export it again"
            yield outcome

    def _tasks(self, wanted: Sequence[list[tuple[Header, list[int]]]]) -> Iterator[Task]:
        for header, indices in (file for files in wanted for file in files):
            try:
                data = self._found.entries[header.position].load()
            except Unreadable:
                data = b""  # answered as a file cut short
            yield Task({"header": _for_decoding(header), "frames": indices}, data)

    def _series(self, one: Candidate, pictures: Mapping[tuple[int, int], NDArray]) -> Series | str:
        """Assemble a candidate's pictures in the standard orientation; a sentence where they are no whole series."""
        frames = [frame for frame in one.stack.frames if (frame.header.position, frame.index) in pictures]
        lost = one.stack.slices - len(frames)
        if len(frames) < FEWEST_SLICES or lost > MOST_LOST * one.stack.slices:
            return f"{lost} of its {one.stack.slices} images cannot be decoded"
        warnings = list(one.warnings)
        stack = one.stack
        if lost:
            stack = make_stack(frames, one.stack.kind)
            warnings.append(f"{lost} image(s) could not be decoded and are missing.")
            if (gap := gap_warning(stack)) and gap not in warnings:
                warnings.append(gap)
        if any(f.rescale_slope < 0 and f.header.photometric_interpretation == "MONOCHROME2" for f in stack.frames):
            warnings.append(
                "Its RescaleSlope is negative: dark and bright may be exchanged; look at the pictures first."
            )
        place = layout(one.plane, stack.frames[0].image_orientation)
        stored = np.stack([place.apply(pictures[frame.header.position, frame.index]) for frame in stack.frames])
        values = modality_values(stored, stack.frames)
        if values.min() == values.max():
            return "blank: every pixel has the same value"
        row_spacing, column_spacing = stack.frames[0].pixel_spacing
        if place.transpose:
            row_spacing, column_spacing = column_spacing, row_spacing
        height, width = values.shape[1] * row_spacing, values.shape[2] * column_spacing
        low, high = PICTURE_MM
        if not (low <= min(height, width) and max(height, width) <= high):
            return (
                f"its pictures are {height:.4g} x {width:.4g} mm, going by PixelSpacing; each side must be "
                f"{low:g} to {high:g} mm"
            )
        return Series(
            plane=one.plane,
            pixels=values,
            row_spacing=row_spacing,
            column_spacing=column_spacing,
            slice_spacing=stack.step,
            description=one.description,
            uid=one.uid,
            reason="",
            window=display_window(values, stack.frames),
            warnings=tuple(dict.fromkeys(warnings)),
            side=one.side,
            synthetic=one.synthetic,
        )


def _files(candidate: Candidate) -> list[tuple[Header, list[int]]]:
    """Files of a candidate's stack, each with the frames wanted from it."""
    wanted: dict[int, tuple[Header, list[int]]] = {}
    for frame in candidate.stack.frames:
        wanted.setdefault(frame.header.position, (frame.header, []))[1].append(frame.index)
    return list(wanted.values())


def _for_decoding(header: Header) -> dict:
    """What the decoding process must know of a file to find and read its pixels."""
    names = (
        *("rows", "columns", "number_of_frames", "samples_per_pixel", "bits_allocated", "bits_stored", "high_bit"),
        *("pixel_representation", "transfer_syntax_uid", "pixel_offset", "little_endian", "implicit_vr"),
    )
    return {name: getattr(header, name) for name in names}
