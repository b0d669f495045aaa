"""Sections on cases: regressions, worst first, then gains, then other cases worth reading."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from reports import number_format, sentences, wording
from reports.cases.exchange import exchange
from reports.cases.pages import REPORT, Page
from reports.cases.select import SelectedCase
from reports.model import Block, Cell, Kind, Section, Table, Text
from reports.run_data import RunView

LEAD = (
    "A case regresses where the suite's primary metric or a metric of a gate gets worse. Regressions and gains are "
    "ordered by the change of the primary metric. The boxes show untrusted text from documents and models. [− …] marks "
    "words that are only in the baseline's answer, [+ …] words that are only in the tuned model's, ✗ what a scorer "
    "rejects and ✓ what it accepts."
)
ALONE = (
    "The run has no baseline, so only the tuned answers are shown. The boxes show untrusted text from documents and "
    "models. ✗ marks what a scorer rejects, ✓ what it accepts."
)
ALWAYS: tuple[Kind, ...] = ("regression", "gain")
"""Kinds that are listed even without a case."""
REST: tuple[Kind, ...] = ("fabrication", "error", "wrong", "unchanged", "other")


def section(evidence: RunView) -> Section | None:
    compared = any(evidence.joint(suite.name).pairs for suite in evidence.suites)
    return _section(evidence, "changes", "Regressions and gains", ALWAYS, LEAD) if compared else None


def others(evidence: RunView) -> Section | None:
    """Build the section of the other cases: those that fabricate, failed or stay wrong, then the rest."""
    lead = "Cases that neither regressed nor improved, those worth a look first."
    compared = any(evidence.joint(suite.name).pairs for suite in evidence.suites)
    return _section(evidence, "others", "Other cases", REST, lead if compared else ALONE)


def on_page(evidence: RunView, page: Page) -> list[Section]:
    """Build the sections of a page of further cases."""
    by_kind = groupby(page.cases, key=lambda case: case.kinds[0])
    return [
        Section(id=kind, title=wording.capital(sentences.noun(kind, 2)), blocks=_groups(evidence, list(cases), page))
        for kind, cases in by_kind
    ]


def _section(evidence: RunView, name: str, title: str, kinds: Sequence[Kind], lead: str) -> Section | None:
    report = evidence.cases.pages[0]
    blocks: list[Block] = []
    for kind in kinds:
        here = [case for case in report.cases if case.kinds[0] == kind]
        blocks += _groups(evidence, here, report, kind)
    if kinds is REST:
        blocks += _further(evidence)
    return Section(id=name, title=title, lead=lead, blocks=blocks) if blocks else None


def _groups(evidence: RunView, cases: list[SelectedCase], page: Page, kind: Kind | None = None) -> list[Block]:
    """Group cases of one kind by suite, each with a sentence on how many there are and where the others are."""
    own = kind or cases[0].kinds[0]
    blocks: list[Block] = []
    for suite in evidence.suites:
        here = [case for case in cases if case.suite.name == suite.name]
        of = evidence.cases.totals[suite.name, own]
        named = kind in ALWAYS and evidence.joint(suite.name).pairs
        if not (of if page.name == REPORT else here) and not named:
            continue
        sentence = wording.shown_of(sentences.KINDS[own].noun, len(here), of)
        if kind == "gain" and (both := evidence.joint(suite.name).better - of):
            sentence += f"; {number_format.number(both)} of the regressions also improved by another metric"
        if not evidence.joint(suite.name).both_texts:
            sentence += f"; {sentences.NO_TEXT}, so only the tuned answer is shown"
        blocks.append(
            Text(text=f"{suite.name}: {sentence}.{_elsewhere(evidence, suite.name, own, len(here), of, page)}")
        )
        blocks += [exchange(case, evidence.source) for case in here]
    return blocks


def _elsewhere(evidence: RunView, suite: str, kind: Kind, here: int, of: int, page: Page) -> str:
    """Say where the cases of a group are that this page lacks."""
    if here == of:
        return ""
    placed = evidence.cases.placed[suite, kind]
    return " " + sentences.elsewhere([name for name in placed if name != page.name], of - placed.total())


def _further(evidence: RunView) -> list[Block]:
    """List the other pages, and the cases that are on no page."""
    pages, blocks = evidence.cases.pages[1:], list[Block]()
    if pages:
        rows = [
            [
                Cell(text=page.name, link=page.name),
                Cell(text=number_format.number(len(page.cases))),
                Cell(text=_holds(page.cases)),
            ]
            for page in pages
        ]
        blocks.append(
            Table(caption="Pages with further cases", columns=["Page", "Cases", "Contents"], rows=rows, numeric=[1])
        )
    if left := evidence.cases.unplaced:
        blocks.append(Text(text=sentences.unplaced(left), tone="caution"))
    return blocks


def _holds(cases: Sequence[SelectedCase]) -> str:
    counted = [(kind, len(list(group))) for kind, group in groupby(cases, key=lambda case: case.kinds[0])]
    return wording.listing(f"{number_format.number(n)} {sentences.noun(kind, n)}" for kind, n in counted)
