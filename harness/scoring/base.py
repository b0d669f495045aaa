"""Make functions scorers and run them on a completion; the parts that scorers share.

@scorer(metrics=[Metric(name="accuracy", scorer="answers", numerator="correct")], name="answers")
def accepted(case, completion):
    return Score(name="answers", value=1.0, counts={"correct": 1})
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from typing import Generic, TypeVar

from harness.errors import UserError, refuse_all
from harness.files import digest
from harness.schema import Case, Completion, Metric, Score, Scores, SourceSpan, Span
from harness.scoring.source_files import source_digest

Scoring = Callable[[Case, Completion], Score]
Checking = Callable[[Case], Sequence[str]]

MAX_ERROR_CHARACTERS = 200
"""An exception's message is cut to this length in a reason."""


@dataclass(eq=False, repr=False)
class Scorer:
    """A pure function (case, completion) -> Score, with its family's name, its metrics and its configuration.

    `check` lists what is wrong with a case (an expected clause that is not in the list) before any model runs.
    """

    function: Scoring
    name: str
    metrics: Sequence[Metric]
    config: object = None
    check: Checking | None = None

    def __post_init__(self) -> None:
        update_wrapper(self, self.function)

    def __call__(self, case: Case, completion: Completion) -> Score:
        return self.function(case, completion)

    def __repr__(self) -> str:
        return f"<scorer {self.name}: {self.__module__}.{self.function.__qualname__}>"

    @property
    def version(self) -> str:
        """Changes when the scorer's code, a file that it imports or its configuration does."""
        return digest([self.name, self.function.__qualname__, source_digest(self.__module__), self.config])[:12]


def scorer(
    *, metrics: Sequence[Metric], name: str, config: object = None, check: Checking | None = None
) -> Callable[[Scoring], Scorer]:
    """Make a function a scorer of the family `name`. Raises UserError for metrics that read another family's counts."""
    strangers = [m for m in metrics if m.scorer != name]
    refuse_all([f"metric '{m.name}' reads scorer '{m.scorer}', expected '{name}'" for m in strangers], "metrics")
    return lambda function: Scorer(function, name, metrics, config, check)


def run(scorers: Sequence[Scoring], case: Case, completion: Completion) -> Scores:
    """Score one completion with every scorer, by family name.

    A scorer that raises, or returns an inconsistent score (a span that does not quote the text, a missing count that
    its metrics need), yields a failed score with the reason; the answer's other scores and the run are not affected.
    Raises UserError if the user's input is at fault, or if two scorers have the same family.
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
            raise UserError(f"two scorers have the family '{score.name}'; a suite takes one of each")
        scores[score.name] = score
    return scores


def failure(function: Scoring, error: Exception) -> Score:
    """Make the failed score of a scorer that raised."""
    message = " ".join(str(error).split())[:MAX_ERROR_CHARACTERS]
    return Score(
        name=name_of(function), value=None, reason=f"the scorer raised {type(error).__name__}: {message}", failed=True
    )


def version_of(function: Scoring) -> str:
    """Return a scorer's version; for a plain function, the digest of its module and of what that imports."""
    if isinstance(function, Scorer):
        return function.version
    return source_digest(function.__module__)[:12]


def name_of(function: Scoring) -> str:
    """Return a scorer's family; for a plain function, its own name."""
    return str(getattr(function, "name", "") or getattr(function, "__name__", "scorer"))


def ratios(
    name: str, more: Mapping[str, str], fewer: Mapping[str, str] | None = None, unbounded: Sequence[str] = ()
) -> list[Metric]:
    """Make the metrics of a scorer from what each says by its equation, such as "recall = hits / expected".

    Of those in `more`, a higher value is better. `unbounded` names those that can be more than 1.
    """
    metrics = []
    for says, higher_is_better in ((more, True), (fewer or {}, False)):
        for equation, sentence in says.items():
            metric, _, ratio = equation.partition(" = ")
            numerator, _, denominator = ratio.partition(" / ")
            metrics.append(
                Metric(
                    name=metric,
                    scorer=name,
                    numerator=numerator,
                    denominator=denominator or None,
                    higher_is_better=higher_is_better,
                    unbounded=metric in unbounded,
                    says=sentence,
                )
            )
    return metrics


def metrics_of(scorers: Sequence[Scoring]) -> list[Metric]:
    """List the scorers' metrics, in order. Raises UserError for two metrics, or two scorers, of one name."""
    metrics = [metric for function in scorers for metric in getattr(function, "metrics", [])]
    families = [function.name for function in scorers if isinstance(function, Scorer)]
    problems = [f"two scorers have the family '{name}'; keep one" for name in _repeated(families)]
    problems += [f"two scorers have the metric '{name}'; keep one" for name in _repeated([m.name for m in metrics])]
    refuse_all(problems, "scorers")
    return metrics


def whole_length(completion: Completion) -> int:
    """Return the length of the text without the last word of a cut answer, which may be broken off."""
    text = completion.text
    return len(text) if completion.finish_reason == "stop" else len(text) - len(text.split(" ")[-1].split("\n")[-1])


def make_span(
    text: str,
    start: int,
    end: int,
    kind: str,
    verdict: str,
    reason: str = "",
    source: tuple[int, int] | None = None,
    doc_id: str = "",
) -> Span:
    """Make a span that quotes `text`; `source` is the range of the document `doc_id` that it is compared with."""
    place = SourceSpan(doc_id=doc_id, start=source[0], end=source[1]) if source else None
    return Span(start=start, end=end, quote=text[start:end], kind=kind, verdict=verdict, reason=reason, source=place)


def _check(function: Scoring, score: Score, text: str) -> None:
    for span in score.spans:
        if text[span.start : span.end] != span.quote or not 0 <= span.start < span.end:
            raise ValueError(
                f"span {span.start}-{span.end} quotes {span.quote!r}, but the answer does not have that text there"
            )
    if not isinstance(function, Scorer) or score.value is None:
        return
    if score.name != function.name:
        raise ValueError(f"score is named '{score.name}', its scorer '{function.name}'")
    for metric in function.metrics:
        if metric.kind == "ratio":
            missing = [c for c in (metric.numerator, metric.denominator) if c is not None and c not in score.counts]
            if missing:
                raise ValueError(f"metric '{metric.name}' needs the count '{missing[0]}', which the score lacks")


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


T = TypeVar("T")

MAX_CACHED_CHARACTERS = 4_000_000
"""Characters of source documents per cached function: about 65 whole contracts, or 4,000 excerpts.

The scorers of facts together keep about eleven bytes per character of a contract.
"""


class DocumentCache(Generic[T]):
    """Bounded cache of values derived from a source document: the oldest are dropped first."""

    def __init__(self, function: Callable[[str], T], max_characters: int = MAX_CACHED_CHARACTERS) -> None:
        update_wrapper(self, function)
        self._function = function
        self._max_characters = max_characters
        self._size = 0
        self._values: dict[str, T] = {}

    def __call__(self, document: str) -> T:
        if document in self._values:
            return self._values[document]
        value = self._function(document)
        while self._values and self._size + len(document) > self._max_characters:
            oldest = next(iter(self._values))
            self._size -= len(oldest)
            del self._values[oldest]
        self._size += len(document)
        self._values[document] = value
        return value


class RangeSet:
    """Ranges that do not overlap; look-ups stay fast for many thousands of them."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        for start, end in ranges:
            self.add(start, end)

    def add(self, start: int, end: int) -> bool:
        """Add a range if it overlaps none; return whether it was free."""
        at = bisect_left(self.starts, end)
        if at and self.ends[at - 1] > start:
            return False
        self.starts.insert(at, start)
        self.ends.insert(at, end)
        return True

    def is_free(self, start: int, end: int) -> bool:
        """Whether a range overlaps none of the set."""
        at = bisect_left(self.starts, end)
        return not (at and self.ends[at - 1] > start)
