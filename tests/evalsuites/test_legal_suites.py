"""The suites of Georgia instruments: right answers pass, rote fails, training rows are apart, READMEs are true."""

from collections import Counter
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from evalsuites.legal.clauses.floor import PATTERNS
from evalsuites.legal.instruments.bag_of_words import BagOfWords
from evalsuites.legal.instruments.documents import clause_types
from harness.schema import Case, Completion, Record
from harness.scoring.legal.each_clause import by_type, slug
from harness.suites.suite import Suite
from tests.evalsuites.judging import answered, judged_by_pytest, levels, outcomes

NAMES = ("citations", "clauses", "clauses_long", "extraction", "summaries")
RIGHT: dict[str, Callable[[Case], str]] = {
    "citations": lambda case: case.tags["answer"],
    "clauses": lambda case: "; ".join(case.expected) or "none",
    "clauses_long": lambda case: case.input["places"] or "none",
    "extraction": lambda case: "\n".join(case.expected) or "none",
    "summaries": lambda case: "; ".join(case.expected),
}
LEAST_CASES = {"citations": 300, "clauses": 800, "clauses_long": 400, "extraction": 500, "summaries": 140}
LEAST_ROWS = 1000
every_suite = pytest.mark.parametrize("name", NAMES)


def suite_of(name: str) -> Suite:
    return import_module(f"evalsuites.legal.{name}.test_{name}").suite


def cases_of(name: str) -> ModuleType:
    return import_module(f"evalsuites.legal.{name}.cases")


@cache
def training(name: str, split: str = "train") -> list[tuple[Case, str]]:
    module = cases_of(name)
    return list(module.training_pairs(split, module.ROWS[split], 0))


@cache
def records(name: str, answer: Callable[[Case], str]) -> list[Record]:
    return answered(suite_of(name), answer)


@every_suite
def test_a_suite_has_enough_cases_of_many_instruments(name):
    cases = suite_of(name).cases
    assert len(cases) >= LEAST_CASES[name]
    assert len({case.cluster for case in cases}) >= 100
    assert len({str(case.input) for case in cases}) == len(cases)


@every_suite
def test_right_answers_pass_every_gate(name):
    result = outcomes(suite_of(name), records(name, RIGHT[name]))
    assert result and set(result.values()) == {"pass"}


@every_suite
def test_there_are_a_thousand_training_rows_with_right_answers(name):
    pairs = training(name)
    assert len(pairs) >= LEAST_ROWS and len({str(case.input) for case, _ in pairs}) > 0.9 * len(pairs)
    assert training(name) == list(cases_of(name).training_pairs("train", cases_of(name).ROWS["train"], 0))
    other = cases_of(name).training_pairs("train", 50, 1)
    assert [case.input for case, _ in pairs[:50]] != [case.input for case, _ in other]


@every_suite
def test_no_training_row_comes_from_an_instrument_of_the_suite_or_of_validation(name):
    sources = [{case.cluster for case in suite_of(name).cases}]
    sources += [{case.cluster for case, _ in training(name, split)} for split in ("train", "dev")]
    assert all(not one & other for one in sources for other in sources if one is not other)


@cache
def bag_of_words(name: str) -> Callable[[Case], str]:
    return BagOfWords(training(name)).answer


def always(text: str) -> Callable[[Case], str]:
    return lambda case: text


def everything(case: Case) -> str:
    return case.input["clause_types"]


def with_near_misses(case: Case) -> str:
    return "; ".join([*case.expected, *filter(None, case.input["near_misses"].split("; "))]) or "none"


def wrong_paragraphs(case: Case) -> str:
    return "; ".join(f"{name} (99)" for name in case.expected) or "none"


def whole(case: Case) -> str:
    return case.document


def stale(case: Case) -> str:
    return "; ".join(case.expected) + "; " + case.tags.get("stale", "").replace(" + ", ", ")


def invented_fee(case: Case) -> str:
    return "; ".join(case.expected) + "; a fee of $999,937"


ROTE = [
    ("clauses", "keyword floor", "clause_recall-at_least-0.95"),
    ("clauses", "keyword floor", "near_miss_rate-at_most-0.1"),
    ("clauses", "bag of words", "clause_recall-at_least-0.95"),
    ("clauses", everything, "clause_precision-at_least-0.9"),
    ("clauses", with_near_misses, "near_miss_rate-at_most-0.1"),
    ("clauses", whole, "clause_precision-at_least-0.9"),
    ("clauses", always("none"), "clause_recall-at_least-0.95"),
    ("clauses_long", "keyword floor", "clause_precision-at_least-0.95"),
    ("clauses_long", "keyword floor", "false_alarm_rate-at_most-0.05"),
    ("clauses_long", "bag of words", "clause_precision-at_least-0.95"),
    ("clauses_long", everything, "false_alarm_rate-at_most-0.05"),
    ("clauses_long", with_near_misses, "near_miss_rate-at_most-0.05"),
    ("clauses_long", wrong_paragraphs, "placed_rate-at_least-0.9"),
    ("extraction", "keyword floor", "span_recall-at_least-0.9"),
    ("extraction", whole, "span_precision-at_least-0.85"),
    ("extraction", always("none"), "span_recall-at_least-0.9"),
    ("summaries", "keyword floor", "critical_term_recall-at_least-0.9"),
    ("summaries", whole, "answer_words-at_most-140"),
    ("summaries", stale, "stale_term_rate-at_most-0.1"),
    ("summaries", invented_fee, "fabrication_response_rate-at_most-0.05"),
    ("citations", "keyword floor", "accuracy-at_least-0.9"),
    ("citations", always("not in the document"), "citation_recall-at_least-0.9"),
    ("citations", always("O.C.G.A. § 44-14-162"), "answered_unanswerable_rate-at_most-0.05"),
]


@pytest.mark.parametrize(("name", "answer", "gate"), ROTE)
def test_an_answer_without_understanding_fails_the_gate(name, answer, gate):
    if answer == "keyword floor":
        answer = suite_of(name).floor
    elif answer == "bag of words":
        answer = bag_of_words(name)
    assert outcomes(suite_of(name), records(name, answer))[gate] == "fail"


@pytest.mark.parametrize("forgotten", ["due on sale", "holdover"])
def test_a_model_that_forgets_one_clause_fails_the_gate_of_that_clause(forgotten):
    result = outcomes(
        suite_of("clauses_long"),
        records("clauses_long", lambda case: "; ".join(n for n in case.expected if n != forgotten) or "none"),
    )
    failed = {gate for gate, outcome in result.items() if gate.startswith("recall_of") and outcome != "pass"}
    assert failed == {f"recall_of_{slug(forgotten)}-at_least-0.8"}


def test_the_floor_knows_every_clause_type_and_each_has_a_gate():
    assert set(PATTERNS) == set(clause_types())
    for name in ("clauses", "clauses_long"):
        gates = (suite_of(name).folder / "gates.toml").read_text("utf-8")
        assert [n for n in clause_types() if f'"recall_of_{slug(n)}"' not in gates] == []


def done(text: str) -> Completion:
    return Completion(key="k", text=text, finish_reason="stop", prompt_tokens=1, output_tokens=1)


CASE = Case(
    id="x",
    input={
        "document": "d",
        "clause_types": "as-is; repair; insurance",
        "near_misses": "insurance",
        "places": "as-is (2, 4); repair (3)",
    },
    expected=["as-is", "repair"],
    cluster="x",
)


def test_each_clause_is_counted_by_itself_and_a_near_miss_that_was_taken_is_seen():
    score = by_type(tuple(PATTERNS))(CASE, done("repair; insurance"))
    counts = {name: (score.counts[f"found_{slug(name)}"], score.counts[f"there_{slug(name)}"]) for name in PATTERNS}
    assert counts == dict.fromkeys(PATTERNS, (0, 0)) | {"as-is": (0, 1), "repair": (1, 1)}
    assert (score.counts["taken"], score.counts["near_misses"], score.extracted["taken"]) == (1, 1, ["insurance"])
    assert by_type(tuple(PATTERNS))(CASE, done("")).counts["found_repair"] == 0
    assert by_type(tuple(PATTERNS))(CASE, done("as-is; repair")).value == 1.0


@pytest.mark.parametrize(
    ("text", "misplaced"),
    [
        ("as-is (2, 4); repair (3)", []),
        ("as-is (4); repair (3)", []),
        ("as-is (2, 5); repair (3)", ["as-is"]),
        ("as-is; repair", ["as-is", "repair"]),
        ("- repair clause: paragraph 3\n- as-is [2]", []),
        ("1. as-is (2)\n2. repair (2)", ["repair"]),
        ("none", []),
    ],
)
def test_a_clause_is_placed_by_the_paragraphs_after_its_name(text, misplaced):
    score = by_type(tuple(PATTERNS), with_places=True)(CASE, done(text))
    assert score.extracted["misplaced"] == misplaced
    assert score.counts["named"] - score.counts["placed"] == len(misplaced)


def test_a_user_s_pytest_passes_right_answers(tmp_path):
    answers = {case.id: RIGHT["clauses"](case) for case in suite_of("clauses").cases}
    code, verdicts = judged_by_pytest("legal/clauses", answers, tmp_path)
    assert code == 0
    assert {verdict.outcome for verdict in verdicts} == {"pass", "skipped"}


def facts(name: str) -> list[str]:
    """Sentences of a README that are measured here: the numbers of cases, and the keyword floor's levels."""
    suite = suite_of(name)
    instruments = len({case.cluster for case in suite.cases})
    kinds = Counter(case.tags["kind"] for case in suite.cases)
    rivals = [suite.floor, *([bag_of_words(name)] if name.startswith("clauses") else [])]
    measured = [levels(suite, records(name, rival)) for rival in rivals]
    shown = README[name]
    return [
        f"{len(suite.cases):,} cases of {instruments} instruments",
        *(f"{count:,} `{kind}`" for kind, count in kinds.items()),
        *(
            ", ".join(f"`{metric}` {each[metric].value:.3f}" for metric in shown if each[metric].value is not None)
            for each in measured
        ),
        f"{len(training(name)):,} training rows",
    ]


README = {
    "citations": ("accuracy", "citation_recall", "answered_unanswerable_rate"),
    "clauses": ("clause_recall", "clause_precision", "clause_exact_set", "false_alarm_rate", "near_miss_rate"),
    "clauses_long": ("clause_recall", "clause_precision", "placed_rate", "near_miss_rate"),
    "extraction": ("span_recall", "span_precision", "span_false_alarm_rate"),
    "summaries": ("term_recall", "critical_term_recall", "complete_summary_rate"),
}


@every_suite
def test_the_readme_states_counts_and_floor_as_measured(name):
    text = " ".join((Path(suite_of(name).folder) / "README.md").read_text("utf-8").split())
    assert [fact for fact in facts(name) if fact not in text] == []
