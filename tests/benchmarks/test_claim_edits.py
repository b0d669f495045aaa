"""Edited statements: each edit changes the meaning, restating does not, and only meaning tells errors from controls."""

import importlib.util
import os
import random
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from benchmarks.claim_edits.edits import edits
from benchmarks.claim_edits.overlap import MEASURES, overlap
from benchmarks.claim_edits.pairs import edited_pairs, matched
from benchmarks.claim_edits.restating import altered, draw, keys, restate
from benchmarks.claim_edits.sources import OWN, documents, frozen, readable, sentences, windows
from evalsuites.finance.report.sheets import sheets
from evalsuites.general.claims.pairs import NOT_SUPPORTED, SUPPORTED, Pair
from evalsuites.general.claims.split import document_key
from evalsuites.legal.instruments.documents import instruments
from evalsuites.policy.handbook.handbooks import handbooks
from harness.env import DATA

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "edited_claims.py"
NEAR_CHANCE = 0.56
"""Balanced accuracy that classifiers without meaning may reach on a part of the own text."""


def a_quarter(document: str) -> bool:
    return int(document, 16) % 4 == 0


@cache
def own_pairs() -> list[Pair]:
    return edited_pairs(3000, 0, a_quarter, OWN)


@cache
def benchmark():
    spec = importlib.util.spec_from_file_location("edited_claims", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def changed(words: str, *others: str) -> set[tuple[str, str]]:
    """Kind and text of every edit of a sentence that comes before others, over some draws."""
    found = set()
    for seed in range(12):
        for edit in edits([words, *others], 0, random.Random(seed)):
            found.add((edit.kind, edit.second[0].text))
    return found


@pytest.mark.parametrize(
    ("words", "kind", "after"),
    [
        (
            "The fee is $500 in May and grows to $700 in June.",
            "join-figure",
            "The fee is $700 in May and grows to $500 in June.",
        ),
        (
            "Answer within 10 days and close the file after 30 days.",
            "join-period",
            "Answer within 30 days and close the file after 10 days.",
        ),
        ("Landlord shall notify Tenant of the sale.", "join-party", "Tenant shall notify Landlord of the sale."),
        ("An employee must tell a manager.", "join-party", "A manager must tell an employee."),
        ("Tenant shall keep the roof sound.", "meaning-negation", "Tenant must not keep the roof sound."),
        ("Tenant shall keep the roof sound.", "meaning-obligation", "Tenant may keep the roof sound."),
        ("Rent is due on the first.", "meaning-negation", "Rent is not due on the first."),
        ("Keep at least ten copies.", "meaning-scope", "Keep at most ten copies."),
        ("All notices go to the office.", "meaning-scope", "Only some notices go to the office."),
        ("Tenant must repair or replace the door.", "meaning-scope", "Tenant must repair and replace the door."),
    ],
)
def test_an_edit_changes_the_meaning_and_keeps_the_other_words(words, kind, after):
    assert (kind, after) in changed(words)


def test_an_exception_leaves_the_sentence_for_another_one():
    edit = next(
        edit
        for edit in edits(
            ["Tenant shall pay the rent unless the roof leaks.", "The Landlord must keep the roof."],
            0,
            random.Random(1),
        )
        if edit.kind == "meaning-exception"
    )
    assert [each.text for each in edit.second] == [
        "Tenant shall pay the rent.",
        "The Landlord must keep the roof unless the roof leaks.",
    ]


def test_no_exception_leaves_a_sentence_that_ends_in_a_joining_word():
    words = "The duty must end with the event and provided that the party has not caused it."
    assert not {kind for kind, _ in changed(words, "The other party must pay.") if kind == "meaning-exception"}


@pytest.mark.parametrize(
    "words",
    [
        "Landlord and Tenant shall each sign two copies.",
        "The fee is between 10% and 20% of the rent.",
        "Neither Landlord nor Tenant shall record the lease.",
        "A share of 25% is a share of twenty-five percent (25%) of the capital.",
        "Answer within ten days and close the file within 10 days.",
    ],
)
def test_members_of_a_list_and_equal_values_do_not_change_places(words):
    assert not {kind for kind, _ in changed(words) if kind.startswith("join")}


@pytest.mark.parametrize(
    ("words", "choices", "after"),
    [
        ("Tenant shall pay $500.", {}, "Tenant shall pay $500."),
        ("Tenant shall pay $500.", {"modal 0": 1}, "Tenant must pay $500."),
        ("If it rains, the guard may leave the gate.", {"order": 1}, "The guard may leave the gate if it rains."),
        (
            "Landlord shall inform Tenant of the sale.",
            {"voice": 1},
            "Tenant shall be informed by Landlord of the sale.",
        ),
        ("Keep at least ten copies.", {"least 0": 1}, "Keep no less than ten copies."),
    ],
)
def test_a_sentence_is_restated_by_choices(words, choices, after):
    assert restate(words, choices) == after


def test_altered_choices_differ_in_as_many_keys_and_are_distributed_like_drawn_ones():
    counts = keys("If the Tenant fails to pay within thirty (30) days, Landlord shall terminate the lease promptly.")
    rng, drawn, after = random.Random(0), Counter(), Counter()
    for _ in range(4000):
        choices = draw(counts, rng)
        other = altered(choices, counts, 2, rng)
        assert sum(choices[key] != other[key] for key in counts) == 2
        drawn.update(choices.items())
        after.update(other.items())
    assert all(abs(drawn[each] - after[each]) < 200 for each in drawn | after)


@pytest.mark.slow
def test_half_of_the_pairs_are_supported_and_each_error_has_a_control_of_its_document():
    for error, control in zip(own_pairs()[::2], own_pairs()[1::2], strict=True):
        assert (error.label, control.label) == (NOT_SUPPORTED, SUPPORTED)
        assert error.document == control.document
        assert (error.source, error.sentence) != (control.source, control.sentence)


@pytest.mark.slow
def test_pairs_are_the_same_for_a_seed_and_others_for_another_one():
    few = [edited_pairs(60, seed, a_quarter, ("handbooks",)) for seed in (3, 3, 4)]
    assert few[0] == few[1]
    assert few[0] != few[2]
    assert len({pair.id for pair in few[0]}) == len(few[0])


def test_only_usable_training_documents_are_edited():
    tested = {document_key(each.text) for read in (instruments, handbooks, sheets) for each in read("test")}
    assert all(a_quarter(pair.document) for pair in own_pairs())
    assert not tested & {document.key for source in OWN for document in documents(source)}


def test_neither_words_nor_overlap_tell_errors_from_controls():
    said = benchmark().measure(own_pairs())
    told = {name: benchmark().balanced_accuracy(each, own_pairs()) for name, each in said.items()}
    assert max(told.values()) < NEAR_CHANCE, told


def test_the_overlap_classifier_tells_copies_from_strangers():
    source = "The tenant pays rent on the first of May. The landlord keeps the roof sound at all times."
    pairs = [
        Pair(
            id=f"{n}-{label}",
            origin="o",
            document=str(n),
            domain="legal",
            kind="k",
            source=source,
            sentence="The tenant pays rent on the first of May." if label == SUPPORTED else "Guests may swim at dawn.",
            label=label,
        )
        for n in range(40)
        for label in (SUPPORTED, NOT_SUPPORTED)
    ]
    said = benchmark().measure(pairs)
    assert [benchmark().balanced_accuracy(each, pairs) for each in said.values()] == [1, 1]


def test_a_copied_statement_has_no_new_words():
    measured = dict(zip(MEASURES, overlap("Rent is due. The roof is new.", "The roof is new."), strict=True))
    assert measured == dict(zip(MEASURES, (0, 0, 0, 1, 1, 1), strict=True))


def test_no_control_is_taken_where_all_overlap_more_than_the_error():
    source = "Tenant pays the rent on the first day of each month at the office."
    error = (source, "Tenant pays the rent on the last day of each month at the office.")
    assert matched(error, [(source, source)], 0.9, random.Random(0)) is None


def test_passages_are_whole_readable_sentences():
    text = (
        "5.2 Repairs. Tenant shall keep the roof in repair at all times. See page 3 ____ .\n\nNotice is due by May 3."
    )
    assert sentences("5.2 Repairs. Tenant shall keep the roof. Notice is due.") == [
        "Tenant shall keep the roof.",
        "Notice is due.",
    ]
    assert [[each.text for each in passage] for passage, _ in windows(text)] == [
        ["Tenant shall keep the roof in repair at all times."]
    ]
    assert not readable("tenant shall keep the roof in repair at all times.", 5, 40)


@pytest.mark.slow
def test_no_contract_for_evaluation_is_edited():
    if not os.environ.get(DATA):
        pytest.skip(f"{DATA} names no folder with cuad/ and provisions_by_heading/")
    from evalsuites.general.claims.split import near_duplicates
    from evalsuites.public.cuad import contracts, split

    texts = {contract.name: contract.text for contract in contracts.load_contracts(contracts.data_folder())}
    groups = split.groups(texts)
    kept_out = {n: texts[n] for group in groups if split.side(group) != "train" or frozen(group[0]) for n in group}
    edited = {document.key for document in documents("cuad")}
    assert not edited & {document_key(text) for text in kept_out.values()}
    provisions = {
        document.key: " ".join(each.text for passage, _ in document.passages for each in passage)
        for document in documents("provisions")
    }
    shared = near_duplicates(kept_out | provisions)
    assert not [pair for pair in shared if len({name in provisions for name in pair}) == 2]
