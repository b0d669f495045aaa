"""Guidelines and departments are read in every written form, by the lines and the register of a handbook."""

import pytest

from harness.errors import UserError
from harness.scoring.policy.handbook import departments_in, ids_in, lines, register
from tests.support.harlow_handbook import DEPARTMENTS, DOCUMENT, IDS

KNOWN = register(IDS, DEPARTMENTS)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Guidelines 4.2, 4.3 and 9.1", ["4.2", "4.3", "9.1"]),
        ("guideline no. 4.2", ["4.2"]),
        ("GUIDELINE 4.2.", ["4.2"]),
        ("**Guideline 4.2**", ["4.2"]),
        ("§4.2 and § 4.3", ["4.2", "4.3"]),
        ("section 4.2", ["4.2"]),
        ("$45 (4.2).", ["4.2"]),
        ("[2.1; 4.2]", ["2.1", "4.2"]),
        ("4.2: yes", ["4.2"]),
        ("4.2", ["4.2"]),
        ("Guidelines 4.2-4.3", ["4.2", "4.3"]),
        ("Guideline 4.2.1", ["4.2.1"]),
        ("Guideline 4.2a", ["4.2a"]),
        ("Guideline 4.2, 6 days", ["4.2"]),
        ("Guideline 4.2 and 2.5 hours", ["4.2"]),
        ("under 4.2", ["4.2"]),
        ("under 4.9", []),
        ("in 4.2 hours", []),
        ("(4.2 hours)", []),
        ("4.2 hours", []),
        ("4.5% or $4.20", []),
        ("version 14.2.3 of x4.2", []),
    ],
)
def test_ids_are_read_in_every_written_form_and_values_are_none(text, found):
    assert [mention.label for mention in ids_in(text, KNOWN)] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The Claims Team.", [("Claims Team", True)]),
        ("ask the claims team", [("Claims Team", True)]),
        ("the Claims Department", [("Claims Team", True)]),
        ("Pay and Systems Team", [("Pay & Systems Team", True)]),
        ("pay & systems team", [("Pay & Systems Team", True)]),
        ("the Harlow Board Office", [("Harlow Board Office", True)]),
        ("Harlow Claims Team", [("Claims Team", True)]),
        ("Contact Claims Team or Rota Office", [("Claims Team", True), ("Rota Office", True)]),
        ("Global Claims Team", [("global claims team", False)]),
        ("the Marine Desk", [("marine desk", False)]),
        ("Department of Finance", [("department of finance", False)]),
        ("The Department of Finance", [("department of finance", False)]),
        ("Human Resources", [("human resources", False)]),
        ("Contact HR.", [("hr", False)]),
        ("the HR department", [("hr department", False)]),
        ("the payroll team", [("payroll team", False)]),
        ("it is handled by Payroll.", [("payroll", False)]),
        ("the wellbeing department", [("wellbeing department", False)]),
        ("your department", []),
        ("The Department", []),
        ("another department", []),
        ("the home office", []),
        ("overtime on a Sunday office staff get", []),
        ("by Security staff", []),
        ("Finance is a subject.", []),
        ("the whole team", []),
    ],
)
def test_departments_are_told_from_other_words(text, found):
    assert [(mention.label, mention.known) for mention in departments_in(text, KNOWN, "Handbook of Harlow")] == found


def test_a_handbook_is_read_line_by_line():
    shown = lines(DOCUMENT)
    assert list(shown) == ["2.1", "4.2", "4.3"]
    assert list(shown["4.2"].figures) == ["USD 4500"]
    assert [DOCUMENT[start:end] for start, end in shown["4.3"].figures.values()] == ["4", "8"]


def test_a_register_with_duplicates_is_refused_with_all_of_them():
    with pytest.raises(UserError) as caught:
        register("1.1; 1.2; 1.1", "Claims Team; the Claims Team")
    assert "1.1 is listed 2 times" in str(caught.value)
    assert "is the same as" in str(caught.value)
