"""Reads the period that an amount of money is paid for: "$300 a month", "quarterly rent of $900". Knows no amount."""

import re

PER_AFTER = re.compile(
    r",?\s*(?:/|(?:per|a|an|each|every)\s+)(?:calendar\s+)?(?P<period>month|quarter|year|annum)\b"
    r"|,?\s*(?P<manner>monthly|quarterly|annually|yearly)\b",
    re.I,
)
PER_BEFORE = re.compile(
    r"(?P<manner>[MmQqAaYy](?<!\w.)(?i:(?<=m)onthly|(?<=q)uarterly|(?<=a)nnual|(?<=y)early))\s+(?:\w+\s+){0,3}?"
    r"(?i:(?:is|are|of|was|be|at|equals?|totals?)\s+|[:=]\s*)?$"
)
PERIODS = {"m": "month", "q": "quarter", "y": "year", "a": "year"}


def paid_for(text: str, start: int, end: int) -> str:
    """The period that an amount is paid for, where the text says it right before or behind; else the empty string."""
    found = PER_AFTER.match(text, end)
    if found:
        return PERIODS[(found["period"] or found["manner"])[0].lower()]
    before = PER_BEFORE.search(text, max(0, start - 40), start)
    return PERIODS[before["manner"][0].lower()] if before else ""
