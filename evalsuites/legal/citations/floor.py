"""The keyword floor: the section in the sentence that shares most words with the question. Knows no model."""

import re

from harness.schema import Case
from harness.scoring.grounding.citation_parser import citations_in

COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by does for from give given going has have how in is it its name now of on or section "
        "that the their there this to today under used what which who with would",
    )
)
FEWEST = 2
"""Words that a sentence must share with the question."""


def words_of(text: str) -> set[str]:
    """Words of a text that say something, without the endings of the plainest inflections."""
    found = set(re.findall(r"[a-z]{2,}", text.lower())) - COMMON
    return {re.sub(r"(?:ing|ed|es|s)$", "", word) for word in found}


def keyword_floor(case: Case) -> str:
    """The last section of the best paragraph; none where the question names a section that the document does not."""
    document, question = case.document, case.input["question"]
    named = {s for c in citations_in(document, True) for s in c.sections}
    asked = {s for c in citations_in(question, True) for s in c.sections}
    if asked - named:
        return "not in the document"
    wanted = words_of(question)
    scored = [(len(wanted & words_of(p)), p) for p in re.split(r"\n(?!\d)", document)]
    best, paragraph = max(scored, key=lambda pair: pair[0])
    cited = citations_in(paragraph, True)
    if best < FEWEST or not cited:
        return "not in the document"
    return f"O.C.G.A. § {cited[-1].sections[0]}"
