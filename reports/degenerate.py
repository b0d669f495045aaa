"""Warnings where scores say little: unreadable, constant, mostly cut or differently reasoned answers.

`warning` is the only rule: the verdict shows it in every view, and the business estimate gives no minutes under it.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.schema import BASELINE, CANDIDATE, SuiteInfo
from reports import number_format, wording
from reports.run_data import TOO_FEW, RunView

APART = 0.2
"""Difference of two variants' parse rates, or shares of cut or reasoned answers, above which scores compare formats."""
UNANSWERED = 0.05
"""Share of a variant's completions with reasoning and no answer, above which its scores depend on the token limit."""
MOSTLY = 0.5
"""Share of a variant's answers that were cut, above which its scores are those of unfinished answers."""
CONSTANT = 0.9
"""Share of one and the same text among a variant's answers, above which it does not respond to the case."""
MOST_CHARACTERS = 40
"""Longest quotation of such a text, in code points."""
FORM = "The models may differ in form only, so a gain is no evidence of better content."
UNFINISHED = "Most scores of the tuned model judge unfinished answers."
UNTHINKING = "Turn thinking off in the chat template"
SIDES = {BASELINE: "baseline", CANDIDATE: "tuned model"}


def warning(evidence: RunView, suite: SuiteInfo, with_answers: bool = True, with_quotes: bool = True) -> str:
    """Say why scores may not be ones of content; empty where nothing shows it.

    Without `with_answers` only parse rates are read, which metrics.json has; without `with_quotes` no answer is quoted.
    Nothing is said of fewer than ten cases.
    """
    found = _parse_rates(evidence, suite)
    cut: dict[str, float] = {}
    if with_answers and suite.asked >= TOO_FEW:
        cut = _shares(evidence, suite, "cut")
        found += [*([_limit(cut)] if _apart([*cut.values()]) else []), *_reasoning(evidence, suite)]
        found += _constant(evidence, suite, with_quotes)
    if found:
        found.append(FORM)
    reasoned = _shares(evidence, suite, "reasoned")
    if with_answers and suite.accepted and any(reasoned.values()):  # How the accepted answers began is not known.
        found.append(_reasoned(reasoned))
    if cut.get(CANDIDATE, 0.0) > MOSTLY:
        found += [*([] if _limit(cut) in found else [_limit(cut)]), UNFINISHED]
    return f"{suite.name}: {' '.join(found)}" if found else ""


def _parse_rates(evidence: RunView, suite: SuiteInfo) -> list[str]:
    """Compare the metrics that say whether an answer could be read."""
    found = []
    for metric in suite.metrics:
        levels = [evidence.level(suite.name, variant, metric.name) for variant in SIDES]
        rates = [e.value for e in levels if e is not None and e.value is not None and e.n >= TOO_FEW]
        if metric.name.endswith("parse_rate") and _apart(rates):
            found.append(f"Answers that could be read: {_sides(dict(zip(SIDES, rates, strict=True)))}.")
    return found


def _shares(evidence: RunView, suite: SuiteInfo, kind: str) -> dict[str, float]:
    """Return each side's share of answers that a tally counts as `kind`; unknown of an accepted baseline."""
    tallies = evidence.tallies[suite.name]
    known = [v for v in SIDES if v in tallies and tallies[v].answers and tallies[v].text_kept]
    return {v: getattr(tallies[v], kind) / tallies[v].answers for v in known}


def _limit(cut: dict[str, float]) -> str:
    return f"Answers cut off at the token limit: {_sides(cut)}."


def _reasoned(shares: dict[str, float]) -> str:
    return f"Answers after reasoning: {_sides(shares)}."


def _reasoning(evidence: RunView, suite: SuiteInfo) -> list[str]:
    """Name reasoning before the answers of one side alone, which nothing judges, and reasoning without an answer."""
    reasoned, lost = (_shares(evidence, suite, kind) for kind in ("reasoned", "unanswered"))
    before, tuned = (reasoned.get(side) for side in SIDES)
    adds = before is not None and tuned is not None and before <= MOSTLY and tuned > before
    found = [_reasoned(reasoned)] if adds or _apart([*reasoned.values()]) else []
    if max(lost.values(), default=0.0) > UNANSWERED:
        return [*found, f"Reasoning without an answer: {_sides(lost)}.", f"{UNTHINKING}, or raise max_tokens."]
    return [*found, f"{UNTHINKING}."] if found else []


def _constant(evidence: RunView, suite: SuiteInfo, with_quotes: bool) -> list[str]:
    found = []
    for variant, name in SIDES.items():
        tally = evidence.tallies[suite.name].get(variant)
        count, number = evidence.index.commonest(suite.name, variant)
        if tally and count > CONSTANT * tally.answers:
            text = " ".join(evidence.source.read(number).completion.answer.split())
            quoted = text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
            said = ("the same text" + (f", \u201c{quoted}\u201d" if with_quotes else "")) if text else "empty"
            of = wording.count(tally.answers, "answer")
            found.append(f"{number_format.number(count)} of {of} of the {name} are {said}.")
    return found


def _apart(shares: Sequence[float]) -> bool:
    return len(shares) == len(SIDES) and abs(shares[0] - shares[1]) > APART


def _sides(shares: dict[str, float]) -> str:
    """Say each side's share: `2.0% of the baseline, 97.1% of the tuned model`."""
    return ", ".join(f"{number_format.percent(share)} of the {SIDES[side]}" for side, share in shares.items())
