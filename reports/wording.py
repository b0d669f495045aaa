"""What things are called: variants, outcomes, metrics, gates, and counts of them. Knows no run and no file format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from harness.schema import BASELINE, CANDIDATE, FLOOR, Outcome, Verdict

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
IRREGULAR = {"lease": "leases", "case": "cases", "this": "these", "policy": "policies", "query": "queries"}


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


def listing(items: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    found = list(items)
    if len(found) < 2:
        return "".join(found)
    return ", ".join(found[:-1]) + " and " + found[-1]


def capital(text: str) -> str:
    """A sentence's first letter in upper case."""
    return text[:1].upper() + text[1:]


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


def decoding(samples: int, temperature: float) -> str:
    """`greedy`, or `temperature 0.7, mean of 5 answers`."""
    how = f"temperature {temperature:g}" if temperature else "greedy"
    return how if samples == 1 else f"{how}, mean of {samples} answers"


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
