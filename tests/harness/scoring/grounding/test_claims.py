"""What all scorers of claims share: failed and cut answers, denied claims, and verdicts with one standing."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.schema import Case, Score
from harness.scoring.base import Scorer, run
from harness.scoring.grounding import citations, claims, figures, names, quotations
from tests.support.answers import answer

SCORERS = Path(claims.__file__).parents[1]
KNOWN = claims.BORNE_OUT | claims.FABRICATED | claims.OTHER


def scored(scorer: Scorer, text: str, finish_reason: str = "stop", question: str = "") -> Score:
    inputs = {"document": "Pay $5.", "question": question}
    case = Case(id="x", input=inputs, expected=[], cluster="c", tags={"state": "Georgia"})
    return run([scorer], case, answer(text, finish_reason))[scorer.name]


@pytest.mark.parametrize(
    ("scorer", "claim", "fabricated"),
    [
        (citations.fabricated, "citations", "fabricated"),
        (figures.ungrounded, "figures", "ungrounded"),
        (names.fabricated, "names", "fabricated"),
        (quotations.fabricated, "quotes", "fabricated"),
    ],
)
def test_a_failed_completion_counts_as_one_fabricated_claim(scorer, claim, fabricated):
    assert scored(scorer, "", "error").counts == {claim: 1, fabricated: 1, "responses_with": 1}


@pytest.mark.parametrize(
    ("scorer", "whole", "broken"),
    [
        (citations.fabricated, "O.C.G.A. § 44-99-1", "O.C.G.A. § 44-14-16"),
        (figures.ungrounded, "$99", "$1,0"),
        (names.fabricated, "Brightwater Partners, Inc.", "Vesper Hol"),
        (quotations.fabricated, '"one two three four"', '"five six seven eight"'),
    ],
)
def test_a_claim_in_which_a_cut_answer_breaks_off_is_not_judged(scorer, whole, broken):
    assert [span.quote for span in scored(scorer, f"{whole} and {broken}", "length").spans] == [whole.strip('"')]
    assert len(scored(scorer, f"{whole} and {broken}.").spans) == 2


@pytest.mark.parametrize(
    ("scorer", "question", "denied", "stated"),
    [
        (
            citations.fabricated,
            "What does O.C.G.A. § 44-99-1 say?",
            "There is no O.C.G.A. § 44-99-1.",
            "O.C.G.A. § 44-99-1 allows it.",
        ),
        (figures.ungrounded, "Is there a $50 fee?", "There is no $50 fee.", "There is no fee. It is $50."),
        (
            names.fabricated,
            "What does Guideline 9.9 say?",
            "The handbook does not mention Guideline 9.9.",
            "There is no Guideline 9.8.",
        ),
        (
            quotations.fabricated,
            'Where is "the tenant may keep a dog"?',
            'The lease does not contain "the tenant may keep a dog".',
            'It says "the tenant may keep a dog" in part 2.',
        ),
    ],
)
def test_a_claim_of_the_question_that_the_answer_denies_is_not_counted(scorer, question, denied, stated):
    assert scored(scorer, denied, question=question).spans == []
    assert [span.verdict for span in scored(scorer, stated, question=question).spans] == ["ungrounded"]


def verdict_expressions(tree: ast.AST) -> Iterator[ast.expr]:
    """Expressions that a module passes or assigns as a span's verdict."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "verdict":
            yield node.value
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "make_span":
            yield node.args[3 if any(isinstance(argument, ast.Starred) for argument in node.args) else 4]
        elif isinstance(node, ast.Assign):
            target = node.targets[0]
            if isinstance(target, ast.Tuple) and getattr(target.elts[0], "id", "") == "verdict":
                options = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
                yield from (option.elts[0] for option in options if isinstance(option, ast.Tuple))
            elif getattr(target, "id", "") == "verdict":
                yield node.value


def stated() -> set[str]:
    """Words that the scorers' source gives as a span's verdict."""
    trees = [ast.parse(path.read_text("utf-8")) for path in SCORERS.rglob("*.py")]
    parts = [part for tree in trees for value in verdict_expressions(tree) for part in ast.walk(value)]
    return {part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)}


def test_no_verdict_has_two_standings() -> None:
    sizes = [len(claims.BORNE_OUT), len(claims.FABRICATED), len(claims.OTHER)]
    assert sum(sizes) == len(KNOWN)


def test_every_verdict_that_a_scorer_states_is_known() -> None:
    words = stated()
    assert {"supported", "found", "unreadable"} <= words
    assert words <= KNOWN
