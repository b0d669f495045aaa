"""Read the phrase banks and fill their phrases."""

from __future__ import annotations

import random
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

BANKS = Path(__file__).with_name("banks")
KINDS = ("opening", "fact", "closing", "support", "trap", "copy")
HELD_OUT = 4
"""Every fourth phrase of the training bank is kept for the dev rows."""
NUMBERS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60}
VALUES = {word: value for value, word in enumerate(NUMBERS.split(), 1)} | TENS
UNITS = {
    "ml": ("millilitres", "milliliters"),
    "litres": ("liters", "l"),
    "cm": ("centimetres", "centimeters"),
    "g": ("grams",),
    "kg": ("kilograms", "kilos"),
}


@dataclass(frozen=True)
class Bank:
    """Products and phrases; a phrase is a table of the bank file."""

    products: tuple[dict[str, str], ...]
    phrases: dict[str, tuple[dict, ...]]


def load(name: str, held_out: bool | None = None) -> Bank:
    """The bank `eval` or `train`; of the latter all, or only what is held out for the dev rows, or only the rest."""
    content = tomllib.loads((BANKS / f"{name}.toml").read_text("utf-8"))
    phrases = {
        kind: tuple(p for at, p in enumerate(content[kind]) if held_out is None or (at % HELD_OUT == 0) == held_out)
        for kind in KINDS
    }
    return Bank(tuple(content["product"]), phrases)


def slots(product: dict[str, str], rng: random.Random) -> dict[str, str]:
    """Return the values of a phrase's slots, with one wrong spelling of the name."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", product["name"])
    wrong = rng.choice([product["name"].lower(), product["name"].upper(), spaced, product["name"].capitalize()])
    return product | {"wrong": wrong, "size": size(product)}


def size(product: dict[str, str]) -> str:
    """Return the product's capacity or size."""
    return product["holds"].split(" ", 1)[1]


def point(slot: str, values: dict[str, str]) -> str:
    """A content point for a slot, or for the words themselves, with the other ways to write it."""
    text = values.get(slot, slot)
    if slot == "price":
        return f"{text} | {text[1:]} dollars"
    if slot == "size" and text.split()[-1] in UNITS:
        figure, unit = text.split()
        return " | ".join([text, f"{figure}{unit}", *(f"{figure} {other}" for other in UNITS[unit])])
    if slot in ("cover", "days"):
        return " | ".join(_spans(text))
    return text


def _spans(text: str) -> list[str]:
    """A span of time as the bank writes it, in digits, and as an adjective ("six-year")."""
    number, rest = text.split(" ", 1)
    value = sum(VALUES[part] for part in number.split("-"))
    single = rest.removesuffix("s")
    adjectives = [f"{number}-{single}", f"{value}-{single}"] if " " not in rest else []
    return [text, f"{value} {rest}", *adjectives]
