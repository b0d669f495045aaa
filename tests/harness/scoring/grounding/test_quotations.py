"""Quotations: which are read, what may differ from the source, and text that must never crash."""

import pytest

from harness.schema import Case, Score
from harness.scoring.base import run
from harness.scoring.grounding import quotations
from tests.support.answers import answer

DOCUMENT = (
    "1. Repairs. Tenant shall keep the roof — and the gutters — in good\n  repair at its own cost, except "
    "that Landlord’s contractor shall mend the “Common Areas” within ten (10) days. 2. Notices. All notices shall be "
    "in writing."
)


def scored(text: str, document: str = DOCUMENT, finish_reason: str = "stop", question: str = "") -> Score:
    case = Case(id="x", input={"document": document, "question": question}, expected=[], cluster="lease-1")
    completion = answer(text, finish_reason)
    return run([quotations.fabricated], case, completion).quotes


@pytest.mark.parametrize(
    "text",
    [
        'It says "Tenant shall keep the roof - and the gutters - in good repair".',
        "It says “Tenant shall keep the roof—and the gutters—in good repair at its own cost.”",
        "It says «Tenant shall keep the roof», no more.",
        "It says „Tenant shall keep the roof“.",
        'It says "tenant shall keep the roof," among others.',
        'It says "Tenant shall keep ... the gutters … in good repair".',
        'It says "Tenant shall keep [...] in good repair".',
        'It says "[The t]enant shall keep the roof".',
        'It says "Tenant shall [always] keep the roof".'.replace("[always] keep", "[k]eep"),
        "It says \"shall mend the 'Common Areas' within ten\".",
        'It says "except that Landlord\'s contractor shall mend".',
        'It says "All\u00a0notices shall be\r\nin writing."',
        'It says "All notices [x] be in writing".',
        'It says "the [x] within ten (10) days".',
    ],
)
def test_a_quotation_that_differs_only_as_allowed_is_supported(text):
    assert scored(text).counts == {"quotes": 1, "fabricated": 0, "responses_with": 0}


@pytest.mark.parametrize(
    "text",
    [
        'It says "Tenant shall keep the floor in good repair".',
        'It says "Tenant shall keep the roof in good repair".',
        'It says "in good repair ... Tenant shall keep the roof".',
        'It says "Tenant shall keep ... in good repair ... the gutters".',
        'It says "notices shall be in write".',
        'It says "All notices shall NOT be in writing".',
        'It says "All notices [x] in writing and signed".',
        "It says “All notices shall be given orally”.",
    ],
)
def test_a_quotation_that_the_source_does_not_hold_is_fabricated(text):
    assert scored(text).counts == {"quotes": 1, "fabricated": 1, "responses_with": 1}


@pytest.mark.parametrize(
    "text",
    [
        "",
        'the "Common Areas" and "three words only"',
        'a 5" pipe and a 6" pipe in this long house "',
        'it opens "and never closes it again here',
        'it closes here and has never opened"',
        'it opens "and never closes here, "then opens again" there',
        '"One paragraph opens here\n\nand another one closes" it',
        "‘single marks are apostrophes too often’ to be read",
        '"""" « « » “”””',
    ],
)
def test_what_is_no_quotation(text):
    assert scored(text).counts["quotes"] == 0


def test_the_outer_of_nested_quotations_is_the_claim():
    score = scored('“It shall mend the “Common Areas” within a day” and "All notices shall be in writing"')
    assert score.fabricated == ["It shall mend the “Common Areas” within a day"]
    assert score.supported == ["All notices shall be in writing"]


def test_a_span_quotes_the_answer_and_points_into_the_source():
    (span,) = scored('🏠 It says "keep the roof - and the gutters - in good repair at"').spans
    assert span.quote == "keep the roof - and the gutters - in good repair at"
    assert DOCUMENT[span.source.start : span.source.end] == "keep the roof — and the gutters — in good\n  repair at"


def test_a_quotation_that_is_cut_is_not_judged():
    assert scored('"one two three four" and "five six seven', finish_reason="length").fabricated == [
        "one two three four"
    ]
    assert scored('He said "one two three four"', finish_reason="length").counts["quotes"] == 0


def test_a_mark_that_repeats_costs_no_time():
    assert scored('"a b c d ' * 20_000).counts["quotes"] >= 0
    assert scored('"[a] b c d e" ' * 500, "b " * 5_000).counts["quotes"] == 500


def test_a_mark_that_a_footnote_follows_parts_words():
    source = 'The lease says "the roof shall be mended"1 and no more; the tenant\'s roof.'
    assert scored('It says "the roof shall be mended".', source).fabricated == []
    assert scored(source, source).fabricated == []
    assert scored('It says "and no more; the tenant’s roof".', source).fabricated == []


@pytest.mark.parametrize("fence", ["{}", "```json\n{}\n```"])
def test_an_answer_in_json_quotes_nothing(fence):
    text = fence.format('{"notice": "given by telephone and not in writing"}')
    assert scored(text).counts["quotes"] == 0
    assert scored("[" * 3000).counts["quotes"] == 0
