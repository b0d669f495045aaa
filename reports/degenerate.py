"""Warnings where a gain may be one over nothing: unreadable, cut off or constant answers.

`warning` is the only rule: the verdict shows it in every view, and the business estimate gives no minutes under it.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.schema import BASELINE, CANDIDATE, SuiteInfo
from reports import number_format, wording
from reports.run_data import TOO_FEW, RunView

APART = 0.2
"""Difference of two variants' parse rates, or shares of cut answers, above which their scores compare formats."""
CONSTANT = 0.9
"""Share of one and the same text among a variant's answers, above which it does not respond to the case."""
MOST_CHARACTERS = 40
"""Longest quotation of such a text, in code points."""
SIDES = {BASELINE: "baseline", CANDIDATE: "tuned model"}


def warning(evidence: RunView, suite: SuiteInfo, with_answers: bool = True, with_quotes: bool = True) -> str:
    """Say why a difference between the variants may not be one of content; empty where nothing shows it.

    Without `with_answers` only parse rates are read, which metrics.json has; without `with_quotes` no answer is quoted.
    Nothing is said of fewer than ten cases.
    """
    found = _parse_rates(evidence, suite)
    if with_answers and suite.asked >= TOO_FEW:
        found += [*_cut(evidence, suite), *_constant(evidence, suite, with_quotes)]
    if not found:
        return ""
    facts = " ".join(found)
    return f"{suite.name}: {facts} The models may differ in form only, so a gain is no evidence of better content."


def _parse_rates(evidence: RunView, suite: SuiteInfo) -> list[str]:
    """Compare the metrics that say whether an answer could be read."""
    found = []
    for metric in suite.metrics:
        levels = [evidence.level(suite.name, variant, metric.name) for variant in SIDES]
        rates = [e.value for e in levels if e is not None and e.value is not None and e.n >= TOO_FEW]
        if metric.name.endswith("parse_rate") and _apart(rates):
            found.append(f"Answers that could be read: {_sides(rates)}.")
    return found


def _cut(evidence: RunView, suite: SuiteInfo) -> list[str]:
    """Compare the shares of cut answers; an accepted baseline does not keep which of its answers were cut."""
    tallies = [evidence.tallies[suite.name].get(variant) for variant in SIDES]
    shares = [tally.cut / tally.answers for tally in tallies if tally and tally.text_kept]
    return [f"Answers cut off at the token limit: {_sides(shares)}."] if _apart(shares) else []


def _constant(evidence: RunView, suite: SuiteInfo, with_quotes: bool) -> list[str]:
    found = []
    for variant, name in SIDES.items():
        tally = evidence.tallies[suite.name].get(variant)
        count, number = evidence.index.commonest(suite.name, variant)
        if tally and count > CONSTANT * tally.answers:
            text = " ".join(evidence.source.read(number).completion.text.split())
            quoted = text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
            said = ("the same text" + (f", \u201c{quoted}\u201d" if with_quotes else "")) if text else "empty"
            of = wording.count(tally.answers, "answer")
            found.append(f"{number_format.number(count)} of {of} of the {name} are {said}.")
    return found


def _apart(shares: Sequence[float]) -> bool:
    return len(shares) == len(SIDES) and abs(shares[0] - shares[1]) > APART


def _sides(shares: Sequence[float]) -> str:
    """Say both shares: `2.0% of the baseline, 97.1% of the tuned model`."""
    return ", ".join(
        f"{number_format.percent(share)} of the {name}" for share, name in zip(shares, SIDES.values(), strict=True)
    )
