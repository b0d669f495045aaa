"""The Georgia instruments: labels that fit their texts, two splits with nothing in common, nothing copied."""

import csv
import os
import re
import runpy
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

import harness.scoring
from evalsuites.legal.instruments import documents
from evalsuites.legal.instruments.documents import (
    INSTRUMENTS,
    NEAR_MISSES,
    SPLITS,
    STYLES,
    Instrument,
    clause_types,
    flat,
)
from evalsuites.legal.instruments.excerpts import excerpts, numbered, of_split, paragraph_of
from harness.errors import UserError
from harness.scoring.grounding.citation_parser import citations_in
from harness.scoring.legal import key_terms

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import realism_contradictions
import realism_copies

LEAST = {"security deed": 40, "purchase agreement": 40, "commercial lease": 20, "residential lease": 20}
"""Instruments of each kind in each split."""
EVERY = [each for split in SPLITS for each in documents.instruments(split)]
by_id = pytest.mark.parametrize("instrument", EVERY, ids=lambda each: each.id)


def deal(instrument: Instrument) -> set[str]:
    return {party.name.lower() for party in instrument.sidecar.parties}


@cache
def known_sections() -> dict[str, str]:
    path = Path(harness.scoring.__file__).parent / "grounding" / "georgia_sections.csv"
    with path.open(encoding="utf-8") as file:
        return {row["section"]: row["confidence"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_has_every_kind_style_clause_and_near_miss(split):
    drawn = documents.instruments(split)
    kinds = Counter(each.sidecar.instrument for each in drawn)
    assert {kind: kinds[kind] for kind in LEAST if kinds[kind] < LEAST[kind]} == {}
    assert {each.sidecar.style for each in drawn} == set(STYLES)
    assert {passage.note for each in drawn for passage in each.near_misses} == set(NEAR_MISSES)
    types = Counter(name for each in drawn for name in {passage.type for passage in each.clauses})
    assert {name: types[name] for name in clause_types() if types[name] < 10} == {}


def test_ids_are_unique_and_there_are_24_types_or_more():
    assert len({each.id for each in EVERY}) == len(EVERY)
    assert len(clause_types()) >= 24
    assert {kind for each in clause_types().values() for kind in each.instruments} == set(INSTRUMENTS)


@pytest.mark.slow
@by_id
def test_an_instrument_is_whole_and_contradicts_nothing(instrument):
    assert 600 <= len(instrument.text.split()) <= 1600
    assert len({passage.type for passage in instrument.clauses}) >= 8
    assert realism_contradictions.contradictions(instrument.text) == []
    sidecar = instrument.sidecar
    assert sidecar.property and sidecar.parties and sidecar.amounts and sidecar.dates and sidecar.terms
    assert all(marked.says for marked in sidecar.clauses)


@by_id
def test_the_key_terms_are_in_the_summary_and_in_the_instrument(instrument):
    source, summary = key_terms.read(instrument.text), key_terms.read(instrument.sidecar.summary)
    derived = []
    for clause in key_terms.clauses_of(tuple(instrument.sidecar.terms)):
        assert [term.label for term in clause.terms if not key_terms.places(term, summary)] == [], clause.name
        derived += [term.label for term in clause.terms if term.figures and not key_terms.places(term, source)]
    assert derived == []
    for part in instrument.sidecar.stale:
        assert key_terms.places(key_terms.term_of(part), source), part
        assert not key_terms.places(key_terms.term_of(part), summary), part


@by_id
def test_statutes_are_known_and_answers_cite_what_the_instrument_names(instrument):
    named = {section for cited in citations_in(instrument.text, True) for section in cited.sections}
    assert {section for section in named if known_sections().get(section) not in ("read", "secondary")} == set()
    for question in instrument.sidecar.questions:
        wanted = {s for line in question.answer for cited in citations_in(line, True) for s in cited.sections}
        assert wanted <= named, question.ask
        assert bool(wanted) == (question.kind in ("answerable", "stale_law")), question.ask
        asked = {s for cited in citations_in(question.ask, True) for s in cited.sections}
        assert not asked & wanted, question.ask
        assert asked - known_sections().keys() or question.kind != "invented_section", question.ask


def test_no_party_is_on_both_sides():
    train, test = (set().union(*map(deal, documents.instruments(split))) for split in SPLITS)
    assert train & test == set()
    whole = "\n".join(flat(each.text).lower() for each in documents.instruments("test"))
    assert [name for name in train if len(name.split()) > 1 and name in whole] == []


def test_no_deal_is_on_both_sides():
    def deals(split: str) -> set[tuple[str, str]]:
        """The first amount and the first date of each instrument: the price, rent or loan, and the day it was made."""
        rows = [each.sidecar for each in documents.instruments(split)]
        return {(next(iter(row.amounts.values())), next(iter(row.dates.values()))) for row in rows}

    assert deals("train") & deals("test") == set()


@pytest.mark.slow
def test_wording_is_apart():
    """No run of 15 words and at most 3% of the runs of eight words of an instrument are in the other split."""
    phrases = realism_copies.phrases()
    for split, other in (SPLITS, reversed(SPLITS)):
        index = realism_copies.Index(each.text for each in documents.instruments(other))
        for each in documents.instruments(split):
            shared = realism_copies.copied(each.text, index, phrases)
            assert shared.runs == [] and shared.share <= 0.03, (each.id, shared)


@cache
def real_text() -> realism_copies.Index:
    return realism_copies.Index(realism_copies.real_texts(Path(os.environ["TUNEGATE_DATA"])))


@pytest.mark.slow
def test_nothing_is_copied_from_real_text(public_data):
    phrases = realism_copies.phrases()
    found = {each.id: realism_copies.copied(each.text, real_text(), phrases) for each in EVERY}
    assert {name: copied for name, copied in found.items() if copied.runs or copied.share > 0.01} == {}


def test_an_excerpt_cuts_no_passage_and_shows_nothing_that_is_superseded():
    for instrument in EVERY[::7]:
        for excerpt in excerpts(instrument, (1, 2, 3), 400):
            assert excerpt.text in instrument.text
            for passage in (*instrument.clauses, *instrument.near_misses):
                words = instrument.text[passage.start : passage.end]
                whole = words in excerpt.text
                inside = passage in (*excerpt.clauses, *excerpt.near_misses)
                assert whole == inside or (whole and instrument.text.count(words) > 1), (excerpt.first, passage)
            assert "superseded" not in {passage.note for passage in excerpt.near_misses}


GRANTED = re.compile(r"\bconvey\w*\b[^.;:]{0,80}?\bpower\s+of\s+sale\b", re.I)


def test_words_of_grant_with_a_power_of_sale_are_labelled_as_its_clause_in_every_deed():
    granted = [(each, match) for each in EVERY for match in GRANTED.finditer(each.text)]
    labelled = [
        any(p.type == "power of sale" and match.start() <= p.end and p.start <= match.end() for p in each.clauses)
        for each, match in granted
    ]
    assert granted and all(labelled)


def test_paragraphs_are_numbered_as_passages_are_placed():
    instrument = EVERY[0]
    shown = numbered(instrument).split("\n\n")
    for passage in instrument.clauses:
        number = paragraph_of(instrument, passage)
        start = flat(instrument.text[passage.start : passage.start + 30])
        assert shown[number - 1].startswith(f"[{number}] ") and start in flat(shown[number - 1])


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match=r"'validation'.*expected test, train, dev"):
        of_split("validation")


def test_validation_is_apart_from_training():
    train, dev = ({each.id for each in of_split(split)} for split in ("train", "dev"))
    assert train & dev == set() and len(dev) * 5 <= len(train) + 5
    assert train | dev == {each.id for each in documents.instruments("train")}


SIDECAR = """
instrument = "security deed"
style = "bank form"
property = "a lot"
summary = "A owes B."
terms = ["!parties: A + B"]
parties = [{role = "Grantor", name = "Ann Lee"}]
[amounts]
principal = "$5"
[dates]
[[clauses]]
type = "acceleration"
from = "the Bank may"
to = "at once"
says = "The bank may call the debt."
[[near_misses]]
type = "insurance"
kind = "negated"
from = "No insurance"
to = "required"
"""
TEXT = "Ann Lee owes $5. On default the Bank may\nask for all of it at once. No insurance is required.\n"


def written(folder: Path, text: str = TEXT, sidecar: str = SIDECAR) -> Path:
    (folder / "deed-1.txt").write_text(text)
    (folder / "deed-1.toml").write_text(sidecar)
    return folder / "deed-1.txt"


def test_a_sidecar_is_read_with_its_passages(tmp_path):
    read = documents.read_instrument(written(tmp_path))
    (clause,), (near,) = read.clauses, read.near_misses
    assert flat(read.text[clause.start : clause.end]) == "the Bank may ask for all of it at once"
    assert (near.note, read.text[near.start : near.end]) == ("negated", "No insurance is required")
    assert clause.type == "acceleration"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('from = "the Bank may"', 'from = "the Lender may"', "first words stand 0 times"),
        ('to = "at once"', 'to = "Ann Lee"', "last words do not stand after the first"),
        ('type = "acceleration"', 'type = "haste"', "'haste' is no clause type"),
        ('type = "acceleration"', 'type = "holdover"', "'holdover' is not asked for in a security deed"),
        ('kind = "negated"', 'kind = "denied"', "has the kind 'denied'"),
        ('principal = "$5"', 'principal = "$6"', "'$6' is part of the deal and not in the text"),
        ('style = "bank form"', 'style = "odd"', "style is 'odd'"),
        ('instrument = "security deed"', 'instrument = "will"', "instrument is 'will'"),
        ('type = "insurance"', 'type = "acceleration"\nsays = ""', ""),
        ("[dates]", "[date]", "unknown field `date`"),
        ("[amounts]", "[amounts", ""),
    ],
)
def test_a_sidecar_that_does_not_fit_is_refused(tmp_path, old, new, problem):
    assert old in SIDECAR
    file = written(tmp_path, sidecar=SIDECAR.replace(old, new, 1))
    if problem:
        with pytest.raises(UserError, match=re.escape(problem)):
            documents.read_instrument(file)
    elif "says" in new:
        documents.read_instrument(file)
    else:
        with pytest.raises(UserError, match=r"deed-1\.toml"):
            documents.read_instrument(file)


def test_passages_of_one_type_may_not_overlap(tmp_path):
    twice = SIDECAR + '[[clauses]]\ntype = "acceleration"\nfrom = "ask for all"\nto = "at once"\nsays = "x"\n'
    with pytest.raises(UserError, match="two passages of the type 'acceleration' overlap"):
        documents.read_instrument(written(tmp_path, sidecar=twice))


def test_runs_of_words_are_compared_but_for_conventional_phrases():
    index = realism_copies.Index(["one two three four five six seven eight nine ten in witness whereof"])
    text = "zero one two three four five six seven eight nine eleven"
    assert realism_copies.copied(text, index, []).share == pytest.approx(2 / 4)
    assert realism_copies.copied(text, index, [], least=9).runs == ["one two three four five six seven eight nine"]
    phrase = [["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]]
    assert realism_copies.copied(text, index, phrase, least=9) == realism_copies.Copied(0.0, [])
    assert realism_copies.copied("too short", index, []) == realism_copies.Copied(0.0, [])


def test_the_page_of_examples_is_current():
    path = Path(__file__).parents[2] / "docs" / "examples" / "documents.py"
    module = runpy.run_path(str(path))
    assert path.with_suffix(".md").read_text("utf-8") == module["page"]()
