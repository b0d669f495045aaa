"""Parties of a contract that an answer gives the role of the other side."""

import pytest

from evalsuites.legal.instruments.excerpts import of_split
from evalsuites.legal.summaries.cases import eval_cases
from harness.schema import Case
from harness.scoring.grounding import facts, roles
from tests.support.answers import answer

DEED = """DEED TO SECURE DEBT, given by ADA B. COLE, a resident of Macon ("Borrower"), to FIRST BANK OF MACON,
chartered in Georgia, whose office is at 1 Cherry Street ("Lender"). Borrower owes Lender $90,000."""
SALE = (
    "Seller: Oak Land, Inc., a Georgia corporation. Buyer: Boyd N. Dale, who lives in Claxton. The closing is on May 1."
)
LEASE = "We rent to you. The landlord, Tess F. Moore, owns the complex; the resident is Alonzo R. Reed."
FORMS = (
    "- **{a}:** {x}\n- **{b}:** {y}",
    "{a}: {x}\n{b}: {y}",
    "{a}: {x} | {b}: {y}",
    "| {a} | {x} | {b} | {y} |",
    "| Role | Party |\n|---|---|\n| {a} | {x} |\n| {b} | {y} |",
    "{x} is the {al}, and {y} is the {bl}.",
    'The parties are {x} ({a}) and {y} (the "{b}").',
    "The {al}, {x}, deals with the {bl}, {y}.",
)


def found(document: str, text: str) -> list[str]:
    case = Case(id="x", input={"document": document}, expected=[], cluster="deed")
    return [span.quote for span in roles.judge(case, answer(text))]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("document", "a", "b", "x", "y"),
    [
        (DEED, "Borrower", "Lender", "Ada B. Cole", "First Bank of Macon"),
        (SALE, "Seller", "Buyer", "Oak Land, Inc.", "Boyd N. Dale"),
        (LEASE, "Landlord", "Tenant", "Tess F. Moore", "Alonzo R. Reed"),
    ],
)
def test_parties_that_change_sides_are_found_in_every_form(
    form: str, document: str, a: str, b: str, x: str, y: str
) -> None:
    words = {"a": a, "b": b, "al": a.lower(), "bl": b.lower()}
    assert found(document, form.format(x=x, y=y, **words)) == []
    swapped = found(document, form.format(x=y, y=x, **words))
    assert [name.rstrip(".") for name in swapped] == [y.rstrip("."), x.rstrip(".")]


@pytest.mark.parametrize(
    "text",
    [
        "Lender: Cherry Street",
        "First Bank of Macon, Ada B. Cole and others signed.",
        "The bank statements of Ada B. Cole are kept.",
        "Borrower pays First Bank of Macon.",
        "Guarantor: First Bank of Macon",
    ],
)
def test_what_the_source_does_not_bind_to_the_other_side_is_no_finding(text: str) -> None:
    assert found(DEED, text) == []


def test_right_lists_of_the_parties_of_the_suite_are_supported() -> None:
    instruments = {each.id: each for each in of_split("test")}
    wrong = 0
    for case in eval_cases()[::3]:
        one, other = instruments[case.cluster].sidecar.parties[:2]
        text = f"- **{one.role}:** {one.name}\n- **{other.role}:** {other.name}"
        wrong += any(span.verdict == "mispaired" for span in facts.judge(case, answer(text)))
    assert wrong <= 1
