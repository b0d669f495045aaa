"""Writes the tables of the tutorial: last_year.csv, to learn from, and this_year.csv, to be judged by.

Invented messages of tenants to a property manager, with the desk that dealt with each. Always the same. As in any
table that people kept, some of last year's messages stand in it twice, hold an address, or were entered this year too.
"""

import csv
import random
import re
import tomllib
from datetime import date, timedelta
from pathlib import Path

HERE = Path(__file__).parent
BANK = tomllib.loads((HERE / "messages.toml").read_text("utf-8"))
COLUMNS = ("number", "tenant", "received", "text", "desk")
A_DESK = {"last_year": 230, "this_year": 72}
TENANTS = range(1000, 1400)
YEAR = {"last_year": 2025, "this_year": 2026}
TWICE, WITH_ADDRESS, FROM_THIS_YEAR = 24, 18, 6


def chosen(text: str, draw: random.Random) -> str:
    """The text with one of each `<a|b>`."""
    return re.sub(r"<([^<>]+)>", lambda found: draw.choice(found[1].split("|")), text)


def message(core: str, draw: random.Random) -> str:
    """What a tenant writes: an opening, what it is about, where, and an ending."""
    houses = BANK["houses"]
    place = draw.choice(houses["places"]).format(
        flat=draw.randint(1, 24),
        number=draw.randint(1, 60),
        street=draw.choice(houses["streets"]),
        floor=draw.choice(houses["floors"]),
    )
    parts = [draw.choice(BANK["openings"]), chosen(core, draw), place, chosen(draw.choice(BANK["closings"]), draw)]
    return " ".join(part for part in parts if part)


def year(name: str, draw: random.Random) -> list[dict[str, str]]:
    """The messages of a year in the order in which they came, no two alike, as many for every desk."""
    texts: dict[str, str] = {}
    for desk in BANK["labels"]:
        cores = BANK[name][desk]
        wanted, at = len(texts) + A_DESK[name], 0
        while len(texts) < wanted:
            texts.setdefault(message(cores[at % len(cores)], draw), desk)
            at += 1
    rows = [{"text": text, "desk": desk} for text, desk in texts.items()]
    draw.shuffle(rows)
    return [row | about(name, place, len(rows), draw) for place, row in enumerate(rows)]


def about(name: str, place: int, rows: int, draw: random.Random) -> dict[str, str]:
    """Number, tenant and day of a message."""
    received = date(YEAR[name], 1, 1) + timedelta(days=place * 365 // rows)
    return {
        "number": f"{YEAR[name]}-{place + 1:04d}",
        "tenant": f"T{draw.choice(TENANTS)}",
        "received": received.isoformat(),
    }


def worn(rows: list[dict[str, str]], others: list[dict[str, str]], draw: random.Random) -> list[dict[str, str]]:
    """The rows with what makes a kept table hard to learn from."""
    for row in draw.sample(rows, WITH_ADDRESS):
        row["text"] += f" You can write to {row['tenant'].lower()}@example.org."
    again = [dict(row) for row in draw.sample(rows, TWICE)]
    late = [dict(row) for row in draw.sample(others, FROM_THIS_YEAR)]
    rows = rows + again + late
    return [row | {"number": f"2025-{place:04d}"} for place, row in enumerate(rows, 1)]


def main() -> None:
    draw = random.Random(2026)  # noqa: S311 - the same tables every time
    tables = {name: year(name, draw) for name in A_DESK}
    tables["last_year"] = worn(tables["last_year"], tables["this_year"], draw)
    for name, rows in tables.items():
        path = Path(f"{name}.csv")
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        print(f"written: {path}: {len(rows):,} messages")


if __name__ == "__main__":
    main()
