"""Fabrications: claims that scorers could not ground in the source, new, gone and persisting."""

from __future__ import annotations

from reports import words
from reports.evidence import Evidence
from reports.model import Block, Cell, Section, Table, Text
from reports.pairs import Fabrication, Pair, both_texts, fabrications

MOST = 50
"""Most claims that one table names; all are counted."""
NOTE = "Found by rules, not by people. A claim counts as new where only the tuned model makes it on that case."


def section(evidence: Evidence) -> Section | None:
    blocks: list[Block] = []
    for suite in evidence.suites:
        pairs = evidence.pairs(suite.name)
        if not pairs:
            continue
        if not both_texts(pairs):
            blocks += _of_tuned(suite.name, [(p, f) for p in pairs for f in fabrications(p.tuned)])
            continue
        new, fixed, kept = ([(p, f) for p in pairs for f in getattr(p, k)] for k in ("new", "fixed", "persisting"))
        blocks.append(Text(text=f"{suite.name}: {words.fabrication_counts(len(new), len(fixed), len(kept))}."))
        if new:
            blocks.append(_table(f"New fabrications in {suite.name}", new))
        if kept:
            blocks.append(_table(f"Fabrications of both models in {suite.name}", kept))
    if not blocks:
        return None
    lead = "Claims that the source does not hold: what the tuned model adds, and what it no longer says."
    return Section(id="fabrications", title="Fabrications", lead=lead, blocks=blocks)


def _of_tuned(suite: str, found: list[tuple[Pair, Fabrication]]) -> list[Block]:
    """What the tuned model fabricates, where nobody knows what the baseline did."""
    count = words.count(len(found), "fabrication")
    said = f"{suite}: {count} of the tuned model; {words.NO_TEXT}, so new ones cannot be told from old ones."
    return [Text(text=said), *([_table(f"Fabrications of the tuned model in {suite}", found)] if found else [])]


def _table(caption: str, found: list[tuple[Pair, Fabrication]]) -> Table:
    rows = [
        [
            Cell(text=pair.case.id, code=True, note=pair.case.cluster),
            Cell(text=claim.quote, tone="bad"),
            Cell(text=f"{claim.kind} {claim.verdict}"),
            Cell(text=claim.reason or "no support found"),
            Cell(text=f"rule ({claim.scorer})"),
        ]
        for pair, claim in found[:MOST]
    ]
    note = f"{words.shown_of('fabrication', len(rows), len(found))}. {NOTE}"
    return Table(
        caption=caption, columns=["Case", "Claim", "Finding", "Why", "Who says so"], rows=rows, note=words.capital(note)
    )
