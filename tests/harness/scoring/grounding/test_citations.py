"""References to the Georgia Code: every written form, verdicts, and the controls that must stay silent."""

import csv
import os
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.schema import Case, Score
from harness.scoring.base import RangeSet, run
from harness.scoring.grounding.citation_parser import citations_in, other_law_in
from harness.scoring.legal import citations
from tests.support.answers import answer


def scored(text: str, document: str = "", state: str = "Georgia", finish_reason: str = "stop") -> Score:
    case = Case(id="x", input={"document": document}, expected=[], cluster="deed-1", tags={"state": state})
    completion = answer(text, finish_reason)
    return run([citations.fabricated], case, completion).citations


def says(text: str, bare: bool = False) -> list[str]:
    return [citation.label for citation in citations_in(text, bare)]


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("O.C.G.A. § 44-14-1", ["44-14-1"]),
        ("OCGA § 44-14-162.2(a)", ["44-14-162.2"]),
        ("O. C. G. A. §§ 44-14-160 through 44-14-162.2", ["44-14-160 through 44-14-162.2"]),
        ("O.C.G.A. Section 44-14-161", ["44-14-161"]),
        ("Ga. Code Ann. § 13-8-2(b)", ["13-8-2"]),
        ("Georgia Code Section 44-5-30", ["44-5-30"]),
        ("Official Code of Georgia Annotated § 44-14-231", ["44-14-231"]),
        ("Official Code of Georgia, Section 44-5-30", ["44-5-30"]),
        ("Code Section 44-14-161", ["44-14-161"]),
        ("O.C.G.A. §10-6A-1 et seq.", ["10-6A-1"]),
        ("o.c.g.a. § 10-6a-1", ["10-6A-1"]),
        ("O.C.G.A. § 13-1-11(a)(3)", ["13-1-11"]),
        ("O.C.G.A. §§ 44-5-61, 44-5-62 and 44-5-63", ["44-5-61", "44-5-62", "44-5-63"]),
        ("OCGA 44-14-162 to -162.4", ["44-14-162 through 44-14-162.4"]),
        ("O.C.G.A. §§ 44-14-162–44-14-162.4", ["44-14-162 through 44-14-162.4"]),
        ("O.C.G.A.\u00a0§\u00a044\u201114\u20111", ["44-14-1"]),
        ("O.C.G.A. § 44–14–1", ["44-14-1"]),
        ("O.C.G.A. §\n44-14-1", ["44-14-1"]),
        ("O.C.G.A. §\r\n44-14-1", ["44-14-1"]),
        ("O.C.G.A. § 44-14-1, and 30 days", ["44-14-1"]),
        ("O.C.G.A. § 44-14-\n162.2", ["44-14-162.2"]),
        ("O.C.G.A. §§ 44-14-\r\n  160 and 44-\n14-161", ["44-14-160", "44-14-161"]),
        ("Title 44, Chapter 14, Section 162.2 of the Official Code of Georgia", ["44-14-162.2"]),
        ("O.C.G.A. Title 44, Chapter 14, Article 7, Section 162.2", ["44-14-162.2"]),
        ("section 162.2 of chapter 14 of title 44 of the Georgia Code", ["44-14-162.2"]),
        ("Georgia Code Title 10,\nChapter 6A, § 1", ["10-6A-1"]),
    ],
)
def test_every_headed_form_is_read(text, sections):
    assert says(text) == sections


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("§10-6A-1 et seq.", ["10-6A-1"]),
        ("13-1-11(a)(3)", ["13-1-11"]),
        ("Section 51-19-09", ["51-19-09"]),
        ("Title 44, Chapter 14, Section 162.2", ["44-14-162.2"]),
        ("Section 162.2 of Chapter 14 of Title 44", ["44-14-162.2"]),
        ("Code Section 162.2 under Chapter 14, Title 44", ["44-14-162.2"]),
    ],
)
def test_a_bare_form_is_read_only_where_the_text_is_georgian(text, sections):
    assert says(text, bare=True) == sections
    assert says(text, bare=False) == []


@pytest.mark.parametrize(
    "text",
    [
        "North Dakota Century Code Section 51-19-09",
        "N.D. Cent. Code § 51-19-09",
        "contrary to Section 51-19-09, N.D.C.C.",
        "due on 12-15-2024",
        "call 404-555-1234 or 9-1-1",
        "Section 4.2.1 of this Lease",
        "lots 1-2 and 3-4",
        "44-14-16234",
        "Chapter 14, Section 3 of the handbook",
        "Title 42, Chapter 7, Section 601 of the United States Code",
    ],
)
def test_other_numbers_are_no_references(text):
    assert says(text, bare=True) == []


LAW = [
    ("The notice under O.C.G.A. § 44-14-162.2 went out on May 1.", ["44-14-162.2"], []),
    ("A power of sale is exercised under OCGA 44-14-162(a).", ["44-14-162"], []),
    ("See Ga. Code Ann. § 13-8-2(b) on indemnity.", ["13-8-2"], []),
    (
        "Title 44, Chapter 14, Section 162.2 of the Official Code of Georgia requires 30 days' notice.",
        ["44-14-162.2"],
        [],
    ),
    ("The lender relies on Section 162.2 of Chapter 14 of Title 44.", ["44-14-162.2"], []),
    ("Dispossessory is governed by Chapter 7 of Title 44 of the Georgia Code.", [], ["44-7"]),
    ("Real property law is in Title 44 of the Official Code of Georgia Annotated.", [], ["44"]),
    ("O.C.G.A. Title 44, Chapter 14, Article 7 covers foreclosure.", [], ["44-14"]),
    ("The statute, O.C.G.A. § 44-14-\n162.2, sets the period.", ["44-14-162.2"], []),
    ("Fees follow Code Section 13-1-11(a)(2).", ["13-1-11"], []),
    ("Paragraph (2) of subsection (a) of Code Section 13-1-11 fixes the fee.", ["13-1-11"], []),
    ("Brokers' relationships fall under O.C.G.A. §§ 10-6A-1 through 10-6A-16.", ["10-6A-1 through 10-6A-16"], []),
    (
        "Liens arise under O.C.G.A. §§ 44-14-361, 44-14-361.1 and 44-14-364.",
        ["44-14-361", "44-14-361.1", "44-14-364"],
        [],
    ),
    ("The Official Code of Georgia Annotated, Section 44-5-30, asks for two witnesses.", ["44-5-30"], []),
    ("Georgia Code Title 48, Chapter 6, Section 1 imposes the transfer tax.", ["48-6-1"], []),
    ("Under title 13, chapter 6, section 7 of the Code of Georgia, a penalty is void.", ["13-6-7"], []),
    ("The servicer must answer under 12 U.S.C. § 2605(e).", [], ["12 usc 2605"]),
    ("Withholding follows 26 U.S.C. 1445 unless an affidavit is given.", [], ["26 usc 1445"]),
    ("The sellers plan an exchange under Section 1031 of the Internal Revenue Code.", [], ["26 usc 1031"]),
    ("IRC § 1031(a)(3) gives 45 days to identify property.", [], ["26 usc 1031"]),
    ("A debtor may assume the lease under 11 U.S.C. § 365(d)(3).", [], ["11 usc 365"]),
    ("Section 365 of the Bankruptcy Code limits the landlord's claim.", [], ["11 usc 365"]),
    ("Error resolution is in 12 C.F.R. § 1024.35.", [], ["12 cfr 1024.35"]),
    ("Form I-9 rules are in 8 CFR 274a.2.", [], ["8 cfr 274a.2"]),
    ("Title 42 of the United States Code, Section 3604, bars discrimination.", [], ["42 usc 3604"]),
    ("Section 8 of the Real Estate Settlement Procedures Act bans kickbacks.", [], ["respa 8"]),
    ("Section 8 of RESPA bans kickbacks.", [], ["respa 8"]),
    ("Perfection is by filing under Section 9-502 of the Uniform Commercial Code.", [], ["ucc 9-502"]),
    ("UCC § 9-334 governs fixtures.", [], ["ucc 9-334"]),
    ("Leave is owed under 29 USC sections 2611 and 2612.", [], ["29 usc 2611", "29 usc 2612"]),
    ("Treas. Reg. § 1.1445-2(b)(2) has the form of the affidavit.", [], ["tr 1.1445-2"]),
    ("Section 5(b) of the Securities Act of 1933 applies to the prospectus.", [], ["sa 5"]),
    ("It is exempt under Section 501(c)(3) of the Internal Revenue Code.", [], ["26 usc 501"]),
    ("The court followed Smith v. Jones, 245 Ga. App. 12 (2000).", [], ["245gaapp12"]),
    ("Notice is strictly construed, You v. JP Morgan Chase Bank, 293 Ga. 67, 743 S.E.2d 428 (2013).", [], ["293ga67"]),
    ("See In re Sizemore, 123 B.R. 45 (Bankr. N.D. Ga. 1991).", [], ["123br45"]),
    ("The Supreme Court said so in Nollan v. California Coastal Commission, 483 U.S. 825 (1987).", [], ["483us825"]),
    ("Harrow v. Tidewell Mortgage Co., 412 F.3d 881, 885 (11th Cir. 2005), is to the contrary.", [], ["412f3d881"]),
    ("Per Brant v. Ellery, 88 F. Supp. 2d 1100 (N.D. Ga. 1999), the lease was assumed.", [], ["88fsupp2d1100"]),
    ("The rule of Smith v. Jones applies here.", [], ["smith v jones"]),
    ("Cited: 300 Ga. App. 77, 684 S.E.2d 122.", [], ["300gaapp77", "684se2d122"]),
    (
        "In Roe v. Wade Hampton Properties, LLC, 2015 WL 1234567 (N.D. Ga. Mar. 2, 2015), relief was denied.",
        [],
        ["2015wl1234567"],
    ),
    ("The debtor cites Butner v. United States, 440 U.S. 48 (1979).", [], ["440us48"]),
    ("The Tennessee court in 55 S.W.3d 900 held otherwise.", [], ["55sw3d900"]),
    ("Motions are heard under Uniform Superior Court Rule 6.3.", [], ["uscr 6.3"]),
    ("Rule 6.3 of the Uniform Superior Court Rules allows a hearing on request.", [], ["uscr 6.3"]),
    ("Summary judgment is proper under Fed. R. Civ. P. 56(c).", [], ["frcp 56"]),
    ("Federal Rule of Civil Procedure 12(b)(6) was the basis.", [], ["frcp 12"]),
    ("Rule 408 of the Federal Rules of Evidence keeps the offer out.", [], ["fre 408"]),
    ("The claim was late under Bankruptcy Rule 3002.", [], ["br 3002"]),
    ("Georgia Rule of Professional Conduct 1.15 requires a trust account.", [], ["grpc 1.15"]),
    ("Sanctions rest on FRCP 11.", [], ["frcp 11"]),
    ("Section 4.2 of this Agreement requires notice.", [], []),
    ("See Section 12(b) and Article IV of the Lease.", [], []),
    ("The plat is in Plat Book 33, Page 12, Fulton County records.", [], []),
    ("Recorded at Deed Book 1420, Page 118.", [], []),
    ("Exhibit B-2 lists the fixtures.", [], []),
    ("The closing is on 12-15-2024 or 1-2-25.", [], []),
    ("Lot 44, Block 14, Unit 162 of Piney Woods.", [], []),
    ("Call 404-555-0142 before 9 a.m.", [], []),
    ("Rule 3.1 of this handbook covers gifts.", [], []),
    ("Guideline 4.2 sets the limit at 30 U.S. dollars.", [], []),
    ("Tenant pays 12 U.S. cents a page.", [], []),
    ("Chapter 7 of the handbook covers leave, and Title 3 is a heading.", [], []),
    ("Filed as Civil Action No. 2019-CV-311245 in the Superior Court.", [], []),
    ("He owns 20 Ga. acres and 4 S. lots.", [], []),
    ("Parcel 14-0044-0005-030-1 is taxed at $1,200.", [], []),
    ("Policy HR-12, Section 3, Paragraph 2 applies.", [], []),
    ("She filed for Chapter 7 bankruptcy in 2019.", [], []),
    ("Volume 245, page 12 of the minutes is missing.", [], []),
]
"""Sentences, with the sections of the Code and the keys of other law in them."""


@pytest.mark.parametrize(("text", "sections", "keys"), LAW)
def test_each_kind_of_law_is_told_from_what_only_looks_like_it(text, sections, keys):
    ranges = RangeSet()
    own = [c for c in citations_in(text, True) if ranges.add(c.start, c.end)]
    other = [c for c in other_law_in(text, True) if ranges.add(c.start, c.end)]
    assert [c.label for c in own] == sections
    assert [key for c in other for key in c.sections][: len(keys)] == keys and bool(other) == bool(keys)


SOURCE_OF_LAW = (
    "Under 12 U.S.C. § 2605(e) and Rule 6.3 of the Uniform Superior Court Rules, and Smith v. Jones, 245 Ga. App. 12 "
    "(2000), the exchange of 26 U.S.C. 1031 fails. O.C.G.A. § 44-14-161 applies."
)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("12 USC sec. 2605", "supported"),
        ("12 U.S.C. § 2605(f)", "supported"),
        ("Smith v. Jones, 245 Ga. App. 12, 540 S.E.2d 1", "supported"),
        ("Title 12 of the United States Code, Section 2605", "supported"),
        ("Section 1031 of the Internal Revenue Code", "supported"),
        ("Uniform Superior Court Rule 6.3", "supported"),
        ("Smith v. Jones, 245 Ga.\nApp. 12", "supported"),
        ("245 Ga. App. 12", "supported"),
        ("Chapter 14 of Title 44", "supported"),
        ("Title 44 of the Official Code of Georgia", "supported"),
        ("12 U.S.C. § 2607", "unclear"),
        ("24 C.F.R. § 1024.17", "unclear"),
        ("Uniform Superior Court Rule 36.16", "unclear"),
        ("Brown v. Board of Education, 347 U.S. 483 (1954)", "unclear"),
        ("Section 8 of the Fair Housing Act", "unclear"),
        ("Title 44, Chapter 7", "unsupported"),
        ("Title 97, Chapter 7", "ungrounded"),
    ],
)
def test_law_that_no_list_has_is_in_the_source_or_unclear(text, verdict):
    score = scored(text, SOURCE_OF_LAW)
    (span,) = score.spans
    assert (span.kind, span.verdict, span.quote) == ("citation", verdict, text)
    assert score.counts["fabricated"] == int(verdict not in ("supported", "unclear"))
    assert (span.source is not None) == (verdict == "supported")


@pytest.mark.parametrize(
    ("text", "document", "verdict"),
    [
        ("O.C.G.A. § 13-1-11(a)(2)", "O.C.G.A. § 13-1-11(a)(2)", "supported"),
        ("subsection (a) of Code Section 13-1-11", "O.C.G.A. § 13-1-11(a)(2)", "supported"),
        ("O.C.G.A. § 13-1-11", "O.C.G.A. § 13-1-11(a)(2)", "supported"),
        ("O.C.G.A. § 13-1-11(a)(2)", "O.C.G.A. § 13-1-11(a)", "unclear"),
        ("O.C.G.A. § 13-1-11(a)(2)", "O.C.G.A. § 13-1-11", "unclear"),
        ("O.C.G.A. § 13-1-11(b)", "O.C.G.A. § 13-1-11(a)(2)", "mispaired"),
        ("Paragraph (3) of subsection (a) of Code Section 13-1-11", "O.C.G.A. § 13-1-11(a)(2)", "mispaired"),
        ("Title 13, Chapter 1, Section 11(b)", "O.C.G.A. § 13-1-11(a)", "mispaired"),
        ("O.C.G.A. § 13-1-11(b)", "§ 13-1-11. Fees.\n(a) Fees are due.\n(b) Notice is given.", "supported"),
        ("O.C.G.A. § 13-1-11(f)", "§ 13-1-11. Fees.\n(a) Fees are due.\n(b) Notice is given.", "mispaired"),
        ("O.C.G.A. § 13-1-11(f)", "Under § 13-1-11 she shall (a) pay and (b) go.", "unclear"),
    ],
)
def test_subsections_are_compared(text, document, verdict):
    assert [s.verdict for s in scored(text, document).spans] == [verdict]


def test_a_section_of_the_source_is_supported_and_points_there():
    document = "See Section 44-14-161 of the Code."
    (span,) = scored("Under O.C.G.A. § 44-14-161 it is void.", document).spans
    assert (span.quote, span.verdict) == ("O.C.G.A. § 44-14-161", "supported")
    assert document[span.source.start : span.source.end] == "Section 44-14-161"
    assert span.source.doc_id == "deed-1"


@pytest.mark.parametrize(
    ("section", "verdict"),
    [
        ("44-14-1", "unsupported"),
        ("44-99-999", "ungrounded"),
        ("44-14-1.7", "ungrounded"),
        ("13-8-2.9", "ungrounded"),
        ("44-14-162.2", "unsupported"),
    ],
)
def test_a_section_that_the_source_does_not_name_is_fabricated(section, verdict):
    score = scored(f"O.C.G.A. § {section}", "O.C.G.A. § 44-14-161")
    assert score.extracted[verdict] == score.extracted["fabricated"] == [f"O.C.G.A. § {section}"]
    assert score.counts == {"citations": 1, "fabricated": 1, "responses_with": 1}


def judged(text: str, document: str = "", **known) -> list[tuple[str, str]]:
    case = Case(id="x", input={"document": document}, expected=[], cluster="d", tags={"state": "Georgia"})
    completion = answer(text)
    return [(s.quote, s.verdict) for s in citations.against(**known)(case, completion).spans]


def test_only_a_chapter_declared_complete_proves_an_invention():
    assert judged("O.C.G.A. § 44-14-999", complete=["44-14"])[0][1] == "invented"
    assert judged("O.C.G.A. § 44-15-1", complete=["44-14"])[0][1] == "ungrounded"
    assert judged("O.C.G.A. § 44-14-999")[0][1] == "ungrounded"
    assert judged("O.C.G.A. § 44-14-161", complete=["44-14"])[0][1] == "unsupported"
    assert judged("O.C.G.A. § 44-14-999", "O.C.G.A. § 44-14-999", complete=["44-14"])[0][1] == "supported"


def test_another_list_of_sections_can_be_given(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("section,governs,as_of,confidence\n9-9-1,Name of a statute,2020,read\n", "utf-8")
    assert judged("O.C.G.A. § 9-9-1 and O.C.G.A. § 9-9-2", sections=path, complete=["9-9"]) == [
        ("O.C.G.A. § 9-9-1", "unsupported"),
        ("O.C.G.A. § 9-9-2", "invented"),
    ]
    assert citations.against(path).version != citations.against(path, ["9-9"]).version != citations.fabricated.version


def test_a_bad_list_of_sections_is_refused_whole(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("section,governs,as_of,confidence\n9-9-1,a,2020,read\n9-9-1,b,2020,read\n", "utf-8")
    with pytest.raises(UserError, match=r"3 problems\n.*9-9-1 is listed 2 times\n.*'44'.*\n.*'9-8'"):
        citations.against(path, ["44", "9-8"])
    path.write_text("number\n9-9-1\n", "utf-8")
    with pytest.raises(UserError, match="expected"):
        citations.against(path)
    with pytest.raises(UserError, match="cannot be read"):
        citations.against(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("O.C.G.A. § 44-14-161 governs the rate of the real estate transfer tax.", "wrong_subject"),
        ("O.C.G.A. § 44-14-161(a) requires that a recordable deed be attested by officers.", "wrong_subject"),
        ("O.C.G.A. § 44-14-161 requires confirmation of the sale before a deficiency judgment.", "supported"),
        ("O.C.G.A. § 44-14-161 governs reports to the court.", "supported"),
        ("O.C.G.A. § 44-14-161 requires confirmation even where transfer tax at its rate is unpaid.", "supported"),
        ("O.C.G.A. § 44-14-161 applies. The transfer tax is due at its rate.", "supported"),
        ("O.C.G.A. § 44-14-80 governs the rate of the real estate transfer tax.", "unsupported"),
        ("The real estate transfer tax is due at its rate (O.C.G.A. § 44-14-161).", "wrong_subject"),
        (
            "The seller pays the transfer tax at the rate that O.C.G.A. § 44-14-161 has for real estate.",
            "wrong_subject",
        ),
        ("No deficiency is owed unless the sale was confirmed (O.C.G.A. § 44-14-161).", "supported"),
        ("- Transfer tax at its rate\n- O.C.G.A. § 44-14-161", "supported"),
        ("The transfer tax at its rate is in O.C.G.A. § 48-6-1, the sale in O.C.G.A. § 44-14-161.", "supported"),
    ],
)
def test_a_section_described_as_another_ones_subject(text, verdict):
    """44-14-161 is on the sale's confirmation, 48-6-1 on the transfer tax's rate; 44-14-80 was never read."""
    assert judged(text, "A sale under O.C.G.A. § 44-14-161 was reported.")[-1][1] == verdict


def test_the_source_may_describe_a_section_as_it_likes():
    text = "O.C.G.A. § 44-14-161 governs the rate of the real estate transfer tax."
    assert judged(text, f"We hold that {text}")[0][1] == "supported"


LEASE = "1. Rent. Under Section 4.2 and Article IV, rent is due. 4.2 Late fees. 5.1. Notices; see Sections 7.1 to 7.4."


@pytest.mark.parametrize(
    "text", ["Section 4.2", "Section 4", "Sections 4.2 and 5.1(b)", "Article 4", "§ 7.3", "section 1"]
)
def test_a_section_of_the_contract_is_found_by_its_number(text):
    spans = scored(text, LEASE).spans
    assert spans and {(s.kind, s.verdict) for s in spans} == {("section", "supported")}
    assert all(LEASE[s.source.start : s.source.end] for s in spans)


@pytest.mark.parametrize("text", ["Section 4.3", "Section 9", "Article VI", "§ 7.5", "Sections 4.2 and 6"])
def test_a_section_that_the_contract_has_not_is_ungrounded(text):
    assert [s.verdict for s in scored(text, LEASE).spans][-1] == "ungrounded"


@pytest.mark.parametrize("mark", ["[{}]", "({})", "{}.", "{})", "[{}].", "**[{}]**", "- {}.", "> [{}]"])
def test_a_paragraph_is_found_by_the_number_at_the_beginning_of_its_line(mark):
    document = "\n".join(f"  {mark.format(number)} the rent is due" for number in (11, 12, 13)) + "\nin 15 days."
    verdicts = [span.verdict for span in scored("paragraph 12, paragraphs 11 and 13, paragraph 14, 15", document).spans]
    assert verdicts == ["supported", "supported", "supported", "ungrounded", "ungrounded"]


@pytest.mark.parametrize(
    ("text", "question", "ungrounded"),
    [
        ("There is no § 14 in the lease.", "", []),
        ("The lease has no section 4.9.", "", []),
        ("There is no charge under § 14 of the lease.", "", ["§ 14"]),
        ("No charge is due. Section 14 says so.", "", ["Section 14"]),
        ("The lease does not contain § 14.", "What does Section 14 say?", []),
        ("The lease does not contain Section 14.", "What does § 14 say?", []),
        ("The lease does not contain that; see § 15.", "What does Section 14 say?", ["§ 15"]),
    ],
)
def test_a_section_that_the_answer_denies_is_no_claim(text, question, ungrounded):
    case = Case(id="x", input={"document": LEASE, "question": question}, expected=[], cluster="d")
    assert citations.fabricated(case, answer(text)).extracted["ungrounded"] == ungrounded


@pytest.mark.parametrize("text", ["this section", "Section 12 of the Code", "Code § 12", "section 30 days"])
def test_what_is_no_section_of_the_contract(text):
    assert scored(text, LEASE).spans == []


def test_a_range_needs_both_ends():
    text = "O.C.G.A. §§ 44-14-160 through 44-14-162.2"
    assert scored(text, "§ 44-14-160").spans[0].verdict == "unsupported"
    assert scored(text, "§ 44-14-160 and § 44-14-162.2").spans[0].verdict == "supported"
    assert scored("O.C.G.A. §§ 44-14-160 to 44-14-99", "§ 44-14-160").spans[0].verdict == "ungrounded"


def test_a_range_of_the_source_supports_what_lies_in_it():
    document = "O.C.G.A. §§ 44-14-160 through 44-14-162.4"
    assert scored("O.C.G.A. § 44-14-162.2", document).fabricated == []
    assert scored("O.C.G.A. § 44-14-162.5", document).fabricated != []
    assert scored("O.C.G.A. § 44-2-161", document).fabricated != []


def test_a_bare_section_counts_only_in_a_georgian_case():
    assert scored("Section 51-19-09", state="Georgia").counts["citations"] == 1
    assert scored("Section 51-19-09", state="North Dakota").counts["citations"] == 0


@pytest.mark.parametrize("text", ["", "I cannot say.", "The deed is void."])
def test_an_answer_without_references_fabricates_none(text):
    assert scored(text).counts == {"citations": 0, "fabricated": 0, "responses_with": 0}


def test_the_list_of_sections_matches_the_public_data():
    """Same sections, years and confidence as the data folder; the wording is this project's own."""
    folder = os.environ.get("TUNEGATE_DATA")
    path = Path(folder or "") / "georgia_code" / "sections.csv"
    if not folder or not path.exists():
        pytest.skip("TUNEGATE_DATA holds no georgia_code")
    with path.open(encoding="utf-8", newline="") as file:
        theirs = {row["section"]: row for row in csv.DictReader(file)}
    ours = citations.known_code().sections
    assert {s: (r.as_of, r.confidence) for s, r in ours.items()} == {
        s: (r["as_of"], r["confidence"]) for s, r in theirs.items()
    }
    assert not {s for s, r in ours.items() if r.governs == theirs[s]["governs"]}


def test_the_list_of_sections_is_whole():
    sections = citations.known_code().sections
    assert len(sections) == 53
    assert all(
        row.governs and row.confidence in {"read", "secondary", "unconfirmed", "heading"} for row in sections.values()
    )
    assert sum(row.confidence == "read" for row in sections.values()) == 41


@pytest.mark.slow
def test_contracts_from_elsewhere_hold_no_headed_reference():
    folder = os.environ.get("TUNEGATE_DATA")
    files = sorted(Path(folder, "cuad", "contracts").rglob("*.txt")) if folder else []
    if not files:
        pytest.skip("TUNEGATE_DATA holds no cuad")
    found = [(f.name, says(f.read_text("utf-8", errors="replace"))) for f in files]
    assert [pair for pair in found if pair[1]] == []
