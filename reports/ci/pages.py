"""The Markdown that GitHub shows: a comment a suite, and a summary of the whole run. Computes no number.

All text in it is foreign: the run was made by the change that is judged. It is escaped, cut, and never a link; the one
link and the commit that a comment names come from the caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.digest import digest
from harness.schema import Verdict
from reports import figures, markdown, words
from reports.ci.export import Export, SuiteExport
from reports.ci.parts import Part, bullets, join, table, text
from reports.model import Intervals, Section
from reports.sections.verdict import LEADS

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
    return f"<!-- tunegate:suite:{words.slug(suite)[:60]}-{digest(suite)[-8:]} -->"


def comments(found: Export, *, commit: str = "", link: str = "", conclusion: str = "") -> dict[str, str]:
    """A comment a suite, by marker; one for the whole run where no suite was asked."""
    if found.suites:
        return {
            marker(suite.name): comment(found, suite, commit=commit, link=link, conclusion=conclusion)
            for suite in found.suites
        }
    notes = bullets("Why", found.notes)
    head = [RUN_MARKER, *_moved(found), "### Evaluation: no verdict", "", *_made(found, commit, link)]
    return {RUN_MARKER: join([Part(title="Verdict", lines=head), *notes], COMMENT_BYTES)}


def standing_in(says: str, *, commit: str = "", link: str = "") -> str:
    """What a comment says, below its marker, while or when there is no verdict on a commit."""
    facts = filter(None, [f"commit {figures.short(commit)}" if commit else "", f"[log]({link})" if link else ""])
    return " · ".join([f"**Evaluation: {text(says)}**", *facts]) + "\n"


def comment(found: Export, suite: SuiteExport, *, commit: str = "", link: str = "", conclusion: str = "") -> str:
    """One suite's comment, at most COMMENT_BYTES.

    `commit` is the pull request's head, `link` the page of the run and `conclusion` how that run ended, each as GitHub
    itself says it; empty where it is not known.
    """
    doubts = []
    if conclusion and (conclusion == "success") != (found.outcome == "pass"):
        ended = f"The workflow run itself ended with {conclusion}"
        doubts.append(f"{ended}, and what it reports is {words.outcome(found.outcome)}. See its log.")
    head = [marker(suite.name), *_moved(found), *_verdict(suite), *_made(found, commit, link)]
    notes = bullets("Before you believe this", [*doubts, *found.notes])
    return join([Part(title="Verdict", lines=head), *notes, *_suite(suite)], COMMENT_BYTES)


def summary(found: Export, sections: Sequence[Section] = ()) -> str:
    """The step summary: every suite's verdict and gates, then sections of the report, at most SUMMARY_BYTES."""
    overall = [f"## Evaluation: {words.SYMBOLS[found.outcome]} {words.outcome(found.outcome)}", ""]
    head = [*_moved(found), *overall, LEADS[found.outcome], "", *_made(found, "", "")]
    parts = [Part(title="Verdict", lines=head), *bullets("Before you believe this", found.notes)]
    for suite in found.suites:
        parts += [Part(title=suite.name, lines=_verdict(suite)), *_suite(suite)]
    return join([*parts, *_sections(sections)], SUMMARY_BYTES)


def _moved(found: Export) -> list[str]:
    """What moved, before everything else; a very long list is cut, and says so."""
    if not found.moved:
        return []
    *listed, end = bullets(MOVED, found.moved)[0].lines
    rest = len(found.moved) - (len(listed) - 2)
    return [*listed, *([f"- and {figures.number(rest)} more"] if rest else []), end]


def _verdict(suite: SuiteExport) -> list[str]:
    said = f"{words.SYMBOLS[suite.outcome]} {words.outcome(suite.outcome)}"
    tally = f"{figures.number(suite.gates - suite.unmet)} of {words.count(suite.gates, 'gate')} met."
    tally = tally if suite.gates else "No gate was judged."
    return [f"### {said}: {text(suite.name)}", "", f"{text(suite.sentence)} {tally}", ""]


def _made(found: Export, commit: str, link: str) -> list[str]:
    """Which commit, models and run this is about."""
    judged = f"checked out as {figures.short(found.commit)}" if found.commit else ""
    named = f"Commit {figures.short(commit)}" + (f", {judged}" if judged else "") if commit else words.capital(judged)
    models = [f"{text(words.variant(v))}: {text(name)}" for v, name in found.checkpoints.items()]
    where = [f"Run {text(found.run_id)}"] if found.run_id else []
    facts = filter(None, [named, *models, *where, f"[log and report]({link})" if link else ""])
    return [" · ".join(facts), ""]


def _suite(suite: SuiteExport) -> list[Part]:
    unmet = [v for v in suite.verdicts if v.outcome != "pass"]
    met = [v for v in suite.verdicts if v.outcome == "pass"]
    parts = table("Gates that are not met", COLUMNS, [_row(v, suite) for v in unmet])
    parts += _worse(suite)
    parts += table("Gates that are met", COLUMNS, [_row(v, suite) for v in met])
    unlisted = suite.gates - len(suite.verdicts)
    if unlisted:
        parts += bullets("Gates not listed here", [f"{words.count(unlisted, 'gate')}; the JUnit report names all."])
    return parts


def _row(verdict: Verdict, suite: SuiteExport) -> list[str]:
    seen, unit = verdict.observed, figures.unit_of(verdict)
    bounds = figures.interval(seen, unit)
    size = [figures.number(seen.n), words.count(seen.clusters, suite.cluster)] if seen else [figures.DASH, figures.DASH]
    cells = [
        words.metric_and_slice(verdict, suite.shape),
        f"{words.SYMBOLS[verdict.outcome]} {words.outcome(verdict.outcome)}",
        figures.value(seen, unit),
        f"{bounds} ({figures.level(seen)})" if seen and bounds else figures.DASH,
        *size,
        verdict.bar,
        verdict.reason,
        verdict.needed or figures.DASH,
    ]
    return [text(cell) for cell in cells]


def _worse(suite: SuiteExport) -> list[Part]:
    if not suite.worse_total:
        return []
    title = f"Worse than with the baseline: {words.count(suite.worse_total, 'case')}"
    named = [text(case_id, 80) for case_id in suite.worse[:MOST_WORSE]]
    more = suite.worse_total - len(named)
    line = ", ".join([*named, *([f"and {figures.number(more)} more"] if more else [])])
    return [Part(title=title, lines=[f"#### {title}", "", line, ""])]


def _sections(sections: Sequence[Section]) -> Iterator[Part]:
    """A part a block, so that no table of the report is cut; plots are left out, their tables are not."""
    for section in sections:
        for at, block in enumerate(block for block in section.blocks if not isinstance(block, Intervals)):
            head = [] if at else [f"## {markdown.escape(section.title)}", ""]
            yield Part(title=section.title, lines=[*head, *markdown.BLOCKS[type(block)](block), ""])
