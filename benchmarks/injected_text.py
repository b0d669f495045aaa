"""Faithful text that errors are put into: passages of public contracts and of own text.

Own text is every passage of the suite legal/clauses, and documents drafted here from a bank of sentences, rich in Code
sections, names, departments, figures, exceptions and quotations. All names are invented.
"""

import os
import random
import re
from calendar import month_name
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from evalsuites.legal.clauses.cases import eval_cases

LEAST_WORDS, MOST_WORDS = 60, 120
PER_CONTRACT = 12
DRAFTED = 150
CITED_EVERY = 3
"""One passage of a public contract in so many gets a Georgia citation in its source, since none has one."""
TELLING = re.compile(r"\d|\b(?:except|unless|provided,? that)\b|\b(?:Inc|LLC|Corp|Ltd)\b|[“\"]", re.I)
MONEYED = re.compile(r"\$\s?\d|\d\s?%")
"""Amounts and percentages are rare in contracts, so half of a contract's passages are sought among those with some."""
CHAPTERS = {
    "44-14": "1 2 3 31 60 61 63 67 80 81 160 161 162 162.1 162.2 162.3 162.4 361 602 604 610",
    "44-2": "1 14 15",
    "44-5": "30 33 60 61 62 63",
    "44-3": "70 109 220",
    "44-7": "1 2 7 13 14 30.1 31 33 34 50",
    "13-8": "2",
    "13-1": "11",
    "13-6": "7",
    "13-2": "2",
    "13-5": "30",
    "48-6": "1 2 61",
    "10-6A": "1 10",
}
KNOWN_SECTIONS = [f"{chapter}-{number}" for chapter, numbers in CHAPTERS.items() for number in numbers.split()]
"""Sections of the Code that exist: a copy of the list in harness/scoring, so that the set stays as it was drawn."""

COMPANIES = [
    "Larkspur Ridge Holdings, LLC",
    "Cedar Bluff Milling Company",
    "Oconee Lantern Works, Inc.",
    "Wren Hollow Partners, LP",
    "Palmetto Quarry Corporation",
    "Tallow Creek Savings Bank",
    "Kestrel Point Logistics, Inc.",
    "Dunmore Orchard Company",
    "Blue Heron Title, LLC",
    "Stonecutter Row Ventures, LLC",
    "Amberly Dairy Cooperative, Inc.",
    "Fairlight Harbor Trust Company",
]
PEOPLE = [
    "Rosalind Achterberg",
    "Dmitri Halloway",
    "Yolanda Prewitt",
    "Kofi Brannigan",
    "Marisol Tennant",
    "Edwin Sorrells",
    "Priya Castleton",
    "Leopold Winfrey",
    "Harriet Okonjo",
    "Silas Marchetti",
]
DEPARTMENTS = [
    "Department of Tenant Relations",
    "Lease Accounting Department",
    "Office of Loan Servicing",
    "Title Review Committee",
    "Insurance Claims Department",
    "Records Division",
    "Office of Vendor Management",
    "Construction Oversight Department",
]
FORMS = ("O.C.G.A. § {}", "OCGA § {}", "Georgia Code Section {}", "Ga. Code Ann. § {}", "O.C.G.A. Section {}")
SENTENCES = {
    "law": (
        "Notice of the sale was published as {section} requires, and {person} confirmed the publication on {date}.",
        "Under {section}, the deed was attested before it was recorded, and {company} paid {money} in recording costs.",
        "{company} relies on {section} and on the file that {person} opened on {date}.",
        "The memorandum of {person} treats {section} as controlling unless the parties agreed otherwise in writing.",
        "Attorney's fees of {percent} are claimed under {section}, except for the sum of {money} already paid.",
        "{section} is cited in the notice that {company} mailed on {date} to {count} owners.",
        "The {department} asked whether {section} applies to a loan of {money} that falls due in {duration}.",
    ),
    "money": (
        "The purchase price is {money}, of which {company} has deposited {money} with the closing attorney.",
        "Rent rises by {percent} on {date} and by {percent} a year after that, unless the tenant moves out.",
        "{company} carries insurance of {money} for each occurrence, provided that the premium stays below {money}.",
        "Interest accrues at {percent} a year, except during the {duration} after closing, when none is charged.",
        "A late charge of {money} is due when a payment is not received within {duration}.",
        "The lender may call the loan of {money} if the reserve falls below {percent} of the balance.",
    ),
    "people": (
        "{person} signed for {company} on {date}, and {person} attested the signature.",
        "Requests go to the {department}, which answers within {duration} unless the file is incomplete.",
        "The {department} keeps {count} copies of the survey that {company} delivered on {date}.",
        "{person} of {company} leads the review and reports to the {department} every {duration}.",
        "No employee may approve a refund above {money}, except with the consent of the {department}.",
        "{company} will deliver {count} parking permits to {company} no later than {date}.",
        "The tenant shall give {company} access on {duration} notice, provided that an emergency needs no notice.",
    ),
    "quote": (
        'The lease says that "the tenant shall keep the roof and the outer walls in sound repair".',
        'The notice ends with the words "payment in full must reach this office before the day of sale".',
        'The deed speaks of "all rights of way now used with the land or later granted to it".',
        'Its rider provides that "neither side may record this paper without written leave of the other".',
        'The guaranty covers "every sum that the borrower owes today or may owe at a later time".',
        'The handbook promises that "each complaint is read by two people who had no part in the matter".',
    ),
}
DURATIONS = (
    "thirty (30) days",
    "ten (10) business days",
    "45 days",
    "six months",
    "18 months",
    "three years",
    "2 weeks",
)


class Passage(NamedTuple):
    """A faithful text with its source's name and the independent source, or cluster, that it belongs to."""

    id: str
    origin: str
    """`cuad` or `own`."""
    cluster: str
    text: str
    georgian: bool


def own_passages() -> list[Passage]:
    """The suite's passages and the drafted documents."""
    found = [Passage(case.id, "own", case.cluster, case.document, True) for case in eval_cases()]
    for number in range(DRAFTED):
        name = f"drafted-{number:03d}"
        found.append(Passage(name, "own", name, draft(random.Random(name)), True))
    return found


def draft(rng: random.Random) -> str:
    """A document of five sentences: two of law, one each of money, people and a quotation, in any order."""
    picked = [*rng.sample(SENTENCES["law"], 2), *(rng.choice(SENTENCES[kind]) for kind in ("money", "people", "quote"))]
    rng.shuffle(picked)
    return " ".join(re.sub(r"\{(\w+)\}", lambda match: _slot(match[1], rng), sentence) for sentence in picked)


def _slot(name: str, rng: random.Random) -> str:
    if name == "section":
        return rng.choice(FORMS).format(rng.choice(KNOWN_SECTIONS))
    if name == "date":
        month, day, year = rng.choice(month_name[1:]), rng.randint(1, 28), rng.randint(2016, 2029)
        return rng.choice((f"{month} {day}, {year}", f"{day} {month} {year}", f"{month} {day}, {year}"))
    if name == "money":
        return f"${rng.choice((rng.randint(2, 90) * 50, rng.randint(10, 990) * 1000, rng.randint(4, 40) * 250000)):,}"
    if name == "percent":
        return rng.choice(("5%", "7.5%", "twelve percent", "3 percent", "ten percent (10%)", "6.25%", "2%", "85%"))
    if name == "count":
        return rng.choice(("three", "four (4)", "12", "25", "sixteen", "140"))
    return rng.choice({"company": COMPANIES, "person": PEOPLE, "department": DEPARTMENTS, "duration": DURATIONS}[name])


def cuad_folder() -> Path | None:
    """The folder of public contracts, or None where it is not on this machine."""
    root = os.environ.get("TUNEGATE_DATA")
    folder = Path(root) / "cuad" if root else None
    return folder if folder and (folder / "master_clauses.csv").is_file() else None


def cuad_passages(folder: Path) -> list[Passage]:
    """At most PER_CONTRACT passages of 60 to 120 words a contract, near-duplicate contracts in one cluster."""
    from evalsuites.public.cuad.contracts import load_contracts
    from evalsuites.public.cuad.passages import unit_starts
    from evalsuites.public.cuad.split import groups

    contracts = load_contracts(folder)
    cluster = {name: group[0] for group in groups({c.name: c.text for c in contracts}) for name in group}
    found = []
    for contract in contracts:
        texts = [text for text in windows(contract.text, unit_starts(contract)) if telling(text)]
        rng = random.Random(f"passages {contract.name}")
        rng.shuffle(texts)
        texts.sort(key=lambda text: MONEYED.search(text) is None)
        for number, text in enumerate(texts[: PER_CONTRACT // 2] + texts[PER_CONTRACT // 2 :][-PER_CONTRACT // 2 :]):
            cited = number % CITED_EVERY == 0 and text.endswith(".")
            if cited:
                text = f"{text[:-1]}, as {rng.choice(FORMS).format(rng.choice(KNOWN_SECTIONS))} provides."
            found.append(
                Passage(f"cuad-{contract.name}-{number}", "cuad", cluster[contract.name], text, georgian=cited)
            )
    return found


def windows(text: str, starts: list[int]) -> Iterator[str]:
    """Runs of whole sentences of 60 to 120 words, one after the other."""
    first = 0
    for at in range(1, len(starts)):
        words = text.count(" ", starts[first], starts[at])
        if words > MOST_WORDS:
            first = at
        elif words >= LEAST_WORDS:
            yield text[starts[first] : starts[at]].strip()
            first = at


def telling(text: str) -> bool:
    """Whether a passage is prose and holds figures, names, exceptions or quotations to get wrong."""
    letters = sum(character.isalpha() for character in text)
    leaders = re.search(r"[._*]{4}|(?:\b\S ){8}", text)
    return letters >= 0.7 * len(text) and leaders is None and len(TELLING.findall(text)) >= 3
