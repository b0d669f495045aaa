"""Training rows of legal/clauses_long ask as the suite asks and share no wording, name or figure with it."""

import csv
import re
from functools import cache
from pathlib import Path

import pytest

import harness.scoring
from evalsuites.legal.clauses.drafting import generate as short_generate
from evalsuites.legal.clauses.drafting.bank import CLAUSES
from evalsuites.legal.clauses_long import bank, generate
from harness.schema import Case
from harness.suites.cases import load_cases
from tests.evalsuites.long_contracts import BANKS, CASES, SUITE, right
from tests.evalsuites.separation import shared_figures, shared_runs
from tests.support.command import run

STATUTE = re.compile(r"O\.C\.G\.A\. § ([\d.A-Z-]+\d)")


def documents(some: list[Case]) -> list[Case]:
    """One case a contract that holds nothing but its text."""
    texts = dict.fromkeys(case.document for case in some)
    return [Case(id="x", input={"document": text}, expected=[], cluster="x") for text in texts]


@cache
def training_documents() -> list[Case]:
    """Contracts of more training and dev rows than the defaults write."""
    pairs = [*generate.training_pairs("train", 800, 0), *generate.training_pairs("dev", 200, 1)]
    return documents([case for case, _ in pairs])


@cache
def short_training_documents() -> list[Case]:
    head = (short_generate.SUITE / "prompt.jinja").read_text("utf-8").splitlines()[2]
    rows = [*short_generate.training_rows("train", 3000, 0), *short_generate.training_rows("dev", 400, 1)]
    texts = [row["messages"][1]["content"].split(head)[1] for row in rows]
    return [Case(id="x", input={"document": text}, expected=[], cluster="x") for text in texts]


def test_every_statute_named_is_in_the_georgia_list():
    with (Path(harness.scoring.__file__).parent / "grounding" / "georgia_sections.csv").open(encoding="utf-8") as file:
        known = {row["section"] for row in csv.DictReader(file)}
    texts = [case.document for case in [*CASES, *training_documents()]]
    named = {section for text in texts for section in STATUTE.findall(" ".join(text.split()))}
    assert len(named) > 10
    assert named <= known


def test_no_phrase_is_on_both_sides():
    def plain(name: str) -> set[str]:
        return {re.sub(r"\W+", " ", text.lower()).strip() for text in BANKS[name].texts()}

    assert len(plain("train")) > 400
    assert plain("train") & plain("eval") == set()


def test_no_party_and_no_place_is_on_both_sides():
    def pool(name: str) -> set[str]:
        tables = [BANKS[name].pools[part] for part in ("names", "places")]
        return {str(v) for table in tables for key, values in table.items() if key != "office" for v in values}

    assert pool("train") & pool("eval") == set()
    for texts, name in ((documents(CASES), "train"), (training_documents(), "eval")):
        foreign = "|".join(re.escape(value) for value in pool(name) if "{" not in value and not value.isdigit())
        whole = "\n".join(case.document for case in texts)
        assert set(re.findall(rf"\b(?:{foreign})\b", whole)) == set()


@pytest.mark.parametrize("side", ["own", "short rows", "short suite"])
def test_training_shares_no_run_of_words_and_no_figure_with_either_suite(side):
    suite, rows = {
        "own": (documents(CASES), training_documents()),
        "short rows": (documents(CASES), short_training_documents()),
        "short suite": (load_cases(short_generate.SUITE / "cases.jsonl"), training_documents()),
    }[side]
    assert shared_runs(suite, rows) == set()
    assert shared_figures(suite, rows) == set()


def test_dev_rows_are_drafted_from_phrases_that_no_training_row_has():
    kept, held_out = bank.load("train", held_out=False), bank.load("train", held_out=True)
    for name in CLAUSES:
        assert held_out.clauses[name]
        assert not {e.text for e in kept.clauses[name]} & {e.text for e in held_out.clauses[name]}
    marks = [
        mark
        for entries in held_out.clauses.values()
        for entry in entries
        if len((mark := max(re.split(r"[<{][^>}]*[>}]", entry.text), key=len)).split()) >= 6
    ]
    train, dev = (" ".join(c.document for c, _ in generate.training_pairs(s, 200, 0)) for s in ("train", "dev"))
    assert [mark for mark in marks if mark in train] == []
    assert sum(mark in dev for mark in marks) > 0.5 * len(marks)


def test_training_rows_use_the_prompt_of_the_suite_and_answer_in_its_format():
    from evalsuites.generated import chat_rows

    pairs = list(generate.training_pairs("train", 60, 0))
    rows = list(chat_rows(SUITE, pairs))
    assert len(rows) == 60
    for (case, answer), row in zip(pairs, rows, strict=True):
        user = row["messages"][1]["content"]
        assert user.startswith(case.document)
        assert f"contain? {case.input['clause_types']}\n" in user
        assert (row["messages"][2]["content"], answer) == (answer, right(case))
        assert "near" not in user.split(case.document)[1]
    assert pairs == list(generate.training_pairs("train", 60, 0))
    assert pairs != list(generate.training_pairs("train", 60, 1))


def test_the_command_refuses_to_vary_the_suite(tmp_path):
    command = ["-m", "evalsuites.legal.clauses_long.generate", "--split", "eval", "--seed", "3"]
    done = run(*command, "--out", str(tmp_path / "x"), cwd=SUITE.parents[2])
    assert done.returncode == 2
    assert "--split eval is fixed" in done.stderr
