"""What comparisons, fabrications and reviews show, in a sentence. Knows no run and no file format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from harness.schema import Comparison, Estimate
from reports import number_format, wording
from reports.model import Kind, Reading, Tone

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
        return number_format.NOT_MEASURED, "plain"
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
    whole = f"{of:,} {wording.plural(noun)}{clusters}"
    return _against("wrong on", tuned, baseline, whole)


def missed(tuned: float, baseline: float | None, of: int, noun: str, sources: str) -> str:
    """The plain sentence of a suite whose answers find things: how many fewer or more are missed."""
    whole = f"{of:,} {wording.plural(noun)} in {sources}"
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
    what = f"{of if _about(abs(found.value)) == '1' else wording.plural(of)} {'missed' if noun else 'wrong'}"
    many = _fewer(found.value) if is_change else _about(found.value)
    bounds = (
        ""
        if found.low is None or found.high is None
        else f" ({number_format.level(found)}: {_range(found, is_change)})"
    )
    return f"Scaled to 100 {wording.plural(source)}: {many} {what}{bounds}{_claims(fabricated)}."


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
    noun = "fabrication" if new == 1 else "fabrications"
    return f"{number_format.number(new) if new else 'no'} new {noun}, {fixed:,} gone"


def bar_moved(text: str) -> str:
    """A sentence of the manifest's `moved`, as every view says it."""
    return f"The bar moved: {text}."


def moved(changes: dict[str, float]) -> str:
    """Which way one case moved on which metrics: `Worse on clause recall; better on parse rate`."""
    worse = wording.listing(wording.phrase(name) for name, change in changes.items() if change < 0)
    better = wording.listing(wording.phrase(name) for name, change in changes.items() if change > 0)
    said = [f"worse on {worse}" if worse else "", f"better on {better}" if better else ""]
    return wording.capital("; ".join(filter(None, said)))


def fabrication_counts(new: int, fixed: int, kept: int) -> str:
    """New, gone and persisting fabrications."""
    return f"{new:,} new, {fixed:,} gone, {kept:,} made by both"


def preferred(found: Estimate) -> tuple[str, Literal["good", "bad", "plain"]]:
    """What a share of preferences shows: one side only where the whole interval lies beyond a half."""
    if found.value is None:
        return number_format.NOT_MEASURED, "plain"
    if found.low is None or found.high is None or found.low <= 0.5 <= found.high:
        return "no clear preference", "plain"
    return ("tuned preferred", "good") if found.low > 0.5 else ("baseline preferred", "bad")


def capped(least_s: float, most_s: float, times: int, drafts: int) -> str:
    """How the times of a review were capped, and what is not in them."""
    return (
        f"In the ratio a time counts as {number_format.duration(least_s)} at least and "
        f"{number_format.duration(most_s)} at most: one and a half interquartile ranges beyond the quartiles of both "
        "models' times, on a scale of logarithms. "
        f"Capped so: {times:,} of {wording.count(drafts, 'draft')}. In the medians none is. Practice items and drafts "
        "that were not judged are left out."
    )


def blind(found: Estimate) -> tuple[str, Literal["bad", "plain"]]:
    """What guesses at the tuned model's answer show of a blind review; chance gives a half."""
    if found.value is None:
        return number_format.NOT_MEASURED, "plain"
    if found.low is not None and found.low > 0.5:
        return "the blind did not hold: reviewers told the models apart", "bad"
    return "no sign that reviewers told the models apart", "plain"


NAMES: dict[Kind, str] = {
    "regression": "Regression",
    "gain": "Gain",
    "fabrication": "Fabrication",
    "error": "Error",
    "wrong": "Wrong",
    "unchanged": "Unchanged",
}
SIGNS: dict[Kind, str] = {
    "regression": "▼",
    "gain": "▲",
    "fabrication": "✗",
    "error": "!",
    "wrong": "✗",
    "unchanged": "○",
}
"""A shape beside every name, so that no reader needs the colour."""
NOUNS: dict[Kind, str] = {
    "regression": "regression",
    "gain": "gain",
    "fabrication": "other fabricating answer",
    "error": "other failed answer",
    "wrong": "other wrong answer",
    "unchanged": "unchanged case",
}
FILTERS: dict[Kind, str] = {
    "regression": "Regressions",
    "gain": "Gains",
    "fabrication": "Fabrications",
    "error": "Errors",
    "wrong": "Wrong answers",
    "unchanged": "Unchanged",
}
ALONE = "The run asked no baseline, so the tuned answers stand alone."


def noun(kind: Kind, n: int) -> str:
    """`regression` or `regressions`."""
    return NOUNS[kind] if n == 1 else wording.plural(NOUNS[kind])


def shown(kind: Kind, here: int, of: int) -> str:
    """`3 regressions`, `10 of 42 regressions shown`."""
    return wording.shown_of(NOUNS[kind], here, of)


def elsewhere(files: Sequence[str], unplaced: int) -> str:
    """Where the cases of a group are that a page lacks."""
    said = [f"The others are on {_case_words_range(files)}."] if files else []
    if unplaced:
        said.append(f"{number_format.number(unplaced)} {'of them are' if files else 'are'} in cases.csv alone.")
    return " ".join(said)


def unplaced(n: int) -> str:
    """What no page holds, and where it is."""
    stand = "stands" if n == 1 else "stand"
    return (
        f"{wording.capital(wording.count(n, 'case'))} {stand} on no page: cases.csv has a line on each, with its "
        "scores, and records.jsonl in the run's folder has the answers."
    )


def others(left: int) -> str:
    """What a table of cases leaves out, and where it is; empty where it leaves out nothing."""
    if not left:
        return ""
    return f" The other {number_format.number(left)} are marked in cases.csv, which has a line on every case."


def why(kinds: Sequence[Kind], moved: str, new: int, kept: int, claims: int, alone: bool) -> str:
    """Why a case is shown: what moved, what is made up, what failed."""
    said = [moved or ("" if alone else "No metric moved")]
    if new:
        said.append(wording.count(new, "new fabrication"))
    if kept:
        said.append(f"{wording.count(kept, 'fabrication')} made by both")
    if not (new or kept) and claims:
        said.append(wording.count(claims, "fabrication"))
    if "error" in kinds:
        said.append("an answer or a score failed")
    if "wrong" in kinds and not moved:
        said.append("wrong" if alone else "wrong as before")
    if kinds[0] == "unchanged" and alone:
        said.append("not wrong")
    return wording.capital("; ".join(filter(None, said)))


def page(number: int, of: int) -> str:
    """`page 3 of 12`."""
    return f"page {number_format.number(number)} of {number_format.number(of)}"


def _case_words_range(files: Sequence[str]) -> str:
    return wording.listing(files) if len(files) < 3 else f"{files[0]} to {files[-1]}"
