"""Section: claims that nothing supports, by their noun: new, fixed and of both models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from reports import number_format, sentences, wording
from reports.cases.read import AnswerSummary, Fabrication
from reports.model import Block, Cell, Section, Table, Text
from reports.run_data import RunView

MOST = 5
"""Most rows of one table."""
COLUMNS = ["Case", "Claim", "Finding", "Reason", "Found by"]

Answers = Iterable[tuple[AnswerSummary, Sequence[Fabrication]]]
"""Answers with their claims."""


def section(evidence: RunView) -> Section | None:
    blocks: list[Block] = []
    for suite in evidence.suites:
        joint = evidence.joint(suite.name)
        if joint.pairs and joint.both_texts:
            blocks += _of_both(evidence, suite.name)
        elif joint.pairs or evidence.index.findings(suite.name, "tuned"):
            blocks += _of_tuned(evidence, suite.name, bool(joint.pairs))
    if not blocks:
        return None
    lead = (
        "Claims that scorers reject, found by rules and not by people. A claim is new where only the tuned model makes "
        "it on that case, and fixed where only the baseline does."
    )
    return Section(id="fabrications", title="Unsupported claims", lead=lead, blocks=blocks)


def _of_both(evidence: RunView, suite: str) -> list[Block]:
    """Tabulate new findings, and count the fixed ones and those of both models."""
    blocks: list[Block] = []
    new, fixed, kept = (evidence.index.findings(suite, what) for what in ("new", "fixed", "kept"))
    for noun in sorted({*new, *fixed, *kept}):
        many = wording.plural(noun)
        counts = sentences.finding_counts(noun, new[noun], fixed[noun], kept[noun])
        blocks.append(Text(text=f"{suite}, {counts}."))
        if new[noun]:
            added = ((pair.tuned, pair.new) for pair in evidence.index.with_new_claims(suite))
            blocks.append(_table(evidence, suite, noun, f"New {many} in {suite}", added, new[noun]))
    return blocks


def _of_tuned(evidence: RunView, suite: str, is_compared: bool) -> list[Block]:
    """Tabulate the tuned model's findings, where the baseline's are unknown."""
    found = evidence.index.findings(suite, "tuned")
    why = sentences.NO_TEXT if is_compared else "no baseline was run"
    counted = wording.counts(found) or "no unsupported claims"
    blocks: list[Block] = [
        Text(text=f"{suite}: {counted} of the tuned model; {why}, so new ones cannot be distinguished from old ones.")
    ]
    for noun, of in sorted(found.items()):
        answers = evidence.index.tuned(suite, fabricating=True)
        claims = ((answer, answer.claims) for answer in answers)
        title = f"{wording.capital(wording.plural(noun))} of the tuned model in {suite}"
        blocks.append(_table(evidence, suite, noun, title, claims, of))
    return blocks


def _table(evidence: RunView, suite: str, noun: str, caption: str, answers: Answers, of: int) -> Table:
    of_noun = ((answer, claim) for answer, claims in answers for claim in claims if claim.noun == noun)
    shown = list(islice(of_noun, MOST))
    places = [evidence.cases.named(suite, answer.case.id) for answer, _ in shown]
    rows = [
        [
            Cell(text=answer.case.id, code=True, note=answer.case.cluster, link=link),
            Cell(
                text=claim.quote,
                tone="bad",
                note=f"{number_format.number(claim.times)} times" if claim.times > 1 else "",
            ),
            Cell(text=wording.capital(wording.verdict_on(claim.kind, claim.verdict))),
            Cell(text=claim.reason or "no support found"),
            Cell(text=wording.title(claim.scorer)),
        ]
        for (answer, claim), (link, _) in zip(shown, places, strict=True)
    ]
    counted = wording.capital(wording.shown_of(noun, len(shown), of))
    return Table(
        caption=caption,
        columns=COLUMNS,
        rows=rows,
        cases=[facets for _, facets in places],
        note=f"{counted}.{sentences.others(of - len(shown))}",
    )
