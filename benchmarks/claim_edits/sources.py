"""Passages that errors are put into: training text of the suites, public contracts, handbooks and tables."""

import hashlib
import json
import random
import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from msgspec import Struct

from benchmarks.claim_edits.edits import Passage, Row, Sentence
from benchmarks.claim_edits.figures import figures
from evalsuites.finance.report.sheets import sheets
from evalsuites.general.claims.split import document_key
from evalsuites.legal.instruments.documents import instruments
from evalsuites.policy.handbook.handbooks import handbooks
from evalsuites.public import data
from evalsuites.public.cuad import contracts, split
from evalsuites.public.cuad.passages import ABBREVIATED, COMMON

WINDOW_WORDS = 88
"""Most words of a passage: a statement and its source are read together, so both are short."""
TARGET_WORDS = (8, 42)
NEAR_WORDS = (4, 60)
END = re.compile(r"[.!?][\"”’)]*\s+(?=[\"“(\[]?[A-Z0-9(§])")
NUMBERING = re.compile(r"^(?:(?:Section\s)?\d+(?:\.\d+)*\.?|\([a-zA-Z0-9]{1,4}\)|[A-Z]-\d+[a-z]?|[*•-])\s+(?=[A-Z“\"])")
HEADING = re.compile(r"^(?:[A-Z][\w’'-]*(?:,?\s(?:[A-Z][\w’'-]*|and|or|of|the|to|for|in|on|by|with|&))*)\.\s+(?=[A-Z])")
ODD = re.compile(
    r"[._]{3}|(?:\b\S ){6}|[|{}<>\\*#=]|https?:|\bpage \d|[A-Z]{2,}\s[A-Z]{2,}\s[A-Z]{2,}|[a-z]-\s|;.*;.*;"
)
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
MARKUP = re.compile(
    r"\A---\n.*?\n---\n|```.*?```|\{%.*?%\}|\{\{.*?\}\}|<[^>\n]{1,200}>|[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}", re.S
)
NAME = re.compile(r"(?:[A-Z][\w.'’-]+\s){1,3}[A-Z][\w.'’-]+")
SHEET_FRAMES = (
    "For {period}, {thing} reported {what} of {value}.",
    "For {period}, {thing} had {what} of {value}.",
    "{thing} had {what} of {value} for {period}.",
    "In {period}, {what} of {thing} came to {value}.",
    "The figure for {what} of {thing} in {period} was {value}.",
    "{value} is the figure that {thing} gave for {what} in {period}.",
)
TABLE_FRAMES = (
    "In the table of {thing}, the entry for {what} is {value}.",
    "In the table of {thing}, {what} is {value}.",
    "The table of {thing} gives {value} for {what}.",
    "The table gives {value} as {what} of {thing}.",
    "For {thing}, {what} is listed as {value}.",
    "{value} is listed under {what} of {thing}.",
)
FROZEN_SHARE = 0.3
EVALUATED = ("ultradomain-ac9b0d80eb8a",)
"""Contracts of the provisions that are also among the CUAD contracts that are not trained on."""
EVALUATED = ("ultradomain-ac9b0d80eb8a",)
"""Contracts of the provisions that are also among the CUAD contracts that are not trained on."""
ROWS_SHOWN = 5
PROVISIONS = "provisions_by_heading/provisions.jsonl is not in the folder that TUNEGATE_DATA names"
PAGES = "hr_handbooks/pages is not in the folder that TUNEGATE_DATA names"
TABLES = "infotabs/docs.jsonl is not in the folder that TUNEGATE_DATA names"


class Document(Struct, frozen=True, kw_only=True):
    """One source document with its passages."""

    source: str
    """Name of the set."""
    key: str
    """As `split.document_key` gives it."""
    domain: str
    passages: list[tuple[Passage, int]]
    """Statements that follow one another, and the place of the one to edit."""


def documents(source: str) -> Iterator[Document]:
    """Yield the documents of one of SOURCES that may be trained on. Raises Unavailable without its data."""
    yield from SOURCES[source]()


def _instruments() -> Iterator[Document]:
    for each in instruments("train"):
        yield _of_text("instruments", each.text, "legal")


def _handbooks() -> Iterator[Document]:
    for each in handbooks("train"):
        yield _of_text("handbooks", each.text, "policy")


def _sheets() -> Iterator[Document]:
    for each in sheets("train"):
        document = _of_text("sheets", each.text, "finance")
        rows = tuple(_row(line) for line in each.sidecar.facts.strip().splitlines()[1:] if line.count("|") == 4)
        yield Document(
            source="sheets", key=document.key, domain="finance", passages=document.passages + _rows(rows, document.key)
        )


def _cuad() -> Iterator[Document]:
    loaded = contracts.load_contracts(contracts.data_folder())
    texts = {contract.name: contract.text for contract in loaded}
    groups = [group for group in split.groups(texts) if split.side(group) == "train" and not frozen(group[0])]
    usable = {name for group in groups for name in group}
    for contract in loaded:
        if contract.name in usable:
            starts = sorted({0, len(contract.text), *contract.paragraphs})
            paragraphs = "\n\n".join(contract.text[a:b] for a, b in pairwise(starts))
            yield _of_text("cuad", paragraphs, "legal")


def _provisions() -> Iterator[Document]:
    folder = data.data_folder("provisions_by_heading", ("provisions.jsonl",), PROVISIONS)
    texts: dict[str, list[str]] = {}
    for line in (folder / "provisions.jsonl").read_text("utf-8").splitlines():
        provision = json.loads(line)
        texts.setdefault(provision["group"], []).append(provision["text"])
    for name in sorted(texts.keys() - set(EVALUATED)):
        passages = [passage for part in texts[name] for passage in windows(part)]
        yield Document(source="provisions", key=document_key(name), domain="legal", passages=passages)


def _pages() -> Iterator[Document]:
    for file in sorted((data.data_folder("hr_handbooks", ("pages",), PAGES) / "pages").glob("*.md")):
        yield _of_text("hr pages", file.read_text("utf-8"), "policy", plain(file.read_text("utf-8")))


def _tables() -> Iterator[Document]:
    folder = data.data_folder("infotabs", ("docs.jsonl",), TABLES)
    for line in (folder / "docs.jsonl").read_text("utf-8").splitlines():
        table = json.loads(line)
        cells = {key: values[0].strip() for key, values in table["text"].items() if len(values) == 1}
        title = cells.pop("title", "")
        rows = tuple(
            Row(title, what, "", value, shape(value), TABLE_FRAMES)
            for what, value in cells.items()
            if 1 < len(value) < 60 and value.isascii() and len(what) < 30
        )
        if title.isascii() and 2 < len(title) < 40:
            key = document_key("\n".join(f"{key}: {'; '.join(values)}" for key, values in table["text"].items()))
            yield Document(source="infotabs", key=key, domain="tables", passages=_rows(rows, key))


def frozen(cluster: str) -> bool:
    """Whether a source of `benchmarks/injected.py` is in its frozen part, on which scorers are judged."""
    return int(hashlib.sha256(f"injected {cluster}".encode()).hexdigest()[:12], 16) < FROZEN_SHARE * 16**12


SOURCES: dict[str, Callable[[], Iterator[Document]]] = {
    "instruments": _instruments,
    "handbooks": _handbooks,
    "sheets": _sheets,
    "cuad": _cuad,
    "provisions": _provisions,
    "hr pages": _pages,
    "infotabs": _tables,
}
OWN = ("instruments", "handbooks", "sheets")
"""Sources that are part of the package."""


def windows(text: str) -> list[tuple[Passage, int]]:
    """Return the passages of a text, one around each sentence that can be edited."""
    found = []
    for paragraph in re.split(r"\n\s*\n", text):
        listed = sentences(" ".join(paragraph.split()))
        for at, sentence in enumerate(listed):
            if readable(sentence, *TARGET_WORDS):
                first, last, words = at, at, len(sentence.split())
                for near in (at + 1, at - 1, at + 2):
                    adjacent = near in (first - 1, last + 1) and 0 <= near < len(listed)
                    if adjacent and readable(listed[near], *NEAR_WORDS):
                        size = len(listed[near].split())
                        if words + size <= WINDOW_WORDS:
                            first, last, words = min(first, near), max(last, near), words + size
                passage = tuple(Sentence(each) for each in listed[first : last + 1])
                found.append((passage, at - first))
    return found


def sentences(paragraph: str) -> list[str]:
    """Split a paragraph on one line into sentences, without their numbers and headings."""
    starts = [0]
    for match in END.finditer(paragraph):
        before = paragraph[max(0, match.start() - 12) : match.end()]
        if re.search(r"\d{3}\.\s$", before) or not ABBREVIATED.search(before):
            starts.append(match.end())
    parts = [paragraph[a:b].strip() for a, b in pairwise([*starts, len(paragraph)])]
    cleaned = [HEADING.sub("", NUMBERING.sub("", part)) for part in parts]
    return [
        part for part in cleaned if not re.fullmatch(r"(?:\S+\s){0,5}\S+", part) or (" " in part and part[-1] == ".")
    ]


def readable(sentence: str, least: int, most: int) -> bool:
    """Whether this is one whole sentence of prose with so many words."""
    words = re.findall(r"[^\W\d_]+", sentence.lower())
    return (
        least <= len(sentence.split()) <= most
        and sentence[0].isupper()
        and sentence[-1] == "."
        and sentence.count("(") == sentence.count(")")
        and sentence.count('"') % 2 == 0
        and sentence.count("“") == sentence.count("”")
        and len(COMMON.findall(sentence.lower())) >= 0.15 * len(words)
        and sum(map(len, words)) >= 0.7 * len(sentence)
        and not ODD.search(sentence)
    )


def plain(page: str) -> str:
    """Return the prose of a Markdown page: each heading and list item is a paragraph."""
    text = LINK.sub(r"\1", MARKUP.sub("", page))
    return re.sub(r"\n(?=\s*(?:[-*+#>|]|\d+\.)\s)", "\n\n", text)


def shape(value: str) -> str:
    """Say what kind of value a cell has; only values of one shape can be mistaken for each other."""
    if NAME.fullmatch(value):
        return "name"
    found = figures(value)
    if len(found) == 1 and (found[0].start, found[0].end) == (0, len(value)):
        return found[0].kind
    return re.sub(r"\d[\d,.]*", "0", value) if re.search(r"\d", value) and len(value) < 20 else value


def _of_text(source: str, text: str, domain: str, prose: str | None = None) -> Document:
    return Document(source=source, key=document_key(text), domain=domain, passages=windows(prose or text))


def _row(line: str) -> Row:
    thing, period, what, unit, value = (cell.strip() for cell in line.split("|"))
    minus, digits = ("-" if value.startswith("(") else ""), value.strip("()")
    written = {
        "percent": f"{minus}{digits}%",
        "USD": f"{minus}${digits}",
        "USD millions": f"{minus}${digits} million",
        "basis points": f"{minus}{digits} basis points",
    }
    return Row(thing, what, period, written.get(unit, f"{minus}{digits}"), unit, SHEET_FRAMES)


def _rows(rows: tuple[Row, ...], seed: str) -> list[tuple[Passage, int]]:
    """Return one passage of a few rows for each row that shares a unit with another one."""
    rng = random.Random(seed)
    found = []
    for at, row in enumerate(rows):
        partners = [
            n for n, other in enumerate(rows) if n != at and other.unit == row.unit and _differ_once(row, other)
        ]
        if partners:
            nearest = [n for n in partners if rows[n].what == row.what] or partners
            shown = {at, rng.choice(nearest), rng.choice(partners)}
            rest = [n for n in range(len(rows)) if n not in shown]
            shown |= set(rng.sample(rest, min(len(rest), ROWS_SHOWN - len(shown))))
            order = sorted(shown)
            found.append((tuple(rows[n] for n in order), order.index(at)))
    return found


def _differ_once(one: Row, other: Row) -> bool:
    return sum(getattr(one, name) != getattr(other, name) for name in ("thing", "what", "period")) == 1
