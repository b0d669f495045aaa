"""References to the Georgia Code: every written form, verdicts, and the controls that must stay silent."""

import csv
import os
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.schema import Case, Score
from harness.scoring.base import run
from harness.scoring.grounding.citation_parser import citations_in
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
    ],
)
def test_every_headed_form_is_read(text, sections):
    assert says(text) == sections


@pytest.mark.parametrize(
    ("text", "sections"),
    [("§10-6A-1 et seq.", ["10-6A-1"]), ("13-1-11(a)(3)", ["13-1-11"]), ("Section 51-19-09", ["51-19-09"])],
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
    ],
)
def test_other_numbers_are_no_references(text):
    assert says(text, bare=True) == []


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
    ],
)
def test_a_section_described_as_another_ones_subject(text, verdict):
    """44-14-161 is on the sale's confirmation, 48-6-1 on the transfer tax's rate; 44-14-80 was never read."""
    assert judged(text, "A sale under O.C.G.A. § 44-14-161 was reported.")[0][1] == verdict


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


@pytest.mark.parametrize("text", ["this section", "Section 365 of the Bankruptcy Code", "Code § 12", "section 30 days"])
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
