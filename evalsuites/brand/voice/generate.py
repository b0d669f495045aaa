"""Write the suite's cases, and training rows that share nothing with them.

Each source is one product seen from one side, and gives two cases: a draft (to be rewritten, and the same product's
draft in voice already), a partner's message (plain, and with a trap) or a fact sheet (for new copy, and copy in voice
already). Each case has a right answer, drafted together with it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from evalsuites import training_rows
from evalsuites.brand.voice.bank import Bank, load, point, slots
from harness.schema import Case

SUITE = Path(__file__).parent
REWRITE = "Rewrite this draft in our voice and keep every fact. If it is in our voice already, repeat it unchanged."
REPLY = "Reply to this message in two sentences: thank the partner, name the product and give the facts."
COPY = "Write two sentences of product copy from these facts. Use the name and every fact."
ROWS = {"train": 2400, "dev": 240}
SIDES = ("draft", "message", "sheet")
Drawn = tuple[Case, str]


def eval_cases() -> list[Case]:
    return [case for case, _ in drawn(load("eval"), 7)]


def right_answers() -> dict[str, str]:
    """An answer in voice that keeps every point, for each case of the suite."""
    return {case.id: answer for case, answer in drawn(load("eval"), 7)}


def training_pairs(split: str, rows: int, seed: int) -> Iterator[Drawn]:
    """Cases and right answers of the split `train` or `dev`; no other split has the same phrases."""
    bank = load("train", held_out=split == "dev")
    written = 0
    while written < rows:
        for pair in drawn(bank, f"{split} {seed} {written}", written // 2):
            if written < rows:
                yield pair
                written += 1


def drawn(bank: Bank, seed: int | str, number: int = 0) -> Iterator[Drawn]:
    """Two cases for each product and side, numbered on from `number`."""
    rng = random.Random(seed)
    turns = {kind: _turns(len(phrases), rng) for kind, phrases in bank.phrases.items()}
    for side in SIDES:
        for product in rng.sample(bank.products, len(bank.products)):
            number += 1
            pick = {kind: bank.phrases[kind][next(turn)] for kind, turn in turns.items()}
            other = {kind: bank.phrases[kind][next(turn)] for kind, turn in turns.items()}
            for letter, draw in zip("ab", DRAWS[side], strict=True):
                yield draw(f"voice-{number:03}-{letter}", f"{side}-{number:03}", slots(product, rng), pick, other)


def _turns(size: int, rng: random.Random) -> Iterator[int]:
    """Yield all indexes in random order, repeatedly, so that all phrases are used about equally often."""
    while True:
        yield from rng.sample(range(size), size)


def _case(identity: tuple[str, str, dict, str], task: str, document: str, points: list[str], **tags: str) -> Case:
    case_id, cluster, values, kind = identity
    return Case(
        id=case_id,
        input={"product": values["name"], "task": task, "document": document},
        expected=[values["name"], *(point(slot, values) for slot in points)],
        cluster=cluster,
        tags={"kind": kind, **tags},
    )


def _sentences(pick: dict, form: str, values: dict) -> str:
    return " ".join(pick[kind][form].format_map(values) for kind in ("opening", "fact", "closing"))


def rewrite(case_id: str, cluster: str, values: dict, pick: dict, other: dict) -> Drawn:
    document, answer = (_sentences(pick, form, values) for form in ("off", "on"))
    made = (case_id, cluster, values, "rewrite")
    return _case(made, REWRITE, document, pick["fact"]["points"], audience="partners"), answer


def clean_draft(case_id: str, cluster: str, values: dict, pick: dict, other: dict) -> Drawn:
    document = _sentences(other, "on", values)
    made = (case_id, cluster, values, "already_clean")
    return _case(made, REWRITE, document, other["fact"]["points"], audience="partners"), document


def reply(kind: str, tag: str) -> Callable[..., Drawn]:
    def draw(case_id: str, cluster: str, values: dict, pick: dict, other: dict) -> Drawn:
        message, facts, answer = (pick[kind][part].format_map(values) for part in ("message", "facts", "on"))
        document = f"Message: {message}\nFacts: {_capital(facts)}"
        return _case((case_id, cluster, values, tag), REPLY, document, pick[kind]["points"]), _capital(answer)

    return draw


def product_copy(case_id: str, cluster: str, values: dict, pick: dict, other: dict) -> Drawn:
    lines = ["Name: {wrong}", "Kind: {what}", "Material: {material}", "It {holds}.", "Cover: {cover}"]
    document = "\n".join([*(line.format_map(values) for line in lines), f"Supplier's note: {pick['copy']['note']}"])
    answer = pick["copy"]["on"].format_map(values)
    return _case((case_id, cluster, values, "product_copy"), COPY, document, ["material", "size", "cover"]), answer


def clean_copy(case_id: str, cluster: str, values: dict, pick: dict, other: dict) -> Drawn:
    document = other["copy"]["on"].format_map(values)
    made = (case_id, cluster, values, "already_clean")
    return _case(made, REWRITE, document, ["material", "size", "cover"]), document


def _capital(text: str) -> str:
    """Sentences that a slot in lower case would open start with a capital."""
    sentences = text.split(". ")
    return ". ".join(s[:1].upper() + s[1:] for s in sentences)


DRAWS: dict[str, tuple[Callable[..., Drawn], Callable[..., Drawn]]] = {
    "draft": (rewrite, clean_draft),
    "message": (reply("support", "support_reply"), reply("trap", "quoted_trap")),
    "sheet": (product_copy, clean_copy),
}

if __name__ == "__main__":
    training_rows.command(SUITE, eval_cases, training_pairs, ROWS)
