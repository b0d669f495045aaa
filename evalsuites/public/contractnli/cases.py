"""Build cases by split: each agreement in one split, statements balanced."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations

from evalsuites.public.contractnli.excerpts import around, nearest, words_in
from evalsuites.public.contractnli.ndas import NOT_MENTIONED, Agreement, Data, data_folder, load
from evalsuites.public.overlap import linked, runs
from harness.schema import Case

SHARES = {"test": 0.56, "validation": 0.12, "train": 0.32}
"""Of the groups of near-duplicates, in the order of the hash of their first name."""
OVERLAP = 0.5
"""Share of the smaller agreement's runs of five words that makes two agreements near-duplicates."""
SAME = 0.5
"""Share of an excerpt's runs of eight words in the test split from which it is left out of training."""
MIN_PER_LABEL = 3
"""Cases of one label of one statement that are always kept."""


def cases(split: str = "test") -> list[Case]:
    """Return the cases of one split of the data that TUNEGATE_DATA names."""
    return build(load(data_folder()), split)


def build(data: Data, split: str) -> list[Case]:
    """Build a split: the test is balanced within each statement; the others have all cases in other words."""
    sides = split_of(data.agreements)
    test_cases = balanced(
        [case for a in data.agreements if sides[a.name] == "test" for case in cases_of(a, data.statements)]
    )
    if split == "test":
        return test_cases
    seen = set().union(*(runs(case.document, 8) for case in test_cases))
    others = [case for a in data.agreements if sides[a.name] == split for case in cases_of(a, data.statements)]
    return [case for case in others if len(own := runs(case.document, 8)) * SAME > len(own & seen)]


def cases_of(agreement: Agreement, statements: Mapping[str, str]) -> list[Case]:
    """Make a case per statement, unless the evidence is too long or too scattered for an excerpt."""
    drawn = []
    words_by_sentence = words_in(agreement)
    for key, answer in sorted(agreement.answers.items(), key=lambda item: int(item[0].rpartition("-")[2])):
        absent = answer.label == NOT_MENTIONED
        core = nearest(words_by_sentence, statements[key], agreement.name) if absent else answer.evidence
        excerpt = around(agreement, core)
        if excerpt is not None:
            tags = {"label": answer.label, "statement": key}
            if not absent:
                tags["evidence"] = " ".join(map(str, excerpt.evidence))
            drawn.append(
                Case(
                    id=f"{agreement.name}-{key}",
                    input={"document": excerpt.text, "statement": statements[key]},
                    expected=[answer.label],
                    cluster=agreement.name,
                    tags=tags,
                )
            )
    return drawn


def balanced(candidates: Sequence[Case]) -> list[Case]:
    """Limit each statement's most common label to the number of its second, preferring agreements with few cases."""
    chosen_cases: list[Case] = []
    per_agreement: Counter[str] = Counter()
    for statement in sorted({case.tags["statement"] for case in candidates}):
        per_label = Counter(case.expected[0] for case in candidates if case.tags["statement"] == statement)
        most = max(MIN_PER_LABEL, sorted(per_label.values())[-2] if len(per_label) > 1 else 0)
        for label in sorted(per_label):
            of_label = [c for c in candidates if c.tags["statement"] == statement and c.expected == [label]]
            chosen = sorted(of_label, key=lambda case: (per_agreement[case.cluster], _hash(case.id)))[:most]
            per_agreement.update(case.cluster for case in chosen)
            chosen_cases += chosen
    return sorted(chosen_cases, key=lambda case: case.id)


def split_of(agreements: Sequence[Agreement]) -> dict[str, str]:
    """Return the split of each agreement, by name; near-duplicates share one."""
    together = sorted(groups({a.name: " ".join(a.sentences) for a in agreements}), key=lambda group: _hash(group[0]))
    sides = {}
    at, share = 0, 0.0
    for split, of_all in SHARES.items():
        share += of_all
        end = round(share * len(together))
        sides.update((name, split) for group in together[at:end] for name in group)
        at = end
    return sides


def groups(texts: Mapping[str, str]) -> list[list[str]]:
    """Group the names of near-duplicates."""
    runs_by_name = {name: runs(text, 5) for name, text in texts.items()}

    def are_near(first: str, second: str) -> bool:
        one, other = runs_by_name[first], runs_by_name[second]
        return 0 < OVERLAP * min(len(one), len(other)) <= len(one & other)

    return linked(texts, (pair for pair in combinations(texts, 2) if are_near(*pair)))


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
