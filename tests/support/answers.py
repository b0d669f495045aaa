"""Completions, records and pooled metrics for tests of scorers."""

from collections.abc import Iterable, Sequence

from harness.schema import Case, Completion, Metric, Record, Score
from harness.scoring.base import Scoring, run


def answer(text: str, finish_reason: str = "stop", **more: object) -> Completion:
    """A completion with this text; a failed one has its error."""
    error = "stopped" if finish_reason == "error" else None
    return Completion(
        key="k", text=text, finish_reason=finish_reason, prompt_tokens=0, output_tokens=0, error=error, **more
    )


def scored_record(scorers: Sequence[Scoring], case: Case, said: Completion, variant: str = "tuned") -> Record:
    """The record of an answer with its scores."""
    hashes = {"input_hash": "i", "prompt_hash": "p", "expected_hash": "e"}
    return Record(case=case, variant=variant, completion=said, scores=run(scorers, case, said), **hashes)


def pooled(metrics: Iterable[Metric], scores: Sequence[Score]) -> dict[str, float | None]:
    """Each ratio metric over some scores together, by its name; None where there is nothing to count."""
    values = {}
    for metric in (each for each in metrics if each.kind == "ratio"):
        above = sum(score.counts[metric.numerator] for score in scores)
        below = sum(score.counts[metric.denominator] if metric.denominator else 1 for score in scores)
        values[metric.name] = above / below if below else None
    return values
