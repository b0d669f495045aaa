"""Counts of listed things: how many a list has, and what an answer says of them."""

import pytest

from harness.schema import Case
from harness.scoring.grounding import figures
from harness.scoring.grounding.contexts import Text
from harness.scoring.grounding.listings import listings_in, noun_after
from tests.support.answers import answer

BULLETS = """The store closes on these holidays:
- New Year's Day
- Labor Day,
  the first Monday of September
- Thanksgiving"""
TABLE = "Loans of the fund\n\n| Borrower | Rate |\n|---|---|\n| Alder | 5% |\n| Birch | 6% |\n| Total | 5% |"


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        (BULLETS, [3]),
        ("Steps:\n1. Sign.\n2. Date.\n\nFees:\n1. Filing\n2. Copies\n3. Postage", [2, 3]),
        ("Bring (a) a form; (b) a plan; and (c) a fee. Then (1) pay and (2) wait.", [3, 2]),
        (TABLE, [2]),
        ("The offices in Macon, Albany and Warner Robins are open.", [3]),
        ("Macon and Albany are open.", []),
        ("- only one", []),
        ("See paragraph (b) and paragraph (c).", []),
    ],
)
def test_the_items_of_each_kind_of_list_are_counted(text, sizes):
    assert [listing.size for listing in listings_in(Text(text))] == sizes


@pytest.mark.parametrize(
    ("after", "noun"),
    [(" paid holidays a year", "holiday"), (" steps remain", "step"), (" of them", ""), (" in all", ""), (", and", "")],
)
def test_the_noun_that_a_number_counts_is_the_last_plural_after_it(after, noun):
    assert noun_after("six" + after, 3) == noun


@pytest.mark.parametrize(
    ("text", "document", "verdict"),
    [
        ("It closes on three holidays.", BULLETS, "derived"),
        ("It closes on seven holidays.", BULLETS, "ungrounded"),
        ("Two holidays are Mondays.", BULLETS, "unclear"),
        ("It has seven stores.", BULLETS, "unclear"),
        ("Five holidays:\n- a\n- b\n- c\n- d\n- e", BULLETS, "unclear"),
        ("The fund made two loans.", TABLE, "derived"),
        ("The fund made five loans.", TABLE, "ungrounded"),
        ("At most nine nights.", "Nurses work seven nights a month.", "ungrounded"),
        ("At most nine nights.", "Nurses work seven nights a month, and other nights by consent.", "unclear"),
        ("It pays three times the rate.", "It pays double the rate.", "ungrounded"),
        ("Three times the rate is due.", "It pays double the rate.", "unclear"),
        ("It was raised three times.", "It was raised in May.", "unclear"),
    ],
)
def test_a_count_is_held_against_the_lists_with_its_noun(text, document, verdict):
    case = Case(id="x", input={"document": document}, expected=[], cluster="c")
    assert [span.verdict for span in figures.judge(case, answer(text))] == [verdict]
