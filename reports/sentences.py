"""Sentences on what comparisons, unsupported claims and reviews show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from harness.schema import Better, Comparison, Estimate, Metric
from harness.stats.cluster_variance import FEW_CHANGES
from reports import number_format, wording
from reports.model import Kind, Reading, Tone

ALPHA = 0.05
"""Where there is a test, a change needs a p value below this."""
READINGS: dict[Reading, str] = {"better": "Better", "worse": "Worse", "undecided": "No clear change"}
TONES: dict[Reading, Tone] = {"better": "good", "worse": "bad", "undecided": "plain"}


def tally(comparison: Comparison, metric: Metric) -> str:
    """Say the paired outcomes of the cases."""
    up, down = (
        ("better", "worse")
        if metric.better
        else ("higher", "lower")
        if metric.higher_is_better
        else ("lower", "higher")
    )
    return f"{comparison.wins:,} {up}, {comparison.losses:,} {down}, {comparison.ties:,} equal"


def reading(comparison: Comparison, better: Better) -> tuple[str, Literal["good", "bad", "plain"]]:
    """Say what a paired change shows: better or worse only where both interval and exact test exclude no change.

    Of a neutral metric: higher or lower.
    """
    difference, p = comparison.difference, comparison.p_value
    low, high = difference.low, difference.high
    if difference.value is None:
        return number_format.NOT_MEASURED, "plain"
    if low is None or high is None or low <= 0 <= high or (p is not None and p >= ALPHA):
        return "no clear change", "plain"
    way = "higher" if low > 0 else "lower"
    if not better:
        return way, "plain"
    return ("better", "good") if way == better else ("worse", "bad")


def test(comparison: Comparison) -> str:
    """Say what the exact test of a change gives, in one phrase; empty where none was made."""
    if comparison.p_value is None or not comparison.test:
        return ""
    return f"{number_format.p_value(comparison.p_value)} ({comparison.test}){why_unclear(comparison)}"


def why_unclear(comparison: Comparison) -> str:
    """Say why a p value below ALPHA shows no clear change, to follow it; empty where it does, or is not that low."""
    difference, p = comparison.difference, comparison.p_value
    low, high = difference.low, difference.high
    if p is None or p >= ALPHA or low is None or high is None or not low <= 0 <= high:
        return ""
    wider = ", wider because few sources changed in one direction," if FEW_CHANGES.name in difference.method else ""
    return f"; but the interval{wider} includes 0"


def reading_of(comparison: Comparison, better: Better) -> Reading:
    """Return what a paired change shows, for a chart."""
    tone = reading(comparison, better)[1]
    return "better" if tone == "good" else "worse" if tone == "bad" else "undecided"


def wrong(tuned: float, baseline: float | None, of: int, noun: str, clusters: str, failed: int = 0) -> str:
    """Say how many fewer or more answers are wrong, and for how many of them something else failed."""
    ending = f", and on {failed:,} of these the engine or a scorer failed" if failed else ""
    return _against("wrong on", tuned, baseline, of, f"{wording.count(of, noun)}{clusters}") + ending


def missed(tuned: float, baseline: float | None, of: int, noun: str, sources: str) -> str:
    """Say how many fewer or more things are missed: the summary sentence of a suite whose answers find things."""
    return _against("misses", tuned, baseline, of, f"{wording.count(of, noun)} in {sources}")


def _against(does: str, found: float, before: float | None, of: int, whole: str) -> str:
    """Say how many of the whole, and how many fewer or more than the baseline."""
    tuned, baseline = round(found), None if before is None else round(before)
    if baseline is None:
        return f"{does} {tuned:,} of {whole}"
    if tuned == baseline and tuned in (0, of):
        return f"{does} {'all' if tuned else 'none of'} {whole}, like the baseline"
    if tuned == baseline:
        return f"{does} {tuned:,} of {whole}, as many as the baseline"
    change = f"{abs(tuned - baseline):,} {'fewer' if tuned < baseline else 'more'}"
    return f"{does} {change} of {whole} ({tuned:,}, baseline {baseline:,})"


def scaled(estimate: Estimate, is_change: bool, noun: str, source: str, whole: float) -> str:
    """Say what an estimate of missed things or wrong answers means in 100 sources: `8 fewer of 120 clauses missed`.

    `whole` is how many such things 100 sources have.
    """
    if estimate.value is None:
        return ""
    many = _fewer(estimate.value) if is_change else _about(estimate.value)
    what = f"{_about(whole)} {wording.plural(noun or 'answer')} {'missed' if noun else 'wrong'}"
    bounds = (
        ""
        if estimate.low is None or estimate.high is None
        else f" ({number_format.level(estimate)}: {_range(estimate, is_change)})"
    )
    return f"Scaled to 100 {wording.plural(source)}: {many} of {what}{bounds}."


def _about(number: float) -> str:
    """Format a scaled count: one decimal under ten, none above."""
    return f"{number + 0.0:.1f}".removesuffix(".0") if abs(number) < 9.95 else f"{number:,.0f}"


def _fewer(change: float) -> str:
    amount = _about(abs(change))
    return "as many" if amount == "0" else f"{amount} {'fewer' if change < 0 else 'more'}"


def _range(estimate: Estimate, is_change: bool) -> str:
    """Format the interval of a scaled count, or of its change."""
    assert estimate.low is not None and estimate.high is not None
    if not is_change:
        return f"{_about(max(0.0, estimate.low))} to {_about(estimate.high)}"
    if estimate.high <= 0:
        return f"{_about(-estimate.high)} to {_about(-estimate.low)} fewer"
    if estimate.low >= 0:
        return f"{_about(estimate.low)} to {_about(estimate.high)} more"
    return f"{_about(-estimate.low)} fewer to {_about(estimate.high)} more"


TERMS = {
    "fixed": "New: only the tuned model's answer to a case has it. Fixed: only the baseline's has it.",
    wording.FABRICATION: "A fabrication is a fact that can be checked, such as a figure, name, citation or quotation, "
    "and that has no support in the source.",
}
"""What a term means, by the word that brings it into a suite's sentence."""
KEYWORD_FLOOR = "a written rule without a model"
"""What the keyword floor is."""
NO_TEXT = "the accepted baseline keeps scores, not answers"
"""Why a baseline's answer is not shown."""


def findings(new: Mapping[str, int], fixed: Mapping[str, int], looked_for: bool) -> str:
    """Say new and fixed findings by their noun; `looked_for` where fabrications were, so that none is worth saying."""
    nouns = sorted({*new, *fixed} | ({wording.FABRICATION} if looked_for else set()))
    return "; ".join(_change_of(noun, new.get(noun, 0), fixed.get(noun, 0)) for noun in nouns)


def _change_of(noun: str, new: int, fixed: int) -> str:
    named = wording.count(new, f"new {noun}") if new else f"no new {wording.plural(noun)}"
    return f"{named}, {fixed:,} fixed" if new or fixed else named


def finding_counts(noun: str, new: int, fixed: int, kept: int) -> str:
    """Say new and fixed findings, and those of both models: `fabrications: 3 new, 1 fixed, 0 by both models`."""
    return f"{wording.plural(noun)}: {new:,} new, {fixed:,} fixed, {kept:,} by both models"


def gates_changed(text: str) -> str:
    """Introduce an entry of the manifest's `moved`: a changed threshold, case set, prompt or scorer."""
    return f"The gates changed: {text}."


def moved(changes: dict[str, float]) -> str:
    """Say how one case changed on which metrics: `Worse on clause recall; better on parse rate`."""
    worse = wording.listing(wording.phrase(name) for name, change in changes.items() if change < 0)
    better = wording.listing(wording.phrase(name) for name, change in changes.items() if change > 0)
    parts = [f"worse on {worse}" if worse else "", f"better on {better}" if better else ""]
    return wording.capital("; ".join(filter(None, parts)))


def preferred(share: Estimate) -> tuple[str, Literal["good", "bad", "plain"]]:
    """Say what a share of preferences shows: a side is preferred only where the interval excludes one half."""
    if share.value is None:
        return number_format.NOT_MEASURED, "plain"
    if share.low is None or share.high is None or share.low <= 0.5 <= share.high:
        return "no clear preference", "plain"
    return ("tuned preferred", "good") if share.low > 0.5 else ("baseline preferred", "bad")


def capped(least_s: float, most_s: float, times: int, drafts: int) -> str:
    """Say how the times of a review were capped, and what they leave out."""
    return (
        f"In the ratio, times are capped to between {number_format.duration(least_s)} and "
        f"{number_format.duration(most_s)}: one and a half interquartile ranges beyond the quartiles of both models' "
        f"times, on a log scale. This capped {times:,} of {wording.count(drafts, 'draft')}. The medians use uncapped "
        "times. Practice items and drafts that were not judged are left out."
    )


def blind(share: Estimate) -> tuple[str, Literal["bad", "plain"]]:
    """Say what the guesses at the tuned model's answer show about the blinding; chance gives one half."""
    if share.value is None:
        return number_format.NOT_MEASURED, "plain"
    if share.low is not None and share.low > 0.5:
        return "not blind: reviewers could tell the models apart", "bad"
    if share.high is not None and share.high < 0.5:
        return "not blind: reviewers could tell the models apart, and took one for the other", "bad"
    return "no sign that reviewers could tell the models apart", "plain"


class KindWords(NamedTuple):
    """What a kind of case is called."""

    name: str
    """At the case."""
    sign: str
    """A symbol, so that no reader needs the colour."""
    noun: str
    """In counts, in the singular."""
    several: str
    """In the filter."""


KINDS: dict[Kind, KindWords] = {
    "regression": KindWords("Regression", "▼", "regression", "Regressions"),
    "gain": KindWords("Gain", "▲", "gain", "Gains"),
    "fabrication": KindWords("Not supported", "✗", "other unsupported answer", "Unsupported claims"),
    "error": KindWords("Error", "!", "other failed answer", "Errors"),
    "wrong": KindWords("Wrong", "✗", "other wrong answer", "Wrong answers"),
    "unchanged": KindWords("Unchanged", "○", "unchanged case", "Unchanged"),
    "other": KindWords("Other", "○", "other case", "Other"),
}


def noun(kind: Kind, n: int) -> str:
    """Return `regression` or `regressions`."""
    return KINDS[kind].noun if n == 1 else wording.plural(KINDS[kind].noun)


def elsewhere(files: Sequence[str], unplaced: int) -> str:
    """Say where the other cases of a group are."""
    pages = wording.listing(files) if len(files) < 3 else f"{files[0]} to {files[-1]}"
    parts = [f"The others are on {pages}."] if files else []
    if unplaced:
        parts.append(f"{number_format.number(unplaced)} {'of them are' if files else 'are'} only in cases.csv.")
    return " ".join(parts)


def unplaced(n: int) -> str:
    """Say how many cases are on no page, and where they are."""
    verb = "is" if n == 1 else "are"
    return (
        f"{wording.capital(wording.count(n, 'case'))} {verb} on no page: cases.csv has a row for each, with its "
        "scores, and records.jsonl in the run folder has the answers."
    )


def others(left: int) -> str:
    """Say how many cases a table leaves out, and where they are; empty where it leaves out none."""
    if not left:
        return ""
    marked = "one is" if left == 1 else f"{number_format.number(left)} are"
    return f" The other {marked} marked in cases.csv, which has a row for every case."
