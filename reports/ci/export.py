"""The one file that travels from the job that ran to the job that comments: numbers, reasons and ids, no model text.

It is written by a job that a pull request controls. Whoever reads it checks size, version and every field first, and
believes none of its strings; that its numbers are true, no check here can show.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from harness.errors import UserError, refuse_newer
from harness.runs.status import withheld
from harness.sanitize import shown
from harness.schema import Outcome, Verdict
from harness.schema.constants import combine_outcomes
from reports import number_format


def data(text: str) -> str:
    """A message as GitHub's toolkit escapes it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def attribute(text: str) -> str:
    """A property's value as GitHub's toolkit escapes it."""
    return data(text).replace(":", "%3A").replace(",", "%2C")


def command(kind: str, title: str, message: str) -> str:
    """One annotation, as one line; hidden characters are shown by name."""
    return f"::{kind} title={attribute(shown(title))}::{data(shown(message))}"


def inert(text: str) -> str:
    """Foreign text as the rest of a log line that is no command: one line, hidden characters shown, `##[` broken."""
    return " ".join(shown(text).split()).replace("##[", "## [")


VERSION = 1
MOST_BYTES = 1 << 20
"""Largest export that is written or read."""
MOST_VERDICTS = 400
"""Verdicts listed a suite, unmet ones first; all are counted."""
MOST_IDS = 50
"""Case ids listed a suite; all are counted."""
MOST_LINES = 200
"""Most entries of any other list."""

Line = Annotated[str, Meta(max_length=1000)]
Count = Annotated[int, Meta(ge=0, le=1 << 40)]
Lines = Annotated[list[Line], Meta(max_length=MOST_LINES)]
Status = Literal["finished", "failed", "interrupted", "running", "changed", "none"]


class SuiteExport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run came to in one suite, without a text of a model or document."""

    name: Line
    """Domain and folder, such as `legal/clauses`."""
    shape: Line
    """Task shape of its metrics."""
    cluster: Line
    """What a cluster is called."""
    sentence: Line
    """What changed for the business, in one line."""
    counts: dict[Outcome, Count]
    """How many gates came to each outcome."""
    verdicts: Annotated[list[Verdict], Meta(max_length=MOST_VERDICTS)] = field(default_factory=list)
    """Gates, unmet ones first; fewer than counted where there are very many."""
    worse: Annotated[list[Line], Meta(max_length=MOST_IDS)] = field(default_factory=list)
    """Ids of cases on which the tuned answer is worse than the baseline's, worst first."""
    worse_total: Count = 0
    """How many such cases there are."""

    @property
    def outcome(self) -> Outcome:
        """All gates of the suite together."""
        return combine_outcomes([outcome for outcome, count in self.counts.items() if count])

    @property
    def unmet(self) -> int:
        """Gates that did not pass."""
        return self.gates - self.counts.get("pass", 0)

    @property
    def gates(self) -> int:
        """Gates in all."""
        return sum(self.counts.values())


class Export(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run came to, for whoever may post it and should see no text of a model or document."""

    schema_version: int = VERSION
    """Version of this layout."""
    run_id: Line
    """The run, or empty where none was made."""
    status: Status
    """How the run ended; `changed` when its files are not those it sealed, `none` when there is no run."""
    commit: Annotated[str, Meta(pattern=r"\A[0-9a-f]{0,64}\Z")] = ""
    """The commit that was checked out, where the run knows it."""
    checkpoints: Annotated[dict[Line, Line], Meta(max_length=20)] = field(default_factory=dict)
    """Name and digest by variant."""
    moved: Lines = field(default_factory=list)
    """What differs from the bars, cases, prompts and scorers that were accepted."""
    notes: Lines = field(default_factory=list)
    """What a reader must know before believing the numbers."""
    suites: Annotated[list[SuiteExport], Meta(max_length=MOST_LINES)] = field(default_factory=list)
    """Suites that were asked."""

    @property
    def outcome(self) -> Outcome:
        """Everything together; only a finished run whose every suite was judged can pass."""
        judged = any(suite.gates for suite in self.suites)
        found = combine_outcomes([suite.outcome for suite in self.suites] if judged else [])
        return "inconclusive" if found == "pass" and self.status != "finished" else found


def load(path: Path) -> Export:
    """Read an export. One that is no plain file, too large, newer, or does not hold together is a UserError."""
    if path.is_symlink() or not path.is_file():
        raise UserError(f"{path}: no export is here. Write one with: tunegate ci export RUN --out {path.name}")
    with path.open("rb") as file:
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise UserError(
            f"{path}: larger than {number_format.number(MOST_BYTES)} bytes, which no export is. Nothing of it was used"
        )
    return decode(raw, str(path))


def decode(raw: bytes, name: str) -> Export:
    """An export from its bytes; `name` is for messages."""
    try:
        refuse_newer(raw, VERSION, name)
        found = msgspec.json.decode(raw, type=Export)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{name}: not a valid export: {inert(str(error))}. Nothing of it was used") from None
    if found.schema_version != VERSION:
        raise UserError(
            f"{name}: has schema {found.schema_version}, and this tunegate reads {VERSION}. Use one tunegate for both"
        )
    problem = _contradiction(found)
    if problem:
        raise UserError(f"{name}: contradicts itself: {problem}. Nothing of it was used")
    return found if found.status == "finished" else _without_verdicts(found)


def _without_verdicts(found: Export) -> Export:
    """An export of a run that may claim no verdict, such as an older tunegate wrote with its verdicts."""
    reason = f"No verdict: the run is {found.status}."
    return msgspec.structs.replace(found, suites=[_unjudged(suite, reason) for suite in found.suites])


def _unjudged(suite: SuiteExport, reason: str) -> SuiteExport:
    counts: dict[Outcome, int] = {"skipped": suite.gates} if suite.gates else {}
    verdicts = [withheld(verdict, reason) for verdict in suite.verdicts]
    return msgspec.structs.replace(suite, counts=counts, verdicts=verdicts)


def encode(found: Export) -> bytes:
    """The bytes of an export: indented JSON of at most MOST_BYTES, with fewer verdicts listed where it must be."""
    most = MOST_VERDICTS
    while True:
        raw = msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"
        if len(raw) <= MOST_BYTES:
            return raw
        if most == 0:
            raise UserError("the export is larger than it may be even without its gates. Shorten names and notes")
        most //= 2
        shorter = [msgspec.structs.replace(s, verdicts=s.verdicts[:most], worse=s.worse[:most]) for s in found.suites]
        found = msgspec.structs.replace(found, suites=shorter)


def _contradiction(found: Export) -> str:
    names = [suite.name for suite in found.suites]
    if len(set(names)) < len(names):
        return "a suite is listed twice"
    for suite in found.suites:
        listed = [verdict.outcome for verdict in suite.verdicts]
        if any(listed.count(outcome) > suite.counts.get(outcome, 0) for outcome in listed):
            return "it lists more gates than it counts"
        if any(verdict.suite != suite.name for verdict in suite.verdicts):
            return "a gate is listed under another suite"
        if len(suite.worse) > suite.worse_total:
            return "it lists more cases than it counts"
    return ""
