"""Keyword floor: the section that shares most words with the question.

It answers with the section's number, first figure and departments, and declines if no section has a third of the
question's words. The share was set once and not fitted to the cases.
"""

import re

from evalsuites.policy.handbook.handbooks import SILENT, head_of
from harness.schema import Case

WORD = re.compile(r"[a-z0-9$%]+")
FIGURE = re.compile(r"\$[\d,]+|\d+%|\d+ (?:\w+ )?(?:days|hours|months|weeks)|\d+")
COMMON = frozenset(
    WORD.findall(
        "a an the of on in to for by is are at it its that this and or with from be may must does do did how much many "
        "what which who where when within under after i we my our you your me can have has had if not will would s"
    )
)
LEAST_SHARED = 1 / 3


def keyword_floor(case: Case) -> str:
    """Return the section nearest in words, with its figure and departments, or the sentence that declines."""
    question = _words(case.input["question"])
    sections = {
        number: paragraph[match.end() :]
        for paragraph in case.document.split("\n\n")
        for number in case.input["guidelines"].split("; ")
        if (match := head_of(number).match(paragraph))
    }
    number, text = max(sections.items(), key=lambda item: len(question & _words(item[1])))
    if len(question & _words(text)) < LEAST_SHARED * len(question):
        return SILENT
    parts = [figure[0]] if (figure := FIGURE.search(text)) else []
    parts += [f"the {name}" for name in case.input["departments"].split("; ") if name in text]
    return f"{', '.join(parts)} ({number})."


def _words(text: str) -> set[str]:
    return set(WORD.findall(text.lower())) - COMMON
