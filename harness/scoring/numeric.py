"""Scores a numeric answer against the right number, with a stated tolerance. Knows no source document.

"$1.25 million", "1,250,000 dollars" and "USD 1250000" are one number. An answer that states several different numbers
hedges and is wrong, unless the suite says that the last one counts.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Literal

from harness.errors import UserError
from harness.schema import Case, Completion, Metric, Score, Span
from harness.scoring.base import Scorer, scorer, unbroken
from harness.scoring.text.quantities import Figure, figures_in

METRICS = [
    Metric(
        name="numeric_accuracy",
        scorer="numeric",
        numerator="right",
        says="Share of questions answered with the right number, within the stated tolerance.",
    ),
    Metric(
        name="numeric_parse_rate",
        scorer="numeric",
        numerator="parsed",
        says="Share of answers that state a number of the kind asked for.",
    ),
]
BARE = "count"
"""Kind of a number without a unit, which is read as whatever is asked for."""


def within(
    absolute: float = 0.0, relative: float = 0.0, take: Literal["only", "last"] = "only", name: str = "numeric"
) -> Scorer:
    """A scorer of numbers within `absolute` (in the right answer's own unit) or `relative` (0.01 is one percent) of it.

    With `take="only"` all numbers of the right kind must agree; with `last` the last one is the answer.
    """
    if absolute < 0 or relative < 0 or take not in ("only", "last"):
        raise UserError(
            f"numeric.within(absolute={absolute:g}, relative={relative:g}, take={take!r}): expected tolerances of at "
            "least 0, and take 'only' or 'last'"
        )
    bounds = Fraction(str(absolute)), Fraction(str(relative))

    def unread(case: Case) -> list[str]:
        found = [figures_in(answer) for answer in case.expected]
        fine = bool(found) and all(len(figures) == 1 for figures in found)
        return [] if fine else [f"case '{case.id}': expected is {case.expected}, expected one number in each entry"]

    @scorer(metrics=METRICS, name=name, config=[*map(str, bounds), take], check=unread)
    def right(case: Case, completion: Completion) -> Score:
        """The number stated against the right one. A failed or empty answer is wrong."""
        wanted = [_expected(answer) for answer in case.expected]
        failed = completion.finish_reason == "error"
        whole = unbroken(completion)
        stated = [] if failed else [f for f in figures_in(completion.text) if f.end <= whole]
        of_kind = [f for f in stated if any(_comparable(f, w) for w in wanted)]
        chosen = of_kind[-1:] if take == "last" else of_kind
        hit = bool(chosen) and all(any(_close(f, w, *bounds) for w in wanted) for f in chosen)
        return Score(
            name=name,
            value=float(hit),
            extracted={"stated": [completion.text[f.start : f.end] for f in of_kind]},
            counts={"right": int(hit), "parsed": int(bool(of_kind))},
            spans=[_span(completion.text, figure, hit) for figure in chosen],
        )

    return right


@lru_cache(maxsize=4096)
def _expected(answer: str) -> Figure:
    return figures_in(answer)[0]


def _comparable(figure: Figure, wanted: Figure) -> bool:
    """Of one unit, or bare where a unit is wanted: "1,250" answers "how many dollars?"."""
    return figure.unit == wanted.unit or (figure.kind == BARE and wanted.kind != "date")


def _close(figure: Figure, wanted: Figure, absolute: Fraction, relative: Fraction) -> bool:
    if isinstance(figure.value, str) or isinstance(wanted.value, str):
        return figure.value == wanted.value
    size = _size(wanted)
    value = figure.value * size if figure.unit != wanted.unit else figure.value
    return abs(value - wanted.value) <= max(absolute * size, relative * abs(wanted.value))


def _size(figure: Figure) -> Fraction:
    """What one of the unit that people write counts in the canonical one: a dollar 100 cents, a percent 100."""
    return Fraction(100) if figure.kind in ("money", "percent") else Fraction(1)


def _span(text: str, figure: Figure, hit: bool) -> Span:
    return Span(
        start=figure.start,
        end=figure.end,
        quote=text[figure.start : figure.end],
        kind=figure.kind,
        verdict="right" if hit else "wrong",
    )
