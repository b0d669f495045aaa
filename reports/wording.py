"""Display names of variants, outcomes, metrics and gates, and counts of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from harness.files import digest
from harness.formatting import count as count
from harness.formatting import phrase as phrase
from harness.formatting import plural as plural
from harness.schema import BASELINE, CANDIDATE, FLOOR, Better, Metric, Outcome, Verdict
from harness.scoring.grounding.claims import FABRICATED
from reports.model import ReportModel

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
MET_ALONE = "Every gate is met, but this run approves no merge, for the reason given below."
"""Lead of a report on a run with a note that ends with NO_MERGE."""
SYMBOLS: dict[str, str] = {"pass": "✓", "fail": "✗", "inconclusive": "?", "skipped": "–", "error": "!"}
VARIANTS = {BASELINE: "Baseline", CANDIDATE: "Tuned", FLOOR: "Keyword floor"}


def title(name: str) -> str:
    """Turn an identifier into a heading: `clause_recall` becomes `Clause recall`."""
    return capital(phrase(name))


def metric(name: str, shape: str) -> str:
    """Name a metric with its task shape: `Clause recall, whole contract`."""
    return f"{title(name)}, {shape}" if shape else title(name)


def variant(name: str) -> str:
    """Return a variant's display name."""
    return VARIANTS.get(name, title(name))


def outcome(value: Outcome | str, no_merge: str = "") -> str:
    """Return an outcome's display name, in capitals; `no_merge` is what keeps a pass from approving a merge."""
    return OUTCOMES[value] + (", no merge" if no_merge and value == "pass" else "")


def tone(value: Outcome, no_merge: str) -> Outcome:
    """Return the outcome by which to colour one: that of no pass where it approves no merge."""
    return "skipped" if no_merge and value == "pass" else value


def decision(model: ReportModel) -> str:
    """Return the decision that a report states."""
    is_met_alone = any(section.lead == MET_ALONE for section in model.sections[:1])
    return "No merge by this run" if is_met_alone else DECISIONS[model.outcome]


def outcomes(counts: Mapping[Outcome, int]) -> str:
    """Count gates by outcome, those that stop a merge first: `1 fail, 3 pass`."""
    order: tuple[Outcome, ...] = ("fail", "error", "inconclusive", "skipped", "pass")
    return ", ".join(f"{counts[value]:,} {outcome(value).lower()}" for value in order if counts.get(value))


def listing(items: Iterable[str]) -> str:
    """Join to `a`, `a and b`, `a, b and c`."""
    texts = list(items)
    if len(texts) < 2:
        return "".join(texts)
    return ", ".join(texts[:-1]) + " and " + texts[-1]


def capital(text: str) -> str:
    """Capitalise the first letter of a sentence."""
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
    "required_term_rate": "required term",
    "clause_precision": "named clause",
    "citation_precision": "cited section",
    "guideline_precision": "cited guideline",
    "evidence_precision": "cited sentence",
}
"""The countable things in a metric's denominator, in the singular."""


FABRICATION = "fabrication"
FALSE_POSITIVES = {"clause": "wrong clause name", "claim": "unsupported statement"}
"""What a finding is called, by its kind, where it is no fact that can be checked."""


def verdict_on(kind: str, verdict: str) -> str:
    """Say a scorer's verdict on a claim of a kind: `citation invented`; a clause that is not there is a wrong name."""
    if verdict in FABRICATED and kind in FALSE_POSITIVES:
        return FALSE_POSITIVES[kind]
    return f"{phrase(kind)} {phrase(verdict)}"


def findings_of(key: str, extracted: Collection[str]) -> str:
    """Name one of the lists `extracted` of a score: what a list of labels names in error is wrong, and no invention."""
    return "wrong" if key == "invented" and "missing" in extracted else phrase(key)


def counts(by_noun: Mapping[str, int], kind: str = "") -> str:
    """Count findings by their noun: `2 new fabrications and 1 new wrong clause name`."""
    return listing(count(n, f"{kind} {noun}".strip()) for noun, n in sorted(by_noun.items()) if n)


COUNTS = {
    "claims": "checkable fact",
    "citations": "citation",
    "figures": "figure",
    "names": "name",
    "quotes": "quotation",
    "claims_citation": "citation",
    "claims_figure": "figure",
    "claims_name": "name",
    "claims_quote": "quotation",
    "computed": "calculation",
    "fields": "field",
    "near_misses": "near miss",
    "sentences": "sentence",
    **dict.fromkeys(("words", "source_words"), "word"),
    **dict.fromkeys(("positives", "empty_gold", "answerable", "unanswerable", "has_stale", "absence_due"), "case"),
}
"""The things that a count of a scorer counts, in the singular."""


def item(metric: Metric) -> str:
    """Return the noun of what a metric counts: `clause`; `item` where its denominator has no noun of its own."""
    return ITEMS.get(metric.name) or ("case" if metric.denominator is None else COUNTS.get(metric.denominator, "item"))


def decoding(samples: int, temperature: float) -> str:
    """Say `greedy`, or `temperature 0.7, mean of 5 answers`."""
    how = f"temperature {temperature:g}" if temperature else "greedy"
    return how if samples == 1 else f"{how}, mean of {samples} answers"


def slug(name: str) -> str:
    """Turn a name into an anchor: letters and digits, joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "x"


def anchor(*names: str) -> str:
    """Turn names into an anchor that only these names have, in whatever script they are."""
    return f"{slug(' '.join(names))}-{digest(names)[-8:]}"


def metric_and_slice(verdict: Verdict, shape: str) -> str:
    """Name what a gate judges: `Clause recall, excerpt, instrument lease`."""
    named = metric(verdict.metric, shape)
    return named if verdict.slice is None else f"{named}, {phrase(verdict.slice)} {phrase(verdict.slice_value or '')}"


def finding(verdict: Verdict) -> str:
    """Say what a gate found, as its verdict does, and what would settle it, unless the verdict ends with that."""
    needed = verdict.needed or ""
    is_said = not needed or verdict.reason.endswith(f"needs {needed.partition(';')[0]}.")
    return verdict.reason if is_said else f"{verdict.reason} To settle it: {needed}."


def direction(better: Better, says: str = "") -> str:
    """Say which direction is better, after the metric's own sentence."""
    way = f"{better} is better" if better else "neither direction is better"
    return f"{says.rstrip('.')}; {way}" if says else way


def shortened(text: str, most: int) -> str:
    """Truncate to `most` code points, with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def shown_of(noun: str, shown: int, of: int) -> str:
    """Say `3 regressions`, or `10 of 42 regressions shown`."""
    if of == 0:
        return f"no {plural(noun)}"
    return count(of, noun) if shown == of else f"{shown:,} of {count(of, noun)} shown"


def excerpt(shown: int, of: int) -> str:
    """Say how much of a document is shown."""
    return f"all {of:,} characters" if shown == of else f"first {shown:,} of {of:,} characters"


def left_out(left: int, noun: str) -> str:
    """Say what a shortened report leaves out, and where it is."""
    return f"Left out here: {count(left, noun)}. report.html shows all of them."


def cut(shown: int, of: int) -> str:
    """Return the note at the end of a text that a shortened report truncates."""
    return f" […] ({excerpt(shown, of)}; report.html shows the whole text)"
