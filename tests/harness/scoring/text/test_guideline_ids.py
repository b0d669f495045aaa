"""Every numbering of a handbook is read as an id, in prose, JSON, tables and lists, by both readers of ids."""

import pytest

from harness.scoring.policy.register import ids_in, register
from harness.scoring.text.guideline_ids import guidelines_in, numbered, sections_in

HANDBOOKS = {
    "HR-4.12": ("HR-4.12 Leave. Six days.\n\nHR-4.13 Pay. Monthly.", "HR-4.12", "HR-4.12"),
    "Article 7(b)": ("Article 7(b). Leave. Six days.\n\nArticle 7(c). Pay.", "7b", "7"),
    "Art. 7(b)": ("Article 7(b). Leave. Six days.\n\nArticle 7(c). Pay.", "7b", "7"),
    "7(b)": ("Article 7(b). Leave. Six days.\n\nArticle 7(c). Pay.", "7b", "7"),
    "Policy 300.2": ("Policy 300.2 - Leave. Six days.\n\nPolicy 310.1 - Pay.", "300.2", "300.2"),
    "400.1": ("Policy 400.1 - Leave. Six days.\n\nPolicy 400.2 - Pay.", "400.1", "400.1"),
    "S-9": ("S-9 - Leave. Six days.\n\nS-10 - Pay.", "S-9", "S-9"),
    "Section 4.2(c)": ("Section 4.2(c) Leave. Six days.\n\nSection 4.2(d) Pay.", "4.2c", "4.2"),
    "Sec. 4.2(c)": ("Section 4.2(c) Leave. Six days.\n\nSection 4.2(d) Pay.", "4.2c", "4.2"),
    "4.2": ("4.2 Leave. Six days.\n\n4.3 Pay.", "4.2", "4.2"),
    "4.3.1": ("4.3.1 - Leave. Six days.\n\n4.3.2 - Pay.", "4.3.1", "4.3.1"),
    "Guideline 4.2": ("Guideline 4.2 - Leave. Six days.\n\nGuideline 4.3 - Pay.", "4.2", "4.2"),
    "Rule 14": ("Rule 14 - Leave. Six days.\n\nRule 15 - Pay.", "14", "14"),
    "§ 12.3": ("§ 12.3 - Leave. Six days.\n\n§ 12.4 - Pay.", "12.3", "12.3"),
    "5-04": ("Section 5-04 - Leave. Six days.\n\nSection 5-11 - Pay.", "5-04", "5-4"),
    "P-17a": ("P-17a Leave. Six days.\n\nP-17b Pay.", "P-17a", "P-17A"),
    "EMP 2.07": ("EMP 2.07 - Leave. Six days.\n\nEMP 2.08 - Pay.", "EMP-2.07", "EMP 2.07"),
    "Section II.4": ("II.4 Leave. Six days.\n\nIII.1 Pay.", "II.4", "II.4"),
    "II.4": ("II.4 Leave. Six days.\n\nIII.1 Pay.", "II.4", "II.4"),
}
PLACES = {
    "brackets": "The limit is $45 ({}).",
    "list of two": "The limit is $45 [{}; see also 6 days].",
    "json": '{{"limit": "$45", "source": "{}"}}',
    "table": "| Topic | Limit | Source |\n|---|---|---|\n| Berth | $45 | {} |",
    "bold cell": "| **{}** | $45 |",
    "bullet": "- {}: the limit is $45\n- 6 days",
    "heading": "{}\nThe limit is $45.",
}
UNITS = {"in hours": "It takes (4.2 hours), or 4.2 hours.", "money": "It costs $4.20, $4.2 million or 4.2%."}


@pytest.mark.parametrize("written", HANDBOOKS)
@pytest.mark.parametrize("place", [*PLACES, "prose"])
def test_an_id_is_read_in_the_form_of_its_handbook(written, place):
    document, by_register, by_source = HANDBOOKS[written]
    text = PLACES.get(place, "As {} says, the limit is $45.").format(written)
    heads = [line.partition(" Leave")[0].partition(" Pay")[0].strip(" .-") for line in document.split("\n\n")]
    assert [mention.label for mention in ids_in(text, register("; ".join(heads), "Claims Team"))] == [by_register]
    if place != "prose":
        ids = {one.id for one in [*guidelines_in(text, True, numbered(document)), *sections_in(text)]}
        assert ids == {by_source}


@pytest.mark.parametrize("text", UNITS.values(), ids=UNITS)
def test_a_figure_with_a_unit_is_no_id(text):
    assert list(ids_in(text, register("4.2; 4.3", "Claims Team"))) == []
    assert guidelines_in(text, True, {"4.2", "4.3"}) == []


def test_a_number_that_the_source_does_not_have_as_a_heading_is_no_id_alone():
    assert guidelines_in("The limit is $45 (4.9). | 400.9 |", True, {"4.2", "400.1"}) == []


def test_the_numbers_of_a_source_are_its_headings_their_parents_and_those_between():
    places = numbered("1.2 Leave. Six days.\n\nSee Sections 3.1 through 3.3 and HR-07.")
    assert set(places) == {"1", "1.2", "3", "3.1", "3.2", "3.3", "HR-7"}
