"""Keyword floor: the section in the sentence that shares most words with the question."""

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


def sections_of(text: str) -> set[str]:
    """Return the sections of the Code that a text names."""
    return {section for cited in citations_in(text, True) for section in cited.sections}


def words_of(text: str) -> set[str]:
    """Return the content words of a text, without common endings."""
    words = set(re.findall(r"[a-z]{2,}", text.lower())) - COMMON
    return {re.sub(r"(?:ing|ed|es|s)$", "", word) for word in words}


def keyword_floor(case: Case) -> str:
    """Return the last section of the best paragraph; none if the question names a section that the document lacks."""
    document, question = case.document, case.input["question"]
    if sections_of(question) - sections_of(document):
        return "not in the document"
    words = words_of(question)
    scored = [(len(words & words_of(p)), p) for p in document.split("\n\n")]
    best, paragraph = max(scored, key=lambda pair: pair[0])
    cited = citations_in(paragraph, True)
    if best < FEWEST or not cited:
        return "not in the document"
    return f"O.C.G.A. § {cited[-1].sections[0]}"
