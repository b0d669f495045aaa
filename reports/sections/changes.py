"""Worst regressions, then best gains: what the models were asked, should have said, and said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from harness.schema import Record, SuiteInfo
from reports import diff, words
from reports.evidence import Evidence
from reports.model import Answer, Block, Exchange, Section, Text
from reports.pairs import Pair, both_texts, fabrications

MOST_REGRESSIONS = 10
MOST_GAINS = 5
EXCERPT = 1200
"""Code points of the input that are shown; answers are never cut."""
LEAD = (
    "Cases are ordered by how far the tuned answer moved over all metrics of the suite. The boxes hold untrusted text "
    "from documents and models, shown as it is. [− …] marks words that only the baseline says, [+ …] words that only "
    "the tuned model says, ✗ what a scorer rejects and ✓ what it accepts."
)


def section(evidence: Evidence) -> Section | None:
    blocks: list[Block] = []
    for suite in evidence.suites:
        moved = [(shift(p, suite), p) for p in evidence.pairs(suite.name)]
        worse = sorted(((s, p) for s, p in moved if s < 0), key=lambda m: (m[0], m[1].case.id))
        better = sorted(((s, p) for s, p in moved if s > 0), key=lambda m: (-m[0], m[1].case.id))
        if moved:
            blocks += _group(suite, "regression", [p for _, p in worse], MOST_REGRESSIONS)
            blocks += _group(suite, "gain", [p for _, p in better], MOST_GAINS)
    if not blocks:
        return None
    return Section(id="changes", title="Regressions and gains", lead=LEAD, blocks=blocks)


def shift(pair: Pair, suite: SuiteInfo) -> float:
    """Sum over the suite's metrics of the tuned answer's change for the better; negative is a regression."""
    return sum(c for c in (pair.change(m) for m in suite.metrics) if c is not None)


def _group(suite: SuiteInfo, kind: Literal["regression", "gain"], pairs: list[Pair], most: int) -> list[Block]:
    said = words.shown_of(kind, min(most, len(pairs)), len(pairs))
    if not both_texts(pairs):
        said += f"; {words.NO_TEXT}, so the tuned answer stands alone"
    made: list[Block] = [Text(text=f"{suite.name}: {said}.")]
    return made + [_exchange(suite, kind, pair) for pair in pairs[:most]]


def _exchange(suite: SuiteInfo, kind: Literal["regression", "gain"], pair: Pair) -> Exchange:
    case = pair.case
    source = case.document or "\n\n".join(f"{name}: {text}" for name, text in case.input.items())
    text = pair.tuned.completion.text
    before, after = diff.compare(pair.baseline.completion.text if pair.has_both_texts else text, text)
    return Exchange(
        case_id=case.id,
        source=f"{words.title(suite.cluster)} {case.cluster}",
        kind=kind,
        why=_why(pair, suite),
        excerpt=source[:EXCERPT],
        excerpt_note=words.excerpt(min(EXCERPT, len(source)), len(source)),
        expected="\n".join(case.expected) or "(nothing: the document has none)",
        answers=[_answer(pair.baseline, before if pair.has_both_texts else []), _answer(pair.tuned, after)],
    )


def _why(pair: Pair, suite: SuiteInfo) -> str:
    changes = {m.name: pair.change(m) or 0.0 for m in suite.metrics}
    new = [words.count(len(pair.new), "new fabrication")] if pair.new else []
    return "; ".join([words.moved(changes), *new])


def _answer(record: Record, stretches: Sequence[diff.Stretch]) -> Answer:
    status = ""
    if record.completion.finish_reason == "length":
        status = f"cut at {words.count(record.completion.output_tokens, 'token')}"
    elif record.error is not None:
        status = f"no answer: {record.error}"
    elif not record.text_kept:
        status = words.NO_TEXT
    elif not record.completion.text.strip():
        status = "empty answer"
    findings = [f"{words.title(name)}: {score.reason}" for name, score in record.scores.items() if score.reason]
    for name, score in record.scores.items():
        findings += [f"{words.title(name)}, {key}: {words.listing(v)}" for key, v in score.extracted.items() if v]
    findings += [
        f"{f.kind} {f.verdict}: {f.quote}" + (f" ({f.reason})" if f.reason else "") for f in fabrications(record)
    ]
    return Answer(
        variant=words.variant(record.variant),
        pieces=diff.pieces(record, list(stretches)),
        status=status,
        findings=list(dict.fromkeys(findings)),
    )
