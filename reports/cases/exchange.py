"""What the models were asked, and their answers with the word difference laid over the scorers' findings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import accumulate, groupby, pairwise
from operator import itemgetter
from typing import Literal, cast

from harness.schema import Case, Record, Span, SuiteInfo
from harness.scoring.grounding.claims import BORNE_OUT, FABRICATED
from harness.suites.prompts import Message, recorded_messages
from reports import sentences, wording
from reports.cases.read import EXCERPT, Fabrication, RecordSource, fabrications, shown_input
from reports.cases.select import SelectedCase
from reports.model import Answer, Exchange, Piece, Tone

Change = Literal["same", "removed", "added"]
Stretch = tuple[int, int, Change]

WORD = re.compile(r"\w+\s*|[^\w\s]\s*|\s+")
"""A word or one punctuation mark, with the white space after it; all of them joined give a text back."""


def compare(baseline: str, tuned: str) -> tuple[list[Stretch], list[Stretch]]:
    """Stretches of either text in code points: what only one of them says is removed or added.

    White space alone makes no difference; a word counts with what follows it, which also leaves the search a tenth of
    the pairs to try.
    """
    left, right = WORD.findall(baseline), WORD.findall(tuned)
    bare, other = ([word.strip() for word in side] for side in (left, right))
    head = _common(bare, other)
    tail = _common(bare[head:][::-1], other[head:][::-1])
    middle = SequenceMatcher(None, bare[head : len(bare) - tail], other[head : len(other) - tail], autojunk=False)
    blocks = [("equal", 0, head, 0, head)]
    blocks += [(tag, i1 + head, i2 + head, j1 + head, j2 + head) for tag, i1, i2, j1, j2 in middle.get_opcodes()]
    blocks += [("equal", len(left) - tail, len(left), len(right) - tail, len(right))]
    before = [part for tag, i1, i2, _, _ in blocks for part in _parts(tag, "removed", "".join(left[i1:i2]))]
    after = [part for tag, _, _, j1, j2 in blocks for part in _parts(tag, "added", "".join(right[j1:j2]))]
    return _joined(before), _joined(after)


def pieces(record: Record, stretches: list[Stretch]) -> list[Piece]:
    """Cut an answer wherever a change or a finding starts or ends; a finding is named where it ends."""
    text = record.completion.answer
    spans = [s for score in record.scores.values() for s in score.spans if _points_into(s, text)]
    edges = {e for a, b, _ in stretches for e in (a, b)} | {e for s in spans for e in (s.start, s.end)}
    cut = []
    waiting = iter([*stretches, (len(text), len(text), "same")])
    stretch = next(waiting)
    for a, b in pairwise(sorted(edges | {0, len(text)})):
        while a >= stretch[1] < len(text):
            stretch = next(waiting)
        here = [s for s in spans if s.start <= a < s.end]
        finding = "; ".join(dict.fromkeys(wording.verdict_on(s.kind, s.verdict) for s in here if s.end == b))
        cut.append(Piece(text=text[a:b], change=stretch[2], finding=finding, tone=tone(here)))
    return cut


def _common(left: list[str], right: list[str]) -> int:
    """How many words both start with; the quadratic search is left for what lies between."""
    return next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))


def _parts(tag: str, change: Change, text: str) -> list[tuple[str, str]]:
    """A stretch by kind; the white space that ends a change is none of it."""
    if tag == "equal":
        return [("same", text)]
    body = text.rstrip()
    return [(change, body), ("same", text[len(body) :])]


def _joined(parts: list[tuple[str, str]]) -> list[Stretch]:
    """Parts as offsets, where white space and marks between two changes belong to the change."""
    joined: list[tuple[str, str]] = []
    by_kind = groupby((part for part in parts if part[1]), key=itemgetter(0))
    runs = [(kind, "".join(text for _, text in group)) for kind, group in by_kind]
    for i, (kind, text) in enumerate(runs):
        between = joined and i + 1 < len(runs) and joined[-1][0] != "same" and not re.search(r"\w", text)
        own = joined[-1][0] if kind == "same" and between else kind
        if joined and joined[-1][0] == own:
            joined[-1] = (own, joined[-1][1] + text)
        else:
            joined.append((own, text))
    ends = list(accumulate(len(text) for _, text in joined))
    return [(end - len(text), end, cast(Change, kind)) for (kind, text), end in zip(joined, ends, strict=True)]


def tone(spans: list[Span]) -> Tone:
    """The gravest verdict's tone."""
    verdicts = {span.verdict for span in spans}
    if verdicts & FABRICATED:
        return "bad"
    return "caution" if verdicts - BORNE_OUT else "good" if verdicts else "plain"


def _points_into(span: Span, text: str) -> bool:
    return 0 <= span.start < span.end <= len(text) and text[span.start : span.end] == span.quote


def asked(suite: SuiteInfo, case: Case, longest: int = EXCERPT) -> tuple[str, str, str]:
    """Return what the excerpt of a case is of, its text, and how much of the input it holds.

    Inputs are cut to `longest` characters before the template is filled. Runs of older versions hold no template: of
    these the input is shown.
    """
    whole = shown_input(case.input)
    messages = chat(suite, case, longest)
    if messages:
        size = sum(len(text) for text in case.input.values())
        left = sum(max(0, len(text) - longest) for text in case.input.values())
        note = f"as sent; {wording.excerpt(size - left, size)} of the case"
        return "Prompt", "\n\n".join(f"{m['role']}: {m['content']}" for m in messages), note
    return "Input", whole[:longest], wording.excerpt(min(longest, len(whole)), len(whole))


def chat(suite: SuiteInfo, case: Case, longest: int = EXCERPT) -> list[Message]:
    """Return the messages of a case with its inputs cut; empty where the run holds no template that can be filled."""
    given = {name: text[:longest] + (" […]" if len(text) > longest else "") for name, text in case.input.items()}
    return recorded_messages(suite.prompt, Case(id=case.id, input=given, expected=case.expected, cluster=case.cluster))


def exchange(case: SelectedCase, source: RecordSource) -> Exchange:
    """A case with its answers side by side; answers are never cut."""
    tuned = source.read(case.tuned.number)
    baseline = source.read(case.baseline.number) if case.baseline else None
    what, excerpt, note = asked(case.suite, tuned.case)
    return Exchange(
        case_id=tuned.case.id,
        source=_named(case.suite.cluster, tuned.case.cluster),
        kind=case.kinds[0],
        why=_why(case),
        asked=what,
        excerpt=excerpt,
        excerpt_note=note,
        expected="\n".join(tuned.case.expected) or "(nothing: the document has none)",
        answers=_answers(baseline, tuned),
        anchor=case.anchor,
        facets=case.facets,
    )


def _named(noun: str, cluster: str) -> str:
    """Put the noun before the name of a cluster that does not begin with it."""
    return cluster if cluster.casefold().startswith(wording.phrase(noun)) else f"{wording.title(noun)} {cluster}"


def _answers(baseline: Record | None, tuned: Record) -> list[Answer]:
    """Both answers with what only one of them says; one alone where the other was not asked or not kept."""
    text = tuned.completion.answer
    before, after = compare(baseline.completion.answer if baseline and baseline.text_kept else text, text)
    answers = [_answer(tuned, after)]
    if baseline is not None:
        answers.insert(0, _answer(baseline, before if baseline.text_kept else []))
    return answers


def _why(case: SelectedCase) -> str:
    """Say why the case is shown: what changed, which of its claims nothing supports, what failed."""
    pair, kinds = case.pair, case.kinds
    changes = pair.changes(case.suite.metrics) if pair else []
    moved = sentences.moved({m.name: c or 0.0 for m, c in zip(case.suite.metrics, changes, strict=False)})
    new, kept = (pair.new, pair.persisting) if pair and pair.has_both_texts else ([], [])
    is_compared = any(change is not None for change in changes)
    parts = [moved or ("No metric changed" if is_compared else ""), _counted(new, "new")]
    if kept:
        parts.append(f"{_counted(kept)} by both models")
    if not (new or kept):
        parts.append(_counted(case.tuned.claims))
    if "error" in kinds:
        parts.append("an answer or a score failed")
    if "wrong" in kinds and not moved:
        parts.append("wrong as before" if case.wrong_before else "wrong")
    if kinds[0] == "other":
        parts.append("not wrong" if case.measured else "not measured")
    return wording.capital("; ".join(filter(None, parts))) or "No score to compare"


def _counted(claims: Sequence[Fabrication], kind: str = "") -> str:
    return wording.counts(Counter(claim.noun for claim in claims), kind)


def status(record: Record) -> str:
    """Say why an answer is not whole; empty for a usable one."""
    if record.completion.finish_reason == "length":
        return f"cut at {wording.count(record.completion.output_tokens, 'token')}"
    if record.error is not None:
        return f"no answer: {record.error}"
    if not record.text_kept:
        return sentences.NO_TEXT
    return "" if record.completion.answer.strip() else "empty answer"


def _answer(record: Record, stretches: Sequence[Stretch]) -> Answer:
    findings = [f"{wording.title(name)}: {score.reason}" for name, score in record.scores.items() if score.reason]
    for name, score in record.scores.items():
        findings += [
            f"{wording.title(name)}, {wording.findings_of(key, score.extracted)}: {wording.listing(items)}"
            for key, items in score.extracted.items()
            if items
        ]
    findings += [
        f"{wording.capital(wording.verdict_on(f.kind, f.verdict))}: {f.quote}" + (f" ({f.reason})" if f.reason else "")
        for f in fabrications(record)
    ]
    return Answer(
        variant=wording.variant(record.variant),
        pieces=pieces(record, list(stretches)),
        status=status(record),
        findings=list(dict.fromkeys(findings)),
    )
