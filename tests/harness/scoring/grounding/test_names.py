"""Names: what is one and what only has capitals, verdicts against source and closed list, and the false alarms."""

from dataclasses import replace

import pytest

from harness.schema import Case, Score
from harness.scoring.base import run
from harness.scoring.grounding import names, registry
from harness.scoring.grounding.registry import RegisteredName
from tests.support.answers import answer

DOCUMENT = """COMMERCIAL LEASE. This Lease is between OAKMERE HOLDINGS, LLC ("Landlord") and Dunmore Bakery, Inc.
("Tenant"), with First Tidal Bank as lender. Signed by Jane B. Quill. The Records Department keeps copies under
Guideline 4.2 and HR-07. Disputes go to the Superior Court of Harlow County. The Alder Growth Fund holds shares.
5. Notices. Send notice to the Department of Building Safety and to the Health and Safety Team."""
KNOWN = registry.of(
    [
        RegisteredName("department", "People Operations Department", ("HR Department", "Records Department")),
        RegisteredName("department", "Fleet Office", ()),
        RegisteredName("guideline", "Guideline 8.1", ()),
        RegisteredName("party", "Vesper Lane Partners, LP", ("Vesper Lane",)),
    ],
    complete=["department", "guideline"],
)


def scored(text: str, document: str = DOCUMENT, known=None, finish_reason: str = "stop", question: str = "") -> Score:
    case = Case(id="x", input={"document": document, "question": question}, expected=[], cluster="lease-1")
    completion = answer(text, finish_reason)
    return run([names.among(known) if known else names.fabricated], case, completion).names


def found(text: str, document: str = DOCUMENT, known=None) -> list[tuple[str, str, str]]:
    return [(span.kind, span.verdict, span.quote) for span in scored(text, document, known).spans]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Oakmere Holdings, LLC", "party"),
        ("Oakmere Holdings L.L.C.", "party"),
        ("Oakmere Holdings", "party"),
        ("Oakmere, LLC", "party"),
        ("OAKMERE HOLDINGS, LLC", "party"),
        ("Dunmore Bakery Incorporated", "party"),
        ("Dunmore Bakery's", "name"),
        ("Dunmore Bakery Lease", "name"),
        ("First Tidal Bank", "party"),
        ("Tidal Bank", "party"),
        ("Jane B. Quill", "name"),
        ("Jane Quill", "name"),
        ("J. Quill", "name"),
        ("Ms. Quill", "person"),
        ("Ms. Jane Quill", "person"),
        ("Records Department", "department"),
        ("Department of Records", "department"),
        ("Building Safety Department", "department"),
        ("Department of Building Safety", "department"),
        ("Health and Safety Team", "department"),
        ("records department", "department"),
        ("Superior Court of Harlow County", "court"),
        ("Alder Growth Fund", "fund"),
        ("Guideline 4.2", "guideline"),
        ("guideline 4", "guideline"),
        ("Guideline HR-7", "guideline"),
        ("HR\u201107", "guideline"),
    ],
)
def test_a_name_of_the_source_is_supported_in_each_of_its_forms(text, kind):
    (span,) = scored(f"I sent it to the {text} today.").spans
    assert (span.kind, span.verdict) == (kind, "supported")
    assert 0 <= span.source.start < span.source.end <= len(DOCUMENT)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Oakmere Holdings, Inc.", "party"),
        ("Oakmere Partners, LLC", "party"),
        ("Brightwater Partners, Inc.", "party"),
        ("ZENITH HOLDINGS, LLC", "party"),
        ("Second Tidal Bank", "party"),
        ("Tidal Harbor Trust", "party"),
        ("Jane B. Quarles", "name"),
        ("Peter Quill", "name"),
        ("Ja Quill", "name"),
        ("Mr. Quarles", "person"),
        ("Wellness Department", "department"),
        ("Department of Wellness", "department"),
        ("Office of Compliance Review", "department"),
        ("finance department", "department"),
        ("Superior Court of Norland County", "court"),
        ("Supreme Court", "court"),
        ("Alder Income Fund", "fund"),
        ("Norland Rent Index", "index"),
        ("First Georgia Bank", "party"),
        ("Guideline 4.3", "guideline"),
        ("Guideline 40", "guideline"),
        ("HR-08", "guideline"),
    ],
)
def test_a_name_that_the_source_has_not_is_ungrounded(text, kind):
    (span,) = scored(f"I sent it to the {text} today.").spans
    assert (span.kind, span.verdict, span.source) == (kind, "ungrounded", None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Yes.",
        "Tenant must pay Base Rent and the Purchase Price at Closing.",
        "However, Landlord shall give Notice of Default under this Agreement.",
        "Paying Rent late is an Event of Default. Furnish Landlord a copy.",
        "On Monday, March 3, 2025 and in January the Term ends.",
        "**Key Dates:**\n- Quiet Enjoyment: granted\n# Lease Of Baker Street\nVelvet Rope Terms:\n",
        "\n# Lease Of Baker Street\n",
        "TENANT SHALL KEEP THE VELVET ROPE IN GOOD REPAIR",
        "Company's Q2 revenues and the Borrower's H1 Costs rose.",
        "Landlord calls Tenant, and Mr. or Dr. may follow; the Premium is due in May or on Monday.",
        "The Registered Office, the Leased Unit and the Closing Office.",
        "a standard 30-day period and policies 30 days old; COVID-19 and F-150 and 10-K",
        "Insurance; Holdover; Due On Sale; Right Of First Refusal; None",
        "I'm sorry, I cannot say.",
        "All amounts are in USD, not in EUR or GBP. The First Mortgage goes to the Bank.",
        "Here it is in plain English, without terms.",
    ],
)
def test_capitals_alone_make_no_name(text):
    assert found(text, "A lease of one flat.") == []


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("Department of Treasury", "Department of the Treasury"),
        ("Department of the Water Supply", "Department of Water Supply"),
        ("Department of the Water Supply", "Water Supply Department"),
        ("Water Supply Department", "Department of the Water Supply"),
    ],
)
def test_a_department_is_known_with_and_without_its_small_words(text, source):
    assert [verdict for _, verdict, _ in found(f"I wrote to the {text}.", f"The {source} answered.")] == ["supported"]


def test_a_word_that_the_source_writes_small_is_ordinary_there():
    assert found("The Velvet Rope Rules apply.", "The velvet rope must hang.") == []
    assert found("The Velvet Rope Rules apply.", "The rules must hang.") != []


@pytest.mark.parametrize(
    ("text", "source", "verdict"),
    [
        ("He met Marlow.", "Ann Marlow paid.", "supported"),
        ("He met Marlow.", "Ann Marlowe paid.", "supported"),
        ("He met Marlow.", "Ann Barlow paid.", "ungrounded"),
        ("They are Iraqi.", "They came from Iraq.", "supported"),
        ("They are Iraqi.", "They came from Iran.", "ungrounded"),
        ("Some Italians paid.", "It was made in Italy.", "supported"),
        ("It is made in America.", "Made in the U.S. by hand.", "supported"),
        ("It is made in the UK.", "Made in the U.S. by hand.", "ungrounded"),
        ("Some CNNs learn.", "A convolutional neural network learns.", "supported"),
        ("Some CNNs learn.", "A neural network learns.", "ungrounded"),
        ("It fell YoY again.", "It fell year over year.", "supported"),
        ("A Lee-Marlow deed.", "Ann Lee signed a deed.", "ungrounded"),
        ("Counting Marlow, two paid.", "Ann Marlow paid.", "supported"),
        ("Counting Marlow, two paid.", "Ann Barlow paid.", "ungrounded"),
        ("She lives in New Jersey.", "12 Elm Street, Lebanon, NJ 08833", "supported"),
        ("She lives in New Mexico.", "12 Elm Street, Lebanon, NJ 08833", "ungrounded"),
    ],
)
def test_a_capitalised_word_inside_a_sentence_is_a_name_in_any_of_its_forms(text, source, verdict):
    assert {v for _, v, _ in found(text, source) if v != "supported"} == {verdict} - {"supported"}
    assert found(text, source)


def test_a_capitalised_word_that_opens_a_sentence_or_line_or_is_a_code_is_no_name():
    text = "Marlow paid. Marlow said: Marlow.\nMarlow (Marlow); MARLOW SAYS MARLOW. After COVID-19\n# A Guide to Marlow"
    assert found(text, "A lease of one flat.") == []


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("the Wellness Committee of the Board met", "Wellness Committee"),
        ("The Department of Wellness asked", "Department of Wellness"),
        ("Tidal Bank's Department of Wellness asked", "Department of Wellness"),
        ("the Wellness Division of the Company", "Wellness Division"),
        ("the Office of the Landlord and the Board of the Company", None),
    ],
)
def test_where_the_name_of_a_department_ends(text, quote):
    assert [q for kind, _, q in found(text) if kind == "department"] == ([quote] if quote else [])


def test_names_that_stand_beside_each_other_are_read_apart():
    text = "Dunmore Bakery Jane B. Quill; Oakmere Holdings, LLC and First Tidal Bank on Monday Dunmore Bakery"
    assert {verdict for _, verdict, _ in found(text)} == {"supported"}


def test_two_names_of_the_source_are_not_mixed():
    assert found("Dunmore Holdings, LLC")[0][1] == "ungrounded"
    assert found("Jane Tidal")[0][1] == "ungrounded"


def test_a_list_of_guidelines_is_one_claim_each():
    assert found("See Guidelines 4.2, 4.3 and HR-07.") == [
        ("guideline", "supported", "Guidelines 4.2"),
        ("guideline", "ungrounded", "4.3"),
        ("guideline", "supported", "HR-07"),
    ]


def test_bare_codes_are_guidelines_only_where_the_source_or_list_uses_codes():
    assert found("See HR-08.", "Guideline 4.2 applies.") == []
    coded = registry.of([RegisteredName("guideline", "Policy FIN-3", ())])
    assert found("See FIN-3 and FIN-4.", "Guideline 4.2 applies.", coded) == [
        ("guideline", "registered", "FIN-3"),
        ("guideline", "ungrounded", "FIN-4"),
    ]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("the HR Department", "supported"),
        ("the People Operations Department", "supported"),
        ("the Fleet Office", "registered"),
        ("the Office of Fleet", "registered"),
        ("the Wellness Department", "invented"),
        ("the Department of Building Safety", "supported"),
        ("Guideline 8.1", "registered"),
        ("Guideline 8.2", "invented"),
        ("Guideline 4.2", "supported"),
        ("Vesper Lane Partners, L.P.", "registered"),
        ("Vesper Lane", "registered"),
        ("Vesper Hill Partners, L.P.", "ungrounded"),
    ],
)
def test_a_closed_list_grounds_names_and_proves_inventions_of_complete_kinds(text, verdict):
    assert [v for _, v, _ in found(f"I sent it to {text} today.", known=KNOWN)] == [verdict]


def test_counts_and_findings_agree():
    score = scored("The Fleet Office and the Wellness Department wrote to First Tidal Bank.", known=KNOWN)
    assert score.counts == {"names": 3, "fabricated": 1, "responses_with": 1}
    assert (score.invented, score.registered, score.supported) == (
        ["Wellness Department"],
        ["Fleet Office"],
        ["First Tidal Bank"],
    )


def test_the_list_is_part_of_the_version():
    assert names.among(KNOWN).version != names.among(replace(KNOWN, complete=frozenset())).version
    assert names.among(KNOWN).version != names.fabricated.version


@pytest.mark.parametrize(("name", "verdict"), [("Proton Mail", "supported"), ("Proton Male", "ungrounded")])
def test_a_name_of_two_words_may_be_one_in_the_source(name, verdict):
    assert [span.verdict for span in scored(f"{name} tells you.", "ProtonMail is a service.").spans] == [verdict]


def test_a_name_of_the_question_that_is_denied_is_no_claim():
    question = "What does Guideline 9.9 of the Wellness Department say?"
    assert scored("The handbook does not mention Guideline 9.9.", question=question).spans == []
    assert scored("There is no Wellness Department.", question=question).spans == []
    assert scored("Guideline 9.9 allows pets.", question=question).counts["fabricated"] == 1
    assert scored("There is no Guideline 9.8.", question=question).counts["fabricated"] == 1


def test_a_source_scored_against_itself_holds_all_its_names():
    assert scored(DOCUMENT).counts["names"] >= 10
    assert scored(DOCUMENT).fabricated == []


def test_spans_point_into_the_untouched_text():
    text = "🏠 ﬁrst: Oakmere\u00a0Holdings, L.L.C.; Dun\u00admore Bakery’s"
    assert [s.quote for s in scored(text).spans] == ["Oakmere\u00a0Holdings, L.L.C.", "Dun\u00admore Bakery"]


def test_a_word_does_not_end_within_a_decimal_number():
    assert scored("A Aa-10.0", "A Aa-10.0").fabricated == []
    assert scored("The Alder Class-2.5 Fund grew.", "The Alder Class-2.5 Fund grew.").fabricated == []


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("Ida A. Gebremariam signs.", "supported"),
        ("Ida A. and Solomon T. Gebremariam sign.", "supported"),
        ("Ida Marie Gebremariam signs.", "supported"),
        ("Ida Okoro and Solomon Gebremariam sign.", "ungrounded"),
        ("Ida Okoro. Clerk: Solomon Gebremariam.", "ungrounded"),
        ("Ida met the clerk Gebremariam.", "ungrounded"),
    ],
)
def test_a_person_may_lack_a_middle_name_or_share_a_surname_with_a_spouse(source, verdict):
    assert [v for _, v, *_ in ((s.quote, s.verdict) for s in scored("Ida Gebremariam pays.", source).spans)] == [
        verdict
    ]
