"""Each rule of the voice scorer, with a hit and a near miss, and the words it reads by."""

import re
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.scoring.brand import spelling, voice
from harness.scoring.brand.style_guide import SWITCHES, parse
from harness.scoring.text.phrases import Phrases, starting
from tests.support.drafts import BASE, rules, scored


def guide(**tone):
    return parse(BASE | {"tone": dict.fromkeys(SWITCHES, True) | tone})


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
        ("TideFlasks and a tidal flask.", [], 1),
        ("The TideFlasks' lids. Tideflasks are here.", ["Tideflasks"], 2),
        ("Three Tide-Flasks, two Tide Flasks.", ["Tide-Flasks", "Tide Flasks"], 2),
        ("The tinyPots and a tiny pot are here.", [], 1),
        ("The Tiny-Pot and the Tiny Pots are here.", ["Tiny-Pot", "Tiny Pots"], 2),
        ("The A.Q.L.A. is here.", ["A.Q.L.A"], 1),
        ("The AQLA and the AQLAs are here.", [], 2),
        ("The Clear View Pro, a ClearView-Pro and a clear view.", ["Clear View Pro", "ClearView-Pro"], 2),
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
        ("The AQLA is here.", "tone.all_caps", False),
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
        ("exclamations", "More tea!"),
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
    assert [(hit.start, hit.end, hit.value) for hit in found] == [(2, 10, 2), (12, 15, 1)]


def test_a_word_that_starts_is_found_in_any_case_and_no_part_of_one_is():
    pattern = re.compile(rf"{starting(['dont', 'doesnt', 'wasnt'])}\b")
    found = pattern.findall("Dont wasnt DOESNT xdont dontx wont, 'dont")
    assert found == ["Dont", "wasnt", "DOESNT", "dont"]
