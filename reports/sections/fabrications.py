"""Section: fabrications, the claims that scorers could not find in the source: new, fixed and persisting."""

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
"""Most claims in one table; all are counted."""
NOTE = "Found by rules, not by people. A claim counts as new where only the tuned model makes it on that case."
COLUMNS = ["Case", "Claim", "Finding", "Reason", "Found by"]


class Claim(NamedTuple):
    answer: AnswerSummary
    fabrication: Fabrication


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
    lead = "Claims that are not in the source: those that the tuned model adds, and those that it no longer makes."
    return Section(id="fabrications", title="Fabrications", lead=lead, blocks=blocks)


def _of_both(evidence: RunView, suite: str, joint: Joint) -> list[Block]:
    """Tabulate new and persisting fabrications, and count the fixed ones."""
    counts = reports_sentences.fabrication_counts(joint.new, joint.gone, joint.kept)
    blocks: list[Block] = [Text(text=f"{suite}: {counts}.")]
    if joint.new:
        new = (Claim(p.tuned, f) for p in evidence.index.having(suite, "new") for f in p.new)
        blocks.append(_table(evidence, suite, f"New fabrications in {suite}", new, joint.new))
    if joint.kept:
        persisting = (Claim(p.tuned, f) for p in evidence.index.having(suite, "kept") for f in p.persisting)
        blocks.append(_table(evidence, suite, f"Fabrications of both models in {suite}", persisting, joint.kept))
    return blocks


def _of_tuned(evidence: RunView, suite: str, joint: Joint) -> list[Block]:
    """Tabulate the tuned model's fabrications, where the baseline's are unknown."""
    count, why = (
        wording.count(joint.claims, "fabrication"),
        reports_sentences.NO_TEXT if joint.pairs else "no baseline was run",
    )
    blocks: list[Block] = [
        Text(text=f"{suite}: {count} of the tuned model; {why}, so new ones cannot be distinguished from old ones.")
    ]
    if joint.claims:
        answers = evidence.index.tuned(suite, fabricating=True)
        claims = (Claim(answer, claim) for answer in answers for claim in answer.claims)
        blocks.append(_table(evidence, suite, f"Fabrications of the tuned model in {suite}", claims, joint.claims))
    return blocks


def _table(evidence: RunView, suite: str, caption: str, claims: Iterable[Claim], of: int) -> Table:
    shown = list(islice(claims, MOST))
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
    counted = wording.capital(wording.shown_of("fabrication", len(rows), of))
    return Table(
        caption=caption,
        columns=COLUMNS,
        rows=rows,
        cases=[facets for _, facets in places],
        note=f"{counted}.{reports_sentences.others(of - len(rows))} {NOTE}",
    )
