"""Builds cases by split: services and documents apart. Knows no model."""

import hashlib
import re
from collections.abc import Iterable, Sequence

from evalsuites.public.plain_english.pairs import Pair, data_folder, load
from harness.schema import Case, Completion
from harness.scoring.grounding import facts
from harness.scoring.summaries import content, words_of

SHARES = {"test": 0.66, "validation": 0.05}
"""Most passages of a split, as shares of all; the rest is for training."""
SPLITS = (*SHARES, "train")
LEAST, MOST = 15, 300
"""Words in a passage."""
SHORTEST = 5
"""Words in the shortest summary: below, it is a remark."""
OF_PASSAGE = 0.8
"""A longer summary, as a share of the passage, sums up nothing."""
GROUNDED = 0.2
"""Share of a summary's content words that the passage has: below, it speaks of the whole document."""
SAME = 0.5
"""Share of the runs of five words that makes two passages one, and keeps a summary out of training."""


def cases(split: str = "test") -> list[Case]:
    """Cases of one split of the data that TUNEGATE_DATA names."""
    return build(load(data_folder()), split)


def build(pairs: Sequence[Pair], split: str) -> list[Case]:
    """Cases of a split; a summary in words that the test also expects is left out of the others."""
    usable = [pair for pair in pairs if is_usable(pair)]
    sides = split_of(usable)
    made = [_case(pair, sides[pair.id][0]) for pair in usable if sides[pair.id][1] == split]
    if split == "test":
        return made
    asked = set().union(*(runs(pair.summary) for pair in usable if sides[pair.id][1] == "test"))
    return [case for case in made if _new(case.expected[0], asked)]


def is_usable(pair: Pair) -> bool:
    """Whether the summary sums up the passage, as far as rules can say, and states no figure that the passage lacks."""
    passage, summary = pair.passage.split(), pair.summary.split()
    if not LEAST <= len(passage) <= MOST or not SHORTEST <= len(summary) <= OF_PASSAGE * len(passage):
        return False
    wanted, there = content(words_of(pair.summary)), content(words_of(pair.passage))
    if sum(count for word, count in wanted.items() if word in there) < GROUNDED * max(1, sum(wanted.values())):
        return False
    said = Completion(key="", text=pair.summary, finish_reason="stop", prompt_tokens=0, output_tokens=0)
    return facts.fabricated(_case(pair, ""), said).counts["fabricated"] == 0


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
    """Group and split of each pair, by id: in the order of a hash, each group goes where it still fits."""
    room = {split: round(share * len(pairs)) for split, share in SHARES.items()} | {"train": len(pairs)}
    found = {}
    for name, members in sorted(groups(pairs).items(), key=lambda item: _hash(item[0])):
        split = next(split for split in SPLITS if len(members) <= room[split])
        room[split] -= len(members)
        found.update({pair.id: (name, split) for pair in members})
    return found


def groups(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """Pairs that share a document, a service or half of a passage's runs of five words, by the group's first name."""
    parent = {pair.id: pair.id for pair in pairs}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    holder: dict[str, str] = {}
    said = {pair.id: runs(pair.passage) for pair in pairs}
    places: dict[str, list[str]] = {}
    for pair in pairs:
        for document in pair.documents:
            parent[root(pair.id)] = root(holder.setdefault(document, pair.id))
        near = [other for run in said[pair.id] for other in places.get(run, ())]
        for other in set(near):
            if near.count(other) >= SAME * min(len(said[pair.id]), len(said[other])):
                parent[root(pair.id)] = root(other)
        for run in said[pair.id]:
            places.setdefault(run, []).append(pair.id)
    made: dict[str, list[Pair]] = {}
    for pair in pairs:
        made.setdefault(root(pair.id), []).append(pair)
    return {min(document for pair in members for document in pair.documents): members for members in made.values()}


def runs(text: str) -> set[str]:
    """Every run of five words of a text, case and punctuation aside."""
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[at : at + 5]) for at in range(max(1, len(words) - 4))}


def _new(summary: str, asked: Iterable[str]) -> bool:
    found = runs(summary)
    return len(found & set(asked)) < SAME * len(found)


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
