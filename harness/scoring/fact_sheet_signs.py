"""Figures of a text with their signs, accounting brackets included: "-2.1%", "$(1.2) million", "income of (1,240)".

`figure_forms` reads the sizes. Brackets after a word such as "of" or "was" are a minus; elsewhere they are an aside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from harness.scoring.fact_sheet_words import Words
from harness.scoring.figure_forms import Figure, figures_in
from harness.scoring.numbers import DIGITS

MINUS = re.compile(
    r"(?<![\w.,)%])(?P<before>[-\u2212\u2013])(?=[$€£]?\s?\d)|[$€£](?P<inside>[-\u2212\u2013])(?=\d)"
    r"|[$€£](?P<open>\()\d[\d,.]*(?P<close>\))"
    r"|(?P<opened>\()[$€£]?\d[\d,.]*(?P<closed>\))(?=\s?(?:%|per\s?cent|basis|bps|thousand|million|billion))"
    r"|(?<=\b(?:of|as|is|at|to|by)\s)(?P<whole>\()[$€£]?\d[\d,.]*"
    r"(?:\s?(?:thousand|million|billion|%|percent))*(?P<end>\))"
)
SIGNED = re.compile(r"[-\u2212\u2013(][$€£]?\s?\d")
"""Whether a text may hold any such sign."""
SCALE = r"\s(?:thousand|million|billion)\b"
PLAIN_MONEY = rf"(?<=\$)(?:{DIGITS})(?:{SCALE}(?!\s*[%(])|(?![\s-]*[\w(%]))"
PLAIN_SHARE = (
    r"(?<=\d)[\d,]{0,30}(?:\.\d{1,30})?(?<!,)"
    r"(?:%(?!\s*\()|\s(?:percent(?:age\spoints)?|basis\spoints)\b(?!\s*\())"
)
PLAIN = re.compile(rf"[$\d](?<![\w.,/$€£#-][$\d])(?<![$€£]\s[$\d])(?:{PLAIN_MONEY}|{PLAIN_SHARE})")
"""The commonest forms of a figure, read alone and remembered."""
DIGIT = re.compile(r"\d")


@lru_cache(maxsize=8192)
def _alone(written: str) -> tuple[Figure, ...]:
    return figures_in(written)


def signed_figures(text: str, words: Words) -> Iterator[tuple[Figure, bool]]:
    """Figures of a text, with accounting and minus signs read: "$(1.2) million", "-2.1%", "of (1,240)"."""
    minus, written = [], text
    if SIGNED.search(text):
        letters = list(text)
        for match in MINUS.finditer(text):
            minus.append(match.end() if match["before"] or match["inside"] else match.start() + 1)
            for group, at in enumerate(match.regs[1:], 1):
                if match[group]:
                    letters[at[0]] = " "
        text = "".join(letters) if minus else text
    for figure in _figures(text, words):
        if any(figure.start - 1 <= at <= figure.end for at in minus):
            yield _with_signs(figure, written), True
        else:
            yield figure, False


def _with_signs(figure: Figure, text: str) -> Figure:
    start, end = figure.start, figure.end
    while start and text[start - 1] in "-\u2212\u2013($€£":
        start -= 1
    end += "(" in text[start:end] and ")" not in text[start:end] and text[end : end + 1] == ")"
    return figure._replace(start=start, end=end)


def _figures(text: str, words: Words) -> Sequence[Figure]:
    """What `figures_in` gives, sooner where a text holds only plain forms."""
    if words.has_number_words or not text.isascii():
        return figures_in(text)
    found: list[Figure] = []
    at = 0
    for match in PLAIN.finditer(text):
        start, end = match.span()
        alone = _alone(match[0])
        if len(alone) != 1 or alone[0].end != end - start or DIGIT.search(text, at, start):
            return figures_in(text)
        found.append(Figure(start, end, *alone[0][2:]))
        at = end
    return figures_in(text) if DIGIT.search(text, at) else found
