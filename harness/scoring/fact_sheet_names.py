"""Finds names of funds, benchmarks and ratings in a report and tells which the fact sheet does not hold.

A name is known by its form: capitalised words before "Fund", "Trust" or "Index", a well-known index or agency, stars,
letter grades, capitalised words after "rated" or before "rating". A name without such a form, and a claim about "the
benchmark" in general, is not seen. A shortened name ("Alder Fund" for "Alder Row Income Fund") is the sheet's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.scoring.fact_sheet_rows import Sheet, name_key

CAP = r"[A-Z][A-Za-z]*(?:[&’'.-][A-Za-z]+)*"
FUND = (
    rf"(?:{CAP}\s+(?:&\s+)?){{1,6}}(?:Funds?|Trusts?|REIT|ETF|Portfolio|Partnership|Partners)\b"
    r"(?:\s+(?:[IVX]{1,4}|\d{1,2}|[ABC])\b(?![.,]?\d))?"
)
BENCHMARK = (
    rf"{CAP}(?:\s+(?:{CAP}|&|\d{{2,4}})){{0,5}}\s+(?:Index|Benchmark|Composite|Average|Aggregate)\b"
    r"|S\s?&\s?P(?:\s+(?:Global\s+)?\d{3})?|Russell\s+\d{4}|MSCI(?:\s+[A-Z]\w+){0,3}|FTSE(?:\s+[A-Z]\w+){0,3}|N(?:asdaq|ASDAQ)"
    r"|Dow\s+Jones|NCREIF|Wilshire\s+\d{4}|Nikkei|Bloomberg|CRSP"
)
GRADE = r"AAA|AA[+-]?|A[+-]|BBB[+-]?|BB[+-]?|B[+-]|CCC[+-]?|Aaa|Aa[123]|Baa[123]|Ba[123]|Caa[123]"
RATING = (
    r"(?:[1-5]|one|two|three|four|five|One|Two|Three|Four|Five)(?:-|\s)stars?\b"
    rf"|(?<![\w&])(?:{GRADE})(?![\w+-])"
    r"|Morningstar|Moody['’]s|Fitch|DBRS|KBRA|Lipper|AM\s+Best"
    r"|(?<=rated\s)[\"“]?(?:[A-Z][\w+-]*)(?:\s+[A-Z][\w+-]*){0,3}"
    r"|(?<=rating\sof\s)[\"“]?(?:[A-Z][\w+-]*)(?:\s+[A-Z][\w+-]*){0,3}"
    r"|(?<=rating\sis\s)[\"“]?(?:[A-Z][\w+-]*)(?:\s+[A-Z][\w+-]*){0,3}"
    r"|(?<=rating\swas\s)[\"“]?(?:[A-Z][\w+-]*)(?:\s+[A-Z][\w+-]*){0,3}"
    rf"|{CAP}[+-]?(?:\s+{CAP}[+-]?){{0,3}}(?=[\s-]+(?:rating|rated|grade)\b)"
)
NAMES = re.compile(rf"(?<!\w)(?:(?P<fund>{FUND})|(?P<benchmark>{BENCHMARK})|(?P<rating>{RATING}))")
LEADS = frozenset(
    (
        "the a an in during for both at and while as over with compared against unlike meanwhile however its by on from "
        "of to this that no each our your their it fund after when whereas but under per although though since between "
        "than versus like where"
    ).split(" ")
)
"""Words that may stand before a name with a capital, at a sentence's start, and are no part of it."""


def unknown_names(text: str, sheet: Sheet, known: list[tuple[int, int]]) -> Iterator[tuple[int, int, str]]:
    """Range and kind of each name that the sheet does not hold; `known` ranges are the sheet's own."""
    for match in NAMES.finditer(text):
        start, end = match.span()
        words = match[0].split()
        while words and words[0].lower().strip(",") in LEADS:
            start = text.index(words[0], start) + len(words.pop(0))
            start += len(text[start:end]) - len(text[start:end].lstrip())
        bare = len(words) == 1 and match.lastgroup != "rating" and not words[0][0].isupper()
        if not words or bare or words[0].lower() in ("fund", "trust", "index", "funds"):
            continue
        inside = any(a <= start and end <= b for a, b in known)
        if not inside and not _is_held(" ".join(words), sheet):
            yield start, end, str(match.lastgroup)


def _is_held(name: str, sheet: Sheet) -> bool:
    """Whether it is a name of the sheet, or one shortened by leaving words out but never the first."""
    words = name_key(name.strip('"“”.,').replace("’s", "").replace("'s", "")).split()
    for known in sheet.names:
        whole = iter(known.split())
        if words and known.split()[0] == words[0] and all(word in whole for word in words):
            return True
    return False
