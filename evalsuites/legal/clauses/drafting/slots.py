"""Fill the slots of a phrase: roles, names, places and figures."""

import random
import re
from dataclasses import dataclass
from typing import Any

CHOICE = re.compile(r"<([^<>]+)>")
SLOT = re.compile(r"\{(\w+)\}")
SMALL_WORDS = ("of", "the", "to", "and", "on")

ONES = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
]
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]


def in_words(number: int) -> str:
    """A whole number from 0 to 999 in words."""
    if number < 20:
        return ONES[number]
    if number < 100:
        tens, rest = divmod(number, 10)
        return TENS[tens] + (f"-{ONES[rest]}" if rest else "")
    hundreds, rest = divmod(number, 100)
    return f"{ONES[hundreds]} hundred" + (f" {in_words(rest)}" if rest else "")


def _title(name: str) -> str:
    words = name.split()
    return " ".join(w if i and w in SMALL_WORDS else w[0].upper() + w[1:] for i, w in enumerate(words))


@dataclass(frozen=True)
class Slots:
    """What stays the same through one contract, and the pools for what does not."""

    fixed: dict[str, str]
    """Values of the slots that a contract fixes once."""
    pools: dict[str, Any]
    """The bank's pools."""

    @classmethod
    def draw(cls, pools: dict[str, Any], instrument: str, rng: random.Random) -> "Slots":
        """Roles, parties and place of one contract."""
        role_a, role_b = rng.choice(pools["roles"][instrument]).split("/")
        name_a, name_b = rng.sample(pools["names"]["company"], 2)
        place = rng.randrange(len(pools["places"]["county"]))
        itself = rng.choice(pools["self"][instrument])
        street = rng.choice(pools["places"]["street"]).format(n=rng.choice(pools["places"]["number"]))
        city = pools["places"]["city"][place]
        fixed = {
            "A": role_a,
            "B": role_b,
            "Aname": name_a,
            "Bname": name_b,
            "it": itself,
            "it_cap": itself[0].upper() + itself[1:],
            "county": pools["places"]["county"][place],
            "city": city,
            "street": street,
            "prop": f"{street}, {city}",
            "person": rng.choice(pools["names"]["person"]),
            "firm": rng.choice(pools["names"]["firm"]),
            "contractor": rng.choice(pools["names"]["contractor"]),
        }
        return cls(fixed, pools)

    def names(self) -> set[str]:
        """Words that a scan must leave legible: names, roles and places."""
        return {word.strip(",.") for value in self.fixed.values() for word in value.split()}

    def value(self, slot: str, rng: random.Random, formal: bool, clause: str) -> str:
        """Text of one slot; an unknown slot is a KeyError."""
        if slot in self.fixed:
            return self.fixed[slot]
        if slot == "clause":
            return _title(clause) if formal or rng.random() < 0.3 else clause
        if slot == "date":
            return self._date(rng, formal)
        return _figure(slot, rng.choice(self.pools["figures"][slot]), rng, formal)

    def _date(self, rng: random.Random, formal: bool) -> str:
        day, month, year = rng.randint(1, 28), rng.choice(MONTHS), rng.choice(self.pools["figures"]["year"])
        return written_date(day, month, year, in_full=formal and rng.random() < 0.3)


def written_date(day: int, month: str, year: int, *, in_full: bool) -> str:
    """`March 4, 2016`, or in full `the 4th day of March, 2016`."""
    return f"the {_ordinal(day)} day of {month}, {year}" if in_full else f"{month} {day}, {year}"


def _ordinal(day: int) -> str:
    ending = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def _figure(slot: str, number: Any, rng: random.Random, formal: bool) -> str:
    """A figure as a formal or a modern drafter writes it."""
    kind = slot.split("_")[0]
    spelled = formal and isinstance(number, int) and number < 1000 and rng.random() < 0.6
    if kind == "money":
        return f"${number:,}.00" if formal else f"${number:,}"
    if kind == "pct":
        return f"{in_words(number)} percent ({number}%)" if spelled else f"{number}%"
    if kind in ("days", "months", "years"):
        return f"{in_words(number)} ({number}) {kind}" if spelled else f"{number} {kind}"
    return number if isinstance(number, str) else f"{number:,}"


def fill(text: str, slots: Slots, rng: random.Random, *, formal: bool, clause: str = "") -> str:
    """The phrase with its choices made and its slots filled; a slot named twice gets one value."""
    chosen = CHOICE.sub(lambda match: rng.choice(match[1].split("|")), text)
    values: dict[str, str] = {}
    for slot in SLOT.findall(chosen):
        if slot not in values:
            values[slot] = slots.value(slot, rng, formal, clause)
    return SLOT.sub(lambda match: values[match[1]], chosen)
