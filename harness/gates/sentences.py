"""The sentence of a verdict: the observed value, the end of its interval that decides, and what was required."""

from __future__ import annotations

from harness.formatting import beside, exact_margin, number, phrase, unsigned
from harness.schema import Estimate, Outcome, Verdict

SURE = "95% confidence:"
"""What a bound that decides holds with."""


def gate_name(verdict: Verdict) -> str:
    """What a gate judges, where a line has little room: `clause recall, instrument lease`."""
    where = "" if verdict.slice is None else f", {phrase(verdict.slice)} {phrase(verdict.slice_value or '')}"
    return f"{phrase(verdict.metric)}{where}"


def gate_in_words(verdict: Verdict) -> str:
    """`clause recall, instrument lease at least 95.0%`."""
    return f"{gate_name(verdict)} {verdict.bar}"


def sentence(seen: str, bar: str) -> str:
    """`72.0% (95% confidence: at most 76.0%); at least 80.0% was required.`, for every view and every rule."""
    return f"{seen}; {bar} was required."


def of_level(outcome: Outcome, level: Estimate, threshold: float, higher_is_better: bool, is_share: bool) -> str:
    """`72.0% (95% confidence: at most 76.0%)` of a level with both bounds; undecided `(could be as low as 68.0%)`."""
    value, low, high = (number(x or 0.0, is_share, threshold) for x in (level.value, level.low, level.high))
    is_met = ((level.value or 0.0) >= threshold) == higher_is_better or level.value == threshold
    is_low = _is_worst_end(outcome, is_met) == higher_is_better
    return f"{value} ({_limit(outcome, is_low)} {low if is_low else high})"


def of_ratio(outcome: Outcome, now: str, ratio: Estimate, threshold: float) -> str:
    """`4.0%, 62.0% of the baseline's (95% confidence: at most 71.0% of it)`, where fewer is better.

    `now` is the tuned model's level.
    """
    is_low = not _is_worst_end(outcome, (ratio.value or 0.0) <= threshold)
    end = (ratio.low or 0.0) if is_low else ratio.high
    limit = "no upper limit" if end is None else f"{_limit(outcome, is_low)} {number(end, True, threshold)} of it"
    return f"{now}, {number(ratio.value or 0.0, True, threshold)} of the baseline's ({limit})"


def of_change(
    outcome: Outcome,
    now: str,
    change: tuple[float, float, float],
    threshold: float,
    is_share: bool,
    *,
    than: str = "",
    since: str = "",
) -> str:
    """`72.0%, 3.0 points worse (95% confidence: at best 2.2 points worse)` of value, low and high end.

    They are turned so that more is better. `now` is the tuned model's level; `than` what the change is taken from where
    that is not the baseline itself; `since` why the low end is farther than the interval that reports show.
    """
    value, low, high = change
    is_worst = _is_worst_end(outcome, value >= threshold)
    end = low if is_worst else high
    limit = f"{SURE} at {'worst' if is_worst else 'best'}"
    if outcome == "inconclusive":
        limit = "could be" if is_worst or end > 0 else "could be only"
    why = since if is_worst and outcome == "inconclusive" else ""
    return f"{now}, {_moved(value, threshold, is_share, than)} ({limit} {_moved(end, threshold, is_share)}{why})"


def _is_worst_end(outcome: Outcome, is_met: bool) -> bool:
    """A pass is decided by the worst end of the interval, a fail by the best; else it is the one past the threshold."""
    return is_met if outcome == "inconclusive" else outcome == "pass"


def _limit(outcome: Outcome, is_low: bool) -> str:
    if outcome == "inconclusive":
        return f"could be as {'low' if is_low else 'high'} as"
    return f"{SURE} at {'least' if is_low else 'most'}"


def _moved(change: float, threshold: float, is_share: bool, than: str = "") -> str:
    """`2.1 points worse`; `just over 10.0 points worse` where it would look equal to the threshold and is not."""
    if not change:
        return f"no better{than}" if than else "unchanged"
    size = unsigned(change, is_share)
    if change * threshold > 0:
        size = beside(size, abs(change), abs(threshold), exact_margin(abs(threshold), is_share))
    return f"{size} {'better' if change > 0 else 'worse'}{than}"
