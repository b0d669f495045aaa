"""How excerpts of the suite legal/clauses are put together: labels, near misses, slots and the scan."""

import random
import re

import pytest

from evalsuites.legal.clauses.drafting import bank
from evalsuites.legal.clauses.drafting.assemble import contracts
from evalsuites.legal.clauses.drafting.bank import ANY, CLAUSES, INSTRUMENTS, Bank, Entry
from evalsuites.legal.clauses.drafting.scan import scanned
from evalsuites.legal.clauses.drafting.slots import Slots, fill, in_words

POOLS = bank.load("eval").pools


def test_an_excerpt_is_labelled_with_the_clauses_drafted_into_it():
    """A bank of one marked phrase each: labels and text must agree, and a near miss never labels."""

    def one(mark: str, name: str) -> list[Entry]:
        return [Entry(f"{mark} {name}", "formal", tuple(INSTRUMENTS))]

    tiny = Bank(
        clauses={name: one("CLAUSE", name) for name in CLAUSES},
        decoys={name: one("MISS", name) for name in [*CLAUSES, ANY]},
        neutral=[Entry(f"plain {i}", "formal", tuple(INSTRUMENTS)) for i in range(9)],
        pools=POOLS,
    )
    drafted = [e for e in contracts(tiny, 60, "tiny") if e.style != "scanned"]
    assert {e.id: set(e.clauses) for e in drafted} == {
        e.id: {name for name in CLAUSES if f"CLAUSE {name}" in e.document} for e in drafted
    }
    assert any("MISS" in e.document for e in drafted if e.clauses)
    assert any("MISS" in e.document for e in drafted if not e.clauses)


def test_a_contract_never_has_a_clause_and_a_near_miss_of_it():
    tiny = Bank(
        clauses={n: [Entry(f"CLAUSE {n}.", "formal", tuple(INSTRUMENTS))] for n in CLAUSES},
        decoys={n: [Entry(f"MISS {n}.", "formal", tuple(INSTRUMENTS))] for n in CLAUSES}
        | {ANY: [Entry("MISS {clause}.", "formal", tuple(INSTRUMENTS))]},
        neutral=[Entry("plain", "formal", tuple(INSTRUMENTS))],
        pools=POOLS,
    )
    marks: dict[str, dict[str, set[str]]] = {}
    for excerpt in contracts(tiny, 60, "tiny"):
        for mark, name in re.findall(r"(CLAUSE|MISS) ([^.]+)\.", " ".join(excerpt.document.lower().split()), re.I):
            marks.setdefault(excerpt.contract, {}).setdefault(mark.upper(), set()).add(name)
    assert len(marks) == 60
    assert [c for c, found in marks.items() if found.get("CLAUSE", set()) & found.get("MISS", set())] == []


def test_a_phrase_is_filled_in_both_manners():
    pools = POOLS | {"figures": {"days": [20], "money_mid": [3800], "pct_hold": [140]}}
    slots = Slots.draw(pools, "lease", random.Random(0))
    text = "within {days} pay {money_mid}, then {pct_hold} and {days}"
    modern = fill(text, slots, random.Random(0), formal=False)
    assert modern == "within 20 days pay $3,800, then 140% and 20 days"
    formal = {fill("{days}", slots, random.Random(i), formal=True) for i in range(20)}
    assert formal == {"twenty (20) days", "20 days"}
    assert fill("{money_mid}", slots, random.Random(0), formal=True) == "$3,800.00"


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "zero"), (7, "seven"), (13, "thirteen"), (20, "twenty"), (45, "forty-five"), (140, "one hundred forty")],
)
def test_numbers_in_words(number, words):
    assert in_words(number) == words


def test_a_scan_keeps_names_figures_and_statutes_legible():
    text = "Tenant shall pay Oak Hollow, LLC $3,800.00 within 20 days under O.C.G.A. § 44-7-1, declining charges aside"
    for seed in range(50):
        read = scanned(text, random.Random(seed), keep={"Oak", "Hollow"})
        plain = " ".join(read.split())
        for piece in ("Tenant", "Oak Hollow, LLC", "$3,800.00", "20 days", "O.C.G.A. § 44-7-1"):
            assert piece in plain
    assert len({scanned(text, random.Random(seed), keep=set()) for seed in range(50)}) > 10
