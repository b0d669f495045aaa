"""What makes a function a scorer, and how several run on one completion. Knows no scorer family.

@scorer(metrics=[Metric(name="accuracy", scorer="answers", numerator="correct")], name="answers")
def accepted(case, completion):
    return Score(name="answers", value=1.0, counts={"correct": 1})
"""

from __future__ import annotations

import inspect
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, update_wrapper
from types import ModuleType
from typing import Any, Generic, TypeVar

from harness.errors import UserError, refuse_all
from harness.files import digest
from harness.schema import Case, Completion, Metric, Score, Scores

Scoring = Callable[[Case, Completion], Score]
Checking = Callable[[Case], Sequence[str]]

MOST_SAID = 200
"""Characters kept of what an error says."""


class Scorer:
    """A pure function (case, completion) -> Score, with its family's name, its metrics and what it was made from.

    `check` says what is wrong with a case (an expected clause that is not in the list) before anything is asked.
    """

    def __init__(
        self,
        function: Scoring,
        name: str,
        metrics: Sequence[Metric],
        config: object = None,
        check: Checking | None = None,
    ) -> None:
        self.__wrapped__ = function
        self.__name__ = function.__name__
        self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__
        self.__doc__ = function.__doc__
        self.name = name
        self.metrics = list(metrics)
        self.config = config
        self.check = check

    def __call__(self, case: Case, completion: Completion) -> Score:
        return self.__wrapped__(case, completion)

    def __repr__(self) -> str:
        return f"<scorer {self.name}: {self.__module__}.{self.__qualname__}>"

    @cached_property
    def source_hash(self) -> str:
        """Digest of the scorer's module and of every scoring module that it uses, as they are written.

        A suite's own module goes without its name, which depends on who imports it.
        """
        return digest({_own_name(module): inspect.getsource(module) for module in _sources(self.__module__)})

    @cached_property
    def config_hash(self) -> str:
        """Digest of what the scorer was given when it was made: a vocabulary, a registry."""
        return digest(self.config)

    @property
    def version(self) -> str:
        """Changes when the scorer's code or configuration does; equal versions give equal scores."""
        return digest([self.name, self.__qualname__, self.source_hash, self.config_hash])[:12]


def scorer(
    *, metrics: Sequence[Metric], name: str, config: object = None, check: Checking | None = None
) -> Callable[[Scoring], Scorer]:
    """Make a function a scorer of the family `name`. Refuses metrics that read another family's counts."""
    strangers = [m for m in metrics if m.scorer != name]
    refuse_all([f"metric '{m.name}' reads scorer '{m.scorer}', expected '{name}'" for m in strangers], "metrics")
    return lambda function: Scorer(function, name, metrics, config, check)


def run(scorers: Sequence[Scoring], case: Case, completion: Completion) -> Scores:
    """Every scorer's finding on one completion, by family name.

    A scorer that raises, or breaks its own promise (a span that does not quote the text, a count that its metrics need
    and that is not there), leaves a failed score with the reason; the other scores of the answer and the run stand.
    Raises UserError where the user's own input is at fault, or where two scorers answer for one family.
    """
    scores = Scores()
    for function in scorers:
        try:
            score = function(case, completion)
            _check(function, score, completion.text)
        except UserError:
            raise
        except Exception as error:
            score = failure(function, error)
        if score.name in scores:
            raise UserError(f"two scorers answer for the family '{score.name}'; a suite takes one of each")
        scores[score.name] = score
    return scores


def failure(function: Scoring, error: Exception) -> Score:
    """The score of a scorer that raised."""
    said = " ".join(str(error).split())[:MOST_SAID]
    return Score(
        name=name_of(function), value=None, reason=f"the scorer raised {type(error).__name__}: {said}", failed=True
    )


def version_of(function: Scoring) -> str:
    """A scorer's version; of a plain function the digest of the module that it stands in."""
    if isinstance(function, Scorer):
        return function.version
    return digest(inspect.getsource(sys.modules[function.__module__]))[:12]


def name_of(function: Scoring) -> str:
    """The family that a scorer answers for; a plain function goes by its own name."""
    return str(getattr(function, "name", "") or getattr(function, "__name__", "scorer"))


def metrics_of(scorers: Sequence[Scoring]) -> list[Metric]:
    """Metrics that the scorers offer, in their order. Refuses two metrics, or two scorers, of one name."""
    metrics = [metric for function in scorers for metric in getattr(function, "metrics", [])]
    families = [function.name for function in scorers if isinstance(function, Scorer)]
    problems = [f"two scorers answer for the family '{name}'; keep one" for name in _repeated(families)]
    problems += [f"two scorers offer the metric '{name}'; keep one" for name in _repeated([m.name for m in metrics])]
    refuse_all(problems, "scorers")
    return metrics


def unbroken(completion: Completion) -> int:
    """Length of the text up to which an answer is whole: all of it, or all but the last word of a cut answer."""
    text = completion.text
    return len(text) if completion.finish_reason == "stop" else len(text) - len(text.split(" ")[-1].split("\n")[-1])


def _check(function: Scoring, score: Score, text: str) -> None:
    for span in score.spans:
        if text[span.start : span.end] != span.quote or not 0 <= span.start < span.end:
            raise ValueError(f"span {span.start}-{span.end} quotes {span.quote!r}, which does not stand there")
    if not isinstance(function, Scorer) or score.value is None:
        return
    if score.name != function.name:
        raise ValueError(f"score is named '{score.name}', its scorer '{function.name}'")
    for metric in function.metrics:
        if metric.kind == "ratio":
            missing = [c for c in (metric.numerator, metric.denominator) if c is not None and c not in score.counts]
            if missing:
                raise ValueError(f"metric '{metric.name}' needs the count '{missing[0]}', which the score has not")


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _sources(name: str) -> list[ModuleType]:
    """The module called `name` and the modules of this package that it reaches, in order of name."""
    found: dict[str, ModuleType] = {}
    waiting = [sys.modules[name]]
    while waiting:
        module = waiting.pop()
        if module.__name__ not in found:
            found[module.__name__] = module
            waiting.extend(_imported(module))
    return [found[key] for key in sorted(found)]


def _own_name(module: ModuleType) -> str:
    return module.__name__ if module.__name__.startswith(f"{__package__}.") else ""


def _imported(module: ModuleType) -> Iterator[ModuleType]:
    for value in vars(module).values():
        owner: Any = value if isinstance(value, ModuleType) else inspect.getmodule(value)
        if isinstance(owner, ModuleType) and owner.__name__.startswith(f"{__package__}."):
            yield owner


T = TypeVar("T")

MOST_CHARACTERS = 4_000_000
"""Characters of the sources that each function's results are kept of: some 65 whole contracts, or 4,000 excerpts.

The scorers of facts keep some eleven bytes of each character of a contract, all together.
"""


class DocumentCache(Generic[T]):
    """A function of a source's text, called once a source while there is room; the oldest results make room."""

    def __init__(self, function: Callable[[str], T], most: int = MOST_CHARACTERS) -> None:
        update_wrapper(self, function)
        self._function = function
        self._most = most
        self._size = 0
        self._found: dict[str, T] = {}

    def __call__(self, document: str) -> T:
        if document in self._found:
            return self._found[document]
        found = self._function(document)
        while self._found and self._size + len(document) > self._most:
            oldest = next(iter(self._found))
            self._size -= len(oldest)
            del self._found[oldest]
        self._size += len(document)
        self._found[document] = found
        return found


class Taken:
    """Ranges that do not overlap; asking and adding stay fast for many thousands of them."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        for start, end in ranges:
            self.add(start, end)

    def add(self, start: int, end: int) -> bool:
        """Take a range if it overlaps none; whether it was free."""
        at = bisect_left(self.starts, end)
        if at and self.ends[at - 1] > start:
            return False
        self.starts.insert(at, start)
        self.ends.insert(at, end)
        return True

    def is_free(self, start: int, end: int) -> bool:
        """Whether a range overlaps none that is taken."""
        at = bisect_left(self.starts, end)
        return not (at and self.ends[at - 1] > start)
