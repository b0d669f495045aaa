"""Checkable facts together: four types, no fact counted twice, and rates by hand."""

import pytest

from harness.schema import Case, Score
from harness.scoring.base import metrics_of, run
from harness.scoring.grounding import citations, facts, figures, names, quotations, registry
from harness.scoring.grounding.registry import RegisteredName
from tests.support.answers import answer

DOCUMENT = (
    "Under O.C.G.A. § 44-14-161 the sale is reported within 30 days. The price is $500, the fee $204. Oakmere "
    "Holdings, LLC and Two Rivers Bank signed; see Section 4.2 and Guideline 7. Notice is given in writing."
)


def scored(text: str, finish_reason: str = "stop", scorer=facts.fabricated) -> Score:
    case = Case(id="x", input={"document": DOCUMENT}, expected=[], cluster="c")
    completion = answer(text, finish_reason)
    return run([scorer], case, completion).facts


def totals(score: Score) -> tuple[int, int, int]:
    return score.counts["claims"], score.counts["fabricated"], score.counts["responses_with"]


def test_a_section_is_no_figure_too():
    score = scored("O.C.G.A. § 44-14-161 gives 30 days; O.C.G.A. § 44-99-999 costs $700.")
    assert totals(score) == (4, 2, 1)
    assert score.extracted["fabricated"] == ["O.C.G.A. § 44-99-999", "$700"]


def test_numbers_of_other_law_are_neither_counts_nor_sections_nor_guidelines():
    score = scored(
        "See 12 U.S.C. § 2605, Section 1031 of the Internal Revenue Code, Smith v. Jones, 245 Ga. App. 12 (2000), and "
        "Rule 6.3 of the Uniform Superior Court Rules."
    )
    assert totals(score) == (4, 0, 0)
    assert (score.counts["claims_citation"], score.counts["unclear"]) == (4, 4)


@pytest.mark.parametrize(
    ("text", "fabricated"),
    [
        ("Sales rose in Q7.", []),
        ("Sales rose in Q8.", ["Q8"]),
        ("He won by 39-run and 30-run margins.", ["39-run"]),
        ("It is of the 21st century, since the 1990s.", ["21st", "1990s"]),
        ("It is the 7th 4.2-litre 2-seat car.", []),
        ("It is the 8th.", ["8th"]),
        ("1. a, 2) b: x/9y, v9.1.2 and $9, 9 a, k_9", ["$9"]),
    ],
)
def test_a_number_joined_to_letters_needs_the_number_in_the_source(text, fabricated):
    assert scored(text).extracted["fabricated"] == fabricated


def test_a_number_joined_to_letters_is_found_in_the_source_in_words():
    case = Case(id="x", input={"document": "It is the third of nineteen cars."}, expected=[], cluster="c")
    score = run([facts.fabricated], case, answer("A 3rd car, a 19-car line, a 4th line.")).facts
    assert [(s.quote, s.verdict, s.source and (s.source.start, s.source.end)) for s in score.spans] == [
        ("3rd", "supported", (10, 15)),
        ("19-car", "supported", (19, 27)),
        ("4th", "ungrounded", None),
    ]


def test_each_type_has_its_own_counts():
    score = scored(
        'Section 9 and $500; Vesper Hill, Inc. wrote "notice is given by telephone" and "notice is given in writing"'
    )
    assert totals(score) == (5, 3, 1)
    assert {k: v for k, v in score.counts.items() if "_" in k and k != "responses_with"} == {
        "claims_citation": 1,
        "fabricated_citation": 1,
        "claims_figure": 1,
        "fabricated_figure": 0,
        "claims_name": 1,
        "fabricated_name": 1,
        "claims_quote": 2,
        "fabricated_quote": 1,
    }
    assert score.extracted["fabricated_name"] == ["Vesper Hill, Inc."]


@pytest.mark.parametrize(
    ("text", "quotes_of"),
    [
        ('It says "the price is $501, the fee $204".', ["the price is $501, the fee $204"]),
        ('It says "The price is $500, the fee $204".', ["The price is $500, the fee $204"]),
        ("Two Rivers Bank", ["Two Rivers Bank"]),
        ("Three Rivers Bank", ["Three Rivers Bank"]),
        ("Guideline 8", ["Guideline 8"]),
        ("Section 4.2, Section 5", ["Section 4.2", "Section 5"]),
    ],
)
def test_of_facts_that_overlap_the_longer_is_the_claim(text, quotes_of):
    assert [span.quote for span in scored(text).spans] == quotes_of


def test_a_figure_that_a_rule_yields_is_not_fabricated():
    assert scored("With the fee of $204 in all $704, of which about $200 is the fee.").fabricated == []
    assert scored("In all $705.").fabricated == ["$705"]


def test_spans_of_all_kinds_stand_in_order():
    kinds = [s.kind for s in scored("Pay Oakmere Holdings, LLC $500 under O.C.G.A. § 44-14-161 in 30 days.").spans]
    assert kinds == ["party", "money", "citation", "duration"]


def test_rates_over_three_answers():
    """By hand: 2 claims (1 fabricated), 1 claim (0), no claim; so 1/3 of claims and 1/3 of answers."""
    scores = [scored("$500 or $9"), scored("30 days"), scored("It depends.")]
    rates = {}
    for metric in facts.fabricated.metrics:
        below = sum(s.counts[metric.denominator] if metric.denominator else 1 for s in scores)
        rates[metric.name] = sum(s.counts[metric.numerator] for s in scores) / below if below else None
    assert rates == {
        "fabrication_rate": 1 / 3,
        "fabrication_response_rate": 1 / 3,
        "claims_per_answer": 1.0,
        "mispaired_fact_rate": 0.0,
        "fabrication_rate_citation": None,
        "fabrication_rate_figure": 1 / 3,
        "fabrication_rate_name": None,
        "fabrication_rate_quote": None,
    }


def test_a_failed_completion_counts_as_a_fabricated_one_of_each_type():
    score = scored("", "error")
    assert totals(score) == (1, 1, 1)
    assert [score.counts[f"{what}_{kind}"] for what in ("claims", "fabricated") for kind in facts.TYPES] == [1] * 8


def test_a_figure_in_another_place_is_one_claim_and_fabricated():
    source = "Deeds are recorded for a fee of $204 a page. Two Rivers Bank sells the mill in Alma for $500 in cash."
    case = Case(id="x", input={"document": source}, expected=[], cluster="c")
    score = run([facts.fabricated], case, answer("Two Rivers Bank sells the mill in Alma for $204 in cash.")).facts
    assert totals(score) == (3, 1, 1)
    assert (score.counts["mispaired"], score.counts["fabricated_figure"]) == (1, 1)
    assert score.extracted["mispaired"] == score.extracted["fabricated"] == ["$204"]


def test_refusing_lowers_the_rate_which_is_why_the_answer_rate_stands_beside_it():
    score = scored("I'm sorry, I cannot say.")
    assert totals(score) == (0, 0, 0)
    assert set(score.counts.values()) == {0}


def test_lists_make_names_registered_and_sections_invented():
    known = facts.among(
        registry.of([RegisteredName("party", "Vesper Hill, Inc.", ())]), citations.code(complete=["44-14"])
    )
    score = scored("Vesper Hill, Inc. cites O.C.G.A. § 44-14-999.", scorer=known)
    assert [span.verdict for span in score.spans] == ["registered", "invented"]
    assert [span.verdict for span in scored("Vesper Hill, Inc. cites O.C.G.A. § 44-14-999.").spans] == [
        "ungrounded"
    ] * 2
    assert known.version != facts.fabricated.version == facts.among().version


def test_a_suite_may_take_all_these_scorers_together():
    scorers = [facts.fabricated, citations.fabricated, figures.ungrounded, names.fabricated, quotations.fabricated]
    assert len({metric.name for metric in metrics_of(scorers)}) == 13


def test_every_verdict_is_either_ground_or_fabrication():
    verdicts = {*citations.SEVERITY, *figures.VERDICTS, *names.VERDICTS}
    assert {v for v in verdicts if v in facts.GROUNDED} == {"supported", "derived", "registered"}
    assert set(names.GROUNDED) | {"derived"} == set(facts.GROUNDED)
