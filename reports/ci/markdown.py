"""The Markdown that GitHub shows: one comment per suite, and a summary of the whole run.

All text in it is foreign, because the change that is judged produced the run. It is escaped, truncated and never a
link; the one link and the commit in a comment come from the caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from harness.files import digest
from harness.formatting import markdown_table
from harness.schema import Verdict
from reports import number_format, wording
from reports.ci.export import Export, SuiteExport
from reports.model import Intervals, Section
from reports.render import markdown
from reports.sections.verdict import lead_of

PART_BYTES = 12_000
"""A table or list is split past this size, so that no part is large."""
CELL = 400
"""Most code points of one foreign text."""
LINKING = re.compile(r"&#(64|35|58);")
"""Escaped @, # and colon: GitHub looks for mentions, issue numbers and emoji after it has read the entities."""


@dataclass(frozen=True)
class CommentPart:
    """Lines that are kept or left out together."""

    title: str
    """What is missing where the part is left out."""
    lines: Sequence[str]
    """Markdown lines, including the blank line at the end."""

    @property
    def size(self) -> int:
        """Size in bytes, including line ends."""
        return sum(len(line.encode()) + 1 for line in self.lines)


def text(foreign: str, most: int = CELL) -> str:
    """Escape foreign text to one line without markup, mention, reference or link, of at most `most` code points."""
    return LINKING.sub(r"&#\1;&#8203;", markdown.escape(wording.shortened(foreign, most)))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[CommentPart]:
    """Build a table from Markdown cells; what a large one has past its first part is folded."""
    heading, rule, *lines = markdown_table(columns, rows)
    parts = [CommentPart(title=title, lines=[heading, rule, *chunk, ""]) for chunk in _chunks(lines)]
    return [*parts[:1], *(_folded(part, f"{title} (continued)") for part in parts[1:])]


def bullets(title: str, texts: Iterable[str]) -> list[CommentPart]:
    """Build a list of foreign sentences under a heading; a long one is split into parts."""
    return [_part(title, at, [*chunk, ""]) for at, chunk in enumerate(_chunks(f"- {text(item)}" for item in texts))]


def folded(title: str, lines: Iterable[str]) -> list[CommentPart]:
    """Fold Markdown lines under a title; a long list is split into parts that fold by themselves."""
    return [_folded(CommentPart(title=title, lines=[*chunk, ""]), title) for chunk in _chunks(lines)]


def join(parts: Sequence[CommentPart], most_bytes: int) -> str:
    """Join the parts that fit, in order, then name those left out; the first part is always included."""
    used, count = 0, 0
    for at, part in enumerate(parts):
        rest = sum(later.size for later in parts[at + 1 :])
        needed = min(rest, len(_missing(parts[at + 1 :]).encode()) + 1)
        if at and used + part.size + needed > most_bytes:
            break
        used, count = used + part.size, at + 1
    lines = [line for part in parts[:count] for line in part.lines]
    left_out = [_missing(parts[count:])] if count < len(parts) else []
    return "\n".join([*lines, *left_out]).rstrip("\n") + "\n"


def _missing(parts: Sequence[CommentPart]) -> str:
    names = ", ".join(text(title, 80) for title in list(dict.fromkeys(part.title for part in parts))[:10])
    return f"{wording.count(len(parts), 'part')} left out to stay within the size limit: {names}."


def _part(title: str, at: int, lines: list[str]) -> CommentPart:
    named = text(title) + (" (continued)" if at else "")
    return CommentPart(title=title, lines=[f"#### {named}", "", *lines])


def _chunks(lines: Iterable[str]) -> list[list[str]]:
    chunks: list[list[str]] = []
    size = 0
    for line in lines:
        if not chunks or size > PART_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(line)
        size += len(line.encode()) + 1
    return chunks


COMMENT_BYTES = 60_000
"""GitHub refuses a comment of more than 65,536 characters."""
SUMMARY_BYTES = 1_000_000
"""GitHub drops a step summary of more than 1 MiB."""
MOST_WORSE = 20
"""Most case IDs in a comment."""
FEW_MET = 5
"""Most met gates that are shown next to unmet ones; more are folded."""
NOTES_LENGTH = 600
"""Most characters of notes in the one line of a comment that has them; those that do not fit are folded."""
MOVED = "The gates changed"
COLUMNS = ("Gate", "Observed", "Required", "Change")


RUN_MARKER = "<!-- tunegate:run -->"
"""The hidden first line of the comment that is shown while no suite has one."""


def marker(suite: str) -> str:
    """Return the hidden first line that identifies a suite's comment."""
    return f"<!-- tunegate:suite:{wording.slug(suite)[:60]}-{digest(suite)[-8:]} -->"


@dataclass(frozen=True)
class JudgedRun:
    """What GitHub says about the run that judged; empty where it is unknown."""

    commit: str = ""
    """Head of the pull request."""
    link: str = ""
    """Page of the run."""
    conclusion: str = ""
    """How the run ended."""
    has_report: bool = False
    """Whether its artifact contains the report."""

    @property
    def linked(self) -> str:
        """Link the run's page by what it holds."""
        if not self.link:
            return ""
        return f"[Report and log]({self.link}#artifacts)" if self.has_report else f"[Summary and log]({self.link})"


UNKNOWN = JudgedRun()


def comments(export: Export, about: JudgedRun = UNKNOWN) -> dict[str, str]:
    """Render one comment per suite, by marker; one for the whole run where no suite was run."""
    if export.suites:
        return {marker(suite.name): comment(export, suite, about) for suite in export.suites}
    notes = bullets("Why", export.notes)
    where = [f"{about.linked}.", ""] if about.link else []
    says = ["### Evaluation: no verdict", "", *where, *_context(export, about.commit), ""]
    head = [RUN_MARKER, *_changes(export), *says]
    return {RUN_MARKER: join([CommentPart(title="Verdict", lines=head), *notes], COMMENT_BYTES)}


def standing_in(says: str, about: JudgedRun = UNKNOWN) -> str:
    """Render a comment, without its marker, for a commit without a verdict."""
    commit = f"commit {number_format.short(about.commit)}" if about.commit else ""
    facts = filter(None, [commit, f"[log]({about.link})" if about.link else ""])
    return " · ".join([f"**Evaluation: {text(says)}**", *facts]) + "\n"


def comment(export: Export, suite: SuiteExport, about: JudgedRun = UNKNOWN) -> str:
    """Render one suite's comment, at most COMMENT_BYTES."""
    doubts = []
    if about.conclusion and (about.conclusion == "success") != (export.outcome == "pass"):
        ended = f"The workflow run itself ended with {about.conclusion}"
        doubts.append(f"{ended}, but its result is {wording.outcome(export.outcome, export.no_merge)}. See its log.")
    head = [marker(suite.name), *_changes(export), *_verdict(suite, export.no_merge, about.linked)]
    notes, more = _notes([*doubts, *export.notes])
    context = folded("Commit, models and run", _context(export, about.commit))
    parts = [CommentPart(title="Verdict", lines=[*head, *notes]), *_suite(suite), *more, *context]
    return join(parts, COMMENT_BYTES)


def _notes(notes: Sequence[str]) -> tuple[list[str], list[CommentPart]]:
    """Return one line with the first notes, which matter most, and the others folded."""
    if not notes:
        return [], []
    texts = [text(note) for note in notes]
    shown = max(1, sum(length <= NOTES_LENGTH for length in accumulate(map(len, texts))))
    line = " ".join(f"{note.rstrip('.')}." for note in texts[:shown])
    return [f"Read this first: {line}", ""], folded("More notes on the run", [f"- {note}" for note in texts[shown:]])


def summary(export: Export, sections: Sequence[Section] = ()) -> str:
    """Render the step summary: verdict and gates of every suite, then report sections, at most SUMMARY_BYTES."""
    result = wording.outcome(export.outcome, export.no_merge)
    overall = [f"## Evaluation: {wording.SYMBOLS[export.outcome]} {result}", ""]
    head = [*_changes(export), *overall, lead_of(export.outcome, export.notes), "", *_context(export, ""), ""]
    parts = [CommentPart(title="Verdict", lines=head), *bullets("Read this first", export.notes)]
    for suite in export.suites:
        parts += [CommentPart(title=suite.name, lines=_verdict(suite, export.no_merge)), *_suite(suite)]
    return join([*parts, *_sections(sections)], SUMMARY_BYTES)


def _changes(export: Export) -> list[str]:
    """List how the gates changed, before everything else; a very long list is truncated and says so."""
    if not export.moved:
        return []
    *listed, end = bullets(MOVED, export.moved)[0].lines
    rest = len(export.moved) - (len(listed) - 2)
    return [*listed, *([f"- and {number_format.number(rest)} more"] if rest else []), end]


def _verdict(suite: SuiteExport, no_merge: str, linked: str = "") -> list[str]:
    result = f"{wording.SYMBOLS[suite.outcome]} {wording.outcome(suite.outcome, no_merge)}"
    tally = f"; {number_format.number(suite.gates - suite.unmet)} of {wording.count(suite.gates, 'gate')} met"
    sentence = f"{text(suite.sentence).rstrip('.')}{tally if suite.gates else ''}."
    return [f"### {result}: {text(suite.name)}", "", f"{sentence} {linked}." if linked else sentence, ""]


def _context(export: Export, commit: str) -> list[str]:
    """Name the commit, models and run."""
    judged = f"checked out as {number_format.short(export.commit)}" if export.commit else ""
    named = (
        f"Commit {number_format.short(commit)}" + (f", {judged}" if judged else "")
        if commit
        else wording.capital(judged)
    )
    models = [f"{text(wording.variant(v))}: {text(name)}" for v, name in export.checkpoints.items()]
    where = [f"Run {text(export.run_id)}"] if export.run_id else []
    return [" · ".join(filter(None, [named, *models, *where]))]


def _suite(suite: SuiteExport) -> list[CommentPart]:
    """Tabulate the unmet gates; fold many others, the findings, and the cases that regressed."""
    unmet = [v for v in suite.verdicts if v.outcome != "pass"]
    met = [v for v in suite.verdicts if v.outcome == "pass"]
    if unmet and len(met) > FEW_MET:
        parts = _table("Gates", unmet, suite)
        title = f"{wording.count(len(met), 'gate')} met"
        parts += [_folded(part, title) for part in _table("Gates that are met", met, suite)]
    else:
        parts = _table("Gates", [*unmet, *met], suite)
    unlisted = suite.gates - len(suite.verdicts)
    if unlisted:
        parts += bullets("Gates not listed here", [f"{wording.count(unlisted, 'gate')}; the JUnit report names all."])
    found = [f"- {text(wording.metric_and_slice(v, suite.shape))}: {text(wording.finding(v))}" for v in unmet]
    return [*parts, *(folded("Findings of the gates that are not met", found) if found else []), *_worse(suite)]


def _table(title: str, verdicts: Sequence[Verdict], suite: SuiteExport) -> list[CommentPart]:
    return table(title, COLUMNS, [_row(v, suite) for v in verdicts])


def _folded(part: CommentPart, title: str) -> CommentPart:
    lines = [f"<details><summary>{text(title)}</summary>", "", *part.lines, "</details>", ""]
    return CommentPart(title=part.title, lines=lines)


def _row(verdict: Verdict, suite: SuiteExport) -> list[str]:
    result = f"{wording.SYMBOLS[verdict.outcome]} {wording.outcome(verdict.outcome)}"
    return [
        f"{result} {text(wording.metric_and_slice(verdict, suite.shape))}",
        text(verdict.seen or number_format.DASH),
        text(verdict.bar),
        text(suite.changes.get(verdict.gate, number_format.DASH)),
    ]


def _worse(suite: SuiteExport) -> list[CommentPart]:
    if not suite.worse_total:
        return []
    named = [text(case_id, 80) for case_id in suite.worse[:MOST_WORSE]]
    more = suite.worse_total - len(named)
    line = ", ".join([*named, *([f"and {number_format.number(more)} more"] if more else [])])
    return folded(f"Worse than with the baseline: {wording.count(suite.worse_total, 'case')}", [line])


def _sections(sections: Sequence[Section]) -> Iterator[CommentPart]:
    """Yield one part per block, so that no table of the report is split; charts are left out, their tables stay."""
    for section in sections:
        for at, block in enumerate(block for block in section.blocks if not isinstance(block, Intervals)):
            head = [] if at else [f"## {markdown.escape(section.title)}", ""]
            yield CommentPart(title=section.title, lines=[*head, *markdown.BLOCKS[type(block)](block), ""])
