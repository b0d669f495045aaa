"""Training rows: reading, checking, drawing and counting them.

There are four forms, one JSON object per line: {"messages": [{"role", "content"}]}, ShareGPT's
{"conversations": [{"from", "value"}]}, {"prompt", "completion"}, and {"instruction", "input", "output"}. Each may name
its source document in "cluster", "document" or "source"; the first of them counts. A row with "source": "replay" is a
replay row, whatever the others say; with messages it may have a "base_context": turns that only the base model reads.
Tables, folders and hub data sets have columns of the same names; `unread_columns` names their other columns.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct, field, structs

from harness.errors import UserError, refuse_all
from harness.files import decode_line, digest, file_sha256, not_utf8
from harness.formatting import count, first_few
from harness.scoring.text.normalize import INVISIBLE
from harness.suites.cases import LONGEST_LINE_BYTES
from harness.suites.tables import (
    BOM,
    HUB,
    SNIFFED,
    Hub,
    as_shown,
    is_table,
    not_lines,
    parted,
    refuse_unpinned,
    rows_of,
)
from training.config import Config

FLOOR_ROWS = 1000
REPLAY = "replay"
"""Source of rows with the base model's own answers to general requests."""


class Turn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    """Who speaks."""
    content: str
    """The text."""


class TrainingRow(Struct, frozen=True, kw_only=True):
    """One conversation to learn from."""

    messages: list[Turn]
    """The conversation; every assistant turn is learnt."""
    where: str
    """`file:line` or `table:row`, for messages."""
    document: str = ""
    """The source document, from the first filled one of DOCUMENT_FIELDS; not learnt."""
    sources: dict[str, str | int] = {}
    """All filled ones of DOCUMENT_FIELDS, by name; not learnt."""
    is_replay: bool = False
    """Whether the answers are the base model's own, by its `source`."""
    base_context: list[Turn] = []
    """Turns that only the base model sees, before the first question, when its probabilities are learnt."""

    @property
    def chat(self) -> list[dict[str, str]]:
        """The messages in the form that the renderer takes."""
        return [structs.asdict(turn) for turn in self.messages]

    @property
    def chat_in_context(self) -> list[dict[str, str]]:
        """The messages after the context, in the form that the renderer takes."""
        first = next(number for number, turn in enumerate(self.messages) if turn.role == "user")
        turns = [*self.messages[:first], *self.base_context, *self.messages[first:]]
        return [structs.asdict(turn) for turn in turns]


class _Sourced(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields of all forms that name the source document."""

    cluster: str | int | None = None
    document: str | int | None = None
    source: str | int | None = None


DOCUMENT_FIELDS = _Sourced.__struct_fields__


class _Chat(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    messages: list[Turn]
    base_context: list[Turn] | None = None

    def turns(self) -> list[Turn]:
        return self.messages


class _Said(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    speaker: Literal["system", "human", "gpt"] = field(name="from")
    value: str


SHAREGPT_ROLES: dict[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    "human": "user",
    "gpt": "assistant",
}


class _ShareGpt(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    conversations: list[_Said]

    def turns(self) -> list[Turn]:
        return [Turn(role=SHAREGPT_ROLES[said.speaker], content=said.value) for said in self.conversations]


class _Completion(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    prompt: str
    completion: str

    def turns(self) -> list[Turn]:
        return _answered(self.prompt, "completion", self.completion)


class _Instruction(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    instruction: str
    output: str
    input: str | None = None

    def turns(self) -> list[Turn]:
        prompt = "\n\n".join(text for text in (self.instruction, self.input) if text)
        return _answered(prompt, "output", self.output)


def _answered(prompt: str, name: str, answer: str) -> list[Turn]:
    if _is_blank(answer):
        raise ValueError(f'"{name}" is empty; every answer needs text')
    return [Turn(role="user", content=prompt), Turn(role="assistant", content=answer)]


TEXTS = ("prompt", "completion", "instruction", "output")
"""Fields whose empty cell is an empty text."""
FORMS: dict[str, tuple[type[_Chat | _ShareGpt | _Completion | _Instruction], str]] = {
    "messages": (
        _Chat,
        'expected "messages", a list of turns with a "role" (system, user or assistant) and a "content" (text)',
    ),
    "conversations": (
        _ShareGpt,
        'expected "conversations", a list of turns with a "from" (system, human or gpt) and a "value" (text)',
    ),
    "prompt": (_Completion, 'expected the texts "prompt" and "completion"; write a prompt of turns as "messages"'),
    "instruction": (_Instruction, 'expected the texts "instruction", "output" and, where there is one, "input"'),
}
"""Forms of a row by the field that tells them, and what a row has, for messages; in a table, the first form counts."""
FIELDS = tuple(dict.fromkeys(name for form, _ in FORMS.values() for name in form.__struct_fields__))
Parsed = tuple[str, list[Turn], dict[str, str | int], list[Turn]]
"""Form, conversation, sources and context of a row."""


def load_rows(files: Sequence[str], streaming: bool = False, limit: int | None = None) -> list[TrainingRow]:
    """Read the rows of all files in order.

    With `streaming`, tables, folders and hub data sets are read row by row, at most `limit` rows of each.

    Raises UserError that lists every bad line of every file.
    """
    rows: list[TrainingRow] = []
    problems: list[str] = []
    for file in files:
        try:
            rows += _of_table(file, streaming, limit, problems) if is_table(file) else _of_lines(file, problems)
        except OSError as error:
            problems.append(
                f"{file}: cannot be read: {error.strerror or 'not a regular file'}. Name a file of training rows"
            )
        except UserError as error:
            problems.append(str(error))
    refuse_all(problems, f"{', '.join(files)}: rows that cannot be trained on")
    return rows


def _of_table(file: str, streaming: bool, limit: int | None, problems: list[str]) -> list[TrainingRow]:
    refuse_unpinned(file)
    cells = rows_of(file, [], Hub(streaming=streaming), FIELDS)
    numbered = ((int(row.where.split()[1]), row) for row in islice(cells, limit if streaming else None))
    return _read(file, numbered, lambda row: _form(_columns(row.cells, row.problem)), problems)


def unread_columns(files: Sequence[str], streaming: bool = False) -> Iterator[str]:
    """Name, for each table, the columns that are no field of a row and so are not trained on."""
    for file in filter(is_table, files):
        first = next(rows_of(file, [], Hub(streaming=streaming)), None)
        cells = first.cells if first else {}
        fields = FORMS[form][0].__struct_fields__ if (form := _form_of(cells)) else ()
        unread = [name for name in cells if name.partition(".")[0] not in fields]
        if unread:
            yield f"{file}: {count(len(unread), 'column')} not read: {first_few(unread, 4)}"


def _form_of(cells: dict[str, Any]) -> str | None:
    """Return the form of a table row: the first with a value, else the first with a column."""
    forms = [form for form in FORMS if form in cells]
    return next((form for form in forms if cells[form]), next(iter(forms), None))


def _columns(cells: dict[str, Any], problem: str) -> dict[str, Any]:
    """Return a table row as the fields of a line; an empty cell is a missing field, but an empty text of a text."""
    if problem:
        raise ValueError(problem)
    form = _form_of(cells)
    if form is None:
        return cells
    raw: dict[str, Any] = {}
    for name in FORMS[form][0].__struct_fields__:
        value = as_shown(cells.get(name))
        if value not in (None, ""):
            raw[name] = [*map(_filled, value)] if isinstance(value, list) else value
        elif name in cells and name in (*TEXTS, form):
            raw[name] = ""
    return raw


def _filled(turn: Any) -> Any:
    """Return a turn without the fields that it lacks and other turns of its table have."""
    return {name: value for name, value in turn.items() if value is not None} if isinstance(turn, dict) else turn


def _of_lines(file: str, problems: list[str]) -> list[TrainingRow]:
    with Path(file).open("rb") as lines:
        start = lines.read(SNIFFED)
        if b"\0" in start:
            problems.append(f"{file}: a binary file, or text that is not UTF-8. Save it as UTF-8 and JSON lines")
            return []
        lines.seek(0)
        before = len(problems)
        numbered = ((n, x.removeprefix(BOM) if n == 1 else x) for n, x in enumerate(lines, 1))
        rows = _read(file, ((n, line) for n, line in numbered if line.strip()), _line, problems)
    if len(problems) > before and (fault := not_lines(start)):
        problems[before:] = [f"{file}: {fault}"]
    return rows


def _read(
    file: str, numbered: Iterable[tuple[int, Any]], parse: Callable[[Any], Parsed], problems: list[str]
) -> list[TrainingRow]:
    """Parse the rows of one file and add its problems; adjacent lines with the same fault share one."""
    rows: list[TrainingRow] = []
    faults: list[tuple[int, int, str]] = []
    forms: dict[str, int] = {}
    for number, line in numbered:
        try:
            form, turns, sources, context = parse(line)
        except (ValueError, RecursionError) as error:
            fault = _fault(error)
            first = faults.pop()[0] if faults and faults[-1][1:] == (number - 1, fault) else number
            faults.append((first, number, fault))
            continue
        forms.setdefault(form, number)
        rows.append(
            TrainingRow(
                messages=turns,
                where=f"{file}:{number}",
                document=str(next(iter(sources.values()), "")),
                sources=sources,
                is_replay=sources.get("source") == REPLAY,
                base_context=context,
            )
        )
    problems += [f"{file}:{a}{f'-{b}' if b > a else ''}: {fault}" for a, b, fault in faults]
    if len(forms) > 1:
        both = " and ".join(f'"{form}" (from line {number})' for form, number in forms.items())
        problems.append(f"{file}: rows with {both}. Keep one form per file")
    if not rows and not faults:
        problems.append(f"{file}: no rows. Expected one JSON object per line")
    return rows


def _fault(error: Exception) -> str:
    """Describe the fault of a line in one sentence."""
    if isinstance(error, UnicodeDecodeError):
        return not_utf8(error)
    if isinstance(error, RecursionError):
        return "nested too deeply to be a row"
    return f"{error}. Expected one JSON object per line" if type(error) is msgspec.DecodeError else str(error)


def _line(line: bytes) -> Parsed:
    """Parse one line of a file. Raises ValueError with the fault."""
    if len(line) > LONGEST_LINE_BYTES:
        raise ValueError(
            f"the line has {len(line):,} bytes; a row has at most {LONGEST_LINE_BYTES:,}. Split its document"
        )
    return _form(decode_line(msgspec.json.decode, line))


def _form(raw: Any) -> Parsed:
    forms = [form for form in FORMS if isinstance(raw, dict) and form in raw]
    if not forms:
        found = f"; found {first_few([name[:40] for name in raw], 4)}" if isinstance(raw, dict) and raw else ""
        raise ValueError(
            'expected an object with "messages", "conversations", "prompt" and "completion", or "instruction", "input" '
            f'and "output"{found}. Rename them, or name them to `tunegate data rows`'
        )
    if len(forms) > 1:
        both = " and ".join(f'"{form}"' for form in forms[:2])
        raise ValueError(f"has both {both}, two forms of a row. Remove one of them")
    (form,) = forms
    kind, expected = FORMS[form]
    try:
        row = msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{error}; {expected}") from None
    turns, context = row.turns(), getattr(row, "base_context", None) or []
    _check(turns)
    sources = {name: value for name in DOCUMENT_FIELDS if (value := _trimmed(getattr(row, name))) not in (None, "")}
    if context:
        if sources.get("source") != REPLAY:
            raise ValueError(
                f'"base_context" belongs to rows with "source": "{REPLAY}", whose probabilities are learnt'
            )
        _check(context, "base_context message")
    return form, turns, sources, context


def _trimmed(name: Any) -> Any:
    return name.strip() if isinstance(name, str) else name


def _is_blank(text: str) -> bool:
    return not text.translate(INVISIBLE).strip()


def _check(turns: Sequence[Turn], name: str = "message") -> None:
    for number, turn in enumerate(turns, 1):
        if _is_blank(turn.content):
            raise ValueError(f"{name} {number} ({turn.role}) is empty; every message needs text")
        if turn.role == "system" and (number > 1 or name != "message"):
            raise ValueError(f"{name} {number} is a system message; only the first may be")
    spoken = [t.role for t in turns if t.role != "system"]
    expected = ["user", "assistant"] * (len(spoken) // 2)
    if not spoken or spoken != expected:
        raise ValueError(
            f"the roles are {', '.join(t.role for t in turns) or 'none'}; expected user and assistant alternately, "
            "assistant last"
        )


def some_rows(rows: list[TrainingRow], wanted: int | None, seed: int) -> list[TrainingRow]:
    """Draw `wanted` rows by the seed, in file order, or return all where it is None.

    A smaller draw is a subset of a larger one. Raises UserError where there are fewer rows.
    """
    if wanted is None:
        return rows
    if wanted > len(rows):
        raise UserError(f"'data.rows' is {wanted}, but there are {len(rows)} training rows. Lower it, or leave it out")
    drawn = list(range(len(rows)))
    random.Random(f"rows/{seed}").shuffle(drawn)
    return [rows[index] for index in sorted(drawn[:wanted])]


def load_data(config: Config) -> tuple[list[TrainingRow], list[TrainingRow]]:
    """Read the training rows that a configuration uses, and its validation rows. Raises UserError for bad rows."""
    data = config.data
    train = some_rows(load_rows(data.train, data.streaming, data.rows), data.rows, config.train.seed)
    return train, load_rows(data.validation, data.streaming)


QUOTES = "\"'`“”„‘’«»"
MARKS = ".,;:!?"
DASHES = str.maketrans("‐‑‒–—’", "-----'")


def conversation_key(row: TrainingRow) -> str:
    """Return a digest of a conversation that letter case, white space and the marks around words do not change.

    Marks within a word stay, so that "1.50" is not "150", and so do signs and symbols.
    """
    return digest([[turn.role, _unmarked(turn.content)] for turn in row.messages])


def _unmarked(text: str) -> str:
    normal = text if text.isascii() else unicodedata.normalize("NFKC", text).translate(DASHES)
    tokens = (token.lstrip(QUOTES).rstrip(QUOTES + MARKS) for token in normal.casefold().split())
    return " ".join(filter(None, tokens)) or text


def shared_rows(train: Sequence[TrainingRow], validation: Sequence[TrainingRow]) -> list[str]:
    """Return one problem for every validation row whose conversation is also a training row; see `conversation_key`."""
    seen = {conversation_key(row): row.where for row in train} if validation else {}
    return [
        f"{row.where}: also a training row ({seen[key]}), capitals, spaces and punctuation aside. Remove one of the two"
        for row in validation
        if (key := conversation_key(row)) in seen
    ]


def files_sha256(files: Sequence[str]) -> str:
    """Return a digest of the contents of files and folders, and of the names of pinned hub data sets, in order."""
    return digest([source_sha256(file) for file in files])


def source_sha256(file: str) -> str:
    """Return the digest of one file, folder or pinned hub data set."""
    name, split = parted(file)
    if name.startswith(HUB):
        return digest(file)
    path = Path(name)
    if path.is_dir():
        parts = sorted(part for part in path.rglob("*") if part.is_file())
        return digest([split, [[part.relative_to(path).as_posix(), file_sha256(part)] for part in parts]])
    return file_sha256(path)


def is_there(file: str) -> bool:
    """Whether a file or folder exists; a hub data set is only checked when it is read."""
    return file.startswith(HUB) or Path(file).is_file() or (is_table(file) and Path(parted(file)[0]).exists())


def count_rows(files: Sequence[str], streaming: bool = False) -> int:
    """Count the rows, valid or not. Raises UserError or OSError for a file that cannot be read."""
    count = 0
    for file in files:
        if is_table(file):
            count += sum(1 for _ in rows_of(file, [], Hub(streaming=streaming), FIELDS))
        else:
            count += sum(bool(line.strip()) for line in Path(file).read_bytes().split(b"\n"))
    return count
