"""Write the suite's cases, and training and dev rows for them.

python -m evalsuites.legal.citations.generate --split eval --out evalsuites/legal/citations/cases.jsonl
python -m evalsuites.legal.citations.generate --split train --rows 1200 --out train.jsonl
"""

import itertools
import random
import tomllib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from evalsuites.generated import command, fill
from harness.schema import Case

SUITE = Path(__file__).parent
EVAL_DOCUMENTS = 84
ROWS = {"train": 1200, "dev": 160}
"""Rows written when --rows is not given."""

ABSENT = "not in the document"
FORMS = [
    "O.C.G.A. § {n}",
    "O.C.G.A. § {n}",
    "OCGA § {n}",
    "O. C. G. A. § {n}",
    "O.C.G.A. Section {n}",
    "Ga. Code Ann. § {n}",
    "Georgia Code Section {n}",
    "Official Code of Georgia Annotated § {n}",
    "Code Section {n}",
    "§{n} et seq.",
    "section {n}",
    "O.C.G.A. §\u00a0{n}",
    "O.C.G.A. §\n{n}",
]
DASHES = ["-", "-", "-", "-", "\u2011", "\u2013"]
"""Hyphen, and now and then a non-breaking hyphen or an en dash."""
OPEN, BESIDE = 0.3, 0.4
"""Shares of the questions without an answer whose topic the document mentions without a section, and next to a section
on another subject; it does not mention the topics of the others."""


@lru_cache
def load(side: str) -> dict[str, Any]:
    """The bank `eval` or `train`."""
    return tomllib.loads((SUITE / "banks" / f"{side}.toml").read_text("utf-8"))


def written(number: str, rng: random.Random) -> str:
    """Write a section in one of its common forms."""
    return rng.choice(FORMS).format(n=number.replace("-", rng.choice(DASHES)))


def answer_form(number: str) -> str:
    return f"O.C.G.A. § {number}"


class Draft:
    """One document under way: its paragraphs, the sections it must not touch again, and its questions."""

    def __init__(self, bank: dict[str, Any], name: str, rng: random.Random) -> None:
        self.bank, self.name, self.rng = bank, name, rng
        self.sections = {section["number"]: section for section in bank["section"]}
        self.values = {key: rng.choice(pool) for key, pool in bank["pools"].items()}
        self.values["paper"], self.opening = rng.choice(bank["openings"])
        self.taken: set[str] = set()
        self.paragraphs: list[str] = []
        self.cases: list[tuple[str, str, list[str], str]] = []

    def say(self, text: str, **values: str) -> str:
        """A phrase with its slots filled and its first letter a capital; each person, date and sum is drawn again."""
        fresh = {key: self.rng.choice(self.bank["pools"][key]) for key in ("person", "date", "money")}
        said = fill(text, {**self.values, **fresh, **values}, self.rng).replace("seq..", "seq.")
        return said[:1].upper() + said[1:]

    def take(self, like: Sequence[str] = ()) -> dict[str, Any]:
        """A section that the document has nothing on yet, of the chapter of one in `like` where there is such."""
        barred = self.taken | {n for group in self.bank["near"] if self.taken & set(group) for n in group}
        free = [number for number in self.sections if number not in barred]
        chapters = {number.rsplit("-", 1)[0] for number in like}
        close = [number for number in free if number.rsplit("-", 1)[0] in chapters]
        number = self.rng.choice(close or free)
        self.taken.add(number)
        return self.sections[number]

    def add_law(self, count: int) -> list[dict[str, Any]]:
        """Paragraphs that name `count` sections, the first two of them in one paragraph in a third of documents."""
        found = [self.take() for _ in range(count)]
        rest = list(found)
        if self.rng.random() < 0.33:
            one, two = rest.pop(0), rest.pop(0)
            values = {"doc": self.rng.choice(one["doc"]), "other": self.rng.choice(two["doc"])}
            values |= {"first": written(one["number"], self.rng), "second": written(two["number"], self.rng)}
            self.paragraphs.append(self.say(self.rng.choice(self.bank["pair_law"]), **values))
        for section, text in zip(rest, self.rng.sample(self.bank["law"], len(rest)), strict=True):
            values = {"doc": self.rng.choice(section["doc"]), "form": written(section["number"], self.rng)}
            self.paragraphs.append(self.say(text, **values))
        return found

    def ask(self, kind: str, wording: str, expected: list[str], stale: str = "", **values: str) -> None:
        question = self.say(self.rng.choice(self.bank["questions"][wording]), **values)
        self.cases.append((kind, question, expected, stale))

    def ask_answerable(self, section: dict[str, Any]) -> None:
        self.ask("answerable", "section", [answer_form(section["number"])], ask=self.rng.choice(section["ask"]))

    def ask_absent(self) -> None:
        """Ask about a topic near those of the document, which it leaves out or brings up without a section."""
        section = self.take(like=sorted(self.taken))
        values, drawn = {"doc": self.rng.choice(section["doc"])}, self.rng.random()
        if drawn < OPEN:
            self.paragraphs.append(self.say(self.rng.choice(self.bank["left_open"]), **values))
        elif drawn < OPEN + BESIDE:
            beside = self.take()
            values |= {"other": self.rng.choice(beside["doc"]), "form": written(beside["number"], self.rng)}
            self.paragraphs.append(self.say(self.rng.choice(self.bank["left_open_beside"]), **values))
        self.ask("not_in_document", "section", [ABSENT], ask=self.rng.choice(section["ask"]))

    def ask_invented(self, about: dict[str, Any]) -> None:
        """Ask as if the document spoke of a section that does not exist, of the same title where there is such."""
        pool = self.bank["pools"]["invented"]
        title = about["number"].split("-")[0]
        number = self.rng.choice([n for n in pool if n.split("-")[0] == title] or pool)
        values = {"form": written(number, self.rng).replace("\n", " "), "ask": self.rng.choice(about["ask"])}
        self.ask("invented_section", "invented", [ABSENT], **values)

    def ask_rule(self) -> None:
        """Two versions of a rule, of which the question wants the present one."""
        rule = self.rng.choice([r for r in self.bank["rule"] if r["number"] not in self.taken])
        self.taken.add(rule["number"])
        values = {key: rule[key] for key in ("what", "old", "new")} | {"form": written(rule["number"], self.rng)}
        self.paragraphs.append(self.say(self.rng.choice(self.bank["texts"]["rule"]), **values))
        expected = [rule["expected"], answer_form(rule["number"])]
        self.ask("stale_law", "rule", expected, rule["stale"], what=rule["what"])

    def ask_replaced(self) -> None:
        """A section that a form used to name, and the one that it names now."""
        now = self.take()
        was = self.take(like=[now["number"]])
        values = {"doc": self.rng.choice(now["doc"]), "form": written(now["number"], self.rng)}
        values["was"] = written(was["number"], self.rng)
        self.paragraphs.append(self.say(self.rng.choice(self.bank["texts"]["replaced"]), **values))
        expected = [answer_form(now["number"])]
        self.ask("stale_law", "replaced", expected, answer_form(was["number"]), ask=self.rng.choice(now["ask"]))

    def finished(self) -> list[Case]:
        filler = [self.say(text) for text in self.rng.sample(self.bank["filler"], 2)]
        body = self.paragraphs + filler
        self.rng.shuffle(body)
        document = "\n".join([self.say(self.opening), *body])
        return [
            Case(
                id=f"{self.name}-{number}",
                input={"document": document, "question": question},
                expected=expected,
                cluster=self.name,
                tags={"kind": kind, "state": "Georgia", "answer": in_full(expected)}
                | ({"stale": stale} if stale else {}),
            )
            for number, (kind, question, expected, stale) in enumerate(self.cases, 1)
        ]


def drafted(side: str, seed: str) -> Iterator[list[Case]]:
    """Documents with three questions each, without end: one has an answer, and half of all questions have none."""
    bank = load(side)
    for index in itertools.count():
        draft = Draft(bank, f"{side}-{index + 1:03d}", random.Random(f"citations-{side}-{seed}-{index}"))
        named = draft.add_law(draft.rng.choice((3, 4)))
        draft.ask_answerable(draft.rng.choice(named))
        if index % 2 == 0:
            draft.ask_rule() if index % 8 in (0, 6) else draft.ask_replaced()
        if index % 4 != 2:
            draft.ask_absent()
        if index % 4 != 0:
            draft.ask_invented(draft.rng.choice(named))
        yield draft.finished()


def eval_cases() -> list[Case]:
    """The suite's cases, always the same."""
    return [case for cases in itertools.islice(drafted("eval", "1"), EVAL_DOCUMENTS) for case in cases]


def in_full(expected: list[str]) -> str:
    """The right answer in the prompt's format: a rule in its first wording, then the section."""
    return "; ".join(line.split("|")[0] for line in expected)


def answer(case: Case) -> str:
    """The right answer of a case."""
    return in_full(case.expected)


def training_pairs(split: str, rows: int, seed: int) -> Iterator[tuple[Case, str]]:
    """Cases of the training bank with their right answers; the dev rows come from other documents."""
    cases = itertools.chain.from_iterable(drafted("train", f"{split}-{seed}"))
    return ((case, answer(case)) for case in itertools.islice(cases, rows))


if __name__ == "__main__":
    command(SUITE, eval_cases, training_pairs, ROWS)
