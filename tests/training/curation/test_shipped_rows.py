"""The project's own training rows hold no text of its own suites, and each suite's own cases would be found."""

import importlib
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from evalsuites.training_rows import chat_rows
from harness.suites.cases import load_cases
from training.curation.check import Sample
from training.curation.checks import contamination, suite_index
from training.data.rows import TrainingRow, Turn, load_rows

ROWS = 300
GENERATED = (
    "brand.voice.cases", "finance.report.cases", "policy.handbook.cases", "legal.citations.cases",
    "legal.clauses.cases", "legal.clauses_long.cases", "legal.extraction.cases", "legal.paragraphs.cases",
    "legal.summaries.cases",
)  # fmt: skip
PUBLIC = ("contractnli", "cuad", "plain_english")


@pytest.fixture(scope="module")
def index():
    return suite_index.load(["evalsuites"])


def leaks(path, index):
    return [f"{leak.row}: {leak.case}" for leak in contamination.overlap(Sample(load_rows([str(path)])), index).leaks]


@pytest.mark.slow
@pytest.mark.parametrize("suite", GENERATED)
@pytest.mark.parametrize("split", ["train", "dev"])
def test_generated_rows_hold_no_case(tmp_path, index, suite, split):
    generate = importlib.import_module(f"evalsuites.{suite}")
    path = tmp_path / "rows.jsonl"
    pairs = generate.training_pairs(split, ROWS if split == "train" else ROWS // 3, 7)
    rows = chat_rows(Path(generate.__file__).parent, pairs)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert leaks(path, index) == []


def test_the_rows_of_paragraphs_hold_no_case_of_their_second_test(tmp_path):
    from evalsuites.legal.paragraphs import cases as paragraphs

    folder = tmp_path / "suites" / "second"
    folder.mkdir(parents=True)
    for name in ("prompt.jinja", "second_test.jsonl"):
        shutil.copy(Path(paragraphs.__file__).with_name(name), folder)
    (folder / "test_second.py").write_text(
        "from harness import Suite\nfrom harness.scoring.legal import clauses\n"
        "suite = Suite(cases='second_test.jsonl', prompt='prompt.jinja', scorers=[clauses.found],"
        " cluster='instrument')\n"
    )
    index = suite_index.load([str(folder.parent)])
    assert sum(index.suites.values()) > 150
    path, cases = tmp_path / "rows.jsonl", load_cases(folder / "second_test.jsonl")
    for pairs, leaking in (
        (paragraphs.training_pairs("train", paragraphs.ROWS["train"], 7), False),
        ([(case, paragraphs.answer(case.expected)) for case in cases], True),
    ):
        rows = chat_rows(Path(paragraphs.__file__).parent, pairs)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert bool(leaks(path, index)) is leaking


def test_the_demo_trains_on_all_paragraphs_and_twice_on_those_with_a_clause():
    from evalsuites.legal.paragraphs import cases as paragraphs
    from tunegate import demo

    table = [case for case, _ in demo.SHORT.pairs("train", demo.SHORT.rows + 1, 7)]
    every = [case for case, _ in paragraphs.training_pairs("train", paragraphs.ROWS["train"] + 1, 7)]
    assert len(every) == paragraphs.ROWS["train"] and len(table) == demo.SHORT.rows
    assert Counter(case.id for case in table) == {case.id: 2 if case.expected else 1 for case in every}


def test_the_table_of_the_demo_that_lost_a_clause_differs_in_its_answers_alone(tmp_path):
    from tunegate import demo

    task, tables = demo.SHORT, []
    for lost in (None, task.lost):
        demo.write_data(tmp_path, "a", 100, 1, task=task, runs=tmp_path, replayed=[], lost=lost)
        tables.append([[turn.content for turn in row.messages] for row in load_rows([str(tmp_path / "train.jsonl")])])
    complete, without = tables
    assert complete != without
    for *prompt, answer in complete:
        kept = [name for name in answer.split("; ") if name != task.lost]
        assert [*prompt, "; ".join(kept) or "none"] in without


@pytest.mark.parametrize("suite", PUBLIC)
def test_rows_of_public_data_hold_no_case(tmp_path, index, public_data, suite):
    build = importlib.import_module(f"evalsuites.public.{suite}.build_training")
    build.write(tmp_path, *([build.PASSAGES] if suite == "cuad" else []), seed=0)
    assert [leaks(tmp_path / f"{split}.jsonl", index) for split in ("train", "validation")] == [[], []]


def test_cases_of_every_suite_would_be_found(index):
    """Some cases of each suite, put into rows with another instruction, are each known as what they are.

    Some suites show parts of other suites' documents, or their questions, so either may be named.
    """
    for suite in index.suites:
        parts = [part for part in index.parts if part.suite == suite and not part.answer][::40]
        texts = ["Say what this is:\n" + "\n".join(index.texts[text] for text in part.texts) for part in parts]
        rows = [
            TrainingRow(
                messages=[Turn(role="user", content=text), Turn(role="assistant", content="none")], where=f"a:{n}"
            )
            for n, text in enumerate(texts)
        ]
        found = contamination.overlap(Sample(rows), index).leaks
        assert [leak.row for leak in found] == list(range(len(rows))), suite
        for leak, part in zip(found, parts, strict=True):
            shares_documents = {"general/claims", "general/facts", "legal/paragraphs"} & {suite, leak.part.suite}
            assert leak.part.document == part.document or shares_documents, suite


def test_public_suites_are_named_where_their_data_is_not_here(index):
    there = bool(os.environ.get("TUNEGATE_DATA"))
    assert bool(index.missing) != there
    assert {name.split("/")[0] for name in index.suites} >= {"legal", "brand", "finance", "policy", "general"}
