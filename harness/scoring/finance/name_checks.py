"""Find funds, benchmarks and ratings in a report that its fact sheet does not have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.schema import Span
from harness.scoring.base import make_span
from harness.scoring.finance.answer_parser import Answer
from harness.scoring.finance.fact_sheet import NAME, Sheet, name_key

CAP = r"[A-Z][A-Za-z]*(?:[&’'.-][A-Za-z]+)*"
FUND = (
    rf"(?:{CAP}\s+(?:&\s+)?){{1,6}}(?:Funds?|Trusts?|REIT|ETF|Portfolio|Partnership|Partners)\b"
    r"(?:\s+(?:[IVX]{1,4}|[ABC])\b)?"
)
BENCHMARK = (
    rf"{CAP}(?:\s+(?:{CAP}|&|\d{{2,4}})){{0,5}}\s+(?:Index|Benchmark|Composite|Average|Aggregate)\b"
    r"|S\s?&\s?P(?:\s+(?:Global\s+)?\d{3})?|Russell\s+\d{4}|MSCI(?:\s+[A-Z]\w+){0,3}|FTSE(?:\s+[A-Z]\w+){0,3}"
    r"|N(?:asdaq|ASDAQ)|Dow\s+Jones|NCREIF|Wilshire\s+\d{4}|Nikkei|Bloomberg|CRSP"
)
GRADE = r"AAA|AA[+-]?|A[+-]|BBB[+-]?|BB[+-]?|B[+-]|CCC[+-]?|Aaa|Aa[123]|Baa[123]|Ba[123]|Caa[123]"
RATING = (
    r"(?:[1-5]|one|two|three|four|five|One|Two|Three|Four|Five)(?:-|\s)stars?\b"
    rf"|(?<![\w&])(?:{GRADE})(?![\w+-])"
    r"|Morningstar|Moody['’]s|Fitch|DBRS|KBRA|Lipper|AM\s+Best"
    r"|(?:(?<=rated\s)|(?<=rating\sof\s)|(?<=rating\sis\s)|(?<=rating\swas\s))[\"“]?[A-Z][\w+-]*(?:\s+[A-Z][\w+-]*){0,3}"
    rf"|{CAP}[+-]?(?:\s+{CAP}[+-]?){{0,3}}(?=[\s-]+(?:rating|rated|grade)\b)"
)
NAMES = re.compile(rf"(?<!\w)(?:(?P<fund>{FUND})|(?P<benchmark>{BENCHMARK})|(?P<rating>{RATING}))")
LEAD = re.compile(
    r"(?:the|an?|in|during|for|both|at|and|while|as|over|with|compared|against|unlike|meanwhile|however|its?|by|on|from"
    r"|of|to|this|that|no|each|our|your|their|after|when|whereas|but|under|per|although|though|since|between|than|versus"
    r"|like|where)[\s,]+",
    re.I,
)
"""Words that may precede a name, capitalised at a sentence's start, and are not part of it."""
ALONE = frozenset(("the", "a", "an", "its", "no", "this", "fund", "funds", "trust", "index", "both", "each", "our"))


def unknown_names(answer: Answer, sheet: Sheet, whole: int) -> Iterator[Span]:
    """Yield the span of each name, up to the offset `whole`, that the sheet does not have."""
    text = answer.written
    known = [(m.start, m.end) for m in answer.mentions if m.kind in ("entity", NAME)]
    for match in NAMES.finditer(text, 0, whole):
        start, end = match.span()
        lead = LEAD.match(text, start, end)
        while lead:
            start = lead.end()
            lead = LEAD.match(text, start, end)
        name = text[start:end]
        own = any(a <= start and end <= b for a, b in known)
        if not own and name.lower() not in ALONE and not _is_known(name, sheet):
            yield make_span(text, start, end, str(match.lastgroup), "invented", "not in the sheet")


def _is_known(name: str, sheet: Sheet) -> bool:
    """Whether it is a name of the sheet, one without some words but with the first, or the last words of one."""
    words = name_key(name.strip('"“”.,').replace("’s", "").replace("'s", "")).split()
    for known in sheet.known:
        whole = iter(known.split())
        if words and known.split()[0] == words[0] and all(word in whole for word in words):
            return True
        if len(words) > 1 and known.split()[-len(words) :] == words:
            return True
    return False
