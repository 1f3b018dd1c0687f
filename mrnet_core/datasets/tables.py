"""CSV tables that a person hands in: read as text, checked column by column, every complaint with its row.

A row is named twice: by its line in the file (the header is line 1, as a spreadsheet counts) and by its place among the
data rows.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mrnet_core.domain import DatasetError, InputError

MAX_BYTES = 64 * 2**20
"""A table larger than this is refused: a study of 100 readers and 1,000 exams takes about 30 MB."""
MISSING = ("", "NA", "N/A", "NaN", "nan", "na")
"""Cells that say "nothing here": the contract's ``NA`` and empty cell, and what programs write for them."""
BINARY = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0}
"""How 0 and 1 may be written; ``1.0`` is what a column with missing cells becomes in many programs."""


@dataclass(frozen=True)
class TableFile:
    """A table that was uploaded: its name, for messages, and its bytes."""

    name: str
    data: bytes


Source = Path | TableFile
"""Where a table comes from: a path, or an uploaded file."""


@dataclass(frozen=True)
class Table:
    """Cells as stripped text; the frame's index is the line of each row in the file (the header is line 1).

    ``from_line``: rows that one line of the file gave; then the index is the line times it, and a number below it.
    """

    name: str
    cells: pd.DataFrame
    from_line: int = 1

    def fail(self, row: int, words: str) -> DatasetError:
        """An error that names the row of the file that a row of ``cells`` came from."""
        line, lines = row // self.from_line, (self.cells.index // self.from_line).unique()
        return DatasetError(f"{self.name}, line {line} (row {int((lines <= line).sum())} of the data): {words}")

    def words(self, column: str) -> pd.Series:
        """A column that must not be empty.

        Raises
        ------
        DatasetError
            An empty cell.
        """
        values = self.cells[column]
        for line in values.index[values.isin(MISSING)]:
            raise self.fail(line, f"{column} is empty; give every row a {column}")
        return values

    def coded(self, column: str, codes: Mapping[str, object], allowed: str, *, missing: bool = False) -> pd.Series:
        """A column of few known words, as their values; with ``missing``, empty cells become None (NaN for numbers).

        Raises
        ------
        DatasetError
            Another word.
        """
        values = self.cells[column]
        known = values.isin(list(codes)) | (values.isin(MISSING) if missing else False)
        for line in values.index[~known]:
            raise self.fail(
                line,
                f"{column} must be {allowed}; got {values[line]!r}"
                if values[line]
                else f"{column} is empty; it must be {allowed}",
            )
        return values.map(codes)

    def numbers(self, column: str, low: float, high: float, *, missing: bool = False) -> pd.Series:
        """A column of numbers from ``low`` to ``high``; with ``missing``, empty cells become NaN.

        Raises
        ------
        DatasetError
            Not a number, or outside the range.
        """
        values = self.cells[column]
        empty = values.isin(MISSING)
        numbers = pd.to_numeric(values.where(~empty), errors="coerce")
        bad = ~numbers.between(low, high)
        if missing:
            bad &= ~empty
        for line in values.index[bad]:
            got = repr(values[line]) if values[line] else "an empty cell"
            raise self.fail(line, f"{column} must be a number from {low:g} to {high:g}; got {got}")
        return numbers.astype(float)

    def unique(self, columns: Sequence[str]) -> None:
        """Every row has its own combination of ``columns``.

        Raises
        ------
        DatasetError
            Two rows have the same; both are named.
        """
        again = self.cells.duplicated(list(columns))
        for line in self.cells.index[again]:
            same = (self.cells[list(columns)] == self.cells.loc[line, list(columns)]).all(axis=1)
            first = self.cells.index[same][0] // self.from_line
            what = ", ".join(f"{column} {self.cells.loc[line, column]}" for column in columns)
            raise self.fail(line, f"{what} stands already in line {first}; keep one of the two rows")


def read_table(source: Source, required: Sequence[str]) -> Table:
    """Read a CSV with a header; comma, semicolon or tab between the cells, UTF-8 with or without a mark.

    Raises
    ------
    InputError
        No such file.
    DatasetError
        Too large, not UTF-8 text, no header, a required column missing, a column twice, a row with too many or too few
        cells, or no data row.
    """
    name, data = _bytes_of(source)
    if len(data) > MAX_BYTES:
        raise DatasetError(f"{name} has {len(data) / 2**20:.0f} MB; a table may have {MAX_BYTES // 2**20} MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name} is no UTF-8 text; save it as CSV (UTF-8)") from error
    if "\0" in text:
        raise DatasetError(f"{name} holds zero bytes, so it is no text table; save it as CSV (UTF-8)")
    _, delimiter = _head(text)
    try:
        rows = [
            (reader.line_num, row) for reader in [csv.reader(io.StringIO(text), delimiter=delimiter)] for row in reader
        ]
    except csv.Error as error:
        raise DatasetError(f"{name} is no readable CSV: {error}") from error
    rows = [(line, [cell.strip() for cell in row]) for line, row in rows if any(cell.strip() for cell in row)]
    wanted = ", ".join(required)
    if not rows:
        raise DatasetError(f"{name} is empty; it needs a header with {wanted} and a row for each value")
    header = [cell.lower() for cell in rows[0][1]]
    _check_header(name, header, required)
    for place, (line, row) in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise DatasetError(
                f"{name}, line {line} (row {place} of the data): {len(row)} cells where the header has {len(header)}"
            )
    if len(rows) == 1:
        raise DatasetError(f"{name} has a header and no data row")
    frame = pd.DataFrame(
        [row for _, row in rows[1:]], columns=header, index=[line for line, _ in rows[1:]], dtype=object
    )
    return Table(name, frame)


def columns_of(source: Source) -> tuple[str, ...]:
    """The words of a table's header, unchecked; none where there is no text.

    Raises
    ------
    InputError
        No such file.
    """
    head, delimiter = _head(_bytes_of(source)[1].decode("utf-8-sig", errors="replace"))
    return tuple(cell.strip().lower() for row in csv.reader([head], delimiter=delimiter) for cell in row)


def _head(text: str) -> tuple[str, str]:
    """The first line that is not blank, and what stands between its cells."""
    head = next((line for line in text.splitlines() if line.strip()), "")
    return head, max(",;\t", key=head.count)


def _check_header(name: str, header: list[str], required: Sequence[str]) -> None:
    twice = sorted({column for column in header if column and header.count(column) > 1})
    if twice:
        raise DatasetError(f"{name} has the column {twice[0]} twice; keep one")
    lacking = [column for column in required if column not in header]
    if lacking:
        raise DatasetError(
            f"{name} lacks the column{'s' if len(lacking) > 1 else ''} {', '.join(lacking)}; "
            f"its header is {', '.join(header)}, and it needs {', '.join(required)}"
        )


def _bytes_of(source: Source) -> tuple[str, bytes]:
    if isinstance(source, TableFile):
        return source.name, source.data
    path = Path(source)
    try:
        return path.name, path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; name a CSV file") from error
