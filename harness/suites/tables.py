"""Read rows of CSV, JSONL, JSON, Parquet and Excel files, folders of them and hub data sets.

`datasets` reads Parquet, folders and the hub. The others are read here: `datasets` does not report the line of a
bad row, and it reads the cells `None` and `007` as nothing and as 7 (docs/decisions/0033).

Each row has its line or row number; an invalid one has a `problem`. A file that cannot be read at all is a UserError.
"""

from __future__ import annotations

import csv
import glob
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, time
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import UserError, extra_needed_by, first_line
from harness.files import distinct_keys, not_utf8
from harness.formatting import first_few

HUB = "hf:"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?")
DELIMITERS = (",", ";", "\t")
NOT_CSV = "cannot be read as CSV"
"""Beginning of the problem of lines whose quotes are wrong, so that it is open how many rows they hold."""
SPACED = re.compile(' +"')
"""Beginning of a cell whose quotes are part of its text, unless it is in quotes itself."""
LONGEST_CELL = 1 << 30
"""Characters; csv's own limit of 131,072 is less than a long contract."""
REVISION = re.compile(r"[0-9a-f]{40}")
UTF16 = (b"\xff\xfe", b"\xfe\xff")
BOM = b"\xef\xbb\xbf"
SNIFFED = 4096
"""Bytes at the start of a file that show what it is."""
IN_EXCEL = " (in Excel: 'CSV UTF-8')"


class TableRow(NamedTuple):
    """One row."""

    where: str
    """`line 7` of a text file, `row 7` elsewhere."""
    cells: dict[str, Any]
    """Values by column; empty where the row is invalid."""
    problem: str = ""
    """Why it cannot be read, and what to do."""


class Hub(NamedTuple):
    """Which part of a hub data set, or which sheet of a workbook, to read."""

    split: str | None = None
    config: str | None = None
    revision: str | None = None
    streaming: bool = False
    """Read row by row, without a copy in the cache."""
    sheet: str | None = None


def is_table(source: str) -> bool:
    """Whether `source` is a table, a JSON array, a folder or a hub data set; anything else is a file of JSON lines."""
    path = Path(parted(source)[0])
    return source.startswith(HUB) or path.suffix.lower() in TABLES or path.is_dir() or _is_array(path)


def _is_array(path: Path) -> bool:
    """Whether a .json file is an array of rows and not JSON lines."""
    if path.suffix.lower() != ARRAY or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(SNIFFED).removeprefix(BOM).lstrip()[:1] == b"["


def not_lines(start: bytes) -> str:
    """Say what a file that starts so is in place of JSON lines, and what to do; empty where it may hold lines."""
    opening = start.removeprefix(BOM).lstrip().partition(b"\n")[0].strip()
    if opening[:1] == b"[":
        return "a JSON array. Name the file .json, or write one object per line, without brackets and commas"
    return "an object over several lines. Write one object per line" if opening == b"{" else ""


def parted(source: str) -> tuple[str, str | None]:
    """Split `source` into the file, folder or data set, and the split after `#`."""
    name, _, split = source.rpartition("#")
    return (name, split) if name and split and not Path(source).exists() else (source, None)


def refuse_unpinned(source: str) -> None:
    """Raise UserError for a hub data set without a commit, because its rows may change."""
    if source.startswith(HUB) and not REVISION.fullmatch(parted(source)[0].partition("@")[2]):
        raise UserError(
            f"{source}: names no commit, so its rows may change. Write hf:owner/name@COMMIT#SPLIT, with the 40 hex "
            "digits of the commit"
        )


def rows_of(source: str, columns: Sequence[str], hub: Hub, fields: Sequence[str] = ()) -> Iterator[TableRow]:
    """Read the rows of a file, a folder or `hf:owner/name@revision`, with `#split` or `#sheet` where it has several.

    `columns` must be there; without them, columns named as `fields`, or as one and a part (`input.document`), are used.

    Raises UserError for a source that cannot be read, that lacks one of the columns, or that has a field in capitals.
    """
    rows = _rows_of(source, columns, hub, fields)
    return _spelt(source, rows, fields) if fields else rows


def _spelt(source: str, rows: Iterator[TableRow], fields: Sequence[str]) -> Iterator[TableRow]:
    """Yield the rows. Raises UserError for a column that is one of `fields` but for its capitals."""
    seen: set[str] = set()
    for row in rows:
        wrong = {}
        for name in row.cells.keys() - seen:
            first, dot, part = name.partition(".")
            right = f"{first.casefold()}{dot}{part}"
            if first not in fields and first.casefold() in fields and right not in row.cells:
                wrong[name] = right
        if wrong:
            raise UserError(
                f"{source}: does not name its columns as expected: "
                + ", ".join(f"{name!r} should be {wrong[name]!r}" for name in row.cells if name in wrong)
            )
        seen |= row.cells.keys()
        yield row


def _rows_of(source: str, columns: Sequence[str], hub: Hub, fields: Sequence[str]) -> Iterator[TableRow]:
    source, split = parted(source)
    if not source.strip():
        raise UserError(f"{source!r}: names no file. Expected a file, a folder or hf:owner/name")
    path = Path(source)
    if hub.sheet is not None and path.suffix.lower() != WORKBOOK:
        raise UserError(f"--sheet is for {WORKBOOK} files, and {source} is not one. Leave it out")
    if source.startswith(HUB):
        source, _, revision = source.partition("@")
        hub = hub._replace(split=hub.split or split, revision=hub.revision or revision or None)
        return _of_hub(source, columns, hub)
    hub_options = [f"--{name}" for name in ("split", "config", "revision") if getattr(hub, name) is not None]
    if hub_options:
        raise UserError(
            f"{' and '.join(hub_options)} is for data sets of the hub, named as hf:owner/name. Leave it out"
        )
    if path.is_dir():
        if glob.escape(absolute := str(path.absolute())) != absolute:
            raise UserError(f"{absolute}: has one of '*?[' in its path, which a folder of tables must not. Rename it")
        return _streamed(path, "has no readable rows", columns, split, str(path))
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{source}: expected a file that ends in {', '.join(READERS)}, or hf:owner/name. {OTHERWISE}")
    try:
        with path.open("rb") as file:
            opening = file.read(4)
    except OSError as error:
        raise UserError(f"{source}: cannot be read ({error.strerror})") from None
    if not opening:
        raise UserError(f"{source}: is empty. Expected one row per case")
    if opening[:2] in UTF16 and reader in (_of_csv, _of_jsonl, _of_json):
        raise UserError(f"{source}: is UTF-16. Save it as UTF-8{IN_EXCEL}")
    return reader(path, columns, hub.sheet or split, fields)


OTHERWISE = "Save other sheets as .xlsx"


def refuse_lacking(where: str, columns: Sequence[str], names: Sequence[str]) -> None:
    """Raise UserError for columns that are missing or duplicate; a dotted name may be inside its first part."""
    has = [str(name) for name in names]
    missing = [c for c in dict.fromkeys(columns) if c not in has and c.split(".")[0] not in has]
    if missing:
        raise UserError(f"{where}: no column {', '.join(map(repr, missing))}. It has: {', '.join(map(repr, has))}")
    twice = [c for c in dict.fromkeys(columns) if has.count(c) > 1]
    if twice:
        raise UserError(f"{where}: the column {twice[0]!r} is there {has.count(twice[0])} times. Rename all but one")


def as_shown(value: Any) -> Any:
    """Return a whole number as an integer and midnight as its date, whatever type the file stores them in."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    if isinstance(value, datetime) and value.time() == time() and value.tzinfo is None:
        return value.date()
    return value


def _of_csv(path: Path, columns: Sequence[str], part: str | None, fields: Sequence[str]) -> Iterator[TableRow]:
    """Read rows below the header, separated by that of DELIMITERS that gives it most of the used columns, then most."""
    csv.field_size_limit(LONGEST_CELL)
    text = _utf8(path)
    headers = {delimiter: _header(text, delimiter) for delimiter in DELIMITERS}
    used = {d: [c for c in headers[d] if c in columns or c.partition(".")[0] in fields] for d in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda d: (len(set(used[d])), len(headers[d])))
    if not headers[delimiter]:
        raise UserError(
            f"{path.name}: its first line does not name the columns. Write their names there, and put those that have "
            "quotes or separators in double quotes, without spaces around them"
        )
    refuse_lacking(path.name, columns or used[delimiter], headers[delimiter])
    return _below(text, delimiter, headers[delimiter])


def _utf8(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path.name}: line {line} {not_utf8(error)}{IN_EXCEL}") from None


def _header(text: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(_csv(text, delimiter), [])]
    except csv.Error:
        return []


def _csv(text: str, delimiter: str, trims: bool = False) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=trims)


def _below(text: str, delimiter: str, header: list[str]) -> Iterator[TableRow]:
    """Yield the rows; one that cannot be read is named with each of its lines, since it may hold several rows."""
    reader, lines = _csv(text, delimiter), list(io.StringIO(text, newline=""))
    next(reader, None)
    while True:
        first = reader.line_num
        try:
            cells, problem = next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            cells, problem = [], f"{NOT_CSV}: {error}. Put cells with quotes or commas in double quotes"
        if not problem and not any(cell.strip() for cell in cells):
            continue
        problem = problem or _problem_of(cells, header, delimiter, lines[first : reader.line_num])
        if problem:
            yield from (TableRow(f"line {number + 1}", {}, problem) for number in range(first, reader.line_num))
        else:
            yield TableRow(f"line {first + 1}", dict(zip(header, cells, strict=True)))


def _problem_of(cells: list[str], header: list[str], delimiter: str, lines: list[str]) -> str:
    """Say what is wrong with the cells that csv read in these lines, or ''."""
    if any(map(SPACED.match, cells)):
        try:
            trimmed = next(_csv("".join(lines), delimiter, trims=True))
        except csv.Error:
            trimmed = []
        if any(SPACED.match(cell) and cell not in trimmed for cell in cells):
            return f"has a space before a quote, and would keep the quotes. Remove the spaces after each {delimiter!r}"
    if len(cells) == len(header):
        return ""
    problem = f"has {len(cells)} cells, and the header has {len(header)}. Quote cells that contain {delimiter!r}"
    return f"{NOT_CSV}: {problem}, and end every quote" if len(lines) > 1 else problem


def _of_jsonl(path: Path, columns: Sequence[str], part: str | None, fields: Sequence[str]) -> Iterator[TableRow]:
    data = path.read_bytes()
    rows = list(_json_lines(data))
    if any(row.problem for row in rows) and (fault := not_lines(data[:SNIFFED])):
        raise UserError(f"{path.name}: {fault}")
    return _objects(path, rows, columns)


def _of_json(path: Path, columns: Sequence[str], part: str | None, fields: Sequence[str]) -> Iterator[TableRow]:
    """Read JSON lines, or an array of objects, each of which then has the names of all."""
    if not _is_array(path):
        return _of_jsonl(path, columns, part, fields)
    try:
        objects = json.loads(_utf8(path), object_pairs_hook=distinct_keys)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path.name}: line {error.lineno} is not JSON ({error.msg}, column {error.colno}). Correct it there, or "
            "export the file again"
        ) from None
    except RecursionError:
        raise UserError(f"{path.name}: is nested too deeply to hold rows") from None
    except ValueError as error:
        raise UserError(f"{path.name}: an object {error}") from None
    rows = [_object(f"row {number}", cells) for number, cells in enumerate(objects, 1)]
    names = dict.fromkeys(name for row in rows for name in row.cells)
    return _objects(path, [row if row.problem else row._replace(cells=names | row.cells) for row in rows], columns)


def _object(where: str, cells: Any) -> TableRow:
    if isinstance(cells, dict):
        return TableRow(where, cells)
    return TableRow(where, {}, f"is a {type(cells).__name__}, expected an object such as {{'id': 'a1'}}")


def _objects(path: Path, rows: list[TableRow], columns: Sequence[str]) -> Iterator[TableRow]:
    read = [row for row in rows if not row.problem]
    if read:
        refuse_lacking(path.name, columns, list(dict.fromkeys(name for row in read for name in row.cells)))
    return iter(rows)


def _json_lines(data: bytes) -> Iterator[TableRow]:
    for number, line in enumerate(data.removeprefix(BOM).split(b"\n"), 1):
        if not line.strip():
            continue
        where = f"line {number}"
        try:
            cells = json.loads(line.decode("utf-8"), object_pairs_hook=distinct_keys)
        except UnicodeDecodeError as error:
            yield TableRow(where, {}, not_utf8(error))
        except json.JSONDecodeError as error:
            found = f"{error.msg}, column {error.colno}"
            yield TableRow(where, {}, f"is not JSON ({found}). Write one object per line")
        except RecursionError:
            yield TableRow(where, {}, "is not JSON (nested too deeply). Write one object per line")
        except ValueError as error:
            yield TableRow(where, {}, str(error))
        else:
            yield _object(where, cells)


def _of_workbook(path: Path, columns: Sequence[str], part: str | None, fields: Sequence[str]) -> Iterator[TableRow]:
    from harness.suites.workbooks import sheet_rows

    return sheet_rows(path, columns, part)


def _of_parquet(path: Path, columns: Sequence[str], part: str | None, fields: Sequence[str]) -> Iterator[TableRow]:
    return _streamed(path, "is not a Parquet file", columns, None, "parquet", data_files=glob.escape(str(path)))


def _streamed(
    path: Path, fault: str, columns: Sequence[str], split: str | None, builder: str, **options: str
) -> Iterator[TableRow]:
    """Stream rows of local files with `datasets`; nothing is copied to its cache."""
    datasets, name = _library(), path.name or str(path)
    try:
        built = datasets.load_dataset_builder(builder, **options)
        if path.is_dir():
            _refuse_unread(path, built.config.data_files)
        dataset = _one_split(name, built.as_streaming_dataset(), split)
        has = list(dataset.column_names or next(iter(dataset), ()))
        refuse_lacking(name, columns, has)
        if columns:
            dataset = dataset.select_columns(list(dict.fromkeys(c if c in has else c.split(".")[0] for c in columns)))
        yield from _numbered(dataset)
    except UserError:
        raise
    except Exception as error:  # Every format's reader raises its own types.
        raise UserError(f"{name}: {fault}: {first_line(error)[:120]}") from None


def _refuse_unread(folder: Path, read: Mapping[str, Sequence[str]]) -> None:
    """Raise UserError for tables in a folder that are in none of the splits that `datasets` found there."""
    found = {Path(file).resolve() for files in read.values() for file in files}
    tables = (
        path
        for path in folder.rglob("*")
        if (_is_array(path) or path.suffix.lower() in READERS.keys() - {ARRAY}) and path.resolve() not in found
    )
    names = sorted(path.relative_to(folder).as_posix() for path in tables)
    unread = [name for name in names if not any(part.startswith((".", "__")) for part in name.split("/"))]
    if unread:
        raise UserError(
            f"{folder}: {first_few(unread, 5)} would not be read: of a folder, only files of one kind are, and where a "
            "name has a word such as 'train' or 'test', only such files. Name each file, or move or rename those that "
            "differ"
        )


def _numbered(rows: Any) -> Iterator[TableRow]:
    features = rows.features or {}
    for number, cells in enumerate(rows, 1):
        yield TableRow(f"row {number}", {key: _named(features.get(key), value) for key, value in cells.items()})


def _one_split(source: str, splits: Any, split: str | None) -> Any:
    """Return the named split, or the only one. Raises UserError."""
    if not isinstance(splits, dict):
        return splits
    if split is None and len(splits) > 1:
        raise UserError(f"{source}: has the splits {', '.join(splits)}. Name one with --split, or after #")
    if split is not None and split not in splits:
        raise UserError(f"{source}: has no split {split!r}. It has: {', '.join(splits)}")
    return splits[split or next(iter(splits))]


def _library() -> Any:
    """Import `datasets` with its log and the hub client's silenced; failures are reported in one line."""
    with extra_needed_by("reading Parquet, folders and data sets of the hub", "hub"):
        import datasets
        import huggingface_hub
    for speaks in (datasets, huggingface_hub):
        speaks.logging.set_verbosity(50)
    datasets.disable_progress_bars()
    return datasets


def _of_hub(source: str, columns: Sequence[str], hub: Hub) -> Iterator[TableRow]:
    name = source.removeprefix(HUB)
    if not HUB_ID.fullmatch(name) or ".." in name:
        raise UserError(f"{source}: {name!r} is not a data set, expected hf:owner/name")
    rows = _one_split(source, _loaded(source, name, hub), None)
    refuse_lacking(source, columns, rows.column_names or [])
    return _numbered(rows)


def _loaded(source: str, name: str, hub: Hub) -> Any:
    """Load a data set of the hub, or one split of it. Raises UserError."""
    datasets = _library()
    more = {"streaming": True} if hub.streaming else {}
    try:
        return datasets.load_dataset(name, hub.config, split=hub.split, revision=hub.revision, **more)
    except Exception as error:  # The hub client raises many types; users get one line for any.
        first = first_line(error)
        raise UserError(
            f"{source}: the data set could not be loaded: {first}. It needs the network, or the data set in the hub's "
            "cache; else download it elsewhere and name its CSV, JSONL or Parquet file"
        ) from None


def _named(feature: Any, value: Any) -> Any:
    """Return a label's name, where the data set stores its number."""
    if isinstance(value, list):
        return [_named(getattr(feature, "feature", None), one) for one in value]
    name = getattr(feature, "int2str", None)
    return name(value) if name and isinstance(value, int) and value >= 0 else value


WORKBOOK = ".xlsx"
ARRAY = ".json"
Reader = Callable[[Path, Sequence[str], str | None, Sequence[str]], Iterator[TableRow]]
"""Of a file, the columns that must be there, a sheet's name, and the fields whose columns are read without them."""
READERS: dict[str, Reader] = {
    ".csv": _of_csv,
    ".tsv": _of_csv,
    ".jsonl": _of_jsonl,
    ".ndjson": _of_jsonl,
    ".parquet": _of_parquet,
    WORKBOOK: _of_workbook,
    ARRAY: _of_json,
}
TABLES = (".csv", ".tsv", ".parquet")
"""Suffixes of tables; a .json file may be one too, and files with any other suffix are JSON lines."""
