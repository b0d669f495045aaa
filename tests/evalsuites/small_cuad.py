"""Contracts and a copy of CUAD's folder that are written here, for the tests of public/cuad."""

import csv
from pathlib import Path

from evalsuites.public.cuad import contracts
from evalsuites.public.cuad.contracts import CATEGORIES, Contract

LAW = "This Agreement is governed by the laws of the State of Georgia in the courts of which each party shall appear."
TERM = "The term of this Agreement is five years from the date on which the last of the parties signs it."
RENEWED = "It shall renew for one year each time unless a party gives notice to the other sixty days before its end."
PLAIN = "The parties shall meet in each quarter of the year and speak of all that is of interest to any of them."


def contract(text: str, *labelled: tuple[str, str], name: str = "a") -> Contract:
    labels, missing = contracts.locate(text, labelled)
    assert missing == []
    return Contract(name=name, text=text, paragraphs=frozenset({0}), labels=labels)


def write_data(root: Path, texts: dict[str, tuple[str, dict[str, list[str]]]]) -> Path:
    """A small copy of CUAD: text and labels by contract name."""
    (root / "cuad" / "contracts").mkdir(parents=True)
    columns = ["Filename", *(c for column in (*CATEGORIES.values(), "Parties") for c in (column, f"{column}-Answer"))]
    with (root / "cuad" / "master_clauses.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        for name, (text, labels) in texts.items():
            (root / "cuad" / "contracts" / f"{name}.txt").write_text(text, "utf-8")
            answers = {f"{column}-Answer": "Yes" for column in labels}
            table.writerow({"Filename": f"{name}.PDF", **{c: repr(v) for c, v in labels.items()}, **answers})
    return root
