"""The realism measures on small texts worked out by hand, each contradiction planted and absent, and the page."""

import json
import math
import random
import re
from pathlib import Path

import pytest

from harness.schema import Case
from tests.benchmarks.test_injected import load

ROOT = Path(__file__).parents[2]
measures, checks, corpora = load("realism_measures"), load("realism_contradictions"), load("realism_corpora")
realism = load("realism")


def test_wrapped_lines_are_joined_before_paragraphs_are_counted():
    text = (
        "1. The tenant shall pay rent to the landlord on the first day\nof each month without demand. The office of\n"
        "the landlord receives it.\n2. The landlord shall keep the roof and the outer\nwalls in repair.\n\nSIGNED"
    )
    found = measures.paragraphs(text)
    assert [len(measures.words(paragraph)) for paragraph in found] == [25, 13, 1]
    assert measures.mean_words(found, measures.LEAST_WORDS) == 19


def test_each_line_is_a_paragraph_where_lines_end_with_sentences():
    text = "Parking is on the square.\nThe memo is dated May 1.\nIt leans on O.C.G.A. §\n44-5-62 and no other."
    assert len(measures.paragraphs(text)) == 3


def test_rows_of_a_table_are_no_paragraph():
    assert measures.paragraphs("Occupancy fell.\n\nfund | period | value\nA | Q1 | 97.5\n") == ["Occupancy fell."]


def test_runs_of_spaces_separate_as_lines_do():
    assert measures.paragraphs("The term is one year.     2. The rent is due.") == [
        "The term is one year.",
        "2. The rent is due.",
    ]


def test_abbreviations_and_paragraph_numbers_end_no_sentence():
    text = "4. Ames Milling Inc. Delaware sold it to Mr. Lee. He paid. (See Sec. 4.)"
    assert measures.sentences(text) == [
        "4. Ames Milling Inc. Delaware sold it to Mr. Lee.",
        "He paid.",
        "(See Sec. 4.)",
    ]


def test_shared_runs_of_eight_words_are_counted_in_every_document():
    """Nine words have two runs of eight; one of the two is in both documents: 2 of 4. A third has 3 of its own."""
    first, second = "a b c d e f g h x", "a b c d e f g h y"
    assert measures.shared_grams([first, second]) == 0.5
    assert measures.shared_grams([first, second, "1 2 3 4 5 6 7 8 9 10"]) == pytest.approx(2 / 7)
    assert measures.shared_grams(["a b c d e f g h a b c d e f g h"]) == 0
    assert measures.shared_grams(["too short"]) is None


def test_types_are_counted_over_whole_windows():
    window = [str(n % 100) for n in range(5000)]
    assert measures.types([*window, *(["same"] * 5000), "cut"]) == (100 + 1) / 2
    assert measures.types(window[:-1]) is None


def test_distance_of_function_words_is_jensen_shannon():
    """Half `the`, half `of` against only `the`: divergence 1/2 log2(4/3) + 1/2 (1/2 log2(2/3) + 1/2 log2 2)."""
    divergence = 0.5 * math.log2(4 / 3) + 0.5 * (0.5 * math.log2(2 / 3) + 0.5)
    found = measures.function_word_distance(["the", "of", "cat"], ["the", "dog", "the"])
    assert found == pytest.approx(math.sqrt(divergence))
    assert measures.function_word_distance(["the"], ["the", "the"]) == 0
    assert measures.function_word_distance(["of"], ["the"]) == 1
    assert measures.function_word_distance(["cat"], ["the"]) is None
    assert len(set(measures.FUNCTION_WORDS)) == 70


def test_trigram_probabilities_by_hand():
    """Text `a b`: 2 trigrams and 2 bigrams, each once. Unigram of b: .25/2 + .75 * 2/2 * 1/3 = .375; then twice
    .25 + .75 * p, for the bigram and the trigram. A word not in it: .75/3, after a seen context times .75 each."""
    model = measures.Trigrams(["a b"])
    one = 0.25 / 2 + 0.75 / 3
    three = 0.25 + 0.75 * (0.25 + 0.75 * one)
    assert model.probability("<s>", "a", "b") == pytest.approx(three)
    assert model.probability("<s>", "a", "z") == pytest.approx(0.75 * 0.75 * 0.25)
    assert model.probability("y", "y", "z") == pytest.approx(0.25)
    assert model.perplexity(["A b!"]) == pytest.approx(1 / three)
    assert model.perplexity([""]) is None


def test_trigram_probabilities_sum_to_one():
    model = measures.Trigrams(["the cat sat on the mat", "the cat ran", "a dog sat on the cat"])
    vocabulary = [*model.unigrams, "<unknown>"]
    for context in [("<s>", "<s>"), ("the", "cat"), ("on", "the"), ("no", "cat"), ("no", "no")]:
        assert sum(model.probability(*context, word) for word in vocabulary) == pytest.approx(1)


def test_a_draw_has_the_size_asked_for_and_is_repeatable():
    documents = [f"{n}. " + " ".join(f"w{n}x" for _ in range(49)) + "." for n in range(100)]
    drawn = measures.draw(documents, 1000, 30, 5)
    sizes = [len(measures.words(text)) for text in drawn]
    assert sum(sizes) == 1000 and max(sizes) == 30
    assert drawn == measures.draw(documents, 1000, 30, 5) != measures.draw(documents, 1000, 30, 6)
    assert sum(len(measures.words(t)) for t in measures.draw(documents, 10**6, 100, 5)) == 100 * 50


def test_an_excerpt_is_consecutive_paragraphs():
    text = "\n\n".join(f"Paragraph {n} of the deed." for n in range(50))
    parts = measures.excerpt(text, 12, random.Random(3)).split("\n\n")
    first = int(parts[0].split()[1])
    assert [part.split()[1] for part in parts] == [str(first + n) for n in range(len(parts))]
    assert len(measures.words(" ".join(parts))) == 12


NUMBERED = "1. Sale. Seller sells.\n\n2. Price. Buyer pays.\n\n3. Closing. As Section 2 says.\n\n3.1 Keys. See {}."
PLANTED = [
    (
        checks.ROLE,
        'Ames Milling, Inc., a Georgia corporation ("Seller"), owns it. Seller is {}.',
        "Burke Feed Company",
        "Ames Milling",
    ),
    (
        checks.ROLE,
        "Landlord: Pine Street Holdings, LLC. {}, as Landlord, signs.",
        "Rosa Whitfield",
        "Pine Street Holdings",
    ),
    (
        checks.FIGURE,
        "The purchase price is $250,000. Of the purchase price of {} a tenth is paid.",
        "$205,000",
        "$250,000.00",
    ),
    (
        checks.FIGURE,
        "The price of the house is $90,000. It sells at a price of {}.",
        "$80,000",
        "ninety thousand dollars",
    ),
    (
        checks.FIGURE,
        "The Closing Date is March 1, 2025. The closing shall be on May 2. Closing Date: {}.",
        "3/2/2025",
        "3/1/2025",
    ),
    (checks.FIGURE, "Notice is given {} before entry.", "thirty (20) days", "thirty (30) days"),
    (checks.TERM, 'The land and house (the "Premises") are let. Tenant keeps the {} clean.', "house", "premises"),
    (checks.TERM, '"Business Day" means a weekday. Rent is due in two {}.', "weeks", "Business Days"),
    (checks.REFERENCE, NUMBERED, "Section 4.2", "Section 3.1(a)"),
    (checks.REFERENCE, NUMBERED, "Article VII of this Agreement", "Article III of this Agreement"),
    (checks.REFERENCE, NUMBERED, "Section 9", "Section 9 of the Lease Act, O.C.G.A. Section 44-7-13 and Section 1031"),
]


@pytest.mark.parametrize(("kind", "text", "planted", "clean"), PLANTED)
def test_a_planted_contradiction_is_listed_and_its_clean_copy_has_none(kind, text, planted, clean):
    assert [found.kind for found in checks.contradictions(text.format(planted))] == [kind]
    assert checks.contradictions(text.format(clean)) == []


def test_a_contradiction_shows_its_values():
    (found,) = checks.contradictions("Security deposit: $900. The security deposit of $950 is held.")
    assert found == (checks.FIGURE, "security deposit, money", ("$900", "$950"))


def test_rent_for_a_month_and_rent_for_a_year_are_two_amounts():
    assert checks.contradictions("The base rent is $1,000 per month. Base rent of $12,000 per year is due.") == []


def test_a_document_without_section_numbers_has_no_missing_section():
    assert checks.contradictions("See Section 9 and Section 10 for the rest.") == []


def test_a_document_is_all_that_its_cases_show_of_one_contract():
    cases = [
        Case(id=str(n), input={"document": text}, expected=[], cluster=cluster)
        for n, (text, cluster) in enumerate([("Head\nfirst", "a"), ("Other", "b"), ("Head\nsecond\nfirst", "a")])
    ]
    assert corpora.documents(cases) == ["Head\nfirst\nsecond", "Other"]


def test_every_shipped_suite_is_measured():
    listed = {f"{file.parts[-3]}/{file.parts[-2]}" for file in (ROOT / "evalsuites").glob("*/*/gates.toml")}
    of_others = {"general/claims", "general/facts", "legal/paragraphs"}  # show texts of the other suites
    own = {name for name in listed if not name.startswith("public/")} - of_others
    assert own == {*corpora.GENERATORS, corpora.BASICS}


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder with four contracts, of which one reads as a planted contradiction."""
    contracts = tmp_path / "cuad" / "contracts"
    contracts.mkdir(parents=True)
    for n in range(4):
        (contracts / f"{n}.txt").write_text(f"The tenant of lot {n} pays rent within thirty (20) days.\n", "utf-8")
    monkeypatch.setenv("TUNEGATE_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.slow
def test_the_command_writes_both_tables_and_lists_contradictions(data, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("<!-- realism: written by x -->\nold\n<!-- /realism -->\n", "utf-8")
    realism.main(["--suite", "general/basics", "--show", "1", "--docs", str(page)])
    printed = capsys.readouterr().out
    assert "contracts (CUAD), document 1, amount or date: thirty (20) days" in printed
    written = page.read_text("utf-8")
    assert "old" not in written
    assert "| general/basics | 15 | 8 | " in written
    assert "No contradiction in: general/basics; general/basics, training." in written
    assert "| contracts (CUAD) | 2 | 22 | 0.00 | 1.00 | 0.00 | 0.00 | 100% | 909.1 |" in written


@pytest.mark.slow
def test_a_missing_data_folder_and_an_unknown_suite_are_named(data, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        realism.main(["--suite", "legal/none"])
    assert "legal/none: no shipped suite" in capsys.readouterr().err
    monkeypatch.setenv("TUNEGATE_DATA", str(data / "none"))
    with pytest.raises(SystemExit):
        realism.main([])
    assert "expected a folder with real text" in capsys.readouterr().err


def test_the_page_measures_every_set_and_says_which_have_no_contradiction():
    page = (ROOT / "docs" / "realism.md").read_text("utf-8").split("<!-- realism: ")[1].split("<!-- /realism -->")[0]
    names = [*corpora.GENERATORS, corpora.BASICS]
    expected = [*names, *(f"{name}, training" for name in names), *(name for name, *_ in corpora.REFERENCES)]
    first, second = page.split("Runs of ")
    assert sorted(re.findall(r"^\| ([^|]+) \| \d+ \|", first, re.M)) == sorted(expected)
    with_one = re.findall(r"^\| ([^|]+) \| [\d,]+ \| [\d,]+ \|", second, re.M)
    (without,) = re.findall(r"^No contradiction in: (.*)\.$", second, re.M)
    assert sorted([*with_one, *without.split("; ")]) == sorted(expected)


def test_references_read_every_format(tmp_path):
    (tmp_path / "contractnli").mkdir()
    (tmp_path / "contractnli" / "dev.json").write_text(json.dumps({"documents": [{"text": "An NDA."}]}), "utf-8")
    (tmp_path / "tatqa").mkdir()
    (tmp_path / "tatqa" / "docs.jsonl").write_text(json.dumps({"text": {"paragraphs": ["One.", "Two."]}}), "utf-8")
    (tmp_path / "hr_handbooks" / "pages").mkdir(parents=True)
    (tmp_path / "hr_handbooks" / "pages" / "a.md").write_text("---\ntitle: x\n---\nLeave <br> is paid.", "utf-8")
    (tmp_path / "expertqa_claims").mkdir()
    (tmp_path / "expertqa_claims" / "items.jsonl").write_text('{"question": "Why?"}\n{"question": "Why?"}\n', "utf-8")
    found = {corpus.domain: corpus.documents for corpus in corpora.references(tmp_path)}
    assert found["legal"] == ["An NDA."] and found["finance"] == ["One.\n\nTwo."]
    assert found["policy"][0].split() == ["Leave", "is", "paid."] and found["general"] == ["Why?"]
