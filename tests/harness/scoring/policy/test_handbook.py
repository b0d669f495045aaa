"""Guidelines and departments are read in every written form, by the lines and the register of a handbook."""

import pytest

from harness.errors import UserError
from harness.scoring.policy.handbook import guidelines_of
from harness.scoring.policy.register import departments_in, ids_in, register
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
        ("a reading of 0.04 or higher, at a rate of 1.5", []),
        ("as 4.2 and 4.3 say", ["4.2", "4.3"]),
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
        ("See HR-4.12 and HR 2.", []),
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


def test_a_number_without_a_unit_that_is_no_id_stays_a_figure():
    shown = guidelines_of("Guideline 4.2 Tests. A reading of 0.04 or higher fails, as 4.3 says.", KNOWN)
    assert list(shown["4.2"].figures) == [" 1/25"]


def test_a_handbook_is_read_line_by_line():
    shown = guidelines_of(DOCUMENT, KNOWN)
    assert list(shown) == ["2.1", "4.2", "4.3"]
    assert list(shown["4.2"].figures) == ["USD 4500"]
    assert [DOCUMENT[start:end] for start, end in shown["4.3"].figures.values()] == ["4", "8"]


def test_a_register_with_duplicates_is_refused_with_all_of_them():
    with pytest.raises(UserError) as caught:
        register("1.1; 1.2; 1.1", "Claims Team; the Claims Team")
    assert "1.1 is listed 2 times" in str(caught.value)
    assert "is the same as" in str(caught.value)


@pytest.mark.parametrize(
    ("ids", "text", "found"),
    [
        ("HR-4.12; IT-2.1", "HR-4.12 and IT 2.1, not HR-4.15; W-4 and COVID-19", ["HR-4.12", "IT-2.1", "HR-4.15"]),
        ("Article 7(b); Article 7(c)", "Article 7(b) and Articles 7 (c), 9(a); see 7(b).", ["7b", "7c", "9a", "7b"]),
        ("Policy 300.2; Policy 310.1", "Policy 300.2 pays $300.20 (Policy 999.1)", ["300.2", "999.1"]),
        ("S-9; S-10", "under S-9 within 9 days, S-44", ["S-9", "S-44"]),
        ("4.3.1; 4.3.2", "section 4.3.1 (4.3.2) and 4.3 hours", ["4.3.1", "4.3.2"]),
        ("§ 12.3; § 12.4", "§ 12.3, and § 99.1", ["12.3", "99.1"]),
        ("Section 5-04; Section 5-11", "Section 5-04; 5-10 days; Section 9-01", ["5-04", "9-01"]),
        ("Rule 14; Rule 15", "Rule 14 gives 14 days, Rules 15 and 31 give 15%", ["14", "15", "31"]),
        ("P-17a; P-17b", "P-17a, P-17 b", ["P-17a", "P-17"]),
        ("II.4; III.1", "II.4 and III.9, in part IV", ["II.4", "III.9"]),
        ("EMP 2.07; EMP 2.08", "EMP 2.07 but USD 2.08", ["EMP-2.07"]),
        ("Travel-A; Travel-B", "Travel-A", ["Travel-A"]),
        ("Rule 14; Rule 15", "Under Rule 14, 10 working days. No. 30 days of notice. The rule: 12 paid days", ["14"]),
        ("Section 4.2; Section 4.3", "Under Section 4.2, 2.5 working days are given.", ["4.2"]),
        ("Pol-1; Pol-2", "See Pol-1 and POL-2, pol-3", ["POL-1", "POL-2", "POL-3"]),
    ],
)
def test_ids_are_found_in_the_form_of_the_house(ids, text, found):
    assert [mention.label for mention in ids_in(text, register(ids, DEPARTMENTS))] == found


def test_the_first_word_of_a_registered_name_is_no_department_of_its_own():
    known = register("1.1", "Facilities and Security; Finance")
    named = departments_in("Ask Facilities and Security. It is handled by Facilities.", known)
    assert [(mention.label, mention.known) for mention in sorted(named)] == [
        ("Facilities and Security", True),
        ("facilities", False),
    ]


def test_a_guideline_is_a_paragraph_with_its_table_and_its_figures():
    text = (
        "Handbook of Harlow\n\n1 LEAVE\n\nHR-1.1 Leave. 6 days:\n| year | days |\n| 2025 | 8 days |\n\n"
        "**HR-1.2** Sick pay is 80%, see HR-1.1.\nHR-1.3 No more than $40."
    )
    shown = guidelines_of(text, register("HR-1.1; HR-1.2; HR-1.3; HR-1.4", DEPARTMENTS))
    assert list(shown) == ["HR-1.1", "HR-1.2", "HR-1.3"]
    assert shown["HR-1.1"].text.endswith("8 days |") and list(shown["HR-1.2"].figures) == ["bp 8000"]
    assert all(text[one.start : one.end] == one.text for one in shown.values())


def test_a_line_that_begins_with_a_reference_is_no_head():
    text = (
        "Handbook\n\n4.2 Leave is given as in\n4.3 below: 12 days.\n\n4.3 Sick pay is 5 days, paid by the Claims Team."
    )
    shown = guidelines_of(text, register("4.2; 4.3", DEPARTMENTS))
    assert shown["4.3"].text.startswith("4.3 Sick pay")


@pytest.mark.parametrize("text", ["Write to HR.", "Ask the HR department."])
def test_the_initials_of_a_registered_name_are_that_department(text):
    known = register("1.1", "Human Resources Office; Facilities Team")
    assert [each.label for each in departments_in(text, known)] == ["Human Resources Office"]
    two = register("1.1", "Human Resources Office; Harbor Relations Desk")
    assert [each.known for each in departments_in(text, two)] == [False]
