"""The contracts of public/cuad are read with their labels, and cut into passages that hold a clause or none."""

import random
from collections import Counter
from itertools import pairwise

import pytest

from evalsuites.public.cuad import contracts, passages
from evalsuites.public.cuad.contracts import Contract, Label
from harness.errors import UserError
from tests.evalsuites.small_cuad import LAW, PLAIN, RENEWED, TERM, contract, write_data


def cut_with_clause(one: Contract) -> list[tuple[str, list[str]]]:
    found = passages.labelled(one, passages.unit_starts(one))
    return [(one.text[p.start : p.end].strip(), p.clauses) for p in found]


# Reading


def test_white_space_collapses_and_blank_lines_start_paragraphs():
    text, paragraphs = contracts.collapse("  1.  Term\n   of it. \n\n\n 2.\tLaw \n \n")
    assert text == "1. Term of it. 2. Law"
    assert {text[at:] for at in paragraphs} == {text, "2. Law"}


def test_a_label_stands_wherever_its_text_does_but_a_short_one_at_its_first_place():
    text = f"Acme Corporation. {LAW} Acme Corporation. {LAW}"
    labels, missing = contracts.locate(
        text, [("Parties", "Acme Corporation"), ("governing law", LAW), ("insurance", ".")]
    )
    assert missing == []
    assert Counter(label.category for label in labels) == {"Parties": 1, "governing law": 2}
    assert {text[label.start : label.end] for label in labels} == {"Acme Corporation", LAW}


def test_omitted_splits_a_label_and_names_of_files_agree_without_marks(tmp_path):
    text = f"{LAW} {PLAIN} {TERM}"
    root = write_data(tmp_path, {"Acme_Co": (text, {"Renewal Term": [f"{LAW} <omitted> {TERM}"]})})
    (root / "cuad/contracts/Acme_Co.txt").rename(root / "cuad/contracts/Acmé & Co.txt".replace("é", "e"))
    (one,) = contracts.load_contracts(root / "cuad")
    assert [one.text[label.start : label.end] for label in one.labels] == [LAW, TERM]


def test_labels_that_are_not_in_the_text_are_refused_together(tmp_path):
    root = write_data(tmp_path, {"A": (PLAIN, {"Insurance": [LAW]}), "B": (PLAIN, {"Insurance": [TERM]})})
    with pytest.raises(UserError, match=r"2 problems(.|\n)*A\.txt(.|\n)*B\.txt"):
        contracts.load_contracts(root / "cuad")


# Passages


def test_a_passage_is_the_whole_sentence_around_its_label():
    one = contract(f"{PLAIN} {LAW} {PLAIN}", ("governing law", LAW[5:90]))
    assert cut_with_clause(one) == [(LAW, ["governing law"])]


def test_a_passage_expects_every_category_whose_label_it_holds():
    text = f"{PLAIN} {TERM[:-1]} and {RENEWED} {PLAIN}"
    one = contract(text, ("renewal term", RENEWED), ("expiration date", TERM[:-1]), ("renewal notice", RENEWED[45:]))
    (found,) = passages.labelled(one, passages.unit_starts(one))
    assert found.clauses == ["expiration date", "renewal term", "renewal notice"]
    assert found.main == "renewal notice"


def test_a_passage_that_holds_too_little_of_a_label_to_say_is_left_out():
    long_label = " and ".join(["the insurance that the supplier shall keep in force"] * 12)
    text = f"{LAW[:-1]}, with {long_label}."
    one = contract(text, ("governing law", LAW[:-1]), ("insurance", text[len(LAW) - 30 :]))
    within = [Label(category="insurance", start=80, end=400), Label(category="governing law", start=0, end=100)]
    assert passages.carried(within, 0, 100) is None
    assert passages.carried(within, 0, 240) == ["governing law", "insurance"]
    assert all("insurance" in found for text, found in cut_with_clause(one) if "supplier" in text)


def test_a_long_label_is_cut_at_a_whole_word():
    long_label = " and ".join(["the insurance that the supplier shall keep in force"] * 12) + "."
    ((text, found),) = cut_with_clause(contract(f"{PLAIN} {long_label}", ("insurance", long_label)))
    assert found == ["insurance"]
    assert 400 < len(text) <= passages.MOST
    assert long_label.startswith(f"{text} ")


def test_passages_without_a_clause_keep_away_from_every_label():
    rng = random.Random(0)
    sentences = [f"{PLAIN[:-1]} under number {n} of the list." for n in range(80)]
    for n in rng.sample(range(80), 12):
        sentences[n] = sentences[n].replace("parties", f"{n} Parties")
    text = " ".join(sentences)
    labelled = [(("Parties", "insurance")[n % 2], s) for n, s in enumerate(s for s in sentences if "Parties" in s)]
    one = contract(text, *labelled)
    found = list(passages.unlabelled(one, passages.unit_starts(one), [200] * 10))
    assert len(found) == 10
    for label in one.labels:
        apart = passages.GAP if label.category == "insurance" else 0
        assert all(p.end <= label.start - apart or p.start >= label.end for p in found)
    ordered = sorted((p.start, p.end) for p in found)
    assert all(before[1] <= after[0] for before, after in pairwise(ordered))


@pytest.mark.parametrize(
    "text",
    [
        "ARTICLE 1 ON THE DEFINITIONS ........ 1 ARTICLE 2 SCOPE OF THE AGREEMENT AND TERM ........ 4 ARTICLE 3 FEES",
        "9.1 Condition and Appearance of the Franchise 9.2 Services and Products 9.3 Approved Distributors 9.4 Fees",
        "Acme Corporation 1200 Peachtree Street NE Suite 400 Atlanta GA 30309 Attention Jane Roe Phone 404 555 0100",
        "The parties shall meet.",
    ],
)
def test_headings_tables_addresses_and_scraps_are_no_passages(text):
    assert not passages.readable(text)
    assert passages.readable(PLAIN)


@pytest.mark.parametrize(
    "text", ["Acme Inc. The", "see Sec. 4 of", "John Q. Public", "12. Term", "(a) the U.S. Government"]
)
def test_an_abbreviation_or_number_ends_no_sentence(text):
    one = contract(f"It says {text} and more. It ends.")
    assert [one.text[a:] for a in passages.unit_starts(one)][1:] == ["It ends.", ""]
