"""Shows one case: what the models were asked, should have said, and said. Reads whole answers; counts nothing."""

from __future__ import annotations

from collections.abc import Sequence

from harness.schema import Record
from reports import case_words, diff, sentences, words
from reports.briefs import EXCERPT, fabrications, shown_input
from reports.chosen import Chosen
from reports.model import Answer, Exchange
from reports.source import Source


def exchange(case: Chosen, source: Source) -> Exchange:
    """A case with its answers side by side; answers are never cut."""
    tuned = source.read(case.tuned.number)
    baseline = source.read(case.baseline.number) if case.baseline else None
    given = shown_input(tuned.case.input)
    return Exchange(
        case_id=tuned.case.id,
        source=f"{words.title(case.suite.cluster)} {tuned.case.cluster}",
        kind=case.kinds[0],
        why=_why(case),
        excerpt=given[:EXCERPT],
        excerpt_note=words.excerpt(min(EXCERPT, len(given)), len(given)),
        expected="\n".join(tuned.case.expected) or "(nothing: the document has none)",
        answers=_answers(baseline, tuned),
        anchor=case.anchor,
        facets=case.facets,
    )


def _answers(baseline: Record | None, tuned: Record) -> list[Answer]:
    """Both answers with what only one of them says; one alone where the other was not asked or not kept."""
    text = tuned.completion.text
    before, after = diff.compare(baseline.completion.text if baseline and baseline.text_kept else text, text)
    found = [_answer(tuned, after)]
    if baseline is not None:
        found.insert(0, _answer(baseline, before if baseline.text_kept else []))
    return found


def _why(case: Chosen) -> str:
    """Why the case is shown, in words."""
    pair = case.pair
    changes = pair.changes(case.suite.metrics) if pair else []
    moved = sentences.moved({m.name: c or 0.0 for m, c in zip(case.suite.metrics, changes, strict=False)})
    new, kept = (len(pair.new), len(pair.persisting)) if pair and pair.has_both_texts else (0, 0)
    return case_words.why(case.kinds, moved, new, kept, len(case.tuned.claims), alone=pair is None)


def _answer(record: Record, stretches: Sequence[diff.Stretch]) -> Answer:
    status = ""
    if record.completion.finish_reason == "length":
        status = f"cut at {words.count(record.completion.output_tokens, 'token')}"
    elif record.error is not None:
        status = f"no answer: {record.error}"
    elif not record.text_kept:
        status = sentences.NO_TEXT
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
