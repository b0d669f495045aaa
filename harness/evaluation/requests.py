"""The requests of a run, and the token ids of their prompts."""

from __future__ import annotations

import os
import tempfile
import weakref
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct, structs

from harness.errors import UserError
from harness.files import MEMORY_BYTES
from harness.schema import BASELINE, CANDIDATE, Case, Request, Sampling


class PlannedRequest(Struct, frozen=True, kw_only=True):
    """One request to one variant."""

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


class TokenFile:
    """Token ids of prompts by number: in memory while they are few, then in a temporary file, four bytes per id."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 - closed with this object
        weakref.finalize(self, self._file.close)
        self._ends = array("Q", [0])
        self._same: dict[int, int] = {}
        """Equal ids are one object, which halves the memory of a window of prompts."""

    def add(self, ids: Sequence[int]) -> None:
        """Store the ids of the next prompt. Raises UserError if the disk is full."""
        try:
            self._file.seek(0, os.SEEK_END)
            self._file.write(array("I", ids).tobytes())
            self._file.flush()
        except OSError as error:
            raise UserError(
                f"{tempfile.gettempdir()}: token ids cannot be stored ({error.strerror}). Free space, or set TMPDIR to "
                "a folder with four bytes for each prompt token of the run"
            ) from None
        self._ends.append(self._file.tell())

    def __len__(self) -> int:
        return len(self._ends) - 1

    def length(self, number: int) -> int:
        """Return the number of ids of a prompt."""
        return (self._ends[number + 1] - self._ends[number]) // 4

    def __getitem__(self, number: int) -> tuple[int, ...]:
        self._file.seek(self._ends[number])
        ids = array("I", self._file.read(4 * self.length(number)))
        return tuple(map(self._same.setdefault, ids, ids))


class SuiteRequests(Struct, kw_only=True):
    """Requests of one suite."""

    cases: Sequence[Case]
    """Its cases, including those that are too long."""
    asked: array[int]
    """Indices of the cases with a request."""
    first: int
    """Number of the first prompt in the token file; the others follow."""
    sampling: Sampling
    """How to decode the first answer; each repeat has its own seed."""
    repeats: int
    """Answers per case and variant."""


class RequestQueue:
    """Every request of a run: variant by variant, suite by suite, case by case, repeats next to each other."""

    def __init__(self, parts: Mapping[str, Sequence[SuiteRequests]], tokens: TokenFile) -> None:
        self.parts = parts
        """By variant, one per suite."""
        self._tokens = tokens

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt and answer together; 1 without requests."""
        lengths = (
            self._tokens.length(part.first + number) + part.sampling.max_tokens
            for parts in self.parts.values()
            for part in parts
            for number in range(len(part.asked))
        )
        return max(lengths, default=1)

    def __len__(self) -> int:
        return sum(len(part.asked) * part.repeats for parts in self.parts.values() for part in parts)

    def __iter__(self) -> Iterator[PlannedRequest]:
        return self.of(*self.parts)

    def of(self, *variants: str) -> Iterator[PlannedRequest]:
        """Yield the requests to these variants."""
        for variant in variants:
            for suite, part in enumerate(self.parts[variant]):
                samplings = [part.sampling]
                for repeat in range(1, part.repeats):
                    samplings.append(structs.replace(part.sampling, seed=part.sampling.seed + repeat))
                for number, place in enumerate(part.asked, part.first):
                    case, ids = part.cases[place], self._tokens[number]
                    for repeat, sampling in enumerate(samplings, 1):
                        yield PlannedRequest(
                            suite=suite, case=case, variant=variant, repeat=repeat, ids=ids, sampling=sampling
                        )

    def same_ids(self) -> tuple[int, int]:
        """Of the cases that both variants receive, how many have the same token ids; and how many there are."""
        same = cases = 0
        for mine, its in zip(self.parts[BASELINE], self.parts[CANDIDATE], strict=True):
            for number, place in enumerate(mine.asked):
                twin = bisect_left(its.asked, place)
                if twin < len(its.asked) and its.asked[twin] == place:
                    cases += 1
                    same += self._tokens[mine.first + number] == self._tokens[its.first + twin]
        return same, cases


def longest(questions: Iterable[PlannedRequest | Request]) -> int:
    """Return the tokens of the longest prompt and answer together; 1 without requests."""
    if isinstance(questions, RequestQueue):
        return questions.longest
    return max((len(q.ids) + q.sampling.max_tokens for q in questions), default=1)
