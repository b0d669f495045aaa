"""Keyword floor: the section in the sentence that shares most words with the question. What questions alone tell.

python -m evalsuites.legal.citations.floor
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from evalsuites.legal.citations.cases import eval_cases, sections_of
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


def told_by_questions(train: Sequence[Case], test: Sequence[Case]) -> float:
    """Return the balanced accuracy of a naive Bayes that tells unanswerable questions without their documents.

    A feature's share of a class is smoothed by its share of all questions; both classes are equally likely beforehand.
    """
    sizes = Counter(bool(case.expected) for case in train)
    counts = Counter((feature, bool(case.expected)) for case in train for feature in _features(case))

    def share(feature: str, kind: bool) -> float:
        overall = (counts[feature, True] + counts[feature, False]) / len(train)
        return (counts[feature, kind] + overall) / (sizes[kind] + 1)

    def is_answerable(case: Case) -> bool:
        known = [one for one in _features(case) if counts[one, True] + counts[one, False]]
        return sum(math.log(share(one, True) / share(one, False)) for one in known) > 0

    kinds = [[is_answerable(case) == kind for case in test if bool(case.expected) == kind] for kind in (True, False)]
    return sum(sum(right) / len(right) for right in kinds) / len(kinds)


def _features(case: Case) -> set[str]:
    words = re.findall(r"[a-z]+|\d+", case.input["question"].lower())
    return {*words, *map(" ".join, pairwise(words))}


if __name__ == "__main__":
    print(f"{told_by_questions(eval_cases('train') + eval_cases('dev'), eval_cases()):.3f}")
