"""Draw what is constant in one contract: parties, addresses, dates and sums."""

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from evalsuites.legal.clauses.drafting.bank import DEED, LEASE, PURCHASE
from evalsuites.legal.clauses.drafting.slots import MONTHS, Slots, written_date

KINDS = (
    (("LLC",), "a Georgia limited liability company"),
    (("LP",), "a Georgia limited partnership"),
    (("Inc.", "Corp.", "Company"), "a Georgia corporation"),
)
"""What a party is, by the end of its name; a name without such an end is a bank's."""
REFERRED = ("payments", "loan", "closing", "price", "title", "term", "notices")
"""Core topics that a phrase may refer to, as `{s_topic}`; the number is filled in when the paragraphs have theirs."""


@dataclass(frozen=True)
class Terms:
    """One contract's fixed values, for what it arranges and for what it tells of the past."""

    slots: Slots
    """`{date}` is the contract's key date: maturity, closing or the end of the term."""
    past: Slots
    """`{date}` is some day before the contract."""

    def names(self) -> set[str]:
        """Words that a scan leaves legible."""
        return self.slots.names()

    def __getitem__(self, slot: str) -> str:
        return self.slots.fixed[slot]


def kind_of(name: str) -> str:
    """What a party is, as the opening of a contract says it."""
    return next((kind for ends, kind in KINDS if name.endswith(ends)), "a banking association chartered in Georgia")


def draw(pools: dict[str, Any], instrument: str, formal: bool, rng: random.Random) -> Terms:
    """Terms of one contract."""
    names, places = pools["names"], pools["places"]
    name_b, other = rng.sample(names["company"], 2)
    name_a = rng.choice(names["bank"]) if instrument == DEED else other
    signers = rng.sample(names["person"], 2)
    role_a, role_b = rng.choice(pools["roles"][instrument]).split("/")
    itself = rng.choice(pools["self"][instrument])
    place = rng.randrange(len(places["county"]))
    street, street_a, street_b = (_street(places, rng) for _ in range(3))
    city = places["city"][place]
    titleco = rng.choice(names["escrow"])
    fixed = {
        **{"A": role_a, "B": role_b, "Aname": name_a, "Bname": name_b},
        **{"Akind": kind_of(name_a), "Bkind": kind_of(name_b)},
        **{"Asigner": signers[0], "Bsigner": signers[1]},
        **{"Aaddress": f"{street_a}, {rng.choice(places['city'])}", "Baddress": f"{street_b}, {city}"},
        **{"it": itself, "it_cap": itself[0].upper() + itself[1:]},
        **{"county": places["county"][place], "COUNTY": places["county"][place].upper(), "city": city},
        **{"street": street, "prop": f"{street}, {city}"},
        "P": "the Premises" if instrument == LEASE else "the Property",
        "titleco": titleco,
        "firm": titleco if instrument == PURCHASE else rng.choice(names["lender"]),
        "contractor": rng.choice(names["contractor"]),
        **{f"s_{topic}": f"@{topic}@" for topic in REFERRED},
    }
    strangers = [name for name in names["person"] if name not in signers]
    pools = {**pools, "figures": {**pools["figures"], "person": strangers}}
    fixed["effective"], key = _dates(pools["calendar"], instrument, formal, rng)
    fixed |= {"key": key, **_sums(pools["figures"], formal, rng)}
    return Terms(Slots({**fixed, "date": key}, pools), Slots(fixed, pools))


def _sums(figures: dict[str, Any], formal: bool, rng: random.Random) -> dict[str, str]:
    """The price or loan, the loan that would pay four fifths of it, and the rent."""
    principal = rng.choice(figures["money_principal"])
    sums = {"principal": principal, "four_fifths": principal * 4 // 5, "rent": rng.choice(figures["money_rent"])}
    return {name: f"${value:,}{'.00' if formal else ''}" for name, value in sums.items()}


def _street(places: dict[str, Any], rng: random.Random) -> str:
    street: str = rng.choice(places["street"]).format(n=rng.choice(places["number"]))
    return street


def _dates(calendar: dict[str, Any], instrument: str, formal: bool, rng: random.Random) -> tuple[str, str]:
    """The contract's date and its key date, which is later."""
    first = date(rng.choice(calendar["effective"]), rng.randint(1, 10), rng.randint(1, 28))
    in_full = formal and rng.random() < 0.4
    if instrument == PURCHASE:
        last = first + timedelta(days=rng.randint(30, 62))
    else:
        if instrument == LEASE:
            first = first.replace(day=1)
        last = first.replace(year=first.year + rng.choice(calendar["term"][instrument]))
        last -= timedelta(days=1 if instrument == LEASE else 0)
    first_text, last_text = (written_date(d.day, MONTHS[d.month - 1], d.year, in_full=in_full) for d in (first, last))
    return first_text, last_text
