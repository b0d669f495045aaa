"""Builds cases by split: agreements apart, statements balanced. Knows no model."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations

from evalsuites.public.contractnli.excerpts import around, nearest, words_in
from evalsuites.public.contractnli.ndas import NOT_MENTIONED, Agreement, Data, data_folder, load
from harness.schema import Case

SHARES = {"test": 0.56, "validation": 0.12, "train": 0.32}
"""Of the groups of near-duplicates, in the order of the hash of their first name."""
OVERLAP = 0.5
"""Share of the smaller agreement's runs of five words that makes two agreements near-duplicates."""
SAME = 0.5
"""Share of an excerpt's runs of eight words, found in the test, from which it is kept out of training."""
FEWEST = 3
"""Cases of one label of one statement that are always kept."""


def cases(split: str = "test") -> list[Case]:
    """Cases of one split of the data that TUNEGATE_DATA names."""
    return build(load(data_folder()), split)


def build(data: Data, split: str) -> list[Case]:
    """The test is balanced within each statement; the other splits hold all that shares no wording with the test."""
    sides = split_of(data.agreements)
    asked = balanced(
        [case for a in data.agreements if sides[a.name] == "test" for case in cases_of(a, data.statements)]
    )
    if split == "test":
        return asked
    seen = set().union(*(runs(case.document, 8) for case in asked))
    made = [case for a in data.agreements if sides[a.name] == split for case in cases_of(a, data.statements)]
    return [case for case in made if len(found := runs(case.document, 8)) * SAME > len(found & seen)]


def cases_of(agreement: Agreement, statements: Mapping[str, str]) -> list[Case]:
    """A case a statement, but where the evidence is too long or too scattered for an excerpt."""
    made = []
    said = words_in(agreement)
    for key, answer in sorted(agreement.answers.items(), key=lambda item: int(item[0].rpartition("-")[2])):
        absent = answer.label == NOT_MENTIONED
        core = nearest(said, statements[key], agreement.name) if absent else answer.evidence
        excerpt = around(agreement, core)
        if excerpt is not None:
            tags = {"label": answer.label, "statement": key}
            if not absent:
                tags["evidence"] = " ".join(map(str, excerpt.evidence))
            made.append(
                Case(
                    id=f"{agreement.name}-{key}",
                    input={"document": excerpt.text, "statement": statements[key]},
                    expected=[answer.label],
                    cluster=agreement.name,
                    tags=tags,
                )
            )
    return made


def balanced(found: Sequence[Case]) -> list[Case]:
    """Of each statement's commonest label no more cases than of its second, from the agreements asked least so far."""
    kept: list[Case] = []
    asked: Counter[str] = Counter()
    for statement in sorted({case.tags["statement"] for case in found}):
        held = Counter(case.expected[0] for case in found if case.tags["statement"] == statement)
        most = max(FEWEST, sorted(held.values())[-2] if len(held) > 1 else 0)
        for label in sorted(held):
            mine = [c for c in found if c.tags["statement"] == statement and c.expected == [label]]
            chosen = sorted(mine, key=lambda case: (asked[case.cluster], _hash(case.id)))[:most]
            asked.update(case.cluster for case in chosen)
            kept += chosen
    return sorted(kept, key=lambda case: case.id)


def split_of(agreements: Sequence[Agreement]) -> dict[str, str]:
    """The split of each agreement, by name; near-duplicates share one."""
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
    """Names of near-duplicates together (single link), each list and all lists sorted."""
    said = {name: runs(text, 5) for name, text in texts.items()}
    group = {name: [name] for name in texts}
    for first, second in combinations(sorted(said), 2):
        smaller = min(len(said[first]), len(said[second]))
        if smaller and len(said[first] & said[second]) >= OVERLAP * smaller and group[first] is not group[second]:
            joined = group[first] + group[second]
            group.update(dict.fromkeys(joined, joined))
    return sorted({id(names): sorted(names) for names in group.values()}.values())


def runs(text: str, size: int) -> set[str]:
    """Every run of `size` words of a text, case, punctuation and sentence numbers aside."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    return {" ".join(words[at : at + size]) for at in range(max(1, len(words) - size + 1))}


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
