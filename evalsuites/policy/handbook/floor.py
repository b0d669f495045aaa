"""The keyword floor: the guideline that shares most words with the question. Knows no model, and no meaning.

It answers with the guideline's id, first figure and department, and declines where fewer than a third of the question's
words stand in any guideline. The share was set once and not fitted to the cases.
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
    asked = _words(case.input["question"])
    lines = [match.groups() for match in map(LINE.match, case.document.splitlines()) if match]
    cited, said = max(lines, key=lambda line: len(asked & _words(line[1])))
    if len(asked & _words(said)) < LEAST_SHARED * len(asked):
        return "The handbook does not say."
    parts = [figure[0]] if (figure := FIGURE.search(said)) else []
    parts += [f"the {name}" for name in case.input["departments"].split("; ") if name in said]
    return f"{', '.join(parts)} ({cited})."


def _words(text: str) -> set[str]:
    return set(WORD.findall(text.lower())) - COMMON
