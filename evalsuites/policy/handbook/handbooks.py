"""Draw the handbook of one invented company: its departments, and guidelines with ids, values and roles.

Within a handbook no two guidelines share a value of one unit, so that a value taken from the wrong one is wrong. Ids
have gaps, as withdrawn guidelines leave them, so that an id that does not exist looks like one that does.
"""

import random
from typing import NamedTuple

from evalsuites.policy.handbook.bank import Bank, Topic

MOST_GUIDELINES = 14
IN_ROLES = 4
"""Guidelines of a handbook that give two roles a value each."""
SEE_ALSO_SHARE = 0.3
"""Share of guidelines that point to another one: an id in the excerpt that answers nothing."""


class Guideline(NamedTuple):
    """One guideline of a handbook."""

    id: str
    topic: Topic
    department: str
    values: dict[str, str]
    """The value by role; by "" if it is the same for all."""
    text: str
    """Its line in the handbook."""


class Handbook(NamedTuple):
    """One company's handbook."""

    company: str
    heading: str
    departments: list[str]
    guidelines: list[Guideline]
    unused_ids: list[str]
    """Ids that look like its own and are not."""

    @property
    def cluster(self) -> str:
        return self.company.lower().replace(" ", "-")


def shown(unit: str, number: int) -> str:
    """A value as the handbook writes it."""
    if unit in ("small", "large"):
        return f"${number}"
    return {"percent": f"{number}%", "count": str(number)}.get(unit, f"{number} {unit}")


def draw(bank: Bank, company: str, topics: list[Topic], rng: random.Random) -> Handbook:
    """A handbook on some of the topics."""
    departments = [rng.choice(names) for names in bank.departments.values()]
    group = rng.choice(list(bank.departments))
    departments.append(rng.choice([name for name in bank.departments[group] if name not in departments]))
    rng.shuffle(departments)
    picked = rng.sample(topics, min(MOST_GUIDELINES, len(topics)))
    with_roles = [topic.title for topic in picked if topic.roles][: min(IN_ROLES, len(picked) // 2)]
    ids, unused = _ids(len(picked), rng)
    numbers = {unit: rng.sample(pool, len(pool)) for unit, pool in bank.values.items()}
    guidelines = []
    for number, topic in zip(ids, picked, strict=True):
        able = [d for d in departments for g in topic.groups if d in bank.departments[g]]
        roles = rng.sample(bank.roles["names"], 2) if topic.title in with_roles else []
        guidelines.append(_guideline(number, topic, rng.choice(able), roles, numbers[topic.unit], ids, bank, rng))
    return Handbook(company, rng.choice(bank.headings).format(company=company), departments, guidelines, unused)


def _ids(count: int, rng: random.Random) -> tuple[list[str], list[str]]:
    """Ids in order, in chapters that start anywhere, and the gaps among them."""
    chapters = sorted(rng.sample(range(1, 13), rng.randint(4, 6)))
    slots = [f"{chapter}.{number}" for chapter in chapters for number in range(1, 9)]
    kept = set(rng.sample(range(len(slots)), count))
    return [slots[i] for i in sorted(kept)], [slot for i, slot in enumerate(slots) if i not in kept]


def _guideline(
    number: str,
    topic: Topic,
    department: str,
    roles: list[str],
    numbers: list[int],
    ids: list[str],
    bank: Bank,
    rng: random.Random,
) -> Guideline:
    """Take values from the end of `numbers`."""
    values = {role: shown(topic.unit, numbers.pop()) for role in roles or [""]}
    filled = {"dept": department, "value": next(iter(values.values()))}
    wording = rng.choice(topic.text)
    if roles:
        wording = topic.roles
        filled |= {"role": roles[0], "role_cap": roles[0].capitalize(), "other": roles[1], "rest": values[roles[1]]}
    line = f"Guideline {number} ({topic.title}). {wording.format(**filled)}"
    if rng.random() < SEE_ALSO_SHARE:
        line += " " + rng.choice(bank.see_also).format(id=rng.choice([other for other in ids if other != number]))
    return Guideline(number, topic, department, values, line)
