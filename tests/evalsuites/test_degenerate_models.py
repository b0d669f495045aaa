"""Models that know nothing pass no suite, and a model that is always right passes every bar it can be held to.

Asked of every suite, without an engine: a rule gives the answers, the suite's own scorers and gates judge them.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest

from evalsuites.brand.voice import cases as voice
from harness.errors import Unavailable
from harness.gates.config import load_gates
from harness.gates.judge import judge
from harness.schema import BASELINE, CANDIDATE, Case, Completion, GateFile, Record, Verdict
from harness.scoring.base import run
from harness.scoring.grounding.claims import BORNE_OUT, FABRICATED, OTHER
from harness.suites.discovery import find_suites
from harness.suites.suite import Suite

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in (ROOT / "evalsuites").rglob("gates.toml"))
NAMES = [f"{folder.parent.name}/{folder.name}" for folder in FOLDERS]
ABSOLUTE = ("at_least", "at_most", "never", "no_worse")
"""Rules that a model is held to whatever the baseline is; `no_worse` is judged against right answers."""
COPIED = 4000
"""Characters of a source that are copied, more than any answer may hold."""
MOST = 40
"""Answers of the suite that a model which answers everything strings together."""

Rule = Callable[[Suite, Case], str]


def everything(suite: Suite, case: Case) -> str:
    return "; ".join(sorted({answer for other in suite.cases for answer in other.expected})[:MOST])


def copied(suite: Suite, case: Case) -> str:
    return (case.document or "\n".join(case.input.values()))[:COPIED]


def keywords(suite: Suite, case: Case) -> str:
    return suite.floor(case) if suite.floor else ""


RULES: dict[str, Rule] = {
    "always yes": lambda suite, case: "Yes.",
    "always no": lambda suite, case: "No.",
    "always none": lambda suite, case: "none",
    "always declines": lambda suite, case: "The document does not say.",
    "refuses": lambda suite, case: "I'm sorry, but I cannot help with that.",
    "empty": lambda suite, case: "",
    "everything": everything,
    "copies the source": copied,
    "keywords": keywords,
}


@cache
def suite_in(folder: Path) -> Suite:
    (suite,) = find_suites([str(folder)])
    return suite


def suite_of(folder: Path) -> Suite:
    suite = suite_in(folder)
    try:
        suite.cases  # noqa: B018 - loading them is the check
    except Unavailable as missing:
        pytest.skip(str(missing))
    return suite


def record(suite: Suite, case: Case, variant: str, text: str) -> Record:
    completion = Completion(key=variant, text=text, finish_reason="stop", prompt_tokens=1, output_tokens=1)
    return Record(
        case=case,
        variant=variant,
        input_hash=case.id,
        prompt_hash="",
        expected_hash="",
        completion=completion,
        scores=run(suite.scorers, case, completion),
    )


def right_answer(folder: Path) -> Callable[[Case], str]:
    """What is expected, as a list, or the right answers of the suite's generator where many answers are right."""
    if folder.name == "voice":
        texts = voice.right_answers()
        return lambda case: texts[case.id]
    if folder.name == "handbook":
        return lambda case: case.input["answer"]
    if folder.name == "clauses_long":
        return lambda case: case.input["places"] or "none"
    joint = "\n" if folder.name == "extraction" else "; "
    return lambda case: joint.join(case.expected) or "none"


@cache
def right_records(folder: Path) -> list[Record]:
    """Right answers to all cases, as the baseline's."""
    suite, right = suite_in(folder), right_answer(folder)
    return [record(suite, case, BASELINE, right(case)) for case in suite.cases]


def verdicts(folder: Path, answer: Callable[[Case], str], rules: Sequence[str] = ABSOLUTE) -> list[Verdict]:
    """Verdicts of the absolute gates on answers by rule, with right answers for a baseline."""
    suite = suite_in(folder)
    gates = load_gates(suite.gates_path)
    held = [gate for gate in gates.gate if gate.rule in rules]
    records = {CANDIDATE: [record(suite, case, CANDIDATE, answer(case)) for case in suite.cases]}
    if any(gate.rule == "no_worse" for gate in held):
        records[BASELINE] = right_records(folder)
    return judge(
        suite.name,
        GateFile(objective=gates.objective, gate=held),
        suite.metrics,
        records,
        expected_cases=len(suite.cases),
        slices=suite.slice_values(),
    )


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_a_model_that_knows_nothing_fails(folder: Path, rule: str) -> None:
    suite = suite_of(folder)
    if rule == "keywords" and suite.floor is None:
        pytest.skip("the suite has no keyword floor")
    found = verdicts(folder, lambda case: RULES[rule](suite, case))
    assert any(verdict.outcome in ("fail", "inconclusive") for verdict in found), [v.reason for v in found]
    assert any(verdict.outcome == "fail" for verdict in found), [v.reason for v in found]


@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_a_model_that_is_always_right_passes_every_bar(folder: Path) -> None:
    suite_of(folder)
    found = verdicts(folder, right_answer(folder), ("at_least", "at_most", "never"))
    if not found:
        pytest.skip("the suite holds a model to no bar of its own")
    assert [(v.gate, v.reason) for v in found if v.outcome != "pass"] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_every_verdict_on_a_span_has_a_standing(folder: Path) -> None:
    suite = suite_of(folder)
    right, some = right_answer(folder), suite.cases[:: max(1, len(suite.cases) // 20)]
    answers = [(case, text) for case in some for text in (right(case), copied(suite, case), right(suite.cases[-1]))]
    records = [record(suite, case, CANDIDATE, text) for case, text in answers]
    seen = {span.verdict for made in records for score in made.scores.values() for span in score.spans}
    assert seen <= BORNE_OUT | FABRICATED | OTHER
    assert seen & BORNE_OUT or not seen
