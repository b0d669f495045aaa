"""Load, validate and hash cases.

A large file of JSON lines (`is_large`) stays on disk: its cases are read as they are needed. Cases may also be rows of
a table, a folder or a hub data set, with the fields of a case as columns.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
import weakref
from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, overload

import msgspec

from harness.errors import NOT_JSON, UserError, refuse_all
from harness.files import byte_order_mark, decode_line, digest, is_large, not_utf8, open_regular, shown_path
from harness.formatting import count, first_few
from harness.schema import Case
from harness.suites.tables import HUB, SNIFFED, WORKBOOK, Hub, TableRow, is_table, not_lines, refuse_unpinned, rows_of

C = TypeVar("C", bound=Sequence[Case])
T = TypeVar("T")

DECODER = msgspec.json.Decoder(Case, strict=True)
LONGEST_LINE_BYTES = 8 << 20
"""Longest line of a file of cases; lines are read whole, so a file without line breaks must not fill the memory."""
EXPECTED = "Name the cases in Suite(cases=...), or with --cases"


class CasesOnDisk(Sequence[Case]):
    """Cases of a file, read one by one. Raises UserError where the file changes in between."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.starts = array("Q")
        """Offset of each case."""
        self._path, self._file, self._stamp = path, file, _stamp(file)
        weakref.finalize(self, file.close)

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, place: int) -> Case: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Case]: ...
    def __getitem__(self, place: int | slice) -> Case | Sequence[Case]:
        if isinstance(place, slice):
            places = range(len(self))[place]
            return self if places == range(len(self)) else [self[i] for i in places]
        if _stamp(self._file) != self._stamp:
            raise UserError(f"{self._path}: was changed while it was in use. Start again")
        self._file.seek(self.starts[place])
        return DECODER.decode(self._file.readline())


def _stamp(file: BinaryIO) -> tuple[int, int]:
    stat = os.fstat(file.fileno())
    return stat.st_size, stat.st_mtime_ns


class _Checks:
    """Makes the cases of one source, and gathers what is wrong with them."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._problems: list[tuple[str, int, int, str]] = []
        """What comes before the number of a line, the first and the last line, and what is wrong with them."""
        self._first_line: dict[str, int] = {}

    def case(self, place: str, number: int, make: Callable[[T], Case], source: T) -> Case | None:
        """Return the case that `make` returns; None where it raises what an unfit case does."""
        try:
            case = make(source)
        except (*NOT_JSON, TypeError) as error:
            self._add(place, number, _explain(error))
            return None
        if problem := problem_of(case, self._first_line):
            self._add(place, number, problem)
        self._first_line.setdefault(case.id, number)
        return case

    def _add(self, place: str, number: int, problem: str) -> None:
        """Add a problem; adjacent lines with the same one share it."""
        at, first = place.removesuffix(str(number)), number
        if self._problems and self._problems[-1][::2] == (at, number - 1) and self._problems[-1][3] == problem:
            first = self._problems.pop()[1]
        self._problems.append((at, first, number, problem))

    def passed(self, cases: C, start: bytes = b"") -> C:
        """Return the cases. Raises one UserError for all problems, or where there are no cases.

        `start` of a file of lines shows whether all its problems are that it holds none.
        """
        if self._problems and (fault := not_lines(start)):
            raise UserError(f"{self._where}: {fault}")
        listed = [f"{at}{a}{f'-{b}' if b > a else ''}: {problem}" for at, a, b, problem in self._problems]
        refuse_all(listed, f"{self._where}: cases that cannot be used")
        if not cases:
            raise UserError(
                f"{self._where}: no cases were found. Write at least one, as a line of JSON or a row of the table"
            )
        return cases


def load_cases(path: Path | str) -> Sequence[Case]:
    """Read one case per line or row. Raises one UserError for all invalid and duplicate cases, or an empty file."""
    if is_table(str(path)):
        return _of_table(str(path))
    path = Path(path)
    where = shown_path(path)
    if path.suffix.lower() == WORKBOOK:
        raise UserError(f"{where}: a workbook cannot be a suite's cases. Save it as 'CSV UTF-8'")
    file = open_regular(path, EXPECTED)
    if problem := byte_order_mark(file.peek(4)):
        raise UserError(f"{where}: {problem}")
    checks, cases, start, opening = _Checks(where), CasesOnDisk(path, file), 0, file.peek(SNIFFED)
    for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE_BYTES + 1), b""), 1):
        if line.strip() and checks.case(f"{where}:{number}", number, _of_line, line):
            cases.starts.append(start)
        if len(line) > LONGEST_LINE_BYTES:
            break
        start += len(line)
    return checks.passed(cases if is_large(path) else list(cases), opening)


def _of_line(line: bytes) -> Case:
    if len(line) > LONGEST_LINE_BYTES:
        raise ValueError(f"the line is longer than {LONGEST_LINE_BYTES >> 20} MiB. Shorten the case")
    return decode_line(DECODER.decode, line)


def _of_table(source: str) -> Sequence[Case]:
    """Read cases from a table: columns are fields of a case, or parts such as `input.document`; others are ignored."""
    refuse_unpinned(source)
    where = source if source.startswith(HUB) else shown_path(Path(source))
    checks = _Checks(where)
    rows = rows_of(source, [], Hub(), Case.__struct_fields__)
    made = [checks.case(f"{where}: {row.where}", int(row.where.split()[1]), _of_row, row) for row in rows]
    return checks.passed([case for case in made if case is not None])


def _of_row(row: TableRow) -> Case:
    if row.problem:
        raise ValueError(row.problem)
    fields = _fields(row.cells)
    if "input" not in fields:
        raise ValueError(
            "'input' is missing. Name the columns of the prompt's variables input.NAME, such as input.document"
        )
    return msgspec.convert(fields, Case, strict=True)


def _fields(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a case; an empty cell is a missing field. Only inputs keep white space at their ends."""
    fields: dict[str, Any] = {}
    for column, cell in cells.items():
        name, _, part = column.partition(".")
        value = cell.strip() if isinstance(cell, str) and name != "input" else cell
        if name in Case.__struct_fields__ and value not in (None, ""):
            if name in fields and not (part and isinstance(fields[name], dict)):
                raise ValueError(f"fills in {name!r} as a whole and in parts ({name}.NAME). Leave out one of them")
            if part:
                fields.setdefault(name, {})[part] = value
            else:
                fields[name] = value
    for name in ("input", "tags"):
        if isinstance(fields.get(name), dict):
            fields[name] = {key: value for key, value in fields[name].items() if value is not None}
    if isinstance(text := fields.get("expected"), str):
        is_list = text.startswith("[") and text.endswith("]")
        try:
            fields["expected"] = json.loads(text) if is_list else [text]
        except (ValueError, RecursionError):
            raise ValueError(
                f"""'expected' looks like a list but is not JSON: {text[:40]!r}. Write ["a", "b"]"""
            ) from None
    return fields


def check_cases(cases: Iterable[Case], where: str) -> list[Case]:
    """Check cases that a function builds. Raises one UserError for all invalid and duplicate cases."""
    checks = _Checks(where)
    made = [checks.case(f"{where}, case {number}", number, _of_built, built) for number, built in enumerate(cases, 1)]
    return checks.passed([case for case in made if case is not None])


def _of_built(built: Any) -> Case:
    """Return a case as a run reads it back: its class does not check the types of what it is made of."""
    return msgspec.convert(msgspec.to_builtins(built, builtin_types=(bytes, bytearray)), Case, strict=True)


def problem_of(case: Case, first_line: dict[str, int]) -> str | None:
    """Say what is wrong with a case, or None; `first_line` has the lines of earlier ids."""
    if not case.id or any(c in case.id for c in "[]\n\r\t"):
        return (
            f"id {case.id!r} is empty or contains a bracket, tab or line break. Use letters, digits, '-', '/' and '.'"
        )
    if case.id in first_line:
        return f"id '{case.id}' is already used on line {first_line[case.id]}. Ids must be unique in a suite"
    if not case.cluster:
        return "'cluster' is empty. Name the source that the case comes from, such as its contract"
    return None


def content(case: Case) -> str:
    """Return the inputs without regard to white space; equal for duplicate cases."""
    return json.dumps({name: " ".join(text.split()) for name, text in sorted(case.input.items())})


ALIKE = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | dict.fromkeys("\u2018\u2019\u02bc", "'")
    | dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", "")
)
"""Dashes and apostrophes by those of the keyboard, and no characters that nobody sees."""


def folded(text: str) -> str:
    """Return a text without regard to capitals, white space, dashes, and forms of one character."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(ALIKE).casefold().split())


LATIN = str.maketrans(
    "\u0430\u0435\u0456\u0458\u043e\u0440\u0441\u0443\u0445\u0455\u0501\u04bb\u03bd\u03bf\u03c1"
    "\u043a\u043c\u0442\u0432\u043d",
    "aeijopcyxsdhvopkmtbh",
)
"""Cyrillic and Greek letters, folded, that look like Latin ones or whose capitals do."""


def _latin(text: str) -> str:
    """Return a folded text with letters that look like Latin ones as these, in words that have Latin letters too."""
    return " ".join(word.translate(LATIN) if re.search("[a-z]", word) else word for word in text.split(" "))


def _shown(name: str) -> str:
    """Quote a name; letters that look like others by their code points."""
    plain = folded(name)
    return repr(name) if _latin(plain) == plain else ascii(name)


def spellings(cases: Iterable[Case]) -> str:
    """Say that clusters differ only in capitals, spaces, dashes or letters that look alike; else empty.

    A case that is a cluster of its own, named by its id, is like no other.
    """
    names: dict[str, dict[str, None]] = {}
    for case in cases:
        if case.cluster != case.id:
            names.setdefault(_latin(folded(case.cluster)), {})[case.cluster] = None
    several = [first_few([*map(_shown, written)], 3) for written in names.values() if len(written) > 1]
    if not several:
        return ""
    return (
        f"{count(len(several), 'cluster')} {'is' if len(several) == 1 else 'are'} written in several ways, so that one "
        f"source counts as several: {'; '.join(several[:3])}{' ...' if len(several) > 3 else ''}. Write each in one way"
    )


DOCUMENT = "document"
"""Name of the input that is a case's source, however short."""
LONG = 50
"""Words from which an input of a case without a document is a source, such as a contract."""
BUT_FOR = " (but for capitals, white space and punctuation)"
BUT_FOR_DIGITS = " (but for capitals, white space, punctuation and digits)"


def repeats(cases: Iterable[Case]) -> tuple[str, str]:
    """Say that cases repeat those of another cluster, which counts as more evidence than there is; else empty.

    First those with the same input, right answer and tags; then those whose input, or if these are more, one of whose
    sources differs in capitals, white space and the punctuation around words alone, and a long source in digits. Except
    in the input `document`, a text that every case has is an instruction, not a source.
    """
    first: dict[Hashable, tuple[str, str]] = {}
    whole, alike = list[tuple[str, str]](), list[tuple[str, str]]()
    sources: list[tuple[bytes, tuple[str, str], str, str]] = []
    having = Counter[bytes | None]()
    for case in cases:
        tags = tuple(sorted(case.tags.items()))
        same = (tuple(sorted(case.input.items())), tuple(case.expected), tags)
        words = [(name, *_words(text)) for name, text in sorted(case.input.items())]
        for pairs, key in (whole, same), (alike, _key(words)):
            name, cluster = first.setdefault(key, (case.id, case.cluster))
            if cluster != case.cluster and key != _key([]):
                pairs.append((name, case.id))
        named = _sources(words)
        having.update([None, *named])
        for source, what in named.items():
            name, cluster = first.setdefault(source, (case.id, case.cluster))
            if cluster != case.cluster:
                sources.append((source, what, name, case.id))
    shared: dict[str, tuple[tuple[str, str], str, str]] = {}
    for source, what, name, case_id in sources:
        if what[0] == DOCUMENT or having[source] < having[None]:
            shared.setdefault(case_id, (what, name, case_id))
    warning = _repeated(alike, "input", BUT_FOR)
    if len(shared) > len(alike):
        what = next(iter(shared.values()))[0]
        warning = _repeated([pair for _, *pair in shared.values()], *what, "One source counts as several: ")
    return _repeated(whole, "input, expected and tags"), warning


def _sources(words: Sequence[tuple[str, ...]]) -> dict[bytes, tuple[str, str]]:
    """Return a key of each source of a case, with its name and what the key does not tell apart."""
    document = [named for named in words if named[0] == DOCUMENT and len(named) > 1]
    found: dict[bytes, tuple[str, str]] = {}
    for name, *text in document or [named for named in words if len(named) > LONG]:
        is_long, whole = len(text) >= LONG, " ".join(text)
        key = _key([("", re.sub(r"\d", "0", whole) if is_long else whole)])
        found[key] = (DOCUMENT if name == DOCUMENT else f"input '{name}'", BUT_FOR_DIGITS if is_long else BUT_FOR)
    return found


def _key(words: list[tuple[str, ...]]) -> bytes:
    return blake2b(repr(words).encode()).digest()


def _words(text: str) -> list[str]:
    """Return the words of a text, folded and without the punctuation around them."""
    return [bare for word in folded(text).split() if (bare := word.strip(".,;:!?\"'"))]


TWICE = "A duplicate counts twice: remove one, or "


def _repeated(pairs: Sequence[Sequence[str]], what: str, but_for: str = "", why: str = TWICE) -> str:
    if not pairs:
        return ""
    return (
        f"{count(len(pairs), 'case')} {'repeats' if len(pairs) == 1 else 'repeat'} the {what} of a case of another "
        f"cluster{but_for}, such as '{pairs[0][0]}' and '{pairs[0][1]}'. {why}give both one cluster"
    )


def _explain(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return not_utf8(error)
    if type(error) is ValueError:
        return str(error)
    if "missing required field `expected`" in str(error):
        return "'expected' is missing. Every case needs one; use [] if nothing is right"
    return f"{error}. A case has id, input, expected, cluster and, if wanted, tags"


def cases_hash(cases: Iterable[Case]) -> str:
    """Return the digest of the cases, in any order."""
    return digest(sorted(case_hash(c) for c in cases))


def case_hash(case: Case) -> str:
    return digest(case)
