"""What the questions alone tell of whether their document has an answer.

python -m evalsuites.legal.citations.questions
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from evalsuites.legal.citations.cases import eval_cases
from harness.schema import Case


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
