"""Cases and training rows: texts in a brand's voice.

python -m evalsuites.brand.voice.cases --split train --out train.jsonl
"""

import random
from collections.abc import Iterator
from pathlib import Path

from evalsuites.brand.voice.briefs import CHANNELS, Brand, Brief, Text, brands, briefs
from evalsuites.training_rows import command
from harness.schema import Case

FOLDER = Path(__file__).parent
CLEAN, ADAPT = "already_clean", "adapt"
"""Kinds of cases on a text that is in voice already: for the same channel, and for another one."""
REPLIES = ("message", "trap")
REWRITE = "Rewrite this draft in our voice as {what}, and keep every fact. If it is in our voice already, repeat it."
WRITE = "Write {what} in our voice from these notes. Use every fact and add none."
REPLY = "Write a reply to this message in our voice, with every fact of the notes."
DEV_EVERY = 8
"""Every eighth training brief of a brand is kept for validation."""
ROWS = {"train": 1080, "dev": 120}
"""Rows written when --rows is not given."""


def eval_cases() -> list[Case]:
    """Return the suite's cases, always the same."""
    return [case for case, _ in _drawn()]


def right_answers() -> dict[str, str]:
    """Return a text in voice that keeps every point, for each case of the suite."""
    return {case.id: answer for case, answer in _drawn()}


def _drawn() -> Iterator[tuple[Case, str]]:
    """Each brief of the suite, and its other text as a draft that is in voice already."""
    for brand in brands().values():
        for brief in briefs(brand.name, "test"):
            own, other = brief.texts
            yield case_of(brand, brief, own), own.answer.strip()
            if brief.kind not in REPLIES:
                yield clean_case(brand, brief, other), other.answer.strip()


def training_pairs(split: str, rows: int, seed: int) -> Iterator[tuple[Case, str]]:
    """Yield cases of `train` or `dev` with their right answers, in random order, at most as many as there are."""
    rng = random.Random(f"{split} {seed}")
    chosen = [
        (brand, brief)
        for brand in brands().values()
        for at, brief in enumerate(briefs(brand.name, "train"))
        if (at % DEV_EVERY == 0) == (split == "dev")
    ]
    pairs = [pair for brand, brief in chosen for pair in _pairs(brand, brief, rng)]
    rng.shuffle(pairs)
    yield from pairs[:rows]


def _pairs(brand: Brand, brief: Brief, rng: random.Random) -> Iterator[tuple[Case, str]]:
    """A brief for every channel that it has texts for, each text as a clean draft, and some for another channel."""
    asked = brief.texts[:1] if brief.kind in REPLIES else brief.texts
    for text in asked:
        yield case_of(brand, brief, text, f"-{text.channel}"), text.answer.strip()
    for number, text in enumerate(brief.texts, 1):
        yield clean_case(brand, brief, text, f"-{number}"), text.answer.strip()
    if brief.kind not in REPLIES:
        for draft, text in rng.sample([(a, b) for a in asked for b in asked if a.channel != b.channel], 2):
            yield adapted_case(brand, brief, draft, text), text.answer.strip()


def case_of(brand: Brand, brief: Brief, text: Text, suffix: str = "") -> Case:
    """Return the case that asks for a text from a brief."""
    task = {"rewrite": REWRITE, "brief": WRITE}.get(brief.kind, REPLY).format(what=CHANNELS[text.channel])
    return _case(brand, brief, brief.id + suffix, brief.kind, text.channel, task, brief.document)


def clean_case(brand: Brand, brief: Brief, text: Text, suffix: str = "") -> Case:
    """Return the case whose draft is in voice already."""
    task = REWRITE.format(what=CHANNELS[text.channel])
    return _case(brand, brief, f"{brief.id}-clean{suffix}", CLEAN, text.channel, task, text.answer)


def adapted_case(brand: Brand, brief: Brief, draft: Text, text: Text) -> Case:
    """Return the case that asks for a text from one in voice for another channel."""
    task = REWRITE.format(what=CHANNELS[text.channel])
    return _case(brand, brief, f"{brief.id}-{draft.channel}-{text.channel}", ADAPT, text.channel, task, draft.answer)


def _case(brand: Brand, brief: Brief, case_id: str, kind: str, channel: str, task: str, document: str) -> Case:
    return Case(
        id=case_id,
        input={"client": brand.client, "guide": brand.in_short, "task": task, "document": document.strip()},
        expected=list(brief.points),
        cluster=brief.id,
        tags={"kind": kind, "channel": channel, "brand": brand.name},
    )


if __name__ == "__main__":
    command(FOLDER, eval_cases, training_pairs, ROWS)
