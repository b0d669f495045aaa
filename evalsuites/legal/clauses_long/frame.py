"""Write what surrounds a contract's paragraphs: title, opening, recitals, signatures, schedules."""

import random
import re
from collections.abc import Sequence
from typing import Any

from evalsuites.legal.clauses.drafting.bank import DEED, LEASE
from evalsuites.legal.clauses.drafting.slots import fill
from evalsuites.legal.clauses_long.terms import Terms

CALLS = (3, 6)
"""Lines of a description of land."""
MANY_CALLS = (12, 40)
LARGE_TRACTS = 0.12
"""Share of the contracts whose land takes many lines to describe."""
SECOND_SCHEDULE = 0.5
"""Share of the deeds and purchase agreements with a second schedule; every lease has one."""


def opening(frames: dict[str, Any], instrument: str, style: str, terms: Terms, rng: random.Random) -> list[str]:
    """Title, parties, two or more recitals and the words that lead into the paragraphs."""
    part = frames[instrument][style]
    recital_texts = [text for text in part["recitals"] if rng.random() < 0.8] or part["recitals"][:1]
    recitals = _filled(recital_texts, style, terms, rng)
    if style == "formal":
        recitals = [f"{'ABCDEFG'[i]}. {text}" for i, text in enumerate(_joined(recitals))]
    lines = [*_filled([rng.choice(part["opening"])], style, terms, rng), "\n".join(recitals)]
    lines += _filled([rng.choice(part["lead"])], style, terms, rng)
    return [rng.choice(frames[instrument]["title"]), *lines]


def _joined(recitals: Sequence[str]) -> list[str]:
    """Recitals as one sentence: semicolons, an "and" before the last, a full stop after it."""
    plain = [re.sub(r"(?:;|; and|\.)$", "", text) for text in recitals]
    ends = [";"] * (len(plain) - 2) + ["; and"] * (len(plain) > 1) + ["."]
    return [text + end for text, end in zip(plain, ends, strict=True)]


def ending(frames: dict[str, Any], instrument: str, style: str, terms: Terms, rng: random.Random) -> list[str]:
    """Closing words, signatures and schedules."""
    signature, offices = frames["signature"], terms.slots.pools["names"]["office"]
    signers = ("B",) if instrument == DEED else ("A", "B")
    lines = _filled([rng.choice(frames[instrument][style]["closing"])], style, terms, rng)
    for side in signers:
        values = {"ROLE": terms[side].upper(), "name": terms[f"{side}name"], "signer": terms[f"{side}signer"]}
        lines.append(signature[style].format(**values, office=rng.choice(offices)))
    if instrument == DEED:
        lines.append(signature["attested"])
    lines.append(_land(frames["schedule"], terms, rng))
    if instrument == LEASE or rng.random() < SECOND_SCHEDULE:
        lines.append(_rules(frames["schedule"], instrument, style, terms, rng))
    return lines


def _land(schedule: dict[str, Any], terms: Terms, rng: random.Random) -> str:
    """A legal description by courses and distances; the numbers are invented and need not close."""
    calls = rng.randint(*(MANY_CALLS if rng.random() < LARGE_TRACTS else CALLS))
    text = _filled([rng.choice(schedule["land"])], "formal", terms, rng)
    start, then = rng.choice(schedule["begin"]), rng.choice(schedule["next"])
    for i in range(calls):
        values = {"ns": rng.choice(("north", "south")), "ew": rng.choice(("east", "west"))}
        values |= {"deg": str(rng.randint(1, 89)), "min": str(rng.randint(1, 59))}
        values |= {"feet": f"{rng.randint(410, 4900) / 10:.1f}", "mark": rng.choice(schedule["marks"])}
        text.append(schedule["call"].format(**values, **{"from": start if i == 0 else then}))
    return " ".join([*text, schedule["end"]])


def _rules(schedule: dict[str, Any], instrument: str, style: str, terms: Terms, rng: random.Random) -> str:
    texts = list(schedule["rules"][instrument])
    chosen = rng.sample(texts, rng.randint(len(texts) // 2, len(texts)))
    lines = [f"({i}) {text}" for i, text in enumerate(_filled(chosen, style, terms, rng), 1)]
    return "\n".join([schedule["more"][instrument], *lines])


def _filled(texts: Sequence[str], style: str, terms: Terms, rng: random.Random) -> list[str]:
    return [fill(text, terms.past, rng, formal=style == "formal").replace("..", ".") for text in texts]
