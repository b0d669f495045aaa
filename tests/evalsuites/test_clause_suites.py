"""The suites that name clauses: every clause type is counted by itself, placed by its paragraphs, and has a gate."""

import re

import pytest

from evalsuites.legal.clause_names import OTHER_NAMES, other_names
from evalsuites.legal.clauses.floor import PATTERNS
from evalsuites.legal.instruments.documents import clause_types
from harness.schema import Case
from harness.scoring.legal.clauses import among, by_type, slug
from tests.evalsuites.judging import outcomes, records, suite_of
from tests.support.answers import answer


@pytest.mark.parametrize("forgotten", ["due on sale", "holdover"])
def test_a_model_that_forgets_one_clause_fails_the_gate_of_that_clause(forgotten):
    result = outcomes(
        suite_of("legal/clauses_long"),
        records("legal/clauses_long", lambda case: "; ".join(n for n in case.expected if n != forgotten) or "none"),
    )
    failed = {gate for gate, outcome in result.items() if gate.startswith("recall_of") and outcome != "pass"}
    assert failed == {f"recall_of_{slug(forgotten)}-at_least-0.8"}


def test_the_floor_knows_every_clause_type_and_each_has_a_gate():
    assert set(PATTERNS) == set(clause_types())
    for name in ("clauses", "clauses_long"):
        gates = (suite_of(f"legal/{name}").folder / "gates.toml").read_text("utf-8")
        assert [n for n in clause_types() if f'"recall_of_{slug(n)}"' not in gates] == []


def test_each_other_name_of_a_clause_type_is_read_as_that_type_alone():
    names = other_names(clause_types())
    assert len(names) == len(re.findall("[;:]", OTHER_NAMES)) and {*names.values()} <= clause_types().keys()
    score = among(tuple(clause_types()), names)
    cases = {name: Case(id="x", input={}, expected=[label], cluster="x") for name, label in names.items()}
    assert [name for name, case in cases.items() if score(case, answer(f"{name}; none of the others")).value != 1] == []


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
    score = by_type(tuple(PATTERNS))(CASE, answer("repair; insurance"))
    counts = {name: (score.counts[f"found_{slug(name)}"], score.counts[f"there_{slug(name)}"]) for name in PATTERNS}
    assert counts == dict.fromkeys(PATTERNS, (0, 0)) | {"as-is": (0, 1), "repair": (1, 1)}
    assert (score.counts["taken"], score.counts["near_misses"], score.extracted["taken"]) == (1, 1, ["insurance"])
    assert by_type(tuple(PATTERNS))(CASE, answer("")).counts["found_repair"] == 0
    assert by_type(tuple(PATTERNS))(CASE, answer("as-is; repair")).value == 1.0


@pytest.mark.parametrize(
    ("text", "misplaced"),
    [
        ("as-is (2, 4); repair (3)", []),
        ("as-is (4); repair (3)", []),
        ("as-is (2, 4), repair (3)", []),
        ("as-is (2, 5); repair (3)", ["as-is"]),
        ("as-is; repair", ["as-is", "repair"]),
        ("- repair clause: paragraph 3\n- as-is [2]", []),
        ("1. as-is (2)\n2. repair (2)", ["repair"]),
        ("as-is (2): within 45 days\nrepair [8]", ["repair"]),
        ("none", []),
    ],
)
def test_a_clause_is_placed_by_the_paragraphs_after_its_name(text, misplaced):
    score = by_type(tuple(PATTERNS), with_places=True)(CASE, answer(text))
    assert score.extracted["misplaced"] == misplaced
    assert score.counts["named"] - score.counts["placed"] == len(misplaced)
