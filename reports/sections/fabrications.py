"""Fabrications: claims that scorers could not ground in the source, new, gone and persisting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.schema import CANDIDATE
from reports import case_words, sentences, words
from reports.briefs import Brief, Fabrication
from reports.evidence import Evidence
from reports.model import Block, Cell, Section, Table, Text
from reports.pairs import Pair, both_texts

MOST = 50
"""Most claims that one table names; all are counted."""
NOTE = "Found by rules, not by people. A claim counts as new where only the tuned model makes it on that case."
COLUMNS = ["Case", "Claim", "Finding", "Why", "Who says so"]


class Claim(NamedTuple):
    answer: Brief
    found: Fabrication


def section(evidence: Evidence) -> Section | None:
    blocks: list[Block] = []
    for suite in evidence.suites:
        pairs = evidence.pairs(suite.name)
        alone = evidence.answers[suite.name].briefs.get(CANDIDATE, [])
        if pairs and both_texts(pairs):
            blocks += _of_both(evidence, suite.name, pairs)
        elif pairs or any(answer.claims for answer in alone):
            blocks += _of_tuned(evidence, suite.name, alone, sentences.NO_TEXT if pairs else "no baseline was asked")
    if not blocks:
        return None
    lead = "Claims that the source does not hold: what the tuned model adds, and what it no longer says."
    return Section(id="fabrications", title="Fabrications", lead=lead, blocks=blocks)


def _of_both(evidence: Evidence, suite: str, pairs: Sequence[Pair]) -> list[Block]:
    """What is new, gone and kept."""
    new = [Claim(p.tuned, f) for p in pairs for f in p.new]
    kept = [Claim(p.tuned, f) for p in pairs for f in p.persisting]
    fixed = sum(len(p.fixed) for p in pairs)
    blocks: list[Block] = [Text(text=f"{suite}: {sentences.fabrication_counts(len(new), fixed, len(kept))}.")]
    if new:
        blocks.append(_table(evidence, suite, f"New fabrications in {suite}", new))
    if kept:
        blocks.append(_table(evidence, suite, f"Fabrications of both models in {suite}", kept))
    return blocks


def _of_tuned(evidence: Evidence, suite: str, answers: Sequence[Brief], why: str) -> list[Block]:
    """What the tuned model fabricates, where nobody knows what the baseline did."""
    found = [Claim(answer, claim) for answer in answers for claim in answer.claims]
    count = words.count(len(found), "fabrication")
    blocks: list[Block] = [
        Text(text=f"{suite}: {count} of the tuned model; {why}, so new ones cannot be told from old ones.")
    ]
    if found:
        blocks.append(_table(evidence, suite, f"Fabrications of the tuned model in {suite}", found))
    return blocks


def _table(evidence: Evidence, suite: str, caption: str, found: Sequence[Claim]) -> Table:
    shown = found[:MOST]
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
    said = words.capital(words.shown_of("fabrication", len(rows), len(found)))
    return Table(
        caption=caption,
        columns=COLUMNS,
        rows=rows,
        cases=[facets for _, facets in places],
        note=f"{said}.{case_words.others(len(found) - len(rows))} {NOTE}",
    )
