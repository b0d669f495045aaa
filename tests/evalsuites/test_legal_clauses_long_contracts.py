"""The contracts of legal/clauses_long: as committed, whole, sure of their labels, and enough to be judged by."""

import json
import os
import re
from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest

from evalsuites.legal.clauses.drafting import bank as short_bank
from evalsuites.legal.clauses.drafting.bank import ANY, CLAUSES, INSTRUMENTS, Entry
from evalsuites.legal.clauses_long import bank, cases
from evalsuites.legal.clauses_long.bank import CLAUSE_PLACES
from evalsuites.legal.clauses_long.contract import contracts
from harness.errors import UserError
from tests.evalsuites.long_contracts import BANKS, CASES, KEYS, SUITE, asked, near_misses, right
from tests.support.command import run_pytest


def marked(mark_clause: str, mark_miss: str) -> bank.LongBank:
    """The eval bank with one marked phrase for each clause and near miss."""

    def one(text: str) -> list[Entry]:
        return [Entry(text, style, tuple(INSTRUMENTS)) for style in ("formal", "modern")]

    return replace(
        BANKS["eval"],
        clauses={name: one(mark_clause.format(name)) for name in CLAUSES},
        decoys={name: one(mark_miss.format(name)) for name in CLAUSES} | {ANY: one(mark_miss.format("{clause}"))},
    )


def test_the_cases_are_those_of_the_committed_digest():
    assert cases.facts(CASES) == json.loads(cases.DIGEST.read_text("utf-8"))


def test_the_cached_cases_are_the_built_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path))
    assert cases.cases() == CASES
    assert len(list(tmp_path.rglob("cases.jsonl"))) == 1
    monkeypatch.setattr(cases, "build", lambda: pytest.fail("built twice"))
    assert cases.cases() == CASES


def test_cases_that_the_digest_does_not_stand_for_are_refused_and_not_cached(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path))
    monkeypatch.setattr(cases, "build", lambda: CASES[:-1])
    with pytest.raises(UserError, match=r"not those of cases_digest\.json .* run python -m"):
        cases.cases()
    assert list(tmp_path.rglob("cases.jsonl")) == []


def test_there_are_enough_contracts_for_98_percent_to_be_shown():
    assert len({case.cluster for case in CASES}) >= 500
    assert len(CASES) >= 1000
    assert set(Counter(case.cluster for case in CASES).values()) == {2}


def test_the_two_questions_on_a_contract_ask_about_different_clauses():
    for first, second in zip(CASES[::2], CASES[1::2], strict=True):
        assert first.document == second.document
        assert not set(asked(first)) & set(asked(second)) & set(CLAUSE_PLACES[KEYS[first.tags["instrument"]]])


def test_about_half_of_the_clauses_asked_about_are_absent_and_most_of_those_have_a_near_miss():
    absent = [name for case in CASES for name in asked(case) if name not in case.expected]
    assert 0.45 <= len(absent) / sum(len(asked(case)) for case in CASES) <= 0.6
    assert sum(len(near_misses(case)) for case in CASES) > 0.5 * len(absent)
    assert 0.12 <= sum(not case.expected for case in CASES) / len(CASES) <= 0.25


def test_what_is_there_and_what_nearly_is_are_asked_about_and_never_the_same():
    for case in CASES:
        assert set(case.expected) | set(near_misses(case)) <= set(asked(case))
        assert not set(case.expected) & set(near_misses(case))
        assert case.expected == [name for name in CLAUSES if name in case.expected]
        assert set(case.expected) <= set(CLAUSE_PLACES[KEYS[case.tags["instrument"]]])


def test_acceleration_is_not_asked_about_where_only_a_sale_makes_the_loan_due():
    contents: dict[str, list[str]] = {}
    for case in CASES:
        contents.setdefault(case.cluster, []).extend(case.expected)
    for case in CASES:
        if "acceleration" in asked(case) and "due on sale" in contents[case.cluster]:
            assert "acceleration" in contents[case.cluster]


def test_every_clause_is_there_often_enough_to_be_judged():
    there = Counter(name for case in CASES for name in case.expected)
    assert {name: there[name] for name in CLAUSES if there[name] < 100} == {}


def test_a_contract_is_labelled_with_the_clauses_drafted_into_it():
    """Long marks, so that they may stand inside a paragraph on something else, as phrases do."""
    mark = " {} stands here in more words than a heading would have."
    drafted = [c for c in contracts(marked("CLAUSE" + mark, "MISS" + mark), 90, "tiny") if c.style != "scanned"]
    assert len(drafted) == 60
    for contract in drafted:
        marks = re.findall(r"(CLAUSE|MISS) (.+?) stands here", contract.document)
        found = Counter((kind, name.lower()) for kind, name in marks)
        wanted = Counter(("CLAUSE", name) for name in contract.plan.present)
        assert found == wanted + Counter(("MISS", name) for name in contract.plan.near_misses)


def test_many_clauses_stand_inside_a_paragraph_on_something_else():
    sentence = "This sentence is {} and has no head of its own, being long enough."
    inside = Counter()
    for contract in contracts(marked(sentence, sentence), 90, "tiny"):
        if contract.style != "scanned":
            paragraphs = [part for part in contract.document.split("\n\n") if "no head of its own" in part]
            inside.update(len(part.split()) > 25 for part in paragraphs)
    assert 0.2 < inside[True] / inside.total() < 0.6


def test_contracts_are_whole_and_of_many_lengths():
    words = sorted(len(case.document.split()) for case in CASES[::2])
    assert words[0] >= 600
    assert words[len(words) // 10] >= 900
    assert 1100 <= words[len(words) // 2] <= 1600
    assert words[-1] >= 2200
    for contract in islice(contracts(BANKS["eval"], 30, "look"), 30):
        assert contract.paragraphs >= 12
        assert "signed: ___" in contract.document or "per ___" in contract.document
        assert "Schedule 1." in contract.document


def test_nothing_is_left_unfilled():
    assert [case.id for case in CASES if re.search(r"[{}@<>]|\.\.", case.document)] == []


def test_a_reference_points_at_a_paragraph_that_is_there():
    manners = ((r"^(\d+)\. ", r"paragraph (\d+)"), (r"^§ (\d+)\. ", r"Section (\d+)\b(?!\.\d)"))
    manners += ((r"^(\d+\.\d+) ", r"Section (\d+\.\d+)"), (r"^\((\d+)\) ", r"item (\d+)"))
    referred = 0
    for case in (case for case in CASES[::2] if case.tags["style"] != "scanned"):
        body = case.document.split("Schedule 1. The Land.")[0]
        for label, reference in manners:
            numbers, pointed = re.findall(label, body, re.M), re.findall(reference, body)
            referred += len(pointed)
            assert set(pointed) <= set(numbers) or not numbers, case.id
            assert len(numbers) == len(set(numbers))
    assert referred > 300


def test_a_contract_names_two_parties_and_the_same_two_throughout():
    companies = [*BANKS["eval"].pools["names"]["company"], *BANKS["eval"].pools["names"]["bank"]]
    for case in CASES[::2]:
        plain = " ".join(case.document.split())
        assert len([name for name in companies if name in plain]) == 2


def test_the_key_date_is_after_the_contract_and_every_other_date_before_it():
    years = {key: [int(year) for year in re.findall(r", (20\d\d)", case.document)] for key, case in enumerate(CASES)}
    effective = BANKS["eval"].pools["calendar"]["effective"]
    past = BANKS["eval"].pools["figures"]["year"]
    assert max(past) < min(effective)
    assert all(found and min(effective) <= max(found) for found in years.values())
    for contract in contracts(BANKS["eval"], 60, "dates"):
        opening = contract.document[:800]
        first = min(int(year) for year in re.findall(r", (20\d\d)", opening))
        assert first in effective


def test_the_bank_has_more_than_twice_the_phrases_of_the_short_suite():
    def count(some: dict[str, list[Entry]]) -> int:
        return sum(map(len, some.values()))

    assert count(BANKS["eval"].clauses) >= 2 * count(short_bank.load("eval").clauses)
    assert len({e.text for topics in BANKS["eval"].topics.values() for t in topics for e in t.entries}) >= 100


def test_collection_without_long_builds_nothing(tmp_path):
    command = ["evalsuites/legal/clauses_long", "--collect-only", "-q", "-p", "no:cacheprovider"]
    settings = os.environ | {"TUNEGATE_CACHE": str(tmp_path)}
    without = run_pytest(*command, cwd=SUITE.parents[2], env=settings)
    assert "1 test collected" in without.stdout
    assert list(tmp_path.iterdir()) == []
    whole = run_pytest(*command, "--long", cwd=SUITE.parents[2], env=settings)
    assert int(re.search(r"(\d+) tests collected", whole.stdout)[1]) > 2 * len(CASES)


@pytest.mark.slow
def test_every_prompt_leaves_room_for_an_answer_in_eight_thousand_tokens():
    from harness.checkpoints.resolve import embedded_model
    from harness.suites.prompts import Renderer, load_template, messages

    renderer, template = Renderer(embedded_model()), load_template(SUITE / "prompt.jinja")
    longest = sorted(CASES, key=lambda case: -len(case.document))[:20]
    assert max(len(renderer.prompt(messages(template, case)).ids) for case in longest) < 4000
    assert max(len(renderer.tokenizer.encode(right(case))) for case in CASES) < 40
