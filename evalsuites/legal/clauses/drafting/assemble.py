"""Assemble phrases of a bank into contracts and excerpts."""

import itertools
import random
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from evalsuites.legal.clauses.drafting.bank import ANY, CLAUSES, INSTRUMENTS, Bank, Entry
from evalsuites.legal.clauses.drafting.scan import scanned
from evalsuites.legal.clauses.drafting.slots import Slots, fill

STYLES = ("formal", "modern", "scanned")
EXCERPTS = 4
"""Excerpts per contract: half with critical clauses, half without."""
SECOND_CLAUSE = 0.2
"""Share of the excerpts with a clause that have a second one."""
MOST_WORDS = 88
"""Neutral paragraphs are left out when the excerpt would grow longer than this."""

Option = TypeVar("Option", bound=Hashable)


@dataclass(frozen=True)
class Excerpt:
    id: str
    contract: str
    instrument: str
    style: str
    document: str
    clauses: list[str]
    """Critical clauses in it, in the order of the closed list."""
    main: str | None
    """The clause it was drafted for."""


@dataclass
class Rota:
    """Takes whichever option was taken least so far, so that every clause and every phrase gets its turn."""

    taken: Counter[Hashable] = field(default_factory=Counter)

    def pick(self, options: Sequence[Option], rng: random.Random) -> Option:
        fewest = min(self.taken[option] for option in options)
        chosen = rng.choice([option for option in options if self.taken[option] == fewest])
        self.taken[chosen] += 1
        return chosen


@dataclass
class Draft:
    """One contract under way."""

    instrument: str
    style: str
    slots: Slots
    rng: random.Random
    rota: Rota
    """Turns of clauses and phrases."""
    misses: Rota
    """Turns of the clauses that near misses are drawn for."""

    def paragraph(self, entries: Sequence[Entry], clause: str = "") -> str:
        """Fill one entry that suits this contract; its style when there is one, else the other."""
        fitting = [entry for entry in entries if self.instrument in entry.instruments]
        styled = [entry for entry in fitting if self.style in (entry.style, "scanned")]
        entry = self.rota.pick(styled or fitting, self.rng)
        return fill(entry.text, self.slots, self.rng, formal=entry.style == "formal", clause=clause)


def _fits(table: dict[str, list[Entry]], instrument: str) -> list[str]:
    """Clause types of an instrument for which the table has an entry."""
    return [
        name
        for name, home in CLAUSES.items()
        if instrument in home and any(instrument in entry.instruments for entry in table.get(name, []))
    ]


def _near_miss(bank: Bank, draft: Draft, clause: str) -> str:
    """A near miss of one clause: one of its own three times out of four, else one that fits every clause."""
    general = ANY if draft.rng.random() < 0.25 else clause
    return draft.paragraph(bank.decoys[general], clause)


def _numbered(paragraphs: Sequence[str], rng: random.Random) -> list[str]:
    """Paragraphs with running numbers in one of four manners."""
    first, manner = rng.randint(1, 28), rng.choice(("{n}.", "{a}.{n}", "({c})", "Section {n}."))
    article = rng.randint(1, 9)
    return [
        manner.format(n=first + i, a=article, c="abcdefghjk"[(first + i) % 10]) + " " + text
        for i, text in enumerate(paragraphs)
    ]


def _excerpt(bank: Bank, draft: Draft, present: Sequence[str], absent: Sequence[str], lone: bool) -> str:
    """Text of one excerpt: the clauses present, near misses of clauses that are absent, and neutral paragraphs.

    A lone excerpt is one paragraph a clause present, or one near miss.
    """
    rng = draft.rng
    misses = rng.choice((0, 1, 1, 1, 2) if present else (1, 2, 2, 2, 3))
    if lone:
        misses = 0 if present else 1
    paragraphs = [draft.paragraph(bank.clauses[name]) for name in present]
    for _ in range(misses):
        name = draft.misses.pick(absent, rng)
        paragraphs.append(_near_miss(bank, draft, name))
    for _ in range(0 if lone else rng.choice((1, 1, 2))):
        text = draft.paragraph(bank.neutral)
        if sum(len(part.split()) for part in [*paragraphs, text]) <= MOST_WORDS and text not in paragraphs:
            paragraphs.append(text)
    rng.shuffle(paragraphs)
    lines = _numbered(paragraphs, rng)
    if draft.style == "scanned":
        lines = [scanned(line, rng, keep=draft.slots.names()) for line in lines]
    return "\n".join(lines)


def contracts(bank: Bank, count: int, seed: str, lone_share: float = 0.0) -> Iterator[Excerpt]:
    """Excerpts of `count` contracts, `lone_share` of them lone; equal arguments give equal text."""
    rota, misses = Rota(), Rota()
    keys = tuple(INSTRUMENTS)
    for number in range(count):
        rng = random.Random(f"{seed}:{number}")
        instrument, style = keys[number % 3], STYLES[number // 3 % 3]
        draft = Draft(instrument, style, Slots.draw(bank.pools, instrument, rng), rng, rota, misses)
        yield from _contract(bank, draft, f"{instrument}-{number + 1:03d}", lone_share)


def _contract(bank: Bank, draft: Draft, name: str, lone_share: float) -> Iterator[Excerpt]:
    """Two excerpts with one or two clauses each and two with none; no clause is both present and a near miss."""
    rng, instrument = draft.rng, draft.instrument
    left = _fits(bank.clauses, instrument)
    plans: list[list[str]] = []
    for _ in range(EXCERPTS // 2):
        plan = [draft.rota.pick(left, rng)]
        left = [clause for clause in left if clause not in plan]
        if rng.random() < SECOND_CLAUSE:
            plan.append(rng.choice(left))
            left.remove(plan[1])
        plans.append(plan)
    present = list(itertools.chain(*plans))
    absent = [clause for clause in _fits(bank.decoys, instrument) if clause not in present]
    plans += [[]] * (EXCERPTS - len(plans))
    rng.shuffle(plans)
    for i, plan in enumerate(plans):
        lone = lone_share > 0 and rng.random() < lone_share
        text = _excerpt(bank, draft, plan, absent, lone)
        listed = [clause for clause in CLAUSES if clause in plan]
        main_clause = plan[0] if plan else None
        yield Excerpt(f"{name}-{i + 1}", name, INSTRUMENTS[instrument], draft.style, text, listed, main_clause)
