"""Decide what a contract contains and what its two questions ask."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from evalsuites.legal.clauses.drafting.assemble import Rota
from evalsuites.legal.clauses.drafting.bank import CLAUSES, DEED, LEASE, PURCHASE

EMPTY = 0.18
"""Share of the questions to which the answer is none."""
NEAR_MISS = 0.75
"""Share of the clause types asked about and absent for which the contract has a near miss."""

FOREIGN = {
    DEED: ("earnest money", "prorations", "holdover", "as-is", "anti-assignment"),
    PURCHASE: ("due on sale", "assignment of rents", "holdover", "subordination"),
    LEASE: ("due on sale", "earnest money", "prorations"),
}
"""Clause types of other instruments that a question may list; no paragraph of this instrument comes near them."""


@dataclass(frozen=True)
class Question:
    asked: list[str]
    present: list[str]
    near_misses: list[str]
    """Types asked about that the contract comes near to and does not have."""


@dataclass(frozen=True)
class Plan:
    questions: tuple[Question, Question]

    @property
    def present(self) -> list[str]:
        return [name for question in self.questions for name in question.present]

    @property
    def near_misses(self) -> list[str]:
        return [name for question in self.questions for name in question.near_misses]


def draw(instrument: str, clauses: Sequence[str], rota: Rota, rng: random.Random) -> Plan:
    """Two questions over different halves of the instrument's clause types, one with a type of another instrument."""
    fitting = list(clauses)
    rng.shuffle(fitting)
    middle = (len(fitting) + rng.randint(0, 1)) // 2
    halves = [fitting[:middle], fitting[middle:]]
    present = [_present(half, rota, rng) for half in halves]
    unsure = _unsure([name for some in present for name in some])
    stranger = rng.randrange(2)
    questions = []
    for i, half in enumerate(halves):
        asked = [name for name in half if name not in unsure]
        misses = [name for name in asked if name not in present[i] and rng.random() < NEAR_MISS]
        asked += [rng.choice(FOREIGN[instrument])] if i == stranger or len(asked) < 3 else []
        questions.append(Question(_listed(asked), _listed(present[i]), _listed(misses)))
    return Plan((questions[0], questions[1]))


def _present(half: Sequence[str], rota: Rota, rng: random.Random) -> list[str]:
    """Those of one half that the contract has: none, or a number of them that is any with equal chance."""
    if rng.random() < EMPTY:
        return []
    left = list(half)
    chosen: list[str] = []
    for _ in range(rng.randint(1, len(half))):
        chosen.append(rota.pick(left, rng))
        left.remove(chosen[-1])
    return chosen


def _unsure(present: Sequence[str]) -> set[str]:
    """A due-on-sale clause makes the whole loan payable, so with it alone "acceleration" has no sure answer."""
    return {"acceleration"} if "due on sale" in present and "acceleration" not in present else set()


def _listed(names: Sequence[str]) -> list[str]:
    """In the order of the closed list."""
    return [name for name in CLAUSES if name in names]
