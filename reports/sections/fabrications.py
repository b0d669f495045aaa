"""Fabrications: claims that scorers could not ground in the source, new, gone and persisting."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from reports import sentences as reports_sentences
from reports import wording
from reports.cases.index import Joint
from reports.cases.read import AnswerSummary, Fabrication
from reports.model import Block, Cell, Section, Table, Text
from reports.run_data import RunView

MOST = 50
"""Most claims that one table names; all are counted."""
NOTE = "Found by rules, not by people. A claim counts as new where only the tuned model makes it on that case."
COLUMNS = ["Case", "Claim", "Finding", "Why", "Who says so"]


class Claim(NamedTuple):
    answer: AnswerSummary
    found: Fabrication


def section(evidence: RunView) -> Section | None:
    blocks: list[Block] = []
    for suite in evidence.suites:
        joint = evidence.joint(suite.name)
        if joint.pairs and joint.both_texts:
            blocks += _of_both(evidence, suite.name, joint)
        elif joint.pairs or joint.claims:
            blocks += _of_tuned(evidence, suite.name, joint)
    if not blocks:
        return None
    lead = "Claims that the source does not hold: what the tuned model adds, and what it no longer says."
    return Section(id="fabrications", title="Fabrications", lead=lead, blocks=blocks)


def _of_both(evidence: RunView, suite: str, joint: Joint) -> list[Block]:
    """What is new, gone and kept."""
    said = reports_sentences.fabrication_counts(joint.new, joint.gone, joint.kept)
    blocks: list[Block] = [Text(text=f"{suite}: {said}.")]
    if joint.new:
        new = (Claim(p.tuned, f) for p in evidence.index.having(suite, "new") for f in p.new)
        blocks.append(_table(evidence, suite, f"New fabrications in {suite}", new, joint.new))
    if joint.kept:
        kept = (Claim(p.tuned, f) for p in evidence.index.having(suite, "kept") for f in p.persisting)
        blocks.append(_table(evidence, suite, f"Fabrications of both models in {suite}", kept, joint.kept))
    return blocks


def _of_tuned(evidence: RunView, suite: str, joint: Joint) -> list[Block]:
    """What the tuned model fabricates, where nobody knows what the baseline did."""
    count, why = (
        wording.count(joint.claims, "fabrication"),
        reports_sentences.NO_TEXT if joint.pairs else "no baseline was asked",
    )
    blocks: list[Block] = [
        Text(text=f"{suite}: {count} of the tuned model; {why}, so new ones cannot be told from old ones.")
    ]
    if joint.claims:
        answers = evidence.index.tuned(suite, fabricating=True)
        found = (Claim(answer, claim) for answer in answers for claim in answer.claims)
        blocks.append(_table(evidence, suite, f"Fabrications of the tuned model in {suite}", found, joint.claims))
    return blocks


def _table(evidence: RunView, suite: str, caption: str, found: Iterable[Claim], of: int) -> Table:
    shown = list(islice(found, MOST))
    places = [evidence.cases.named(suite, answer.case.id) for answer, _ in shown]
    rows = [
        [
            Cell(text=answer.case.id, code=True, note=answer.case.cluster, link=link),
            Cell(text=claim.quote, tone="bad"),
            Cell(text=f"{claim.kind} {claim.verdict}"),
            Cell(text=claim.reason or "no support found"),
            Cell(text=f"rule ({claim.scorer})"),
        ]
        for (answer, claim), (link, _) in zip(shown, places, strict=True)
    ]
    said = wording.capital(wording.shown_of("fabrication", len(rows), of))
    return Table(
        caption=caption,
        columns=COLUMNS,
        rows=rows,
        cases=[facets for _, facets in places],
        note=f"{said}.{reports_sentences.others(of - len(rows))} {NOTE}",
    )
