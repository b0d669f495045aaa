"""Write the suite's cases with their right summaries, and training and dev rows.

python -m evalsuites.legal.summaries.generate --split eval --out evalsuites/legal/summaries/cases.jsonl
python -m evalsuites.legal.summaries.generate --split train --rows 1000 --out train.jsonl
"""

import itertools
import random
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from evalsuites.generated import command, fill
from harness.schema import Case

SUITE = Path(__file__).parent
EVAL_CONTRACTS = 162
ROWS = {"train": 1000, "dev": 120}
"""Rows written when --rows is not given."""

INSTRUMENTS = {"purchase": "purchase agreement", "lease": "lease", "loan": "security deed"}
KINDS = ("plain", "amended", "plain", "struck")
"""In turn: nothing changed, one figure replaced by an amendment, one clause struck."""
CRITICAL, MINOR, NEUTRAL = 6, 1, 3
"""Clauses and other paragraphs of a contract."""
PERCENT = ("fee", "rate", "high", "share")
MONTHS = re.findall(r"\w+", "January February March April May June July August September October November December")
ONES = re.findall(
    r"\w+",
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen",
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


@lru_cache
def load(side: str) -> dict[str, Any]:
    """The bank `eval` or `train`."""
    return tomllib.loads((SUITE / "banks" / f"{side}.toml").read_text("utf-8"))


def in_words(number: int) -> str:
    """A number under a hundred."""
    if number < len(ONES):
        return ONES[number]
    tens, ones = divmod(number, 10)
    return TENS[tens - 2] + (f"-{ONES[ones]}" if ones else "")


@dataclass(frozen=True)
class Figure:
    """A figure of a contract: of what kind, and its value."""

    kind: str
    value: Any

    def plain(self) -> str:
        """As a summary writes it."""
        if self.kind == "date":
            year, month, day = self.value
            return f"{MONTHS[month - 1]} {day}, {year}"
        if self.kind in PERCENT:
            return f"{self.value:g}%"
        return f"{self.value} {self.kind}" if self.kind in ("days", "months") else f"${self.value:,}"

    def drafted(self, rng: random.Random) -> str:
        """As a contract may write it."""
        if self.kind == "date":
            year, month, day = self.value
            ending = "th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
            return rng.choice([self.plain(), self.plain(), f"the {day}{ending} day of {MONTHS[month - 1]}, {year}"])
        if self.kind in PERCENT:
            return rng.choice([self.plain(), f"{self.value:g} percent"])
        if self.kind in ("days", "months"):
            return rng.choice([self.plain(), f"{in_words(self.value)} ({self.value}) {self.kind}"])
        return rng.choice([self.plain(), self.plain(), f"${self.value:,}.00", f"{self.value:,} dollars"])


@dataclass
class Contract:
    """One contract under way."""

    bank: dict[str, Any]
    instrument: str
    rng: random.Random
    used: set[tuple[str, object]] = field(default_factory=set)

    def draw(self, kind: str) -> Figure:
        """A figure whose value no other of its kind has in this contract."""
        pools = self.bank["figures"]
        while True:
            value = self.rng.choice(pools[kind]) if kind != "date" else self._date()
            family = "percent" if kind in PERCENT else "money" if kind in ("large", "mid", "small") else kind
            if (family, value) not in self.used:
                self.used.add((family, value))
                return Figure(kind, value)

    def _date(self) -> tuple[int, int, int]:
        pools = self.bank["figures"]
        return self.rng.choice(pools["years"]), self.rng.randint(1, 12), self.rng.choice(pools["day"])

    def values(self, clause: dict[str, Any]) -> dict[str, Figure]:
        return {slot: self.draw(kind) for slot, kind in clause["slots"].items()}

    def write(self, texts: list[str], figures: dict[str, Figure]) -> str:
        return self.say(self.rng.choice(texts), {slot: figure.drafted(self.rng) for slot, figure in figures.items()})

    def say(self, text: str, values: dict[str, str]) -> str:
        said = fill(text, values, self.rng).replace("..", ".")
        return said[:1].upper() + said[1:]


def drafted(side: str, seed: str) -> Iterator[tuple[Case, str]]:
    """Contracts, each as a case with its right summary, without end; the three instruments and the kinds in turn."""
    for index in itertools.count():
        rng = random.Random(f"summaries-{side}-{seed}-{index}")
        instrument = list(INSTRUMENTS)[index % len(INSTRUMENTS)]
        kind = KINDS[index // len(INSTRUMENTS) % len(KINDS)]
        yield _contract(Contract(load(side), instrument, rng), kind, f"{side}-{instrument}-{index + 1:03d}")


def _contract(contract: Contract, kind: str, name: str) -> tuple[Case, str]:
    rng, terms = contract.rng, contract.bank[contract.instrument]
    chosen, spare = _clauses(terms, rng)
    figures = {clause["name"]: contract.values(clause) for clause in chosen}
    parties = dict(zip("AB", (rng.choice(contract.bank["names"][k]) for k in terms["parties"]), strict=True))
    paragraphs = [(clause["name"], contract.write(clause["text"], figures[clause["name"]])) for clause in chosen]
    paragraphs += [("", text) for text in rng.sample(contract.bank["neutral"], NEUTRAL)]
    if kind == "struck":
        gone = contract.values(spare)
        paragraphs.append((spare["name"], contract.write(spare["text"], gone)))
    rng.shuffle(paragraphs)
    numbers = {name: number for number, (name, _) in enumerate(paragraphs, 1) if name}
    stale, last = "", []
    if kind == "struck":
        stale = " + ".join(figure.plain() for figure in gone.values())
        last = [contract.say(rng.choice(contract.bank["struck"]), {"n": str(numbers[spare["name"]])})]
    if kind == "amended":
        stale, text = _amended(contract, figures, numbers)
        last = [text]
    opening = contract.say(rng.choice(terms["open"]), parties)
    lines = [opening, *(f"{number}. {text}" for number, (_, text) in enumerate(paragraphs, 1)), *last]
    summary = _gold(contract, chosen, figures, parties)
    case = Case(
        id=name,
        input={"document": "\n".join(lines)},
        expected=_expected(chosen, figures, parties),
        cluster=name,
        tags={"instrument": INSTRUMENTS[contract.instrument], "kind": kind, "state": "Georgia", "summary": summary}
        | ({"stale": stale} if stale else {}),
    )
    return case, summary


def _clauses(terms: dict[str, Any], rng: random.Random) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The clauses of a contract in the order of the bank, and one that it could also have had."""
    critical = [clause for clause in terms["clause"] if not clause.get("minor")]
    free = [clause for clause in critical if clause["name"] not in terms["always"]]
    rng.shuffle(free)
    count = CRITICAL - len(terms["always"])
    names = {clause["name"] for clause in free[:count]} | set(terms["always"])
    minor = rng.sample([clause for clause in terms["clause"] if clause.get("minor")], MINOR)
    return [clause for clause in terms["clause"] if clause["name"] in names or clause in minor], free[count]


def _amended(contract: Contract, figures: dict[str, dict[str, Figure]], numbers: dict[str, int]) -> tuple[str, str]:
    """Replace one figure: the old one and the paragraph that replaces it. `figures` then has the new one."""
    name = contract.rng.choice(sorted(figures))
    slot = contract.rng.choice(sorted(figures[name]))
    old = figures[name][slot]
    new = contract.draw(old.kind)
    figures[name][slot] = new
    values = {"n": str(numbers[name]), "old": old.drafted(contract.rng), "new": new.drafted(contract.rng)}
    return old.plain(), contract.say(contract.rng.choice(contract.bank["amended"]), values)


def _expected(
    chosen: list[dict[str, Any]], figures: dict[str, dict[str, Figure]], parties: dict[str, str]
) -> list[str]:
    """The key terms of each clause as the scorer reads them; critical ones are marked."""
    lines = [f"!parties: {parties['A']} + {parties['B']}"]
    for clause in chosen:
        values = {slot: figure.plain() for slot, figure in figures[clause["name"]].items()}
        mark = "" if clause.get("minor") else "!"
        lines.append(f"{mark}{clause['name']}: {clause['terms'].format(**values)}")
    return lines


def _gold(
    contract: Contract,
    chosen: list[dict[str, Any]],
    figures: dict[str, dict[str, Figure]],
    parties: dict[str, str],
) -> str:
    said = [contract.say(contract.rng.choice(contract.bank[contract.instrument]["gold_open"]), parties)]
    for clause in chosen:
        values = {slot: figure.plain() for slot, figure in figures[clause["name"]].items()}
        said.append(contract.say(contract.rng.choice(clause["gold"]), values))
    return " ".join(said)


def eval_pairs() -> list[tuple[Case, str]]:
    """The suite's cases with a right summary of each, always the same."""
    return list(itertools.islice(drafted("eval", "1"), EVAL_CONTRACTS))


def eval_cases() -> list[Case]:
    return [case for case, _ in eval_pairs()]


def training_pairs(split: str, rows: int, seed: int) -> Iterator[tuple[Case, str]]:
    """Contracts of the training bank with a right summary; the dev rows are other contracts."""
    return itertools.islice(drafted("train", f"{split}-{seed}"), rows)


if __name__ == "__main__":
    command(SUITE, eval_cases, training_pairs, ROWS)
