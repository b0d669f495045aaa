"""What comparisons, fabrications and reviews show, in a sentence. Knows no run and no file format."""

from __future__ import annotations

from typing import Literal

from harness.schema import Comparison, Estimate
from reports import figures, words
from reports.model import Reading, Tone

ALPHA = 0.05
"""A change is only read as one under this p value, where there is a test."""
READINGS: dict[Reading, str] = {"better": "Better", "worse": "Worse", "undecided": "No clear change"}
TONES: dict[Reading, Tone] = {"better": "good", "worse": "bad", "undecided": "plain"}


def tally(wins: int, losses: int, ties: int) -> str:
    """Paired outcome of the cases in words."""
    return f"{wins:,} better, {losses:,} worse, {ties:,} equal"


def reading(comparison: Comparison, higher_is_better: bool) -> tuple[str, Literal["good", "bad", "plain"]]:
    """What a paired change shows: better or worse only where interval and exact test both leave no change behind."""
    difference, p = comparison.difference, comparison.p_value
    low, high = difference.low, difference.high
    if difference.value is None:
        return figures.NOT_MEASURED, "plain"
    if low is None or high is None or low <= 0 <= high or (p is not None and p >= ALPHA):
        return "no clear change", "plain"
    better = (low > 0) == higher_is_better
    return ("better", "good") if better else ("worse", "bad")


def reading_of(comparison: Comparison, higher_is_better: bool) -> Reading:
    """What a paired change shows, as a drawing has it."""
    tone = reading(comparison, higher_is_better)[1]
    return "better" if tone == "good" else "worse" if tone == "bad" else "undecided"


def wrong(tuned: int, baseline: int | None, of: int, noun: str, clusters: str) -> str:
    """The plain sentence of a suite: how many fewer or more answers are wrong."""
    whole = f"{of:,} {words.plural(noun)}{clusters}"
    return _against("wrong on", tuned, baseline, whole)


def missed(tuned: float, baseline: float | None, of: int, noun: str, sources: str) -> str:
    """The plain sentence of a suite whose answers find things: how many fewer or more are missed."""
    whole = f"{of:,} {words.plural(noun)} in {sources}"
    return _against("misses", round(tuned), None if baseline is None else round(baseline), whole)


def _against(does: str, tuned: int, baseline: int | None, whole: str) -> str:
    """How many of the whole, and how many fewer or more than the baseline, where there is one."""
    if baseline is None:
        return f"{does} {tuned:,} of {whole}"
    if tuned == baseline:
        return f"{does} as many of {whole} as the baseline ({tuned:,})"
    change = f"{abs(tuned - baseline):,} {'fewer' if tuned < baseline else 'more'}"
    return f"{does} {change} of {whole} ({tuned:,}, baseline {baseline:,})"


def scaled(found: Estimate, is_change: bool, noun: str, source: str, fabricated: tuple[float, float] | None) -> str:
    """What an estimate of things missed, or of answers wrong, comes to in 100 sources: `422 fewer clauses missed`.

    `fabricated` are new and gone fabrications in 100 sources.
    """
    if found.value is None:
        return ""
    of = noun or "answer"
    what = f"{of if _about(abs(found.value)) == '1' else words.plural(of)} {'missed' if noun else 'wrong'}"
    many = _fewer(found.value) if is_change else _about(found.value)
    bounds = "" if found.low is None or found.high is None else f" ({figures.level(found)}: {_range(found, is_change)})"
    return f"Scaled to 100 {words.plural(source)}: {many} {what}{bounds}{_claims(fabricated)}."


def _claims(fabricated: tuple[float, float] | None) -> str:
    """New and gone fabrications after a scaled count; nothing where there are none."""
    if fabricated is None or not any(fabricated):
        return ""
    new, gone = map(_about, fabricated)
    return f"; {new} new {'fabrication' if new == '1' else 'fabrications'}, {gone} gone"


def _about(found: float) -> str:
    """A count that was scaled: one decimal under ten, whole above."""
    return f"{found + 0.0:.1f}".removesuffix(".0") if abs(found) < 9.95 else f"{found:,.0f}"


def _fewer(change: float) -> str:
    said = _about(abs(change))
    return "as many" if said == "0" else f"{said} {'fewer' if change < 0 else 'more'}"


def _range(found: Estimate, is_change: bool) -> str:
    """Both ends of the interval of a scaled count, or of its change."""
    assert found.low is not None and found.high is not None
    if not is_change:
        return f"{_about(max(0.0, found.low))} to {_about(found.high)}"
    if found.high <= 0:
        return f"{_about(-found.high)} to {_about(-found.low)} fewer"
    if found.low >= 0:
        return f"{_about(found.low)} to {_about(found.high)} more"
    return f"{_about(-found.low)} fewer to {_about(found.high)} more"


NO_TEXT = "the accepted baseline keeps scores, not answers"
"""Why nothing of a baseline's answer is shown."""


def fabrications(new: int, fixed: int) -> str:
    """The fabrication half of the plain sentence."""
    return f"{figures.number(new) if new else 'no'} new {'fabrication' if new == 1 else 'fabrications'}, {fixed:,} gone"


def bar_moved(text: str) -> str:
    """A sentence of the manifest's `moved`, as every view says it."""
    return f"The bar moved: {text}."


def moved(changes: dict[str, float]) -> str:
    """Which way one case moved on which metrics: `Worse on clause recall; better on parse rate`."""
    worse = words.listing(words.phrase(name) for name, change in changes.items() if change < 0)
    better = words.listing(words.phrase(name) for name, change in changes.items() if change > 0)
    said = [f"worse on {worse}" if worse else "", f"better on {better}" if better else ""]
    return words.capital("; ".join(filter(None, said)))


def fabrication_counts(new: int, fixed: int, kept: int) -> str:
    """New, gone and persisting fabrications."""
    return f"{new:,} new, {fixed:,} gone, {kept:,} made by both"


def preferred(found: Estimate) -> tuple[str, Literal["good", "bad", "plain"]]:
    """What a share of preferences shows: one side only where the whole interval lies beyond a half."""
    if found.value is None:
        return figures.NOT_MEASURED, "plain"
    if found.low is None or found.high is None or found.low <= 0.5 <= found.high:
        return "no clear preference", "plain"
    return ("tuned preferred", "good") if found.low > 0.5 else ("baseline preferred", "bad")


def capped(least_s: float, most_s: float, times: int, drafts: int) -> str:
    """How the times of a review were capped, and what is not in them."""
    return (
        f"In the ratio a time counts as {figures.duration(least_s)} at least and {figures.duration(most_s)} at most: "
        "one and a half interquartile ranges beyond the quartiles of both models' times, on a scale of logarithms. "
        f"Capped so: {times:,} of {words.count(drafts, 'draft')}. In the medians none is. Practice items and drafts "
        "that were not judged are left out."
    )


def blind(found: Estimate) -> tuple[str, Literal["bad", "plain"]]:
    """What guesses at the tuned model's answer show of a blind review; chance gives a half."""
    if found.value is None:
        return figures.NOT_MEASURED, "plain"
    if found.low is not None and found.low > 0.5:
        return "the blind did not hold: reviewers told the models apart", "bad"
    return "no sign that reviewers told the models apart", "plain"
