"""The questions of a run, made one at a time from cases and kept token ids. Renders nothing and asks no engine.

Token ids lie in a temporary file once there are many, so that a run of any length fits into memory.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct, structs

from harness.schema import Case, Sampling
from harness.shelf import Column, Shelf


class Ask(Struct, frozen=True, kw_only=True):
    """One question to one variant."""

    suite: int
    """Index into Job.suites."""
    case: Case
    """The case."""
    variant: str
    """Which checkpoint answers."""
    repeat: int
    """1 for the first answer."""
    ids: tuple[int, ...]
    """Token ids; the same for every variant with the same tokenizer and chat template."""
    sampling: Sampling
    """How to decode."""


class Spool:
    """Token ids of prompts by number, four bytes an id; eight once they are read, as equal ids are one object then."""

    def __init__(self) -> None:
        self._ids = Column(Shelf("token ids", "four bytes for each prompt token of the run"), "I")
        self._ends = array("Q", [0])
        self._same: dict[int, int] = {}

    def add(self, ids: Sequence[int]) -> None:
        """Keep the ids of the next prompt."""
        self._ids.extend(ids)
        self._ends.append(len(self._ids))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> tuple[int, ...]:
        ids = self._ids.read(self._ends[number], self._ends[number + 1])
        return tuple(map(self._same.setdefault, ids, ids))


class Part(Struct, kw_only=True):
    """What is asked of one suite."""

    cases: Sequence[Case]
    """Its cases, those that are too long among them."""
    asked: array[int]
    """Places of those that are asked."""
    first: int
    """Number of the first prompt in the spool; the others follow."""
    sampling: Sampling
    """How to decode the first answer; each repeat has a seed of its own."""
    repeats: int
    """Answers per case and variant."""


class Asks(Sequence[Ask]):
    """Every question of a run: variant by variant, suite by suite, case by case, repeats side by side."""

    def __init__(self, parts: Mapping[str, Sequence[Part]], spool: Spool, longest: int) -> None:
        self.parts = parts
        """By variant, one a suite."""
        self.longest = longest
        """Tokens of the longest prompt and answer together."""
        self._spool = spool

    def __len__(self) -> int:
        return sum(counts(self).values())

    def __getitem__(self, place: int) -> Ask:  # type: ignore[override]  # a slice of questions is not needed
        place = range(len(self))[place]
        for variant, parts in self.parts.items():
            for suite, part in enumerate(parts):
                count = len(part.asked) * part.repeats
                if place < count:
                    return self._ask(variant, suite, *divmod(place, part.repeats))
                place -= count
        raise IndexError(place)

    def __iter__(self) -> Iterator[Ask]:
        return self.of(*self.parts)

    def of(self, *variants: str) -> Iterator[Ask]:
        """The questions to these variants."""
        for variant in variants:
            for suite, part in enumerate(self.parts[variant]):
                for number in range(len(part.asked)):
                    for repeat in range(part.repeats):
                        yield self._ask(variant, suite, number, repeat)

    def _ask(self, variant: str, suite: int, number: int, repeat: int) -> Ask:
        part = self.parts[variant][suite]
        sampling = part.sampling
        if repeat:
            sampling = structs.replace(sampling, seed=sampling.seed + repeat)
        return Ask(
            suite=suite,
            case=part.cases[part.asked[number]],
            variant=variant,
            repeat=repeat + 1,
            ids=self._spool[part.first + number],
            sampling=sampling,
        )

    def same_ids(self, one: str, other: str) -> tuple[int, int]:
        """Of the cases that both variants receive, how many have the same token ids; and how many there are."""
        same = cases = 0
        for mine, its in zip(self.parts[one], self.parts[other], strict=True):
            for number, place in enumerate(mine.asked):
                twin = bisect_left(its.asked, place)
                if twin < len(its.asked) and its.asked[twin] == place:
                    cases += 1
                    same += self._spool[mine.first + number] == self._spool[its.first + twin]
        return same, cases


def counts(questions: Iterable[Ask]) -> dict[tuple[int, str], int]:
    """How many questions each suite, by its index, has for each variant; in the order in which they are asked."""
    if isinstance(questions, Asks):
        asked = {v: [len(part.asked) * part.repeats for part in parts] for v, parts in questions.parts.items()}
        return {(suite, variant): n for variant, each in asked.items() for suite, n in enumerate(each) if n}
    return Counter((ask.suite, ask.variant) for ask in questions)


class Sized(Protocol):
    """A question with a prompt and a limit on its answer."""

    @property
    def ids(self) -> tuple[int, ...]: ...
    @property
    def sampling(self) -> Sampling: ...


def longest(questions: Iterable[Sized]) -> int:
    """Tokens of the longest prompt and answer together."""
    if isinstance(questions, Asks):
        return questions.longest
    return max((len(q.ids) + q.sampling.max_tokens for q in questions), default=1)
