"""Build cases by split: each service and document in one split."""

import hashlib
from collections.abc import Sequence
from itertools import combinations

from evalsuites.public import data
from evalsuites.public.overlap import linked, runs
from evalsuites.public.plain_english.pairs import WHERE, Pair, load
from harness.schema import Case, Completion
from harness.scoring.grounding import facts, figures
from harness.scoring.summaries import content, words_of

SHARES = {"test": 0.66, "validation": 0.05}
"""Largest share of the passages in a split; the rest is for training."""
SPLITS = (*SHARES, "train")
LEAST, MOST = 15, 300
"""Words in a passage."""
SHORTEST = 5
"""Words in the shortest summary; a shorter one is a remark."""
OF_PASSAGE = 0.8
"""A summary with a larger share of the passage's words is not a summary."""
GROUNDED = 0.2
"""Share of a summary's content words in the passage; with less, it is about the whole document."""
SAME = 0.5
"""Share of runs of five words that makes two passages near-duplicates, and leaves a summary out of training."""


def cases(split: str = "test") -> list[Case]:
    """Return the cases of one split of the data that TUNEGATE_DATA names."""
    return build(load(data.data_folder("plain_english_contracts", ["pairs.jsonl"], WHERE)), split)


def build(pairs: Sequence[Pair], split: str) -> list[Case]:
    """Build the cases of a split; the others leave out summaries in words that the test expects."""
    usable = [pair for pair in pairs if is_usable(pair)]
    sides = split_of(usable)
    of_split = [_case(pair, sides[pair.id][0]) for pair in usable if sides[pair.id][1] == split]
    if split == "test":
        return of_split
    tested = set().union(*(runs_of(pair.summary) for pair in usable if sides[pair.id][1] == "test"))
    return [case for case in of_split if len(own := runs_of(case.expected[0])) * SAME > len(own & tested)]


def is_usable(pair: Pair) -> bool:
    """Whether the summary is about the passage, as far as rules can tell, and states no figure that it lacks."""
    passage, summary = pair.passage.split(), pair.summary.split()
    if not LEAST <= len(passage) <= MOST or not SHORTEST <= len(summary) <= OF_PASSAGE * len(passage):
        return False
    in_summary, in_passage = content(words_of(pair.summary)), content(words_of(pair.passage))
    shared = sum(count for word, count in in_summary.items() if word in in_passage)
    if shared < GROUNDED * max(1, sum(in_summary.values())):
        return False
    completion = Completion(key="", text=pair.summary, finish_reason="stop", prompt_tokens=0, output_tokens=0)
    spans = facts.judge(_case(pair, ""), completion)
    return not any(facts.is_fabricated(span) or span.reason.startswith(figures.PERHAPS) for span in spans)


def _case(pair: Pair, cluster: str) -> Case:
    length = "short" if len(pair.passage.split()) < 60 else "long"
    return Case(
        id=pair.id,
        input={"document": pair.passage},
        expected=[pair.summary],
        cluster=cluster,
        tags={"passage": length},
    )


def split_of(pairs: Sequence[Pair]) -> dict[str, tuple[str, str]]:
    """Return group and split of each pair, by id: in hash order, each group goes to the first split with room."""
    room = {split: round(share * len(pairs)) for split, share in SHARES.items()} | {"train": len(pairs)}
    placed = {}
    for name, members in sorted(groups(pairs).items(), key=lambda item: hashlib.sha256(item[0].encode()).digest()):
        split = next(split for split in SPLITS if len(members) <= room[split])
        room[split] -= len(members)
        placed.update({pair.id: (name, split) for pair in members})
    return placed


def groups(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """Group pairs that share a document, a service or SAME of a passage's runs, by the group's first document."""
    by_id = {pair.id: pair for pair in pairs}
    runs_by_id = {pair.id: runs_of(pair.passage) for pair in pairs}

    def are_near(one: Pair, other: Pair) -> bool:
        first, second = runs_by_id[one.id], runs_by_id[other.id]
        has_one_source = not set(one.documents).isdisjoint(other.documents)
        return has_one_source or len(first & second) >= SAME * min(len(first), len(second))

    near = ((one.id, other.id) for one, other in combinations(pairs, 2) if are_near(one, other))
    members = [[by_id[name] for name in names] for names in linked(by_id, near)]
    return {min(document for pair in group for document in pair.documents): group for group in members}


def runs_of(text: str) -> set[str]:
    """Return every run of five words of a text, without case and punctuation."""
    return runs(text, 5, r"\w+")
