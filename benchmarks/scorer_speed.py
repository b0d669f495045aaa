"""How many answers of 100 words each rule scorer judges in a second, on one core.

    python benchmarks/scorer_speed.py [--sources 150] [--rounds 3] [--only facts]

As in a run with five samples, all sources are answered once, then once more, ten times in all. Three rates are given:

- first: of the first answer on a source, which has to be read (its figures, names, words, rows);
- second: what was read is kept (`harness.scoring.base`), and what the first answer did not need is read now;
- later: of the sixth answer to the tenth, when the source has been read.

What the last few answers hold is kept for the other scorers of a suite, which does not help here, as none is judged
twice; single figures and keys of names are kept, too. Each round has sources of its own, so that a first answer is a
first one. `speed_answers` says what they are.

The time is the process's own, and the figure is the best of the rounds, as other work on the machine can only slow one
down. The target is 5,000 later answers a second: a source is as long as it is, and is read once. Left out are the
scorers that ask a model or a metric of another library: `support`, `bridge` and judges.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

import speed_answers as made  # noqa: E402

from harness.runs.provenance import environment  # noqa: E402
from harness.scoring import cited_evidence, json_answer, labels, multiple_choice, numeric, short_answer, summaries  # noqa: E402
from harness.scoring.base import Scorer  # noqa: E402
from harness.scoring.brand import voice  # noqa: E402
from harness.scoring.finance import report  # noqa: E402
from harness.scoring.grounding import facts, figures, names, quotations, registry  # noqa: E402
from harness.scoring.legal import citations, clauses, cuad, key_terms, statute_questions  # noqa: E402
from harness.scoring.policy import guidelines  # noqa: E402

TARGET = 5_000
ANSWERS = 10
"""Answers to each source: of the baseline and of the tuned model, five samples each."""
LATER = 5
"""Answers to a source after which it counts as read."""
SCHEMA = {"type": "object", "required": ["field_0"], "properties": {"field_0": {"type": "integer"}}}
LISTED = registry.of(
    [
        registry.RegisteredName("guideline", f"Guideline {number}.{part}", ())
        for number in range(1, 51)
        for part in range(1, 11)
    ]
    + [registry.RegisteredName("department", f"{name} Records Department", ()) for name in made.NAMES],
    complete=["guideline"],
)
"""A closed list of 508 names."""
ROWS: list[tuple[str, Scorer, made.Maker]] = [
    ("citations", citations.fabricated, made.plain_words),
    ("figures", figures.ungrounded, made.plain_words),
    ("names", names.fabricated, made.plain_words),
    ("quotes", quotations.fabricated, made.plain_words),
    ("facts (all of these)", facts.fabricated, made.plain_words),
    ("facts, closed list", facts.among(LISTED), made.plain_words),
    ("facts, summaries", facts.fabricated, made.SUMMARIES),
    ("terms, summaries", key_terms.covered, made.SUMMARIES),
    ("plain_summary", summaries.summary, made.plain_words),
    ("clauses, lists", clauses.among(made.CLAUSE_NAMES), made.listed_clauses),
    ("clauses, prose", clauses.found, made.plain_words),
    ("each clause", clauses.by_type(made.CLAUSE_NAMES), made.LONG),
    ("quoted_clauses", cuad.quoted, made.quoted),
    ("grounded", statute_questions.cited, made.CITATIONS),
    ("guidelines", guidelines.answered, made.HANDBOOKS),
    ("fact_sheets", report.report, made.REPORTS),
    ("voice, in voice", voice.in_style(made.STYLE), made.VOICE),
    ("voice, drafts", voice.in_style(made.STYLE), made.drafts),
    ("labels", labels.among(["Entailment", "Contradiction"], until="["), made.labelled),
    ("evidence_spans", cited_evidence.cited, made.labelled),
    ("answers.accepted", short_answer.accepted, made.plain_words),
    ("answers.given", short_answer.given, made.plain_words),
    ("numeric", numeric.within(), made.numbers),
    ("json_answers", json_answer.matching(SCHEMA), made.fields),
    ("options", multiple_choice.likeliest("ABC"), made.options),
]


def answered(maker: made.Maker, sources: int, seed: str) -> list[list[made.Pair]]:
    """An answer to each source, ten times."""
    asked = list(maker(random.Random(seed), sources))
    return [
        [(case, made.completion(text())) for case, text in (of[turn % len(of)] for of in asked)]
        for turn in range(ANSWERS)
    ]


def seconds(scorer: Scorer, pairs: Sequence[made.Pair]) -> float:
    """Time for one answer, on average."""
    start = time.process_time()
    for case, completion in pairs:
        scorer(case, completion)
    return (time.process_time() - start) / len(pairs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="measure only rows whose name holds this")
    options, here = parser.parse_args(), environment()
    print(f"{here['processor']}, Python {here['python']}, one core; {options.sources} sources")
    print("Answers a second: the first reads its source, the second what the first did not need, later ones nothing.")
    print(f"{'':22} {'first':>8} {'second':>8} {'later':>8}   {'source':>6} {'answer':>6} {'findings':>8}")
    slow = 0
    for name, scorer, maker in ROWS:
        if options.only not in name:
            continue
        best = [float("inf")] * ANSWERS
        for number in range(options.rounds):
            turns = answered(maker, options.sources, f"{name} {number}")
            best = [min(least, seconds(scorer, turn)) for least, turn in zip(best, turns, strict=True)]
        rates = [1 / best[0], 1 / best[1], (ANSWERS - LATER) / sum(best[LATER:])]
        below = rates[-1] < TARGET
        slow += below
        mark = f"   below {TARGET:,}" if below else ""
        print(f"{name:22} {' '.join(f'{rate:8,.0f}' for rate in rates)}   {described(scorer, turns[-1])}{mark}")
    return min(slow, 1)


def described(scorer: Scorer, pairs: Sequence[made.Pair]) -> str:
    """Words of a source and of an answer, and findings of the scorer, on average."""
    source = sum(len(case.document.split()) for case, _ in pairs) / len(pairs)
    answer = sum(len(completion.text.split()) for _, completion in pairs) / len(pairs)
    findings = sum(len(scorer(case, completion).spans) for case, completion in pairs) / len(pairs)
    return f"{source:6,.0f} {answer:6,.0f} {findings:8.1f}"


if __name__ == "__main__":
    raise SystemExit(main())
