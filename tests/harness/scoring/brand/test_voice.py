"""Whole drafts before the voice scorer: quotations apart, points kept, and what empty, cut and failed ones count."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scoring.brand import voice
from harness.scoring.brand.style_guide import SWITCHES, parse
from tests.support.answers import answer
from tests.support.drafts import BASE, SCORER, SOURCE, case, rules, scored


@pytest.mark.parametrize(
    ("text", "charged", "quoted"),
    [
        ('You wrote "our customers love the new lid" to us.', [], ["customers"]),
        ("You wrote “our customers love the new lid,” to us.", [], ["customers"]),
        ('You wrote "love the new lid, gonna buy more of it" to us.', [], ["gonna"]),
        ('You wrote "our customers love" to us.', ["customers"], []),
        ('You wrote "our customers love the old lid" to us.', ["customers"], []),
        ('You wrote "Our customers love the new lid" to us.', [], ["customers"]),
        ("You wrote our customers love the new lid to us.", ["customers"], []),
        ('Our customers read "our customers love the new lid" too.', ["customers"], ["customers"]),
    ],
)
def test_a_hit_in_a_verbatim_quotation_of_the_source_is_counted_apart(text, charged, quoted):
    found = scored(text + " We read it with care and have an answer for you today.")
    assert ([*found.banned, *found.slang], found.quoted) == (charged, quoted)
    assert (found.clean, found.with_quoted) == (not charged, bool(quoted))


def test_an_answer_that_is_mostly_quotation_is_a_copy():
    text = 'You wrote "our customers love the new lid" to us{}.'
    assert scored(text.format("")).banned == ["customers"]
    assert scored(text.format(" in May")).banned == []


def test_a_quoted_hit_points_at_the_source():
    document = "Ref: 1\u00ad2. " + SOURCE
    found = scored('You wrote "gonna buy more of it" here, in a letter.', document=document)
    span = next(s for s in found.spans if s.verdict == "quoted")
    assert document[span.source.start : span.source.end] == "gonna buy\nmore of it"


@pytest.mark.parametrize(
    ("text", "points", "kept"),
    [
        ("The TideFlask holds 1.5 litres.", ["TideFlask", "1.5 litres"], 2),
        ("The tideflask.", ["TideFlask"], 1),
        ("It holds 5 litres.", ["1.5 litres"], 0),
        ("It holds 1.5 litres.", ["5 litres"], 0),
        ("It costs $300.", ["$30"], 0),
        ("It costs $30.", ["$30"], 1),
        ("It costs $30.50.", ["$30"], 0),
        ("Two weeks is the term.", ["14 days | two weeks"], 1),
        ("It has 14\n days.", ["14 days | two weeks"], 1),
        ("It has 114 days.", ["14 days | two weeks"], 0),
        ("It is well lidded.", ["lid"], 0),
        (
            "From 27 Nov. at 8:00 a.m., fifteen percent off.",
            ["November 27", "8 am", "15%", "8 pm"],
            3,
        ),
        ("It is due in two weeks and costs 30 dollars.", ["14 days", "$30", "$30.50"], 2),
        ("A set of 14 bowls.", ["14 wires", "14%"], 0),
        ("No fee below 10 dollars, and an APR of 9.2 percent.", ["below $10", "APR of 9.20%", "below $100"], 2),
        ("It counts six hundred coins, and has fourteen wires.", ["600", "14 wires", "60"], 2),
        ("A six-inch pan of 4 lbs. on 1,610 sq. ft.", ["6 inches", "4 pounds", "1,610 square feet", "6 feet"], 3),
        ("Between 1:00 and 3:00 p.m.", ["1 and 3 p.m.", "1 p.m. and 3 p.m.", "1 and 3 a.m.", "2 and 3 p.m."], 2),
        ("It is 6.5 inches wide and costs $0.50.", ["13", "13 inches", "6 inches", "$1"], 0),
    ],
)
def test_content_points_are_kept_as_whole_words_and_figures(text, points, kept):
    assert scored(text, expected=points).points_kept == kept


def test_an_answer_is_usable_when_it_is_clean_and_keeps_every_point():
    texts = ["The lid costs $30.", "The lid is here.", "A customer pays $30.", "Thanks, the lid costs $30."]
    found = [scored(text, expected=["$30"], kind="reply") for text in texts]
    assert [(s.clean, s.usable) for s in found] == [(0, 0), (0, 0), (0, 0), (1, 1)]
    assert [s.missing for s in found] == [["thanks"], ["thanks"], ["thanks"], []]
    assert scored("The lid is here.", expected=["$30"]).usable == 0
    assert scored("The lid is here.", expected=["$30"]).value == 1.0


@pytest.mark.parametrize(("text", "finish"), [("", "stop"), (" \n", "stop"), ("!!!", "stop"), ("A lid is", "length")])
def test_an_empty_or_cut_answer_is_not_clean_and_keeps_no_point(text, finish):
    found = scored(text, finish, expected=["lid"])
    assert (found.value, found.usable, found.points_kept, found.points) == (0.0, 0, 0, 1)
    assert found.violations >= 1
    assert found.words >= 1


def test_the_end_of_a_cut_answer_is_no_slip():
    assert rules("The cup is here today") == ["grammar.no_end_mark"]
    assert scored("The cup is here today", "length").rules == []


def test_a_failed_answer_counts_against_every_claim():
    found = scored("", "error", expected=["lid"], kind="reply")
    values = {}
    for metric in voice.METRICS:
        values[metric.name] = found.counts[metric.numerator] / (found.counts.get(metric.denominator) or 1)
        assert values[metric.name] == 0 if metric.higher_is_better else values[metric.name] >= 1
    assert len(values) == 12


def test_violations_are_counted_per_hundred_words():
    found = scored("A customer and a client sat.")
    assert (found.violations_x100, found.words) == (200, 6)


def test_a_scorer_names_its_guide_its_lists_and_takes_a_path(tmp_path):
    path = tmp_path / "style.toml"
    tone = "".join(f"{switch} = true\n" for switch in SWITCHES)
    path.write_text(f'client = "A"\n[tone]\n{tone}[[banned]]\nid = "x"\nterms = ["lid"]\n', "utf-8")
    first = voice.in_style(path)
    assert rules("A lid.", first) == ["banned.x"]
    path.write_text(path.read_text("utf-8").replace('"lid"', '"cup"'), "utf-8")
    assert voice.in_style(str(path)).version != first.version
    assert SCORER.version == voice.in_style(parse(BASE)).version


@given(st.text(alphabet="aA \n\u00ad\u200b’'\"“”!?.,-*:1éß😀İcustomerTideFlask", max_size=80))
def test_any_text_is_scored_with_spans_that_quote_it(text):
    first, again = scored(text, expected=["lid"]), scored(text, expected=["lid"])
    assert first == again
    assert first.clean == (first.violations == 0)


@pytest.mark.parametrize(
    "text",
    [
        *("customer " * 100_000, "!" * 1_000_000, "“" * 300_000, "a" * 1_000_000, ". " * 400_000),
        *("AB " * 300_000, "a\n" * 400_000, "ab" * 400_000 + "'s"),
    ],
    ids=["banned", "marks", "quotes", "letters", "stops", "capitals", "lines", "possessive"],
)
def test_an_enormous_answer_takes_time_in_proportion(text):
    begun = time.process_time()
    SCORER(case(), answer(text))
    assert time.process_time() - begun < 60
