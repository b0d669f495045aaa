"""The Markdown that GitHub shows: a comment a suite, and a summary of the whole run. Computes no number.

All text in it is foreign: the run was made by the change that is judged. It is escaped, cut, and never a link; the one
link and the commit that a comment names come from the caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.files import digest
from harness.schema import Verdict
from reports import number_format, wording
from reports.ci.export import Export, SuiteExport
from reports.model import Intervals, Section
from reports.render import markdown
from reports.sections.verdict import LEADS

PART_BYTES = 12_000
"""A table or list is begun anew past this size, so that no part is large."""
CELL = 240
"""Code points of foreign text in one place."""
LINKING = re.compile(r"&#(64|35|58);")
"""Escaped @, # and colon: GitHub looks for mentions, issue numbers and emoji after it has read the entities."""


@dataclass(frozen=True)
class CommentPart:
    """Lines that stand or fall together."""

    title: str
    """What a reader misses when it is left out."""
    lines: Sequence[str]
    """Markdown lines, blank line at the end included."""

    @property
    def size(self) -> int:
        """Bytes, line ends included."""
        return sum(len(line.encode()) + 1 for line in self.lines)


def text(foreign: str, most: int = CELL) -> str:
    """Foreign text as one line that is no mark-up, mention, reference or link; cut after `most` code points."""
    short = foreign if len(foreign) <= most else foreign[: most - 1] + "…"
    return LINKING.sub(r"&#\1;&#8203;", markdown.escape(short))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[CommentPart]:
    """A table of cells that are Markdown already, under a heading; a large one is several parts with the head again."""
    head = [_line(columns), _line(["---"] * len(columns))]
    return [_part(title, at, [*head, *chunk, ""]) for at, chunk in enumerate(_chunks(map(_line, rows)))]


def bullets(title: str, texts: Iterable[str]) -> list[CommentPart]:
    """Foreign sentences as a list under a heading; a long one is several parts."""
    lines = (f"- {text(found)}" for found in texts)
    return [_part(title, at, [*chunk, ""]) for at, chunk in enumerate(_chunks(lines))]


def join(parts: Sequence[CommentPart], most_bytes: int) -> str:
    """The parts in order as long as they fit, then what is left out; the first part is always kept."""
    used, kept = 0, 0
    for at, part in enumerate(parts):
        rest = sum(later.size for later in parts[at + 1 :])
        needed = min(rest, len(_missing(parts[at + 1 :]).encode()) + 1)
        if at and used + part.size + needed > most_bytes:
            break
        used, kept = used + part.size, at + 1
    lines = [line for part in parts[:kept] for line in part.lines]
    left_out = [_missing(parts[kept:])] if kept < len(parts) else []
    return "\n".join([*lines, *left_out]).rstrip("\n") + "\n"


def _missing(parts: Sequence[CommentPart]) -> str:
    names = ", ".join(text(title, 80) for title in list(dict.fromkeys(part.title for part in parts))[:10])
    return f"{wording.count(len(parts), 'part')} left out to stay within the size limit: {names}."


def _part(title: str, at: int, lines: list[str]) -> CommentPart:
    named = text(title) + (" (continued)" if at else "")
    return CommentPart(title=title, lines=[f"#### {named}", "", *lines])


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


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
"""GitHub drops a step summary of more than 1 MiB whole."""
MOST_WORSE = 20
"""Case ids that are named."""
MOVED = "The bar moved"
COLUMNS = ("Gate", "Outcome", "Value", "Interval", "n", "Clusters", "Bar", "Why", "To settle it")


RUN_MARKER = "<!-- tunegate:run -->"
"""The hidden first line of the comment that stands in while no suite has one."""


def marker(suite: str) -> str:
    """The hidden first line by which a suite's comment is found again."""
    return f"<!-- tunegate:suite:{wording.slug(suite)[:60]}-{digest(suite)[-8:]} -->"


def comments(found: Export, *, commit: str = "", link: str = "", conclusion: str = "") -> dict[str, str]:
    """A comment a suite, by marker; one for the whole run where no suite was asked."""
    if found.suites:
        return {
            marker(suite.name): comment(found, suite, commit=commit, link=link, conclusion=conclusion)
            for suite in found.suites
        }
    notes = bullets("Why", found.notes)
    head = [RUN_MARKER, *_moved(found), "### Evaluation: no verdict", "", *_made(found, commit, link)]
    return {RUN_MARKER: join([CommentPart(title="Verdict", lines=head), *notes], COMMENT_BYTES)}


def standing_in(says: str, *, commit: str = "", link: str = "") -> str:
    """What a comment says, below its marker, while or when there is no verdict on a commit."""
    facts = filter(None, [f"commit {number_format.short(commit)}" if commit else "", f"[log]({link})" if link else ""])
    return " · ".join([f"**Evaluation: {text(says)}**", *facts]) + "\n"


def comment(found: Export, suite: SuiteExport, *, commit: str = "", link: str = "", conclusion: str = "") -> str:
    """One suite's comment, at most COMMENT_BYTES.

    `commit` is the pull request's head, `link` the page of the run and `conclusion` how that run ended, each as GitHub
    itself says it; empty where it is not known.
    """
    doubts = []
    if conclusion and (conclusion == "success") != (found.outcome == "pass"):
        ended = f"The workflow run itself ended with {conclusion}"
        doubts.append(f"{ended}, and what it reports is {wording.outcome(found.outcome)}. See its log.")
    head = [marker(suite.name), *_moved(found), *_verdict(suite), *_made(found, commit, link)]
    notes = bullets("Before you believe this", [*doubts, *found.notes])
    return join([CommentPart(title="Verdict", lines=head), *notes, *_suite(suite)], COMMENT_BYTES)


def summary(found: Export, sections: Sequence[Section] = ()) -> str:
    """The step summary: every suite's verdict and gates, then sections of the report, at most SUMMARY_BYTES."""
    overall = [f"## Evaluation: {wording.SYMBOLS[found.outcome]} {wording.outcome(found.outcome)}", ""]
    head = [*_moved(found), *overall, LEADS[found.outcome], "", *_made(found, "", "")]
    parts = [CommentPart(title="Verdict", lines=head), *bullets("Before you believe this", found.notes)]
    for suite in found.suites:
        parts += [CommentPart(title=suite.name, lines=_verdict(suite)), *_suite(suite)]
    return join([*parts, *_sections(sections)], SUMMARY_BYTES)


def _moved(found: Export) -> list[str]:
    """What moved, before everything else; a very long list is cut, and says so."""
    if not found.moved:
        return []
    *listed, end = bullets(MOVED, found.moved)[0].lines
    rest = len(found.moved) - (len(listed) - 2)
    return [*listed, *([f"- and {number_format.number(rest)} more"] if rest else []), end]


def _verdict(suite: SuiteExport) -> list[str]:
    said = f"{wording.SYMBOLS[suite.outcome]} {wording.outcome(suite.outcome)}"
    tally = f"{number_format.number(suite.gates - suite.unmet)} of {wording.count(suite.gates, 'gate')} met."
    tally = tally if suite.gates else "No gate was judged."
    return [f"### {said}: {text(suite.name)}", "", f"{text(suite.sentence)} {tally}", ""]


def _made(found: Export, commit: str, link: str) -> list[str]:
    """Which commit, models and run this is about."""
    judged = f"checked out as {number_format.short(found.commit)}" if found.commit else ""
    named = (
        f"Commit {number_format.short(commit)}" + (f", {judged}" if judged else "")
        if commit
        else wording.capital(judged)
    )
    models = [f"{text(wording.variant(v))}: {text(name)}" for v, name in found.checkpoints.items()]
    where = [f"Run {text(found.run_id)}"] if found.run_id else []
    facts = filter(None, [named, *models, *where, f"[log and report]({link})" if link else ""])
    return [" · ".join(facts), ""]


def _suite(suite: SuiteExport) -> list[CommentPart]:
    unmet = [v for v in suite.verdicts if v.outcome != "pass"]
    met = [v for v in suite.verdicts if v.outcome == "pass"]
    parts = table("Gates that are not met", COLUMNS, [_row(v, suite) for v in unmet])
    parts += _worse(suite)
    parts += table("Gates that are met", COLUMNS, [_row(v, suite) for v in met])
    unlisted = suite.gates - len(suite.verdicts)
    if unlisted:
        parts += bullets("Gates not listed here", [f"{wording.count(unlisted, 'gate')}; the JUnit report names all."])
    return parts


def _row(verdict: Verdict, suite: SuiteExport) -> list[str]:
    seen, unit = verdict.observed, number_format.unit_of(verdict)
    bounds = number_format.interval(seen, unit)
    size = (
        [number_format.number(seen.n), wording.count(seen.clusters, suite.cluster)]
        if seen
        else [number_format.DASH, number_format.DASH]
    )
    cells = [
        wording.metric_and_slice(verdict, suite.shape),
        f"{wording.SYMBOLS[verdict.outcome]} {wording.outcome(verdict.outcome)}",
        number_format.value(seen, unit),
        f"{bounds} ({number_format.level(seen)})" if seen and bounds else number_format.DASH,
        *size,
        verdict.bar,
        verdict.reason,
        verdict.needed or number_format.DASH,
    ]
    return [text(cell) for cell in cells]


def _worse(suite: SuiteExport) -> list[CommentPart]:
    if not suite.worse_total:
        return []
    title = f"Worse than with the baseline: {wording.count(suite.worse_total, 'case')}"
    named = [text(case_id, 80) for case_id in suite.worse[:MOST_WORSE]]
    more = suite.worse_total - len(named)
    line = ", ".join([*named, *([f"and {number_format.number(more)} more"] if more else [])])
    return [CommentPart(title=title, lines=[f"#### {title}", "", line, ""])]


def _sections(sections: Sequence[Section]) -> Iterator[CommentPart]:
    """A part a block, so that no table of the report is cut; plots are left out, their tables are not."""
    for section in sections:
        for at, block in enumerate(block for block in section.blocks if not isinstance(block, Intervals)):
            head = [] if at else [f"## {markdown.escape(section.title)}", ""]
            yield CommentPart(title=section.title, lines=[*head, *markdown.BLOCKS[type(block)](block), ""])
