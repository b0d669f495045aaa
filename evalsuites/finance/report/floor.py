"""Keyword floor: rows that share words with the question, without regard to period, scale or sign.

It takes the rows that name the fund asked about and a metric of the question, writes their values unchanged with a
plain reading of the unit, and repeats each required statement.
"""

from harness.schema import Case

MOST = 4
"""Rows written."""
WRITTEN = {
    "USD thousands": "${} thousand",
    "USD millions": "${} million",
    "percent": "{}%",
    "basis points": "{} basis points",
    "name": "{}",
}


def first_row(case: Case) -> str:
    """Write a paragraph from the first rows that share words with the question, of any period."""
    question = case.input["question"].lower()
    lines = case.document.splitlines()
    rows = [cells for line in lines if len(cells := [cell.strip() for cell in line.split("|")]) == 5][1:]
    fitting = [row for row in rows if row[0].lower() in question and row[2] in question]
    sentences = [f"The {m} of {e} was {WRITTEN[u].format(v.strip('()'))}." for e, _, m, u, v in fitting[:MOST]]
    statements = [line.removeprefix("- ").split(" / ")[0] + "." for line in lines if line.startswith("- ")]
    return " ".join([*sentences, *statements])
