"""Read the rows of one sheet of an Excel workbook (.xlsx), every cell as text.

A row that a reader of the sheet would see differently is invalid: hidden, merged, a formula without a value, an error.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import UserError, extra_needed_by, first_line
from harness.formatting import format_bytes
from harness.suites.tables import TableRow, as_shown, refuse_lacking

OLE = b"\xd0\xcf\x11\xe0"
"""First bytes of .doc and .xls, and of .docx and .xlsx with a password."""
UNREAD = re.compile(r'"[^"]*"|[\\_*].')
"""Parts of a number's format that are text, or the width of a character."""
MOST_BYTES = 500 * 10**6
"""Most bytes that a file may unpack to; more would fill the memory."""


def refuse_other_content(path: Path, part: str) -> None:
    """Raise UserError for a file that is no Office package with this `part` (`xl/`, `word/`), or unpacks to too much.

    Raises OSError where it cannot be opened.
    """
    kind = path.suffix.lower()
    with path.open("rb") as file:
        if file.read(len(OLE)) == OLE:
            raise UserError(
                f"{path.name}: has a password, or is an old {kind[:-1]} file by another name. Save it as {kind} "
                "without a password"
            )
    try:
        with zipfile.ZipFile(path) as package:
            members = package.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):  # The last: a version that zipfile cannot read.
        members = []
    if not any(member.filename.startswith(part) for member in members):
        raise UserError(f"{path.name}: its content is not that of a {kind} file. Save it again as {kind}")
    size = sum(member.file_size for member in members)
    if size > MOST_BYTES:
        most = format_bytes(MOST_BYTES)
        raise UserError(f"{path.name}: unpacks to {format_bytes(size)}, expected at most {most}. Split the file")


def sheet_rows(path: Path, columns: Sequence[str], name: str | None) -> Iterator[TableRow]:
    """Read the rows below the first filled row, which names the columns.

    `name` is the sheet's; without it, only one visible sheet may have content. Raises UserError.
    """
    refuse_other_content(path, "xl/")
    sheet = _sheet(path, _workbook(path, False), name)
    cells = sheet.iter_rows()
    header = next((row for row in cells if _is_filled(row)), ())
    if not header:
        raise UserError(f"{path.name}: the sheet {sheet.title!r} is empty. {EXPECTED}")
    names = [_text(cell).strip() for cell in header]
    refuse_lacking(f"{path.name}, sheet {sheet.title!r}, row {header[0].row}", columns, list(filter(None, names)))
    used = {i: n for i, n in enumerate(names) if n and (n in columns or not columns)}
    _refuse_merged_names(path, sheet, header[0].row, used)
    return _below(path, sheet, cells, used)


def _refuse_merged_names(path: Path, sheet: Any, row: int, used: dict[int, str]) -> None:
    """Raise UserError where the name of a used column is above another column too."""
    for area in sheet.merged_cells.ranges:
        above = [name for place, name in used.items() if area.min_col <= place + 1 <= area.max_col]
        if above and area.min_row <= row <= area.max_row and area.min_col < area.max_col:
            raise UserError(
                f"{path.name}, sheet {sheet.title!r}: the name {above[0]!r} is above several columns, whose cells "
                f"{area.coord} are merged. Unmerge them, and name each column"
            )


EXPECTED = "Expected the names of the columns in its first row, and one row per case below"


def _workbook(path: Path, stored: bool) -> Any:
    """Open a workbook; formulas are their text, or with `stored` the values that the last program stored."""
    with extra_needed_by("reading .xlsx files", "tables", "openpyxl"):
        import openpyxl
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # On styles and extensions that are not read.
            return openpyxl.load_workbook(path, data_only=stored)
    except Exception as error:  # A damaged file raises many types.
        raise UserError(f"{path.name}: cannot be read: {first_line(error)[:120]}. Save it again as .xlsx") from None


def _sheet(path: Path, workbook: Any, name: str | None) -> Any:
    sheets = {sheet.title: sheet for sheet in workbook.worksheets}
    if name is not None and name not in sheets:
        raise UserError(f"{path.name}: has no sheet {name!r}. It has: {', '.join(map(repr, sheets))}")
    if name is not None:
        return sheets[name]
    visible = [sheet for sheet in sheets.values() if sheet.sheet_state == "visible"]
    filled = [sheet for sheet in visible if any(map(_is_filled, sheet.iter_rows()))]
    if len(filled) > 1:
        listed = ", ".join(repr(sheet.title) for sheet in filled)
        raise UserError(f"{path.name}: has the sheets {listed}. Name one with --sheet")
    if not filled:
        hidden = [repr(title) for title, sheet in sheets.items() if sheet not in visible]
        more = f"; hidden: {', '.join(hidden)} (name one with --sheet)" if hidden else ""
        raise UserError(f"{path.name}: has no visible sheet with content{more}. {EXPECTED}")
    return filled[0]


def _is_filled(row: Sequence[Any]) -> bool:
    return any(map(_has_content, row))


def _has_content(cell: Any) -> bool:
    return cell.value is not None and str(cell.value).strip() != ""


def _below(path: Path, sheet: Any, rows: Iterator[Sequence[Any]], used: dict[int, str]) -> Iterator[TableRow]:
    """Yield the rows with the `used` columns, by their places."""
    merged = {
        row: area.coord
        for area in sheet.merged_cells.ranges
        if any(area.min_col <= place + 1 <= area.max_col for place in used)
        for row in range(area.min_row, area.max_row + 1)
    }
    values = cache(lambda: _workbook(path, True)[sheet.title])
    for row in rows:
        filled = list(filter(_has_content, row))
        if all(cell.data_type == "f" and _is_empty_text(values()[cell.coordinate]) for cell in filled):
            continue
        number = row[0].row
        found = {name: row[place] for place, name in used.items()}
        stored = {n: values()[c.coordinate] if c.data_type == "f" else c for n, c in found.items()}
        problem = ""
        if number in sheet.row_dimensions and sheet.row_dimensions[number].hidden:
            problem = "is hidden, by hand or by a filter. Show it, or delete it"
        elif number in merged:
            problem = f"its cells {merged[number]} are merged. Unmerge them, and fill in each one"
        else:
            problem = next(filter(None, (_problem(name, found[name], cell) for name, cell in stored.items())), "")
        yield TableRow(f"row {number}", {} if problem else {n: _text(c) for n, c in stored.items()}, problem)


def _is_empty_text(stored: Any) -> bool:
    """Whether a formula's stored value is the text "", for which openpyxl gives None; with no value, it is no text."""
    return stored.value in (None, "") and stored.data_type == "str"


def _problem(name: str, cell: Any, stored: Any) -> str:
    if cell.data_type == "f" and stored.value is None and not _is_empty_text(stored):
        return f"{name!r} is a formula without a stored value. Open the file in a spreadsheet program and save it"
    return f"{name!r} has the error {stored.value}. Correct it" if stored.data_type == "e" else ""


def _text(cell: Any) -> str:
    """Return a cell's value as text, not as its format shows it.

    Dates are `2026-01-31`, with a time `2026-01-31 09:30:00`; numbers have at most 15 digits, as in Excel, and a point.
    Two formats count because they change what is read: a share such as `5%`, and leading zeros such as `007`.
    """
    from openpyxl.utils.escape import unescape

    value, shape = as_shown(cell.value), cell.number_format
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, time):
        return value.isoformat("seconds")
    if isinstance(value, (int, float)):
        return f"{_digits(value * 100)}%" if _is_share(shape) else _digits(value).zfill(_zeros(shape))
    return str(unescape(str(value)))


def _digits(number: int | float) -> str:
    shown = as_shown(number)
    return f"{shown:.15g}" if isinstance(shown, float) else str(shown)


def _is_share(shape: str) -> bool:
    """Whether a format shows positive numbers as shares; the sections for others, such as `(0%)`, follow."""
    return "%" in UNREAD.sub("", shape.split(";")[0])


def _zeros(shape: str) -> int:
    return len(shape) if set(shape) == {"0"} else 0
