"""The file that the evaluation job passes to the comment job: numbers, reasons and IDs, no model text.

A job that a pull request controls writes it. The reader checks size, version and every field first and trusts none of
its strings. No check here can show that its numbers are true.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from harness.errors import UserError, refuse_newer
from harness.sanitize import shown
from harness.schema import Outcome, Verdict, combine_outcomes
from reports import number_format


def inert(text: str) -> str:
    """Make foreign text safe for a log line: one line, hidden characters shown, `##[` broken so it is no command."""
    return " ".join(shown(text).split()).replace("##[", "## [")


VERSION = 3
MOST_BYTES = 1 << 20
"""Size limit of an export."""
MOST_VERDICTS = 400
"""Most verdicts listed per suite, unmet ones first; all are counted."""
MOST_IDS = 50
"""Most case IDs listed per suite; all are counted."""
MOST_LINES = 200
"""Most entries of any other list."""

Line = Annotated[str, Meta(max_length=1000)]
Count = Annotated[int, Meta(ge=0, le=1 << 40)]
Lines = Annotated[list[Line], Meta(max_length=MOST_LINES)]
Status = Literal["finished", "failed", "interrupted", "running", "changed", "none"]


class SuiteExport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The result of a run for one suite, without text of a model or document."""

    name: Line
    """Domain and folder, such as `legal/clauses`."""
    shape: Line
    """Task shape of its metrics."""
    cluster: Line
    """The suite's noun for a cluster."""
    sentence: Line
    """What changed, in one sentence."""
    counts: dict[Outcome, Count]
    """Number of gates by outcome."""
    verdicts: Annotated[list[Verdict], Meta(max_length=MOST_VERDICTS)] = field(default_factory=list)
    """Verdicts, unmet ones first; fewer than counted where there are very many."""
    changes: Annotated[dict[Line, Line], Meta(max_length=MOST_VERDICTS)] = field(default_factory=dict)
    """By gate, how much its metric changed against the baseline."""
    worse: Annotated[list[Line], Meta(max_length=MOST_IDS)] = field(default_factory=list)
    """IDs of cases on which the tuned answer is worse than the baseline's, worst first."""
    worse_total: Count = 0
    """How many such cases there are."""

    @property
    def outcome(self) -> Outcome:
        """Combined outcome of the suite's gates."""
        return combine_outcomes([outcome for outcome, count in self.counts.items() if count])

    @property
    def unmet(self) -> int:
        """Number of gates that did not pass."""
        return self.gates - self.counts.get("pass", 0)

    @property
    def gates(self) -> int:
        """Number of gates."""
        return sum(self.counts.values())


class Export(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The result of a run for the job that posts it, which must see no text of a model or document."""

    schema_version: int = VERSION
    """Version of this layout."""
    run_id: Line
    """The run's ID, or empty where there is no run."""
    status: Status
    """How the run ended; `changed` where its files changed after sealing, `none` where there is no run."""
    commit: Annotated[str, Meta(pattern=r"\A[0-9a-f]{0,64}\Z")] = ""
    """The commit that was checked out, where it is known."""
    checkpoints: Annotated[dict[Line, Line], Meta(max_length=20)] = field(default_factory=dict)
    """Name and digest by variant."""
    moved: Lines = field(default_factory=list)
    """What differs from the accepted thresholds, cases, prompts and scorers."""
    notes: Lines = field(default_factory=list)
    """Warnings about the whole run."""
    no_merge: Line = ""
    """What keeps the run from approving a merge, whatever its gates say; empty where nothing does."""
    suites: Annotated[list[SuiteExport], Meta(max_length=MOST_LINES)] = field(default_factory=list)
    """Suites that were run."""

    @property
    def outcome(self) -> Outcome:
        """Combined outcome of all suites; only a finished run can pass."""
        judged = any(suite.gates for suite in self.suites)
        combined = combine_outcomes([suite.outcome for suite in self.suites] if judged else [])
        return "inconclusive" if combined == "pass" and self.status != "finished" else combined


def load(path: Path) -> Export:
    """Read an export. Raises UserError where it is not a plain file, too large, newer or inconsistent."""
    if path.is_symlink() or not path.is_file():
        raise UserError(f"{path}: there is no export. Write one with: tunegate ci export RUN --out {path.name}")
    with path.open("rb") as file:
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise UserError(
            f"{path}: larger than {number_format.number(MOST_BYTES)} bytes, the limit. Nothing in it was used"
        )
    return decode(raw, str(path))


def decode(raw: bytes, name: str) -> Export:
    """Decode an export; `name` is for messages. Raises UserError where it is invalid."""
    try:
        refuse_newer(raw, VERSION, name)
        export = msgspec.json.decode(raw, type=Export)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{name}: not a valid export: {inert(str(error))}. Nothing in it was used") from None
    if export.schema_version != VERSION:
        raise UserError(
            f"{name}: has schema {export.schema_version}, expected {VERSION}. Use the same tunegate in both jobs"
        )
    problem = _contradiction(export)
    if problem:
        raise UserError(f"{name}: contradicts itself: {problem}. Nothing in it was used")
    return export


def encode(export: Export) -> bytes:
    """Encode an export as indented JSON of at most MOST_BYTES, listing fewer verdicts where necessary.

    Raises UserError where it is too large even without verdicts.
    """
    most = MOST_VERDICTS
    while True:
        raw = msgspec.json.format(msgspec.json.encode(export), indent=1) + b"\n"
        if len(raw) <= MOST_BYTES:
            return raw
        if most == 0:
            raise UserError("the export is too large even without its gates. Shorten names and notes")
        most //= 2
        export = msgspec.structs.replace(export, suites=[_shortened(suite, most) for suite in export.suites])


def _shortened(suite: SuiteExport, most: int) -> SuiteExport:
    listed = suite.verdicts[:most]
    changes = {v.gate: suite.changes[v.gate] for v in listed if v.gate in suite.changes}
    return msgspec.structs.replace(suite, verdicts=listed, changes=changes, worse=suite.worse[:most])


def _contradiction(export: Export) -> str:
    names = [suite.name for suite in export.suites]
    if len(set(names)) < len(names):
        return "a suite is listed twice"
    for suite in export.suites:
        if export.status != "finished" and suite.outcome != "skipped":
            return f"it has verdicts of a run that is {export.status}"
        listed = [verdict.outcome for verdict in suite.verdicts]
        if any(listed.count(outcome) > suite.counts.get(outcome, 0) for outcome in listed):
            return "it lists more gates than it counts"
        if any(verdict.suite != suite.name for verdict in suite.verdicts):
            return "a gate is listed under another suite"
        if len(suite.worse) > suite.worse_total:
            return "it lists more cases than it counts"
    return ""
