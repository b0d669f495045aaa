"""The last answers that fell short, each in a line. Their text is the model's: nobody may trust it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from harness.schema import Metric, Record
from harness.stats.values import is_wrong
from harness.visible import shown

MOST_CHARACTERS = 300


class Miss(Struct, frozen=True, kw_only=True):
    """One answer that is not right by the suite's first metric."""

    variant: str
    """Who answered."""
    case_id: str
    """To which case."""
    metric: str
    """The metric it falls short of."""
    expected: str
    """What was expected, in one line."""
    got: str
    """What came, in one line."""


def miss_of(record: Record, metric: Metric) -> Miss | None:
    """The miss that a record is; None where the answer is right or the metric does not apply."""
    if not is_wrong(record, metric):
        return None
    return Miss(
        variant=one_line(record.variant),
        case_id=one_line(record.case.id),
        metric=metric.name,
        expected=listed(record.case.expected),
        got=_got(record),
    )


def _got(record: Record) -> str:
    if record.error is not None:
        return f"error: {one_line(record.error)}"
    if not record.text_kept:
        return "an answer that was not kept"
    cut = " (cut at the token limit)" if record.completion.finish_reason == "length" else ""
    return (one_line(record.completion.text) or "nothing") + cut


def listed(texts: Sequence[str]) -> str:
    """Expected texts in one line."""
    return one_line("; ".join(texts)) or "none"


def one_line(text: str) -> str:
    """The beginning of a text without line breaks, characters that hide or move others by their names."""
    return " ".join(shown(text[:MOST_CHARACTERS]).split())
