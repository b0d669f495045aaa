"""The tutorial's tables: this year's messages say nothing that last year's have said, and every desk has as many."""

import csv
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT

FOLDER = ROOT / "docs" / "tutorial"
BANK = tomllib.loads((FOLDER / "messages.toml").read_text("utf-8"))
RUN = 6
"""Words in a row that nothing but a copy shares."""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    """The tables as the tutorial writes them."""
    folder = tmp_path_factory.mktemp("tables")
    subprocess.run([sys.executable, FOLDER / "messages.py"], cwd=folder, check=True, capture_output=True)
    return {path.stem: list(csv.DictReader(path.open(encoding="utf-8"))) for path in folder.glob("*.csv")}


def runs_of(year: str) -> set[tuple[str, ...]]:
    """Every run of words in what is written in a year, whatever is chosen."""
    found: set[tuple[str, ...]] = set()
    for said in (text for texts in BANK[year].values() for text in texts):
        words = re.findall(r"\w+", re.sub(r"[<>|]", " ", said.lower()))
        found |= {tuple(words[at : at + RUN]) for at in range(max(1, len(words) - RUN + 1))}
    return found


def test_no_sentence_of_one_year_stands_in_the_other() -> None:
    assert len(runs_of("last_year")) > 1000
    assert runs_of("last_year") & runs_of("this_year") == set()


def test_this_year_has_as_many_messages_for_every_desk_and_none_twice(tables: dict[str, list[dict[str, str]]]) -> None:
    rows = tables["this_year"]
    assert set(Counter(row["desk"] for row in rows).values()) == {72}
    assert len({row["text"] for row in rows}) == len({row["number"] for row in rows}) == len(rows) == 360


def test_last_year_holds_copies_addresses_and_messages_of_this_year(tables: dict[str, list[dict[str, str]]]) -> None:
    texts = [row["text"] for row in tables["last_year"]]
    asked = {row["text"] for row in tables["this_year"]}
    assert sum(text in asked for text in texts) == 6
    assert len(texts) - len(set(texts)) == 24
    assert sum("@" in text for text in texts) == 18


def test_the_tables_are_always_the_same(tables: dict[str, list[dict[str, str]]], tmp_path: Path) -> None:
    subprocess.run([sys.executable, FOLDER / "messages.py"], cwd=tmp_path, check=True, capture_output=True)
    again = list(csv.DictReader((tmp_path / "last_year.csv").open(encoding="utf-8")))
    assert again == tables["last_year"]
