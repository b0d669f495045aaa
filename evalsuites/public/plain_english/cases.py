"""Build cases by split: each service and document in one split."""

import hashlib
import re
from collections.abc import Iterable, Sequence

from evalsuites.public.plain_english.pairs import Pair, data_folder, load
from harness.schema import Case, Completion
from harness.scoring.grounding import facts
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
    return build(load(data_folder()), split)


def build(pairs: Sequence[Pair], split: str) -> list[Case]:
    """Build the cases of a split; the others leave out summaries in words that the test expects."""
    usable = [pair for pair in pairs if is_usable(pair)]
    sides = split_of(usable)
    of_split = [_case(pair, sides[pair.id][0]) for pair in usable if sides[pair.id][1] == split]
    if split == "test":
        return of_split
    test_runs = set().union(*(runs(pair.summary) for pair in usable if sides[pair.id][1] == "test"))
    return [case for case in of_split if _new(case.expected[0], test_runs)]


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
    return facts.fabricated(_case(pair, ""), completion).counts["fabricated"] == 0


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
    for name, members in sorted(groups(pairs).items(), key=lambda item: _hash(item[0])):
        split = next(split for split in SPLITS if len(members) <= room[split])
        room[split] -= len(members)
        placed.update({pair.id: (name, split) for pair in members})
    return placed


def groups(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """Group pairs that share a document, a service or SAME of a passage's runs, by the group's first document."""
    parent = {pair.id: pair.id for pair in pairs}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    holder: dict[str, str] = {}
    runs_by_id = {pair.id: runs(pair.passage) for pair in pairs}
    places: dict[str, list[str]] = {}
    for pair in pairs:
        for document in pair.documents:
            parent[root(pair.id)] = root(holder.setdefault(document, pair.id))
        near = [other for run in runs_by_id[pair.id] for other in places.get(run, ())]
        for other in set(near):
            if near.count(other) >= SAME * min(len(runs_by_id[pair.id]), len(runs_by_id[other])):
                parent[root(pair.id)] = root(other)
        for run in runs_by_id[pair.id]:
            places.setdefault(run, []).append(pair.id)
    members_by_root: dict[str, list[Pair]] = {}
    for pair in pairs:
        members_by_root.setdefault(root(pair.id), []).append(pair)
    grouped = members_by_root.values()
    return {min(document for pair in members for document in pair.documents): members for members in grouped}


def runs(text: str) -> set[str]:
    """Return every run of five words of a text, without case and punctuation."""
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[at : at + 5]) for at in range(max(1, len(words) - 4))}


def _new(summary: str, test_runs: Iterable[str]) -> bool:
    own = runs(summary)
    return len(own & set(test_runs)) < SAME * len(own)


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
