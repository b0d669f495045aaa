"""Keyword floor: the guideline that shares most words with the question.

It answers with the guideline's id, first figure and department, and declines if no guideline has a third of the
question's words. The share was set once and not fitted to the cases.
"""

import re

from harness.schema import Case

WORD = re.compile(r"[a-z0-9$%]+")
LINE = re.compile(r"(Guideline [\d.]+) (\([^)]*\)\. .*)")
FIGURE = re.compile(r"\$[\d,]+|\d+%|\d+ (?:days|hours)|\d+")
COMMON = frozenset(
    WORD.findall(
        "a an the of on in to for by is are at it its that this and or with from be may must does do did how much many "
        "what which who where within under after guideline handbook department name says say"
    )
)
LEAST_SHARED = 1 / 3


def keyword_floor(case: Case) -> str:
    """The guideline nearest in words, with its figure and department, or the sentence that declines."""
    question = _words(case.input["question"])
    lines = [match.groups() for match in map(LINE.match, case.document.splitlines()) if match]
    cited, text = max(lines, key=lambda line: len(question & _words(line[1])))
    if len(question & _words(text)) < LEAST_SHARED * len(question):
        return "The handbook does not say."
    parts = [figure[0]] if (figure := FIGURE.search(text)) else []
    parts += [f"the {name}" for name in case.input["departments"].split("; ") if name in text]
    return f"{', '.join(parts)} ({cited})."


def _words(text: str) -> set[str]:
    return set(WORD.findall(text.lower())) - COMMON
