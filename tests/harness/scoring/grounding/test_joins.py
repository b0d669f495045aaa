"""Figures and parties in another place than the source has them: what is found, and what is left alone."""

import pytest

from harness.schema import Case
from harness.scoring.grounding import joins
from tests.support.answers import answer

CONTRACT = """SALE OF A COTTAGE between Ines Marlow ("Seller") and Teal Homes, LLC ("Buyer"), dated May 2, 2024.

1. Survey. Buyer may order a survey of the land and shall report every fault of the fences within ten (10) days.
2. Septic tank. Seller shall have the septic tank pumped and inspected at a cost of up to $640.00, and shall hand over
the inspector's certificate within twenty-one (21) days.
3. Moving out. Seller shall leave the cottage swept clean by July 12, 2024, and owes $85.00 for each day that she stays
on afterwards.
4. Broker. Buyer alone pays the commission of Copper Lane Realty, three percent (3%) of the price.
"""

HANDBOOK = """Handbook of Larkin Glass

Claims for travel go to the Billing Office with the receipt. The Billing Office pays them on Fridays.
The People Team keeps the record of leave, and sick notes reach the People Team on the third day.
Broken tools are reported to the shift manager on form T-4. The shift manager orders new ones.
"""

RETURNS = """Returns to June 30, 2024 (%)

| Fund | Quarter | One year | Five years |
|---|---|---|---|
| Alder Growth Fund | 2.41 | 9.83 | 6.17 |
| Alder Income Fund | 1.36 | 5.29 | 4.08 |
"""


def found(source: str, text: str, question: str = "") -> list[tuple[str, str]]:
    case = Case(id="x", input={"document": source, "question": question}, expected=[], cluster="c")
    spans = joins.judge(case, answer(text))
    assert {span.verdict for span in spans} <= {"mispaired"}
    return [(span.quote, span.reason.partition(":")[0]) for span in spans]


@pytest.mark.parametrize(
    ("source", "text", "finding"),
    [
        (CONTRACT, "The inspector's certificate for the septic tank comes in ten days.", ("ten days", "wrong item")),
        (CONTRACT, "Pumping and inspecting the septic tank may cost up to $85.00.", ("$85.00", "wrong item")),
        (CONTRACT, "The Seller pays the commission of Copper Lane Realty.", ("Seller", "wrong party")),
        (CONTRACT, "- Septic tank: the Buyer has it pumped and inspected", ("Buyer", "wrong party")),
        (HANDBOOK, "Sick notes reach the Billing Office on the third day.", ("Billing Office", "wrong party")),
        (HANDBOOK, "Broken tools are reported on form T-4 to the People Team.", ("People Team", "wrong party")),
        (RETURNS, "Over one year the Alder Income Fund returned 9.83%.", ("9.83%", "wrong row")),
        (RETURNS, "| Fund | One year |\n|---|---|\n| Alder Growth Fund | 6.17 |", ("6.17", "wrong column")),
        (RETURNS, "Alder Growth Fund gained 2.41% in the quarter, 9.83% and 4.08%.", ("4.08%", "wrong row")),
    ],
)
def test_a_value_or_a_party_of_another_place_is_found(source, text, finding):
    assert found(source, text) == [finding]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (CONTRACT, "The inspector's certificate for the septic tank comes within 21 days."),
        (CONTRACT, "The Seller has the septic tank pumped and inspected for at most $640."),
        (CONTRACT, "The vendor owes $85.00 for each day after July 12, 2024."),
        (CONTRACT, "The Purchaser pays Copper Lane Realty three percent of the price."),
        (HANDBOOK, "Sick notes reach the People Team, travel claims the Billing Office."),
        (RETURNS, "Over one year the Alder Growth Fund returned 9.83%, the Income Fund 5.29%."),
        (RETURNS, "Alder Income Fund: 1.36% in the quarter, 5.29% in a year, 4.08% a year over five years."),
    ],
)
def test_what_the_source_has_in_the_place_is_no_finding(source, text):
    assert found(source, text) == []


def test_two_figures_that_are_exchanged_are_both_found():
    text = (
        "Seller has the septic tank pumped and inspected at a cost of up to $85.00.\n\nSeller leaves the cottage swept "
        "clean by July 12, 2024, and owes $640.00 for each day that she stays on afterwards."
    )
    assert [quote for quote, _ in found(CONTRACT, text)] == ["$85.00", "$640.00"]


def test_an_example_and_figures_beside_one_that_is_nowhere_are_left_alone():
    assert found(CONTRACT, "For example, a septic tank that is pumped and inspected within ten days.") == []
    assert found(CONTRACT, "Pumping and inspecting the septic tank at $85.00 leaves $317.00.") == []


def test_the_finding_quotes_what_the_source_has_there_and_points_to_it():
    case = Case(id="x", input={"document": CONTRACT}, expected=[], cluster="c")
    (span,) = joins.judge(case, answer("Pumping and inspecting the septic tank may cost up to $85.00."))
    assert "“$640.00” for this one" in span.reason
    assert CONTRACT[span.source.start : span.source.end] == "$640.00"


def test_a_figure_that_is_cut_off_is_not_judged():
    case = Case(id="x", input={"document": CONTRACT}, expected=[], cluster="c")
    assert joins.judge(case, answer("Pumping and inspecting the septic tank may cost up to $85", "length")) == []


@pytest.mark.parametrize("fence", ["{}", "```json\n{}\n```", "Here it is:\n\n```\n{}\n```\nI hope that helps."])
def test_the_keys_of_json_are_the_labels_of_its_values_in_a_fence_too(fence):
    right = '{"Alder Growth Fund": {"One year": 9.83, "Five years": 6.17}}'
    wrong = '{"Alder Growth Fund": {"One year": 6.17, "Five years": 9.83}}'
    assert found(RETURNS, fence.replace("{}", right)) == []
    assert [quote for quote, _ in found(RETURNS, fence.replace("{}", wrong))] == ["6.17", "9.83"]


@pytest.mark.parametrize("text", ["", " ", "\n|\n", "{", '{"a": "$85.00"}', "$85.00"])
def test_texts_without_words_are_left_alone(text):
    assert found(CONTRACT, text) == []
    assert found("", text) == []
