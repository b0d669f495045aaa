"""Every number and every fixed wording a reader sees. Knows no run, no HTML and no Markdown.

No other module of `reports` formats a number, so that all views and all terminals round alike.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Literal

from harness.rules import GATE_RULES
from harness.schema import BASELINE, CANDIDATE, FLOOR, Comparison, Estimate, Outcome, Verdict
from reports.model import Cell, Reading, Tone

Unit = Literal["share", "points", "ratio", "number", "coefficient", "seconds"]
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
ALPHA = 0.05
"""A change is only read as one under this p value, where there is a test."""
NOT_MEASURED = "not measured"

OUTCOMES: dict[str, str] = {
    "pass": "PASS",
    "fail": "FAIL",
    "inconclusive": "INCONCLUSIVE",
    "skipped": "NOT JUDGED",
    "error": "ERROR",
}
DECISIONS: dict[str, str] = {
    "pass": "Ready to merge",
    "fail": "Do not merge",
    "inconclusive": "Do not merge yet",
    "skipped": "No decision",
    "error": "Do not merge",
}
SYMBOLS: dict[str, str] = {"pass": "✓", "fail": "✗", "inconclusive": "?", "skipped": "–", "error": "!"}
VARIANTS = {BASELINE: "Baseline", CANDIDATE: "Tuned", FLOOR: "Keyword floor"}
READINGS: dict[Reading, str] = {"better": "Better", "worse": "Worse", "undecided": "No clear change"}
TONES: dict[Reading, Tone] = {"better": "good", "worse": "bad", "undecided": "plain"}
IRREGULAR = {"lease": "leases", "case": "cases", "this": "these", "policy": "policies", "query": "queries"}


def percent(value: float) -> str:
    """A share as a percentage with one decimal; only exactly 0 and 1 are shown as 0% and 100%."""
    if value == 0:
        return "0%"
    if value == 1:
        return "100%"
    if 0 < value < 0.0005:
        return "<0.1%"
    if 0.9995 <= value < 1:
        return ">99.9%"
    return _minus(f"{value * 100:.1f}%")


def points(value: float) -> str:
    """A difference of two shares in signed percentage points; only exactly 0 is shown as 0."""
    scaled = value * 100
    if scaled == 0:
        return "0.0"
    if abs(scaled) < 0.05:
        return _minus(f"{scaled:+.1g}")
    return _minus(f"{scaled:+.1f}")


def ratio(value: float) -> str:
    """A quotient of two rates: `0.62×`."""
    return f"{value:.2f}×"


def number(value: float | int) -> str:
    """Any other number, at three to four significant digits, with thousands separated."""
    if isinstance(value, int) or float(value).is_integer():
        return _minus(f"{int(value):,}")
    if abs(value) >= 1000:
        return _minus(f"{value:,.0f}")
    return _minus(f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}")


def coefficient(value: float) -> str:
    """A coefficient of agreement: `0.32`; only exactly 1 is shown as 1."""
    return ">0.99" if 0.995 <= value < 1 else _minus(f"{value:.2f}")


def exact(value: float | int) -> str:
    """A setting or a loss, as written: four significant digits, powers of ten where they are shorter."""
    return _minus(f"{value:,}" if isinstance(value, int) else f"{value:.4g}")


def quantity(value: float, unit: Unit) -> str:
    """A value in its unit, without the word for the unit."""
    return FORMS[unit](value)


def value(estimate: Estimate | None, unit: Unit = "share") -> str:
    """The number of an estimate alone; `not measured` where there is none."""
    if estimate is None or estimate.value is None:
        return NOT_MEASURED
    return quantity(estimate.value, unit) + (" points" if unit == "points" else "")


def interval(estimate: Estimate | None, unit: Unit = "share") -> str:
    """The interval of an estimate, or its one meaningful bound; empty where there is none."""
    if estimate is None or estimate.value is None:
        return ""
    low = None if estimate.low is None or estimate.side == "upper" else quantity(estimate.low, unit)
    high = None if estimate.high is None or estimate.side == "lower" else quantity(estimate.high, unit)
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"{low} or more"
    return f"{high} or less" if high is not None else ""


def estimate(found: Estimate | None, unit: Unit = "share") -> str:
    """Value and interval in one phrase, as tables of terminals want it."""
    if found is None:
        return NOT_MEASURED
    if found.value is None:
        return f"{NOT_MEASURED}: {found.reason}"
    bounds = interval(found, unit)
    return f"{value(found, unit)} ({bounds})" if bounds else value(found, unit)


def sized(found: Estimate | None, unit: Unit, cluster: str) -> str:
    """An estimate with the cases and sources behind it, in one phrase."""
    if found is None or found.value is None:
        return estimate(found, unit)
    return f"{estimate(found, unit)}, n {number(found.n)}, {sources(found, cluster)}"


def sources(found: Estimate, cluster: str) -> str:
    """`40 contracts`, and what their cases are worth where they share errors: `40 contracts, worth 77 independent`."""
    said = count(found.clusters, cluster)
    if found.n_eff is None or found.n_eff > 0.95 * found.n:
        return said
    return f"{said}, worth {number(round(found.n_eff))} independent"


def level(found: Estimate) -> str:
    """What an interval is: `95% interval` or `95% bound, one-sided`."""
    return percent(found.level).replace(".0%", "%") + (" interval" if found.side == "two" else " bound, one-sided")


def margin(distance: float | None, unit: Unit) -> str:
    """Distance from the deciding bound to the bar, signed; positive lies on the passing side."""
    if distance is None:
        return DASH
    if unit in ("share", "points"):
        return points(distance) + " points"
    return _minus(f"{distance:+.2f}" + ("×" if unit == "ratio" else ""))


def floor(found: float | None, unit: Unit) -> str:
    """The largest change that needs no change of the model: `1.2 points`."""
    if found is None:
        return NOT_MEASURED
    return f"{points(found).lstrip('+')} points" if unit == "points" else quantity(found, unit)


def unit_of(verdict: Verdict) -> Unit:
    """The unit of the number that a verdict judges; a level or difference beyond 1 is no share."""
    unit: Unit = GATE_RULES[verdict.rule].unit
    seen = verdict.observed
    is_share = seen is None or seen.value is None or abs(seen.value) <= 1
    return unit if is_share or unit == "ratio" else "number"


def count(n: int, noun: str) -> str:
    """`1 contract`, `2 contracts`, `1,200 cases`."""
    return f"{n:,} {noun if n == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """The plural of an English noun that names a case's source."""
    if noun in IRREGULAR:
        return IRREGULAR[noun]
    if noun.endswith("y") and noun[-2:-1] not in set("aeiou"):
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def tally(wins: int, losses: int, ties: int) -> str:
    """Paired outcome of the cases in words."""
    return f"{wins:,} better, {losses:,} worse, {ties:,} equal"


def p_value(p: float | None) -> str:
    """`p = 0.031`, never `p = 0`."""
    if p is None:
        return DASH
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def reading(comparison: Comparison, higher_is_better: bool) -> tuple[str, Literal["good", "bad", "plain"]]:
    """What a paired change shows: better or worse only where interval and exact test both leave no change behind."""
    difference, p = comparison.difference, comparison.p_value
    low, high = difference.low, difference.high
    if difference.value is None:
        return NOT_MEASURED, "plain"
    if low is None or high is None or low <= 0 <= high or (p is not None and p >= ALPHA):
        return "no clear change", "plain"
    better = (low > 0) == higher_is_better
    return ("better", "good") if better else ("worse", "bad")


def reading_of(comparison: Comparison, higher_is_better: bool) -> Reading:
    """What a paired change shows, as a drawing has it."""
    tone = reading(comparison, higher_is_better)[1]
    return "better" if tone == "good" else "worse" if tone == "bad" else "undecided"


def title(name: str) -> str:
    """An identifier as a heading: `clause_recall` reads `Clause recall`."""
    return capital(phrase(name))


def phrase(name: str) -> str:
    """An identifier inside a sentence: `clause_macro_f1` reads `clause macro F1`."""
    return re.sub(r"\bf1\b", "F1", name.replace("_", " ").strip())


def metric(name: str, shape: str) -> str:
    """A metric with the task shape that its number is of: `Clause recall, whole contract`."""
    return f"{title(name)}, {shape}" if shape else title(name)


def variant(name: str) -> str:
    """A variant's name as readers see it."""
    return VARIANTS.get(name, title(name))


def outcome(found: Outcome | str) -> str:
    """An outcome as a word in capitals."""
    return OUTCOMES[found]


def outcomes(counts: Mapping[Outcome, int]) -> str:
    """How many gates came to which outcome, those that stop a merge first: `1 fail, 3 pass`."""
    order: tuple[Outcome, ...] = ("fail", "error", "inconclusive", "skipped", "pass")
    return ", ".join(f"{counts[found]:,} {found}" for found in order if counts.get(found))


def duration(seconds: float) -> str:
    """Wall time: `850 ms`, `12.4 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(iso: str | None) -> str:
    """A UTC time: `2026-11-25 01:17:30 UTC`."""
    if not iso:
        return NOT_MEASURED
    return iso.replace("T", " ").removesuffix("Z") + " UTC" if iso.endswith("Z") else iso


def short(digest: str | None) -> str:
    """The first twelve digits of a digest, enough to compare by eye."""
    if not digest:
        return DASH
    head, _, rest = digest.rpartition(":")
    return f"{head}:{rest[:12]}" if head else rest[:12]


def listing(items: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    found = list(items)
    if len(found) < 2:
        return "".join(found)
    return ", ".join(found[:-1]) + " and " + found[-1]


def capital(text: str) -> str:
    """A sentence's first letter in upper case."""
    return text[:1].upper() + text[1:]


def too_few(n: int, needed: int) -> str:
    """What stands in place of a number on too few cases."""
    return f"too few (n {n}, under {needed})"


def wrong(tuned: int, baseline: int | None, of: int, noun: str, clusters: str) -> str:
    """The plain sentence of a suite: how many fewer or more answers are wrong."""
    whole = f"{of:,} {plural(noun)}{clusters}"
    if baseline is None:
        return f"wrong on {tuned:,} of {whole}"
    if tuned == baseline:
        return f"wrong on as many of {whole} as the baseline ({tuned:,})"
    change = f"{abs(tuned - baseline):,} {'fewer' if tuned < baseline else 'more'}"
    return f"wrong on {change} of {whole} ({tuned:,}, baseline {baseline:,})"


ITEMS = {
    "clause_recall": "clause",
    "critical_term_recall": "critical clause",
    "term_recall": "key term",
    "span_recall": "marked passage",
    "guideline_recall": "guideline",
    "citation_recall": "section",
    "evidence_recall": "deciding sentence",
    "required_figure_recall": "figure",
    "disclosure_rate": "required statement",
    "point_recall": "content point",
}
"""What a metric's denominator counts, one of them, where a reader can count it too."""


def clean(value: float) -> float:
    """A computed number without what only the computer's rounding put there."""
    return round(value, 9) + 0.0


def missed(tuned: float, baseline: float | None, of: int, noun: str, sources: str) -> str:
    """The plain sentence of a suite whose answers find things: how many fewer or more are missed."""
    tuned, baseline = round(tuned), None if baseline is None else round(baseline)
    whole = f"{of:,} {plural(noun)} in {sources}"
    if baseline is None:
        return f"misses {tuned:,} of {whole}"
    if tuned == baseline:
        return f"misses as many of {whole} as the baseline ({tuned:,})"
    change = f"{abs(tuned - baseline):,} {'fewer' if tuned < baseline else 'more'}"
    return f"misses {change} of {whole} ({tuned:,}, baseline {baseline:,})"


def scaled(found: Estimate, is_change: bool, noun: str, source: str, fabricated: tuple[float, float] | None) -> str:
    """What an estimate of things missed, or of answers wrong, comes to in 100 sources: `422 fewer clauses missed`.

    `fabricated` are new and gone fabrications in 100 sources.
    """
    if found.value is None:
        return ""
    of = noun or "answer"
    what = f"{of if _about(abs(found.value)) == '1' else plural(of)} {'missed' if noun else 'wrong'}"
    many = _fewer(found.value) if is_change else _about(found.value)
    bounds = "" if found.low is None or found.high is None else f" ({level(found)}: {_range(found, is_change)})"
    return f"Scaled to 100 {plural(source)}: {many} {what}{bounds}{_claims(fabricated)}."


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
    return f"{number(new) if new else 'no'} new {'fabrication' if new == 1 else 'fabrications'}, {fixed:,} gone"


def bar_moved(text: str) -> str:
    """A sentence of the manifest's `moved`, as every view says it."""
    return f"The bar moved: {text}."


def decoding(samples: int, temperature: float) -> str:
    """`greedy`, or `temperature 0.7, mean of 5 answers`."""
    how = f"temperature {temperature:g}" if temperature else "greedy"
    return how if samples == 1 else f"{how}, mean of {samples} answers"


def tokens_per_second(rate: float) -> str:
    """Throughput, at most one decimal."""
    return f"{rate:,.0f} tokens/s" if rate >= 100 else f"{rate:,.1f} tokens/s"


def slug(name: str) -> str:
    """An anchor from a name: letters and digits, joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "x"


def metric_and_slice(verdict: Verdict, shape: str) -> str:
    """What a gate judges: `Clause recall, excerpt, instrument lease`."""
    named = metric(verdict.metric, shape)
    return named if verdict.slice is None else f"{named}, {phrase(verdict.slice)} {verdict.slice_value}"


def gate(verdict: Verdict, shape: str) -> str:
    """A gate in one phrase: `Clause recall, excerpt: at least 95.0%`."""
    return f"{metric_and_slice(verdict, shape)}: {verdict.bar}"


def needs(needed: str | None) -> str:
    """What would settle an inconclusive verdict; empty where nothing is said."""
    return f"To settle it: {needed}." if needed else ""


def direction(higher_is_better: bool, says: str = "") -> str:
    """Which way is better, after the metric's own sentence."""
    way = "higher is better" if higher_is_better else "lower is better"
    return f"{says.rstrip('.')}; {way}" if says else way


def test(p: float | None, name: str) -> str:
    """A significance test in one phrase; empty where none was made."""
    return f"{p_value(p)} ({name})" if p is not None and name else ""


def moved(changes: dict[str, float]) -> str:
    """Which way one case moved on which metrics: `Worse on clause recall; better on parse rate`."""
    worse = listing(phrase(name) for name, change in changes.items() if change < 0)
    better = listing(phrase(name) for name, change in changes.items() if change > 0)
    said = [f"worse on {worse}" if worse else "", f"better on {better}" if better else ""]
    return capital("; ".join(filter(None, said)))


def shown_of(noun: str, shown: int, of: int) -> str:
    """`3 regressions`, `10 of 42 regressions shown`."""
    if of == 0:
        return f"no {plural(noun)}"
    return count(of, noun) if shown == of else f"{shown:,} of {count(of, noun)} shown"


def excerpt(shown: int, of: int) -> str:
    """How much of a document is shown."""
    return f"all {of:,} characters" if shown == of else f"first {shown:,} of {of:,} characters"


def left_out(left: int, noun: str) -> str:
    """What a shortened report leaves out, and where it is."""
    return f"Left out here: {count(left, noun)}; report.html has every one."


def cut(shown: int, of: int) -> str:
    """What ends a text that a shortened report cuts."""
    return f" […] ({excerpt(shown, of)}; report.html has them all)"


def fabrication_counts(new: int, fixed: int, kept: int) -> str:
    """New, gone and persisting fabrications."""
    return f"{new:,} new, {fixed:,} gone, {kept:,} made by both"


def setting(found: object, name: str = "") -> Cell:
    """A recorded setting as a cell; the ending of its name tells its unit."""
    if isinstance(found, bool) or found is None:
        return Cell(text={True: "yes", False: "no", None: DASH}[found])
    if isinstance(found, (list, tuple)):
        return Cell(text=", ".join(setting(item).text for item in found) or DASH)
    if not isinstance(found, (int, float)):
        return Cell(text=str(found))
    if name.endswith(("tokens_per_second", "tokens_per_s")):
        return Cell(text=tokens_per_second(found))
    if name == "seconds" or (name.endswith(("_seconds", "_s")) and not name.endswith("_per_s")):
        return Cell(text=duration(found))
    return Cell(text=bytes_of(found) if name.endswith("_bytes") else exact(found))


def lowest(points_: list[tuple[float, float]]) -> str:
    """Where a curve is lowest; the first such step where several are."""
    step, least = min(points_, key=lambda point: (point[1], point[0]))
    return f"{exact(least)} at step {number(step)}"


def bytes_of(size: float) -> str:
    """Memory in GiB or MiB."""
    gib = size / 2**30
    return f"{gib:,.1f} GiB" if gib >= 1 else f"{size / 2**20:,.0f} MiB"


def tick(position: float, unit: Unit) -> str:
    """The label of an axis mark."""
    if unit == "share":
        return f"{position * 100:.0f}%"
    return "0" if position == 0 else _minus(f"{position * 100:+.0f}")


def preferred(found: Estimate) -> tuple[str, Literal["good", "bad", "plain"]]:
    """What a share of preferences shows: one side only where the whole interval lies beyond a half."""
    if found.value is None:
        return NOT_MEASURED, "plain"
    if found.low is None or found.high is None or found.low <= 0.5 <= found.high:
        return "no clear preference", "plain"
    return ("tuned preferred", "good") if found.low > 0.5 else ("baseline preferred", "bad")


def capped(least_s: float, most_s: float, times: int, drafts: int) -> str:
    """How the times of a review were capped, and what is not in them."""
    return (
        f"In the ratio a time counts as {duration(least_s)} at least and {duration(most_s)} at most: one and a half "
        "interquartile ranges beyond the quartiles of both models' times, on a scale of logarithms. "
        f"Capped so: {times:,} of {count(drafts, 'draft')}. In the medians none is. Practice items and drafts that "
        "were not judged are left out."
    )


def blind(found: Estimate) -> tuple[str, Literal["bad", "plain"]]:
    """What guesses at the tuned model's answer show of a blind review; chance gives a half."""
    if found.value is None:
        return NOT_MEASURED, "plain"
    if found.low is not None and found.low > 0.5:
        return "the blind did not hold: reviewers told the models apart", "bad"
    return "no sign that reviewers told the models apart", "plain"


def finite(found: float | None) -> float | None:
    """A number that JSON can hold, or None."""
    return None if found is None or not math.isfinite(found) else found


def _minus(text: str) -> str:
    return text.replace("-", MINUS)


FORMS = {
    "share": percent,
    "points": points,
    "ratio": ratio,
    "number": number,
    "coefficient": coefficient,
    "seconds": duration,
}
"""How each unit's values are written."""
