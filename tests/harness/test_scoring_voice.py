"""The voice scorer: each rule with a hit and a near miss, quotations apart, and what empty and failed answers count."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.schema import Case, Completion
from harness.scoring import base, spelling, voice
from harness.scoring.phrases import Phrases, starting
from harness.scoring.style_guide import SWITCHES, parse

BASE = {
    "client": "Ambleworth",
    "glossary": ["crema", "HEPA", "deets"],
    "slang": ["deffo"],
    "tone": dict.fromkeys(SWITCHES, False),
    "banned": [
        {
            "id": "customer",
            "terms": ["customer", "customers", "customer's", "customers'"],
            "use": ["partner", "partners", "partner's", "partners'"],
            "why": "We serve partners.",
        },
        {"id": "bare", "terms": ["client"]},
        {"id": "hype", "terms": ["game changer", "state-of-the-art", "best", "best in class"]},
    ],
    "name": [{"exact": "TideFlask", "wrong": ["Tide Flask", "Tide-Flask"]}, {"exact": "tinyPot"}],
    "required": [{"id": "thanks", "any_of": ["thank you", "thanks"], "when": {"kind": ["reply"]}}],
}
SOURCE = (
    "A partner wrote: our customers love the new lid, gonna buy\nmore of it. It wobbels. Price: 1.5 litres for $30."
)
SCORER = voice.in_style(parse(BASE))


def guide(**tone):
    return parse(BASE | {"tone": dict.fromkeys(SWITCHES, True) | tone})


def case(expected=(), document=SOURCE, **tags):
    return Case(id="c", input={"document": document}, expected=list(expected), cluster="s", tags=tags)


def done(text, finish="stop"):
    error = "boom" if finish == "error" else None
    return Completion(key="k", text=text, finish_reason=finish, prompt_tokens=1, output_tokens=1, error=error)


def scored(text, finish="stop", scorer=SCORER, **given_case):
    return base.run([scorer], case(**given_case), done(text, finish)).voice


def rules(text, scorer=SCORER, **given_case):
    return scored(text, scorer=scorer, **given_case).rules


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("A customer came.", ["customer"]),
        ("CUSTOMERS, come in.", ["CUSTOMERS"]),
        ("The customer's lid fits.", ["customer's"]),
        ("The Customer’s lid fits.", ["Customer's"]),
        ("The customers' lids fit.", ["customers'"]),
        ("We are customer-first.", ["customer"]),
        ("A cus\u00adtom\u200ber came.", ["customer"]),
        ("A ｃｕｓｔｏｍｅｒ came.", ["customer"]),
        ("A 'customer' came.", ["customer"]),
        ("(customer)", ["customer"]),
        ("We are accustomed to it.", []),
        ("The customerless shop stays.", []),
        ("The customary tea is here.", []),
        ("A non_customer_id is set.", []),
        ("The client's lid fits.", []),
        ("A client came.", ["client"]),
        ("A Game\n Changer for tea.", ["Game\n Changer"]),
        ("A game and a changer.", []),
        ("It is state‑of‑the‑art now.", ["state-of-the-art"]),
        ("It is best in class.", ["best in class"]),
        ("It is best in the class.", ["best"]),
    ],
)
def test_a_banned_term_is_hit_in_its_listed_forms_and_as_a_whole_word(text, hits):
    found = scored(text)
    assert found.banned == hits
    assert found.with_banned == bool(hits)


def test_a_hit_says_where_which_rule_why_and_what_to_write():
    text = "😀 Dear cus\u00adtomers’ friends."
    span = next(s for s in scored(text).spans if s.kind == "banned")
    assert (text[span.start : span.end], span.verdict) == ("cus\u00adtomers’", "violation")
    assert span.reason == "banned.customer: We serve partners.; write 'partners''"


@pytest.mark.parametrize(
    ("text", "hits", "names"),
    [
        ("The TideFlask is here.", [], 1),
        ("The TideFlask's lid and the TideFlask’s base.", [], 2),
        ("The tideflask is here.", ["tideflask"], 1),
        ("The TIDEFLASK and the TideFlask.", ["TIDEFLASK"], 2),
        ("The Tide Flask is here.", ["Tide Flask"], 1),
        ("A high-tide flask is here.", ["tide flask"], 1),
        ("The tide-flask is here.", ["tide-flask"], 1),
        ("The tinyPot is here. tinyPot is small.", [], 2),
        ("The TinyPot is here.", ["TinyPot"], 1),
        ("TideFlasks and a tidal flask.", [], 0),
    ],
)
def test_a_product_name_is_written_in_one_way(text, hits, names):
    found = scored(text)
    assert (found.extracted["casing"], found.names) == (hits, names)


@pytest.mark.parametrize(
    ("text", "rule", "hit"),
    [
        ("We are gonna come.", "tone.slang", True),
        ("We are deffo coming.", "tone.slang", True),
        ("OMG, it is here.", "tone.slang", True),
        ("Send the deets today.", "tone.slang", False),
        ("A u-shaped lid fits.", "tone.slang", False),
        ("Made in the u.s. today.", "tone.slang", False),
        ("A gonnagle sings.", "tone.slang", False),
        ("We can't come.", "tone.contractions", True),
        ("It’s here.", "tone.contractions", True),
        ("We’ll come.", "tone.contractions", True),
        ("The lid's edge is flat.", "tone.contractions", False),
        ("The partners' lids fit.", "tone.contractions", False),
        ("Good tea 🍵 here.", "tone.emoji", True),
        ("Good tea :) here.", "tone.emoji", True),
        ("Good tea: (black) here.", "tone.emoji", False),
        ("Tea ½ price, 20 °C, naïve café — “fine”.", "tone.emoji", False),
        ("Good tea!!", "tone.repeated_marks", True),
        ("Good tea?!", "tone.repeated_marks", True),
        ("Good tea! More tea? Yes.", "tone.repeated_marks", False),
        ("This is HUGE news.", "tone.all_caps", True),
        ("A USB lamp with a HEPA filter.", "tone.all_caps", False),
        ("Use code SAVE20 or A/BCDE.", "tone.all_caps", False),
        ("We offer:\n- tea\n- milk", "tone.lists", True),
        ("1. Open the lid.", "tone.lists", True),
        ("Size: small\nCover: a year", "tone.lists", True),
        ("One thing more: we ship\ntoday.", "tone.lists", False),
        ("The lid is 3 cm - no more.", "tone.lists", False),
        ("We recieved the lid.", "tone.typos", True),
        ("The kettel is here.", "tone.typos", True),
        ("The Kettel is here.", "tone.typos", False),
        ("The kettel-lid is here.", "tone.typos", False),
        ("See kettel.example or @kettel.", "tone.typos", False),
        ("A xqz is here.", "tone.typos", False),
        ("Good crema is here.", "tone.typos", False),
        ("It wobbels on the shelf.", "tone.typos", False),
        ("The crema's colour and a wobbels's.", "tone.typos", False),
        ("The colour of the aluminium is grey.", "tone.typos", False),
        ("A refillable, ovenproof, reheatable jar.", "tone.typos", False),
        ("The partner's lid and the partners’ lids.", "tone.typos", False),
    ],
)
def test_a_mark_of_tone_is_found_and_its_near_miss_is_not(text, rule, hit):
    assert (rule in rules(text)) == hit


@pytest.mark.parametrize(
    ("text", "rule", "hit"),
    [
        ("Open the the lid.", "doubled_word", True),
        ("Open it\nit is on.", "doubled_word", True),
        ("The lid that that man had had.", "doubled_word", False),
        ("We saw Bora Bora.", "doubled_word", False),
        ("Tea the theory.", "doubled_word", False),
        ("It is a apple.", "a_before_vowel", True),
        ("A orange is here.", "a_before_vowel", True),
        ("It is a Ember pan.", "a_before_vowel", True),
        ("It is a one-off, a European, a useful cup.", "a_before_vowel", False),
        ("Plan a is on. Vitamin A enriched it.", "a_before_vowel", False),
        ("It is an pan.", "an_before_consonant", True),
        ("It is an hour, an heir, an X-ray, an MP3, an SMS.", "an_before_consonant", False),
        ("It is an m-shaped cup.", "an_before_consonant", False),
        ("We could of gone.", "modal_of", True),
        ("We could of course go.", "modal_of", False),
        ("Its a cup.", "its_for_it_is", True),
        ("Its the best cup.", "its_for_it_is", True),
        ("Its lid fits. Its a-frame stands.", "its_for_it_is", False),
        ("It has it's own lid.", "it_is_own", True),
        ("It has its own lid.", "it_is_own", False),
        ("Your welcome!", "your_welcome", True),
        ("Your welcome gift is here.", "your_welcome", False),
        ("It holds more then a cup.", "more_then", True),
        ("If you need more, then write.", "more_then", False),
        ("We dont mind.", "missing_apostrophe", True),
        ("We don't mind.", "missing_apostrophe", False),
        ("So i came.", "small_i", True),
        ("So i'm here.", "small_i", True),
        ("See part i. or (i) here.", "small_i", False),
        ("here it is.", "small_start", True),
        ("Here it is. it fits.", "small_start", True),
        ("Use it for tea, e.g. green tea. Here at 9 a.m. daily.", "small_start", False),
        ("tinyPot is here. iPhones fit.", "small_start", False),
        ("It fits... and stays.", "small_start", False),
        ("It fits , so we say.", "space_before_mark", True),
        ("It fits, so we say. It is .5 cm.", "space_before_mark", False),
        ("The cup is here today", "no_end_mark", True),
        ("The cup fits.\nPlease write to us with any question", "no_end_mark", True),
        ("The cup fits.\nThe Ambleworth team", "no_end_mark", False),
        ("Tea cups", "no_end_mark", False),
        ('He said "the cup fits."', "no_end_mark", False),
    ],
)
def test_a_slip_of_grammar_is_found_and_its_near_miss_is_not(text, rule, hit):
    assert (f"grammar.{rule}" in rules(text, voice.in_style(guide(grammar_slips=False)))) == hit


@pytest.mark.parametrize(
    ("switch", "text"),
    [
        ("contractions", "We can't come."),
        ("emoji", "Tea 🍵."),
        ("repeated_marks", "Tea!!"),
        ("all_caps", "Some HUGE tea."),
        ("lists", "- Tea."),
        ("slang", "We are gonna come."),
        ("typos", "The kettel is here."),
        ("grammar_slips", "It is a apple."),
    ],
)
def test_each_switch_of_the_tone_allows_what_it_names_and_nothing_else(switch, text):
    strict = voice.in_style(guide(**{switch: False}))
    assert rules(text, voice.in_style(guide())) == []
    assert len(rules(text, strict)) == 1
    others = voice.in_style(guide(**dict.fromkeys(set(SWITCHES) - {switch}, False)))
    assert rules(text, others) == []


def test_a_place_is_charged_once():
    assert rules("We like the customer customer.") == ["banned.customer", "banned.customer"]
    assert rules("TIDEFLASK is here.") == ["name.TideFlask"]
    assert rules("This is HUGE BOLD NEWS today.") == ["tone.all_caps"]


def test_a_source_word_is_a_typo_only_where_the_guide_distrusts_the_source():
    assert rules("It wobbels.") == []
    assert rules("It Wobbels. It wobbels.", document="WOBBELS") == []
    assert rules("It wobbels.", voice.in_style(parse(BASE | {"trust_source_spelling": False}))) == ["tone.typos"]


@pytest.mark.parametrize(
    ("text", "charged", "quoted"),
    [
        ('You wrote "our customers love the new lid" to us.', [], ["customers"]),
        ("You wrote “our customers love the new lid,” to us.", [], ["customers"]),
        ('You wrote "love the new lid, gonna buy more of it" to us.', [], ["gonna"]),
        ('You wrote "our customers love" to us.', ["customers"], []),
        ('You wrote "our customers love the old lid" to us.', ["customers"], []),
        ('You wrote "Our customers love the new lid" to us.', ["customers"], []),
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


def test_a_missing_word_list_is_said_in_one_line(monkeypatch):
    def absent(_):
        raise ModuleNotFoundError("spellchecker")

    spelling._packed.cache_clear()
    monkeypatch.setattr(spelling, "files", absent)
    try:
        with pytest.raises(UserError, match="pip install pyspellchecker"):
            voice.in_style(guide(typos=False))
        assert voice.in_style(guide(typos=True))
    finally:
        spelling._packed.cache_clear()


def test_common_typos_are_told_from_common_words():
    typos = "accomodate adress begining beleive definately enviroment goverment occured recomend seperate tommorow alot"
    plain = "accommodate address beginning believe definitely environment neighbourhood organisation travelled website"
    assert [w for w in typos.split() if spelling.is_word(w)] == []
    assert [w for w in plain.split() if not spelling.is_word(w)] == []


def test_own_word_lists_hold_nothing_twice():
    own = spelling.tomllib.loads(Path(spelling.OWN).read_text("utf-8"))
    for name in ("modern", "misspelt"):
        assert len(set(own[name])) == len(own[name])
    assert set(own["modern"]) & set(own["misspelt"]) == set()


def test_the_longest_listed_phrase_is_found_once():
    found = Phrases({"tea": 1, "tea cup": 2, "cup": 3}).find("a tea  cup, tea and a teapot")
    assert [(hit.start, hit.end, hit.value) for hit in found] == [(2, 10, 2), (7, 10, 3), (12, 15, 1)]


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
    SCORER(case(), done(text))
    assert time.process_time() - begun < 10


@pytest.mark.slow
def test_five_thousand_completions_of_a_hundred_words_take_less_than_a_second():
    text = "Thank you for writing about the TideFlask. A new lid is on its way, and we hope that it serves you. " * 5
    answers = [done(f"{text}Number {n}.") for n in range(1000)]
    SCORER(case(), answers[0])
    begun = time.process_time()
    for answer in answers:
        SCORER(case(["TideFlask"]), answer)
    assert time.process_time() - begun < 0.2


def test_a_word_that_starts_is_found_in_any_case_and_no_part_of_one_is():
    pattern = re.compile(rf"{starting(['dont', 'doesnt', 'wasnt'])}\b")
    found = pattern.findall("Dont wasnt DOESNT xdont dontx wont, 'dont")
    assert found == ["Dont", "wasnt", "DOESNT", "dont"]
